//! Lifecycle configurations in XML: the form of today (`Filter`) and the older one (`Prefix` in the rule).

use super::code::Code;
use super::document::{malformed, optional_text, optional_word, required, switch, text, word};
use super::error::Error;
use super::listing::write_time;
use super::tags;
use crate::rules::lifecycle::{
    Expiration, Fault, Filter, FilterForm, Lifecycle, MinimumSize, NEWER_VERSIONS_MAX, NoncurrentExpiration,
    NoncurrentTransition, RULES_MAX, Rule, StorageClass, Transition, TransitionTime, is_midnight,
};
use crate::sources::Timestamp;
use crate::wire::parse_iso8601;
use crate::wire::xml::{self, Element, Writer};

/// Classes that AWS moves objects to and from which nothing can be read before it is restored.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// Reads a configuration and checks it. Rules without an id get one from `new_id`.
pub(crate) fn parse(
    body: &[u8],
    minimum_size: MinimumSize,
    new_id: &mut dyn FnMut() -> String,
) -> Result<Lifecycle, Error> {
    let root = xml::parse_s3(body)?;
    root.expect_only(&["Rule"])?;
    if root.name != "LifecycleConfiguration" || root.children.is_empty() {
        return Err(malformed());
    }
    if root.children.len() > RULES_MAX {
        // In the words of AWS's list of errors.
        let text = format!("The number of lifecycle rules must not exceed the allowed limit of {RULES_MAX} rules.");
        return Err(Error::invalid_request(text));
    }
    let rules = root.children.iter().map(|element| rule(element, new_id)).collect::<Result<_, Error>>()?;
    let lifecycle = Lifecycle { rules, minimum_size };
    lifecycle.check().map_err(|fault| match fault {
        Fault::Argument(text) => Error::with_message(Code::InvalidArgument, text),
        Fault::Request(text) => Error::invalid_request(text),
    })?;
    Ok(lifecycle)
}

fn rule(element: &Element, new_id: &mut dyn FnMut() -> String) -> Result<Rule, Error> {
    element.expect_only(&[
        "ID",
        "Prefix",
        "Filter",
        "Status",
        "Expiration",
        "Transition",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "AbortIncompleteMultipartUpload",
    ])?;
    let id = optional_word(element, "ID")?.filter(|id| !id.is_empty());
    Ok(Rule {
        id: id.map_or_else(new_id, str::to_owned),
        enabled: switch(element, "Status", ["Enabled", "Disabled"])?,
        filter: filter(element)?,
        expiration: element.at_most_one("Expiration")?.map(expiration).transpose()?,
        noncurrent_expiration: element
            .at_most_one("NoncurrentVersionExpiration")?
            .map(noncurrent_expiration)
            .transpose()?,
        abort_after_days: element.at_most_one("AbortIncompleteMultipartUpload")?.map(abortion).transpose()?,
        transitions: element.all("Transition").map(transition).collect::<Result<_, _>>()?,
        noncurrent_transitions: element
            .all("NoncurrentVersionTransition")
            .map(noncurrent_transition)
            .collect::<Result<_, _>>()?,
    })
}

fn filter(rule: &Element) -> Result<Filter, Error> {
    match (rule.at_most_one("Filter")?, prefix(rule)?) {
        (None, None) => Err(malformed()),
        (Some(_), Some(_)) => Err(Error::invalid_request(
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
        )),
        (None, Some(prefix)) => Ok(Filter { form: FilterForm::Rule, prefix: Some(prefix), ..Filter::default() }),
        (Some(filter), None) => {
            filter.expect_only(&["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And"])?;
            match filter.children.as_slice() {
                [] => Ok(Filter::default()),
                [and] if and.name == "And" => {
                    and.expect_only(&["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"])?;
                    if and.children.len() < 2 {
                        return Err(malformed());
                    }
                    conditions(and, FilterForm::And)
                }
                [_] => conditions(filter, FilterForm::One),
                _ => Err(malformed()),
            }
        }
    }
}

fn conditions(element: &Element, form: FilterForm) -> Result<Filter, Error> {
    let bytes = |name| -> Result<Option<u64>, Error> {
        optional_word(element, name)?.map(str::parse).transpose().map_err(|_| malformed())
    };
    let tag = |tag: &Element| {
        tag.expect_only(&["Key", "Value"])?;
        let tag = (text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned());
        tags::check(std::slice::from_ref(&tag))?;
        Ok(tag)
    };
    Ok(Filter {
        form,
        prefix: prefix(element)?,
        tags: element.all("Tag").map(tag).collect::<Result<_, Error>>()?,
        larger_than: bytes("ObjectSizeGreaterThan")?,
        smaller_than: bytes("ObjectSizeLessThan")?,
    })
}

fn prefix(element: &Element) -> Result<Option<String>, Error> {
    Ok(optional_text(element, "Prefix")?.map(str::to_owned))
}

fn expiration(element: &Element) -> Result<Expiration, Error> {
    element.expect_only(&["Days", "Date", "ExpiredObjectDeleteMarker"])?;
    let [only] = element.children.as_slice() else { return Err(malformed()) };
    match only.name.as_str() {
        "Days" => Ok(Expiration::Days(positive(only, "Expiration")?)),
        "Date" => Ok(Expiration::Date(date(only)?.0)),
        _ => match only.leaf()?.trim() {
            "true" => Ok(Expiration::DeleteMarker(true)),
            "false" => Ok(Expiration::DeleteMarker(false)),
            _ => Err(malformed()),
        },
    }
}

fn noncurrent_expiration(element: &Element) -> Result<NoncurrentExpiration, Error> {
    const ACTION: &str = "NoncurrentVersionExpiration";
    element.expect_only(&["NoncurrentDays", "NewerNoncurrentVersions"])?;
    let days = required(element, "NoncurrentDays")?;
    Ok(NoncurrentExpiration { days: positive(days, ACTION)?, newer: newer(element, ACTION)? })
}

fn noncurrent_transition(element: &Element) -> Result<NoncurrentTransition, Error> {
    const ACTION: &str = "NoncurrentVersionTransition";
    element.expect_only(&["NoncurrentDays", "NewerNoncurrentVersions", "StorageClass"])?;
    let days = required(element, "NoncurrentDays")?;
    Ok(NoncurrentTransition {
        days: not_negative(days, ACTION)?,
        newer: newer(element, ACTION)?,
        class: class(element)?,
    })
}

fn transition(element: &Element) -> Result<Transition, Error> {
    element.expect_only(&["Days", "Date", "StorageClass"])?;
    let at = match (element.at_most_one("Days")?, element.at_most_one("Date")?) {
        (Some(days), None) => TransitionTime::Days(not_negative(days, "Transition")?),
        (None, Some(at)) => TransitionTime::Date(date(at)?.0),
        _ => return Err(malformed()),
    };
    Ok(Transition { at, class: class(element)? })
}

fn abortion(element: &Element) -> Result<u32, Error> {
    element.expect_only(&["DaysAfterInitiation"])?;
    positive(required(element, "DaysAfterInitiation")?, "AbortIncompleteMultipartUpload")
}

/// What is no archive can be read at once, as all is here; a class that promises otherwise is not given out as another.
/// (AWS takes the archives; its answer to a class that a bucket cannot have is not recorded.)
fn class(element: &Element) -> Result<StorageClass, Error> {
    let name = word(element, "StorageClass")?;
    if ARCHIVES.contains(&name) {
        let text = format!("The storage class {name} is not supported: objects cannot be archived here");
        return Err(Error::with_message(Code::InvalidStorageClass, text).and("StorageClassRequested", name));
    }
    StorageClass::parse(name).ok_or_else(malformed)
}

fn newer(element: &Element, action: &str) -> Result<Option<u32>, Error> {
    let Some(newer) = element.at_most_one("NewerNoncurrentVersions")? else { return Ok(None) };
    let newer = positive(newer, action)?;
    if newer > NEWER_VERSIONS_MAX {
        // AWS's text is not recorded.
        return Err(Error::with_message(
            Code::InvalidArgument,
            format!("'NewerNoncurrentVersions' for {action} action must be at most {NEWER_VERSIONS_MAX}"),
        ));
    }
    Ok(Some(newer))
}

fn positive(element: &Element, action: &str) -> Result<u32, Error> {
    match integer(element)? {
        days if days > 0 => Ok(days.unsigned_abs()),
        _ => Err(Error::with_message(
            Code::InvalidArgument,
            format!("'{}' for {action} action must be a positive integer", element.name),
        )),
    }
}

fn not_negative(element: &Element, action: &str) -> Result<u32, Error> {
    let days = integer(element)?;
    u32::try_from(days).map_err(|_| {
        let text = format!("'{}' for {action} action must be nonnegative", element.name);
        Error::with_message(Code::InvalidArgument, text)
    })
}

fn integer(element: &Element) -> Result<i32, Error> {
    element.leaf()?.trim().parse().map_err(|_| malformed())
}

fn date(element: &Element) -> Result<Timestamp, Error> {
    // Clients send a moment; the schema allows a day alone.
    let text = element.leaf()?.trim();
    let date = parse_iso8601(text).or_else(|| parse_iso8601(&format!("{text}T00:00:00Z"))).ok_or_else(malformed)?;
    if is_midnight(date) {
        return Ok(date);
    }
    Err(Error::invalid_argument("'Date' must be at midnight GMT", "Date", text))
}

/// A configuration as it was set.
pub(crate) fn render(lifecycle: &Lifecycle) -> Writer {
    let mut w = Writer::with_capacity(256 * (lifecycle.rules.len() + 1));
    w.root("LifecycleConfiguration", |w| {
        for rule in &lifecycle.rules {
            w.node("Rule", |w| write_rule(w, rule));
        }
    });
    w
}

fn write_rule(w: &mut Writer, rule: &Rule) {
    w.leaf("ID", &rule.id);
    match rule.filter.form {
        FilterForm::Rule => {
            w.leaf("Prefix", rule.filter.prefix.as_deref().unwrap_or_default());
        }
        FilterForm::One => {
            w.node("Filter", |w| write_conditions(w, &rule.filter));
        }
        FilterForm::And => {
            w.node("Filter", |w| {
                w.node("And", |w| write_conditions(w, &rule.filter));
            });
        }
    }
    w.leaf("Status", if rule.enabled { "Enabled" } else { "Disabled" });
    for transition in &rule.transitions {
        w.node("Transition", |w| {
            match transition.at {
                TransitionTime::Days(days) => _ = w.number("Days", days.into()),
                TransitionTime::Date(date) => write_time(w, "Date", Timestamp(date)),
            }
            w.leaf("StorageClass", transition.class.name());
        });
    }
    if let Some(expiration) = rule.expiration {
        w.node("Expiration", |w| match expiration {
            Expiration::Days(days) => _ = w.number("Days", days.into()),
            Expiration::Date(date) => write_time(w, "Date", Timestamp(date)),
            Expiration::DeleteMarker(marker) => _ = w.flag("ExpiredObjectDeleteMarker", marker),
        });
    }
    for transition in &rule.noncurrent_transitions {
        w.node("NoncurrentVersionTransition", |w| {
            write_noncurrent(w, transition.days, transition.newer);
            w.leaf("StorageClass", transition.class.name());
        });
    }
    if let Some(end) = rule.noncurrent_expiration {
        w.node("NoncurrentVersionExpiration", |w| write_noncurrent(w, end.days, end.newer));
    }
    if let Some(days) = rule.abort_after_days {
        w.node("AbortIncompleteMultipartUpload", |w| _ = w.number("DaysAfterInitiation", days.into()));
    }
}

fn write_noncurrent(w: &mut Writer, days: u32, newer: Option<u32>) {
    w.number("NoncurrentDays", days.into());
    if let Some(newer) = newer {
        w.number("NewerNoncurrentVersions", newer.into());
    }
}

fn write_conditions(w: &mut Writer, filter: &Filter) {
    if let Some(prefix) = &filter.prefix {
        w.leaf("Prefix", prefix);
    }
    for (key, value) in &filter.tags {
        w.node("Tag", |w| _ = w.leaf("Key", key).leaf("Value", value));
    }
    if let Some(bytes) = filter.larger_than {
        w.number("ObjectSizeGreaterThan", bytes);
    }
    if let Some(bytes) = filter.smaller_than {
        w.number("ObjectSizeLessThan", bytes);
    }
}

#[cfg(test)]
mod tests;
