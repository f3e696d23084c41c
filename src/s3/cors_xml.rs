//! `CORSConfiguration`: read, checked and printed. Texts are AWS's. Pure.

use super::code::Code;
use super::document::{optional_text, optional_word, words};
use super::error::Error;
use crate::rules::cors::{Cors, CorsMethod, CorsRule, ID_MAX_CHARS, RULES_MAX};
use crate::wire::xml::{self, Element, Writer};

/// Reads and checks a body.
pub(crate) fn parse(body: &[u8]) -> Result<Cors, Error> {
    let root = xml::parse_s3(body)?;
    root.expect_only(&["CORSRule"])?;
    if root.name != "CORSConfiguration" || root.children.is_empty() {
        return Err(Error::new(Code::MalformedXML));
    }
    if root.children.len() > RULES_MAX {
        // Not recorded.
        let message = format!("The number of CORS rules should not exceed allowed limit of {RULES_MAX} rules.");
        return Err(Error::invalid_request(message));
    }
    root.children.iter().map(rule).collect::<Result<_, _>>().map(Cors)
}

fn rule(element: &Element) -> Result<CorsRule, Error> {
    let known = ["ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds"];
    element.expect_only(&known)?;
    let texts = |name| Ok::<_, Error>(words(element, name)?.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let (origins, headers, expose) = (texts("AllowedOrigin")?, texts("AllowedHeader")?, texts("ExposeHeader")?);
    let methods = words(element, "AllowedMethod")?.into_iter().map(method).collect::<Result<Vec<_>, _>>()?;
    if origins.is_empty() || methods.is_empty() {
        return Err(Error::new(Code::MalformedXML));
    }
    for (name, values) in [("AllowedOrigin", &origins), ("AllowedHeader", &headers)] {
        if let Some(several) = values.iter().find(|value| value.matches('*').count() > 1) {
            let message = format!("{name} \"{several}\" can not have more than one wildcard.");
            return Err(Error::invalid_request(message));
        }
    }
    if let Some(wild) = expose.iter().find(|value| value.contains('*')) {
        let message = format!(
            "ExposeHeader \"{wild}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        );
        return Err(Error::invalid_request(message));
    }
    // They become headers of answers, in which nothing else could be said.
    let legal = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
    if !origins.iter().chain(&headers).chain(&expose).all(legal) {
        return Err(Error::new(Code::MalformedXML));
    }
    let id = optional_text(element, "ID")?.map(str::to_owned);
    if id.as_ref().is_some_and(|id| id.chars().count() > ID_MAX_CHARS) {
        // Not recorded.
        let message = format!("The ID of a CORS rule should be less than or equal to {ID_MAX_CHARS} characters.");
        return Err(Error::invalid_request(message));
    }
    let max_age = optional_word(element, "MaxAgeSeconds")?.map(str::parse::<u32>);
    let max_age = max_age.transpose().map_err(|_| Error::new(Code::MalformedXML))?;
    if max_age.is_some_and(|age| i32::try_from(age).is_err()) {
        return Err(Error::new(Code::MalformedXML));
    }
    Ok(CorsRule { id, origins, methods, headers, expose, max_age_seconds: max_age })
}

fn method(name: &str) -> Result<CorsMethod, Error> {
    CorsMethod::parse(name).ok_or_else(|| {
        Error::invalid_request(format!("Found unsupported HTTP method in CORS config. Unsupported method is {name}"))
    })
}

/// The document of a configuration.
pub(crate) fn render(cors: &Cors) -> Writer {
    let mut w = Writer::document();
    w.root("CORSConfiguration", |w| {
        for rule in &cors.0 {
            w.node("CORSRule", |w| render_rule(w, rule));
        }
    });
    w
}

fn render_rule(w: &mut Writer, rule: &CorsRule) {
    if let Some(id) = &rule.id {
        w.leaf("ID", id);
    }
    for method in &rule.methods {
        w.leaf("AllowedMethod", method.name());
    }
    for (name, values) in
        [("AllowedOrigin", &rule.origins), ("AllowedHeader", &rule.headers), ("ExposeHeader", &rule.expose)]
    {
        for value in values {
            w.leaf(name, value);
        }
    }
    if let Some(seconds) = rule.max_age_seconds {
        w.number("MaxAgeSeconds", u64::from(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rule: &str) -> Result<Cors, (String, String)> {
        let body = format!("<CORSConfiguration>{rule}</CORSConfiguration>");
        parse(body.as_bytes()).map_err(|error| (error.code().name().to_owned(), error.message().to_owned()))
    }

    fn with(more: &str) -> String {
        format!("<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>{more}</CORSRule>")
    }

    #[test]
    fn what_is_rendered_parses_to_the_same() {
        let full = with(
            "<ID>id &amp; more</ID><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>x-*</AllowedHeader>\
             <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>0</MaxAgeSeconds>",
        );
        let cors = parsed(&format!("{full}{}", with(""))).unwrap();
        assert_eq!(cors.0.len(), 2);
        assert_eq!(cors.0[0].methods, [CorsMethod::Get, CorsMethod::Head]);
        assert_eq!(cors.0[0].max_age_seconds, Some(0));
        assert_eq!(parse(render(&cors).finish().as_bytes()).unwrap(), cors);
    }

    #[test]
    fn limits_hold_at_their_edge() {
        assert!(parsed(&with("").repeat(RULES_MAX)).is_ok());
        assert_eq!(parsed(&with("").repeat(RULES_MAX + 1)).unwrap_err().0, "InvalidRequest");
        let id = |chars: usize| with(&format!("<ID>{}</ID>", "é".repeat(chars)));
        assert!(parsed(&id(ID_MAX_CHARS)).is_ok());
        assert_eq!(parsed(&id(ID_MAX_CHARS + 1)).unwrap_err().0, "InvalidRequest");
        let age = |age: &str| with(&format!("<MaxAgeSeconds>{age}</MaxAgeSeconds>"));
        assert!(parsed(&age("2147483647")).is_ok());
        for bad in ["2147483648", "-1", "1.5", "", "soon"] {
            assert_eq!(parsed(&age(bad)).unwrap_err().0, "MalformedXML", "{bad}");
        }
    }

    #[test]
    fn faults_and_aws_words_for_them() {
        let request = |message: &str| Err(("InvalidRequest".to_owned(), message.to_owned()));
        let origin = |origin: &str| with(&format!("<AllowedOrigin>{origin}</AllowedOrigin>"));
        for (rule, expected) in [
            (
                with("<AllowedMethod>MYMETHOD</AllowedMethod>"),
                request("Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD"),
            ),
            (
                with("<AllowedMethod>get</AllowedMethod>"),
                request("Found unsupported HTTP method in CORS config. Unsupported method is get"),
            ),
            (
                origin("https://*.*.com"),
                request("AllowedOrigin \"https://*.*.com\" can not have more than one wildcard."),
            ),
            (
                with("<AllowedHeader>*-*</AllowedHeader>"),
                request("AllowedHeader \"*-*\" can not have more than one wildcard."),
            ),
            (
                with("<ExposeHeader>x-*</ExposeHeader>"),
                request(
                    "ExposeHeader \"x-*\" contains wildcard. We currently do not support wildcard for ExposeHeader.",
                ),
            ),
        ] {
            assert_eq!(parsed(&rule), expected, "{rule}");
        }
    }

    #[test]
    fn bodies_that_are_no_configuration() {
        let rules = [
            "",
            "<X/>",
            "<CORSRule/>",
            "<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>",
            "<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>",
            &with("<Unknown/>"),
            &with("<ID>a</ID><ID>b</ID>"),
            &with("<AllowedHeader>a&#10;b</AllowedHeader>"),
            &with("<AllowedOrigin/>"),
        ];
        for rule in rules {
            assert_eq!(parsed(rule).unwrap_err().0, "MalformedXML", "{rule}");
        }
        for body in ["", "x", "<CORSConfiguration>", "<Other><CORSRule/></Other>"] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().code(), Code::MalformedXML, "{body}");
        }
    }
}
