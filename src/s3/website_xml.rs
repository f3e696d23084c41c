//! `WebsiteConfiguration`: read, checked and printed. Texts are AWS's. Pure.

use super::document::{malformed, optional_text};
use super::error::Error;
use crate::rules::website::{Protocol, RULES_MAX, RedirectAll, Replace, RoutingRule, Website};
use crate::wire::xml::{self, Element, Writer};

/// Reads and checks a body.
pub(crate) fn parse(body: &[u8]) -> Result<Website, Error> {
    let root = xml::parse_s3(body)?;
    root.expect_only(&["IndexDocument", "ErrorDocument", "RedirectAllRequestsTo", "RoutingRules"])?;
    if root.name != "WebsiteConfiguration" {
        return Err(malformed());
    }
    let [index, error, rules] =
        [only(&root, "IndexDocument")?, only(&root, "ErrorDocument")?, only(&root, "RoutingRules")?];
    if let Some(all) = only(&root, "RedirectAllRequestsTo")? {
        if root.children.len() > 1 {
            return Err(Error::invalid_argument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                "RedirectAllRequestsTo",
                "not null",
            ));
        }
        all.expect_only(&["HostName", "Protocol"])?;
        let host = filled(all, "HostName")?.ok_or_else(malformed)?;
        let redirect_all = Some(RedirectAll { host: checked(host)?, protocol: protocol(all)? });
        return Ok(Website { index: None, error: None, redirect_all, rules: Vec::new() });
    }
    let index = index_suffix(index)?;
    let error = match error {
        None => None,
        Some(error) => {
            error.expect_only(&["Key"])?;
            Some(filled(error, "Key")?.ok_or_else(malformed)?)
        }
    };
    let rules = rules.map_or_else(|| Ok(Vec::new()), routing_rules)?;
    Ok(Website { index: Some(index), error, redirect_all: None, rules })
}

fn only<'a>(element: &'a Element, name: &str) -> Result<Option<&'a Element>, Error> {
    Ok(element.at_most_one(name)?)
}

/// The text of the only child of this name, if it has any.
fn filled(element: &Element, name: &str) -> Result<Option<String>, Error> {
    Ok(optional_text(element, name)?.filter(|text| !text.is_empty()).map(str::to_owned))
}

/// What stands in a `Location` header: nothing but this may be said in it.
fn checked(text: String) -> Result<String, Error> {
    if text.chars().any(char::is_control) { Err(malformed()) } else { Ok(text) }
}

fn index_suffix(index: Option<&Element>) -> Result<String, Error> {
    let Some(index) = index else {
        let message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
        return Err(Error::invalid_argument(message, "IndexDocument", "null"));
    };
    index.expect_only(&["Suffix"])?;
    match filled(index, "Suffix")? {
        Some(suffix) if !suffix.contains('/') => Ok(suffix),
        suffix => {
            let message = "The IndexDocument Suffix is not well formed";
            Err(Error::invalid_argument(message, "IndexDocument", suffix.unwrap_or_default()))
        }
    }
}

fn routing_rules(rules: &Element) -> Result<Vec<RoutingRule>, Error> {
    rules.expect_only(&["RoutingRule"])?;
    if rules.children.is_empty() {
        return Err(malformed());
    }
    if rules.children.len() > RULES_MAX {
        // Not recorded.
        let message = format!("The number of routing rules must not exceed the allowed limit of {RULES_MAX} rules.");
        return Err(Error::invalid_request(message));
    }
    rules.children.iter().map(routing_rule).collect()
}

fn routing_rule(rule: &Element) -> Result<RoutingRule, Error> {
    rule.expect_only(&["Condition", "Redirect"])?;
    let (mut prefix, mut error) = (None, None);
    if let Some(condition) = only(rule, "Condition")? {
        condition.expect_only(&["KeyPrefixEquals", "HttpErrorCodeReturnedEquals"])?;
        prefix = filled(condition, "KeyPrefixEquals")?;
        error = filled(condition, "HttpErrorCodeReturnedEquals")?.map(error_code).transpose()?;
        if prefix.is_none() && error.is_none() {
            return Err(Error::invalid_request(
                "Condition cannot be empty. To redirect all requests without a condition, the condition element \
                 shouldn't be present.",
            ));
        }
    }
    let redirect = only(rule, "Redirect")?.ok_or_else(malformed)?;
    redirect.expect_only(&["HostName", "HttpRedirectCode", "Protocol", "ReplaceKeyPrefixWith", "ReplaceKeyWith"])?;
    let (key, key_prefix) =
        (optional_text(redirect, "ReplaceKeyWith")?, optional_text(redirect, "ReplaceKeyPrefixWith")?);
    let replace = match (key, key_prefix) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid_request("You can only define ReplaceKeyPrefix or ReplaceKey but not both."));
        }
        (Some(key), None) => Some(Replace::Key(checked(key.to_owned())?)),
        (None, Some(prefix)) => Some(Replace::Prefix(checked(prefix.to_owned())?)),
        (None, None) => None,
    };
    let host = filled(redirect, "HostName")?.map(checked).transpose()?;
    let status = filled(redirect, "HttpRedirectCode")?.map(redirect_code).transpose()?;
    let protocol = protocol(redirect)?;
    if host.is_none() && status.is_none() && protocol.is_none() && replace.is_none() {
        // A redirect to where one is.
        return Err(malformed());
    }
    Ok(RoutingRule { prefix, error, host, status, protocol, replace })
}

fn protocol(element: &Element) -> Result<Option<Protocol>, Error> {
    match filled(element, "Protocol")?.as_deref() {
        None => Ok(None),
        Some("http") => Ok(Some(Protocol::Http)),
        Some("https") => Ok(Some(Protocol::Https)),
        Some(_) => Err(Error::invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
             automatically.",
        )),
    }
}

fn error_code(text: String) -> Result<u16, Error> {
    number(&text).filter(|code| (400..600).contains(code)).ok_or_else(|| {
        Error::invalid_request(format!(
            "The provided HTTP error code ({text}) is not valid. Valid codes are 4XX or 5XX."
        ))
    })
}

fn redirect_code(text: String) -> Result<u16, Error> {
    number(&text).filter(|code| (301..400).contains(code)).ok_or_else(|| {
        Error::invalid_request(format!(
            "The provided HTTP redirect code ({text}) is not valid. Valid codes are 3XX except 300."
        ))
    })
}

fn number(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The document of a configuration.
pub(crate) fn render(website: &Website) -> Writer {
    let mut w = Writer::document();
    w.root("WebsiteConfiguration", |w| {
        if let Some(all) = &website.redirect_all {
            w.node("RedirectAllRequestsTo", |w| {
                w.leaf("HostName", &all.host);
                optional(w, "Protocol", all.protocol.map(Protocol::name));
            });
        }
        if let Some(index) = &website.index {
            w.node("IndexDocument", |w| optional(w, "Suffix", Some(index)));
        }
        if let Some(error) = &website.error {
            w.node("ErrorDocument", |w| optional(w, "Key", Some(error)));
        }
        if !website.rules.is_empty() {
            w.node("RoutingRules", |w| {
                for rule in &website.rules {
                    w.node("RoutingRule", |w| render_rule(w, rule));
                }
            });
        }
    });
    w
}

fn render_rule(w: &mut Writer, rule: &RoutingRule) {
    if rule.prefix.is_some() || rule.error.is_some() {
        w.node("Condition", |w| {
            optional(w, "KeyPrefixEquals", rule.prefix.as_deref());
            optional(w, "HttpErrorCodeReturnedEquals", rule.error.map(|code| code.to_string()).as_deref());
        });
    }
    w.node("Redirect", |w| {
        optional(w, "Protocol", rule.protocol.map(Protocol::name));
        optional(w, "HostName", rule.host.as_deref());
        match &rule.replace {
            None => {}
            Some(Replace::Key(key)) => optional(w, "ReplaceKeyWith", Some(key)),
            Some(Replace::Prefix(prefix)) => optional(w, "ReplaceKeyPrefixWith", Some(prefix)),
        }
        optional(w, "HttpRedirectCode", rule.status.map(|code| code.to_string()).as_deref());
    });
}

fn optional(w: &mut Writer, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        w.leaf(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::code::Code;

    const INDEX: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";

    fn parsed(inner: &str) -> Result<Website, (String, String)> {
        let body = format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>");
        parse(body.as_bytes()).map_err(|error| (error.code().name().to_owned(), error.message().to_owned()))
    }

    fn rules(rules: &str) -> String {
        format!("{INDEX}<RoutingRules>{rules}</RoutingRules>")
    }

    const RULE: &str = "<RoutingRule><Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect></RoutingRule>";

    #[test]
    fn what_is_rendered_parses_to_the_same() {
        let full = format!(
            "{INDEX}<ErrorDocument><Key>e/error.html</Key></ErrorDocument><RoutingRules>{RULE}<RoutingRule><Condition>\
             <KeyPrefixEquals>a/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>\
             </Condition><Redirect><HostName>h</HostName><HttpRedirectCode>307</HttpRedirectCode>\
             <Protocol>https</Protocol><ReplaceKeyPrefixWith/></Redirect></RoutingRule></RoutingRules>"
        );
        let all = "<RedirectAllRequestsTo><HostName>h</HostName><Protocol>http</Protocol></RedirectAllRequestsTo>";
        for body in [full.as_str(), INDEX, all] {
            let website = parsed(body).unwrap();
            assert_eq!(parse(render(&website).finish().as_bytes()).unwrap(), website, "{body}");
        }
        assert_eq!(parsed(&full).unwrap().rules[1].replace, Some(Replace::Prefix(String::new())));
    }

    #[test]
    fn rules_have_a_limit() {
        assert!(parsed(&rules(&RULE.repeat(RULES_MAX))).is_ok());
        assert_eq!(parsed(&rules(&RULE.repeat(RULES_MAX + 1))).unwrap_err().0, "InvalidRequest");
    }

    #[test]
    fn faults_and_aws_words_for_them() {
        let rule = |inner: &str| rules(&format!("<RoutingRule>{inner}</RoutingRule>"));
        let redirect = |inner: &str| rule(&format!("<Redirect>{inner}</Redirect>"));
        let argument = "InvalidArgument";
        let request = "InvalidRequest";
        for (body, code, message) in [
            (
                String::new(),
                argument,
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            ),
            ("<IndexDocument/>".to_owned(), argument, "The IndexDocument Suffix is not well formed"),
            (
                "<IndexDocument><Suffix>a/b</Suffix></IndexDocument>".to_owned(),
                argument,
                "The IndexDocument Suffix is not well formed",
            ),
            (
                format!("{INDEX}<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>"),
                argument,
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
            ),
            (
                "<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>"
                    .to_owned(),
                request,
                "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
                 automatically.",
            ),
            (
                redirect("<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"),
                request,
                "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
            ),
            (
                rule("<Condition/><Redirect><HostName>h</HostName></Redirect>"),
                request,
                "Condition cannot be empty. To redirect all requests without a condition, the condition element \
                 shouldn't be present.",
            ),
            (
                redirect("<HttpRedirectCode>300</HttpRedirectCode>"),
                request,
                "The provided HTTP redirect code (300) is not valid. Valid codes are 3XX except 300.",
            ),
            (
                rule(
                    "<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals></Condition>\
                     <Redirect><HostName>h</HostName></Redirect>",
                ),
                request,
                "The provided HTTP error code (200) is not valid. Valid codes are 4XX or 5XX.",
            ),
        ] {
            assert_eq!(parsed(&body), Err((code.to_owned(), message.to_owned())), "{body}");
        }
    }

    #[test]
    fn bodies_that_are_no_configuration() {
        let bodies = [
            format!("{INDEX}<Unknown/>"),
            format!("{INDEX}{INDEX}"),
            format!("{INDEX}<ErrorDocument/>"),
            format!("{INDEX}<ErrorDocument><Key></Key></ErrorDocument>"),
            rules(""),
            rules("<RoutingRule/>"),
            rules("<RoutingRule><Redirect/></RoutingRule>"),
            rules("<RoutingRule><Redirect><HostName>a&#13;&#10;b</HostName></Redirect></RoutingRule>"),
            "<RedirectAllRequestsTo/>".to_owned(),
        ];
        for body in bodies {
            assert_eq!(parsed(&body).unwrap_err().0, "MalformedXML", "{body}");
        }
        for body in ["", "x", "<Other/>"] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().code(), Code::MalformedXML, "{body}");
        }
    }
}
