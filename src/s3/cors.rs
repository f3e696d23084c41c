//! Cross-origin requests: the answer to a preflight, and what a real answer says to browsers. A request without
//! `Origin` costs nothing.

use std::collections::HashSet;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, StatusCode};

use super::code::Code;
use super::error::Error;
use super::object_answer::Answer;
use crate::app::App;
use crate::names::BucketName;
use crate::objects::ObjectsError;
use crate::rules::cors::{Cors, CorsMethod, CorsRule};
use crate::wire::Response;

/// What an answer depends on beside the resource.
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Header names that one request may ask for, at most, each counted once. Every one is compared with the allowed headers
/// of the rules, of which a configuration's length permits some two thousand.
const REQUESTED_HEADERS_MAX: usize = 100;

const BUCKET: &str = "BUCKET";
const OBJECT: &str = "OBJECT";

/// What a browser asks with a request to another origin.
#[derive(Debug)]
pub(crate) struct Crossing {
    origin: String,
    method: Option<CorsMethod>,
    /// None: too many, which no rule allows.
    headers: Option<Vec<String>>,
    bucket: String,
}

impl Crossing {
    /// Of a request to a bucket or an object; none if it has no `Origin`.
    pub(crate) fn of(head: &http::request::Parts, bucket: Option<String>) -> Option<Self> {
        if head.method == http::Method::OPTIONS {
            return None;
        }
        let origin = text(&head.headers, &ORIGIN)?.to_owned();
        let method = CorsMethod::parse(head.method.as_str());
        Some(Self { origin, method, headers: requested_headers(&head.headers), bucket: bucket? })
    }

    /// Adds to an answer, of whatever kind, what the bucket's rules say to the browser. An answer that could not be told
    /// so stays as it is: the browser then keeps it from the page.
    pub(crate) async fn permit(&self, app: &App, answer: &mut Response) {
        let (Some(method), Some(headers)) = (self.method, &self.headers) else { return };
        let Ok(name) = BucketName::parse(&self.bucket) else { return };
        let Ok(Some(cors)) = rules_of(app, &name).await else { return };
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        if let Some(rule) = cors.matching(&self.origin, method, &headers) {
            answer.headers_mut().extend(permission(rule, &self.origin, &headers));
        }
    }
}

async fn rules_of(app: &App, name: &BucketName) -> Result<Option<std::sync::Arc<Cors>>, ObjectsError> {
    let bucket = app.objects.bucket(name).await?;
    app.objects.configuration::<Cors>(&bucket).await
}

/// Answers `OPTIONS`, which nobody signs and which needs no leave.
pub(crate) async fn preflight(
    app: &App,
    headers: &HeaderMap,
    (bucket, key): (&str, Option<&str>),
) -> Result<Response, Error> {
    let Some(origin) = text(headers, &ORIGIN) else {
        return Err(Error::with_message(Code::BadRequest, "Insufficient information. Origin request header needed."));
    };
    let asked = text(headers, &ACCESS_CONTROL_REQUEST_METHOD);
    let Some(method) = asked.and_then(CorsMethod::parse) else {
        let message = format!("Invalid Access-Control-Request-Method: {}", asked.unwrap_or("null"));
        return Err(Error::with_message(Code::BadRequest, message));
    };
    let resource = if key.is_some() { OBJECT } else { BUCKET };
    let refused = |message: &'static str, resource: &str| {
        Error::with_message(Code::AccessForbidden, message).and("Method", method.name()).and("ResourceType", resource)
    };
    let not_found = || refused("CORSResponse: Bucket not found", BUCKET);
    let name = BucketName::parse(bucket).map_err(|_| not_found())?;
    let cors = match rules_of(app, &name).await {
        Ok(cors) => cors.ok_or_else(|| refused("CORSResponse: CORS is not enabled for this bucket.", resource))?,
        Err(ObjectsError::NoSuchBucket) => return Err(not_found()),
        Err(error) => return Err(error.into()),
    };
    let not_allowed = || {
        refused(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
             resource's CORS spec.",
            resource,
        )
    };
    let requested = requested_headers(headers).ok_or_else(not_allowed)?;
    let requested: Vec<&str> = requested.iter().map(String::as_str).collect();
    let rule = cors.matching(origin, method, &requested).ok_or_else(not_allowed)?;
    let mut answer = Answer::new();
    for (name, value) in permission(rule, origin, &requested) {
        answer.insert(name, value.as_bytes());
    }
    Ok(answer.empty(StatusCode::OK))
}

/// What a rule says to a browser.
fn permission(rule: &CorsRule, origin: &str, requested: &[&str]) -> Vec<(HeaderName, HeaderValue)> {
    let mut said = Vec::new();
    // Origins and headers are printable: they were read from headers, or checked when the rule was set.
    let mut say = |name, value: &str| said.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
    if rule.is_for_all_origins() {
        say(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        say(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        say(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    let methods: Vec<&str> = rule.methods.iter().map(|method| method.name()).collect();
    say(ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", "));
    if !requested.is_empty() {
        say(ACCESS_CONTROL_ALLOW_HEADERS, &requested.join(", "));
    }
    if !rule.expose.is_empty() {
        say(ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        say(ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    say(VARY, VARIES);
    said
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

/// `Access-Control-Request-Headers`, in lower case, each once; none if they are too many.
fn requested_headers(headers: &HeaderMap) -> Option<Vec<String>> {
    let lists = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = lists.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let names = names.map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase());
    let mut seen = HashSet::new();
    let mut requested = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        if seen.insert(name.clone()) {
            if requested.len() == REQUESTED_HEADERS_MAX {
                return None;
            }
            requested.push(name);
        }
    }
    Some(requested)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;

    fn rule(origin: &str) -> CorsRule {
        CorsRule {
            id: None,
            origins: vec![origin.to_owned()],
            methods: vec![CorsMethod::Get, CorsMethod::Put],
            headers: vec!["*".to_owned()],
            expose: vec!["ETag".to_owned(), "x-amz-version-id".to_owned()],
            max_age_seconds: Some(3000),
        }
    }

    fn said(rule: &CorsRule, requested: &[&str]) -> Vec<String> {
        let said = permission(rule, "https://x", requested);
        said.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn what_is_said_of_one_origin_and_of_all() {
        let vary = "vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
        assert_eq!(
            said(&rule("https://*"), &["range", "x-amz-date"]),
            [
                "access-control-allow-origin: https://x",
                "access-control-allow-credentials: true",
                "access-control-allow-methods: GET, PUT",
                "access-control-allow-headers: range, x-amz-date",
                "access-control-expose-headers: ETag, x-amz-version-id",
                "access-control-max-age: 3000",
                vary,
            ]
        );
        let bare = CorsRule { expose: Vec::new(), max_age_seconds: None, ..rule("*") };
        assert_eq!(
            said(&bare, &[]),
            ["access-control-allow-origin: *", "access-control-allow-methods: GET, PUT", vary]
        );
    }

    #[test]
    fn requested_headers_are_a_list_of_lower_case() {
        let headers = sample(&[
            ("access-control-request-headers", "X-Amz-Date, ,content-type,"),
            ("access-control-request-headers", " Range"),
        ]);
        assert_eq!(requested_headers(&headers).unwrap(), ["x-amz-date", "content-type", "range"]);
    }

    #[test]
    fn requested_headers_have_a_limit_and_count_once() {
        let requested = |names: Vec<String>| {
            requested_headers(&sample(&[("access-control-request-headers", &names.join(","))])).map(|names| names.len())
        };
        let names = |many: usize| (0..many).map(|i| format!("x-{i}")).collect::<Vec<_>>();
        assert_eq!(requested(names(REQUESTED_HEADERS_MAX)), Some(REQUESTED_HEADERS_MAX));
        assert_eq!(requested(names(REQUESTED_HEADERS_MAX + 1)), None);
        assert_eq!(requested((0..10_000).map(|i| ["X-A", "x-a"][i % 2].to_owned()).collect()), Some(1));
    }

    #[test]
    fn a_request_without_origin_asks_nothing() {
        let head = |method: &str, name: &'static str| {
            http::Request::builder().method(method).header(name, "https://x").body(()).unwrap().into_parts().0
        };
        let bucket = || Some("b".to_owned());
        assert!(Crossing::of(&head("GET", "origin"), bucket()).is_some());
        assert!(Crossing::of(&head("GET", "referer"), bucket()).is_none());
        assert!(Crossing::of(&head("GET", "origin"), None).is_none());
        assert!(Crossing::of(&head("OPTIONS", "origin"), bucket()).is_none());
    }
}
