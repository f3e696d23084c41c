//! `NotificationConfiguration` in XML. Pure.

use super::code::Code;
use super::document::{malformed, marker, optional_text, text, word, words};
use super::error::Error;
use crate::rules::notification::{
    DESTINATIONS_MAX, Destination, DestinationKind, EventName, FILTER_VALUE_MAX_BYTES, Fault, ID_MAX_CHARS,
    NotificationConfiguration,
};
use crate::wire::xml::{self, Element, Writer};

/// Element of a destination, that of its ARN, the service in the ARN.
const KINDS: [(DestinationKind, &str, &str, &str); 3] = [
    (DestinationKind::Topic, "TopicConfiguration", "Topic", "sns"),
    (DestinationKind::Queue, "QueueConfiguration", "Queue", "sqs"),
    (DestinationKind::Function, "CloudFunctionConfiguration", "CloudFunction", "lambda"),
];

/// Reads a configuration and checks what can be checked without knowing the targets. `new_id` names destinations that
/// bring no id.
pub(super) fn parse(body: &[u8], new_id: impl Fn() -> String) -> Result<NotificationConfiguration, Error> {
    let root = xml::parse_s3(body)?;
    if root.name != "NotificationConfiguration" {
        return Err(malformed());
    }
    let bus = "EventBridgeConfiguration";
    root.expect_only(&[KINDS[0].1, KINDS[1].1, KINDS[2].1, bus])?;
    let event_bridge = marker(&root, bus)?;
    let mut destinations = Vec::new();
    for child in &root.children {
        if let Some((kind, _, arn, service)) = KINDS.iter().find(|(_, element, _, _)| *element == child.name) {
            destinations.push(destination(child, (*kind, arn, service), &new_id)?);
        }
    }
    let configuration = NotificationConfiguration { destinations, event_bridge, unvalidated: None };
    configuration.check().map_err(refusal)?;
    Ok(configuration)
}

/// The texts of the first and the second are not recorded.
fn refusal(fault: Fault) -> Error {
    match fault {
        Fault::TooMany => invalid(format!("A bucket can have at most {DESTINATIONS_MAX} notification configurations")),
        Fault::SameId(id) => {
            Error::invalid_argument("Same ID used for multiple configurations. IDs must be unique", "Id", id)
        }
        Fault::Ambiguous => invalid(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are \
             overlapping for the same event type.",
        ),
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::with_message(Code::InvalidArgument, message)
}

fn destination(
    element: &Element,
    (kind, arn_element, service): (DestinationKind, &str, &str),
    new_id: &impl Fn() -> String,
) -> Result<Destination, Error> {
    element.expect_only(&["Id", arn_element, "Event", "Filter"])?;
    let id = optional_text(element, "Id")?.filter(|id| !id.is_empty());
    let id = id.map_or_else(new_id, str::to_owned);
    if id.chars().count() > ID_MAX_CHARS {
        // Not recorded.
        return Err(Error::invalid_argument("ID length should not exceed allowed limit of 255", "Id", id));
    }
    let arn = word(element, arn_element)?.to_owned();
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, named, _, _, name] = parts[..] else {
        return Err(Error::invalid_argument("The ARN could not be parsed", arn_element, arn));
    };
    if named != service || name.is_empty() {
        // Not recorded.
        return Err(Error::invalid_argument("The ARN is not well formed", arn_element, arn));
    }
    let events = words(element, "Event")?.into_iter().map(|name| {
        // Not recorded.
        let unknown =
            || Error::invalid_argument("A specified event is not supported for notifications.", "Event", name);
        EventName::parse(name).ok_or_else(unknown)
    });
    let mut events = events.collect::<Result<Vec<_>, Error>>()?;
    if events.is_empty() {
        return Err(malformed());
    }
    events.dedup();
    let (prefix, suffix) = element.at_most_one("Filter")?.map(filter).transpose()?.unwrap_or_default();
    Ok(Destination { id, kind, arn, events, prefix, suffix })
}

type Filter = (Option<String>, Option<String>);

fn filter(element: &Element) -> Result<Filter, Error> {
    element.expect_only(&["S3Key"])?;
    let Some(key) = element.at_most_one("S3Key")? else { return Ok(Filter::default()) };
    key.expect_only(&["FilterRule"])?;
    let (mut prefix, mut suffix) = Filter::default();
    for rule in &key.children {
        rule.expect_only(&["Name", "Value"])?;
        let name = word(rule, "Name")?;
        let value = text(rule, "Value")?.to_owned();
        // The texts but that of an unknown name are not recorded.
        let (slot, twice) = match name.to_ascii_lowercase().as_str() {
            "prefix" => (&mut prefix, "Cannot specify more than one prefix rule in a filter."),
            "suffix" => (&mut suffix, "Cannot specify more than one suffix rule in a filter."),
            _ => return Err(Error::invalid_argument("filter rule name must be either prefix or suffix", name, value)),
        };
        if value.len() > FILTER_VALUE_MAX_BYTES {
            return Err(invalid("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation"));
        }
        if slot.replace(value).is_some() {
            return Err(invalid(twice));
        }
    }
    Ok((prefix, suffix))
}

/// A configuration as S3 shows it: by kind; names of rules begin with a capital, however they were sent.
pub(super) fn render(configuration: &NotificationConfiguration) -> Writer {
    let mut w = Writer::document();
    w.root("NotificationConfiguration", |w| {
        for (kind, element, arn, _) in KINDS {
            for destination in configuration.destinations.iter().filter(|destination| destination.kind == kind) {
                w.node(element, |w| write(w, arn, destination));
            }
        }
        if configuration.event_bridge {
            w.node("EventBridgeConfiguration", |_| ());
        }
    });
    w
}

fn write(w: &mut Writer, arn: &str, destination: &Destination) {
    w.leaf("Id", &destination.id).leaf(arn, &destination.arn);
    for event in &destination.events {
        w.leaf("Event", event.name());
    }
    let rules = [("Prefix", &destination.prefix), ("Suffix", &destination.suffix)];
    if rules.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    w.node("Filter", |w| {
        w.node("S3Key", |w| {
            for (name, value) in rules {
                if let Some(value) = value {
                    w.node("FilterRule", |w| {
                        w.leaf("Name", name).leaf("Value", value);
                    });
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::{parse, render};

    /// A body and its error, or none and what is shown of it.
    #[derive(serde::Deserialize)]
    struct Case {
        body: String,
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        elements: Vec<String>,
        #[serde(default)]
        shown: String,
    }

    #[test]
    fn bodies_and_what_is_answered() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../fixtures/s3/notifications.json")).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let full = |inner: &str| {
                inner.strip_prefix('!').map_or_else(
                    || format!("<NotificationConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{inner}</NotificationConfiguration>"),
                    str::to_owned,
                )
            };
            let body = full(&case.body);
            match parse(body.as_bytes(), || "made".to_owned()) {
                Ok(configuration) => {
                    assert_eq!(case.code, "", "{body}");
                    let written = render(&configuration).finish();
                    let inner = written.split_once("2006-03-01/\">").unwrap().1;
                    assert_eq!(inner.strip_suffix("</NotificationConfiguration>").unwrap(), case.shown, "{body}");
                    let again = parse(written.as_bytes(), || unreachable!()).unwrap();
                    assert_eq!(render(&again).finish(), written);
                }
                Err(error) => {
                    let elements: Vec<_> = error.elements().map(|(name, value)| format!("{name}={value}")).collect();
                    assert_eq!((error.code().name(), error.message()), (&*case.code, &*case.message), "{body}");
                    assert_eq!(elements, case.elements, "{body}");
                }
            }
        }
    }

    #[test]
    fn a_hundred_and_no_more() {
        let body = |count: usize| {
            let one = |n: usize| {
                format!(
                    "<QueueConfiguration><Id>{n}</Id><Queue>arn:aws:sqs:us-east-1:111122223333:q</Queue>\
                 <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>{n}/</Value>\
                 </FilterRule></S3Key></Filter></QueueConfiguration>"
                )
            };
            let all: String = (0..count).map(one).collect();
            format!("<NotificationConfiguration>{all}</NotificationConfiguration>")
        };
        assert_eq!(parse(body(100).as_bytes(), String::new).unwrap().destinations.len(), 100);
        let refused = parse(body(101).as_bytes(), String::new).unwrap_err();
        assert_eq!(refused.code().name(), "InvalidArgument");
        let long = |chars: usize| {
            let id = "é".repeat(chars);
            let body = body(1).replace("<Id>0</Id>", &format!("<Id>{id}</Id>"));
            parse(body.as_bytes(), String::new).map(|_| ()).map_err(|error| error.code().name())
        };
        assert_eq!((long(255), long(256)), (Ok(()), Err("InvalidArgument")));
        let rule = |bytes: usize| {
            let body = body(1).replace("0/", &"p".repeat(bytes));
            parse(body.as_bytes(), String::new).map(|_| ()).map_err(|error| error.code().name())
        };
        assert_eq!((rule(1024), rule(1025)), (Ok(()), Err("InvalidArgument")));
    }
}
