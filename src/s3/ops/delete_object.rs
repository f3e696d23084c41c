//! DeleteObject.

use http::{HeaderMap, StatusCode};

use crate::objects::{DeleteCondition, Deleted, ObjectsError, VersionId};
use crate::s3::conditions::unquoted;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::single;
use crate::s3::object_answer::Answer;
use crate::s3::object_headers;
use crate::s3::object_lock;
use crate::s3::version_id;
use crate::sources::Timestamp;
use crate::wire::{Response, parse_http_date, parse_iso8601};

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let bypass = object_lock::asks_bypass(cx.bucket(), &cx.head.headers)?;
    let condition = parse_condition(&cx.head.headers, version)?;
    let condition = DeleteCondition { replica: object_headers::is_replica(&cx, "s3:ReplicateDelete"), ..condition };
    cx.check_comparable(cx.key(), condition.if_match.as_deref()).await?;
    let (objects, bucket, key) = (&cx.app.objects, cx.bucket(), cx.key());
    let deleted = match objects.delete(cx.grant(), bucket, key, version, &condition).await {
        // Leave to bypass is asked for where it matters: who has it not may delete what is not locked all the same.
        Err(ObjectsError::Locked { bypass_helps: true }) if bypass => {
            let leave = cx.grant_object("s3:BypassGovernanceRetention", bucket, key)?;
            objects.delete_bypassing(cx.grant(), &leave, (bucket, key), version, &condition).await?
        }
        other => other?,
    };
    if let Some(plain_len) = deleted.plain_len {
        cx.note_object_size(plain_len);
    }
    Ok(render(&deleted))
}

/// `If-Match` is about the current version: with a version id AWS does not take it. A condition without a value is one
/// that does not hold or is malformed, never none at all: what it was to guard would be deleted. So are conditions of
/// HTTP that DeleteObject does not know; that AWS refuses them as it does those of PutObject is inferred.
fn parse_condition(headers: &HeaderMap, version: Option<VersionId>) -> Result<DeleteCondition, Error> {
    for name in ["If-None-Match", "If-Modified-Since", "If-Unmodified-Since"] {
        if headers.contains_key(name) {
            return Err(Error::header_not_implemented(name));
        }
    }
    let if_match = single(headers, "if-match")?.map(|etag| unquoted(etag).to_owned());
    if if_match.is_some() && version.is_some() {
        return Err(Error::header_not_implemented("If-Match"));
    }
    let if_modified_at = value_of(headers, "x-amz-if-match-last-modified-time", parse_time)?;
    let if_size = value_of(headers, "x-amz-if-match-size", |text| text.parse().ok())?;
    Ok(DeleteCondition { if_match, if_modified_at, if_size, ..DeleteCondition::default() })
}

/// The value of a condition; an empty one is malformed.
pub(super) fn value_of<T>(
    headers: &HeaderMap,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(text) = single(headers, name)? else { return Ok(None) };
    let invalid = || Error::invalid_argument("Argument format not recognized", name, text);
    parse(text).map(Some).ok_or_else(invalid)
}

/// The model says RFC 822; some clients send ISO 8601.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    parse_http_date(text).or_else(|| parse_iso8601(text))
}

fn render(deleted: &Deleted) -> Response {
    let mut answer = Answer::new();
    if deleted.delete_marker {
        answer.set("x-amz-delete-marker", "true");
    }
    if let Some(version) = deleted.version {
        answer.set("x-amz-version-id", &version.to_string());
    }
    answer.empty(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{DeleteCondition, Deleted, Timestamp, VersionId, parse_condition, render};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn conditions() {
        let parse = |pairs: &[(&'static str, &'static str)]| {
            parse_condition(&headers(pairs), None).map_err(|e| e.code().name())
        };
        assert_eq!(parse(&[]), Ok(DeleteCondition::default()));
        let all = [
            ("if-match", "\"abc\""),
            ("x-amz-if-match-last-modified-time", "Wed, 25 Nov 2026 12:00:00 GMT"),
            ("x-amz-if-match-size", "5"),
        ];
        let expected = DeleteCondition {
            if_match: Some("abc".to_owned()),
            if_modified_at: Some(Timestamp(1_795_608_000_000)),
            if_size: Some(5),
            ..DeleteCondition::default()
        };
        assert_eq!(parse(&all), Ok(expected));
        for etag in ["abc", "\"abc\"", " \"abc\" "] {
            let condition = parse_condition(&headers(&[("if-match", etag)]), None).unwrap();
            assert_eq!(condition.if_match.as_deref(), Some("abc"));
        }
        assert_eq!(parse(&[("if-match", "*")]).unwrap().if_match.as_deref(), Some("*"));
        // A condition without a value guards: nothing has an empty ETag.
        assert_eq!(parse(&[("if-match", "")]).unwrap().if_match.as_deref(), Some(""));
        assert_eq!(parse(&[("x-amz-if-match-size", "")]), Err("InvalidArgument"));
        assert_eq!(parse(&[("x-amz-if-match-last-modified-time", "")]), Err("InvalidArgument"));
        assert_eq!(parse(&[("x-amz-if-match-size", "-1")]), Err("InvalidArgument"));
        assert_eq!(parse(&[("x-amz-if-match-last-modified-time", "now")]), Err("InvalidArgument"));
    }

    #[test]
    fn a_condition_that_is_not_known_is_not_passed_over() {
        for name in ["if-none-match", "if-modified-since", "if-unmodified-since"] {
            let error = parse_condition(&headers(&[(name, "*")]), None).unwrap_err();
            assert_eq!(error.code().name(), "NotImplemented", "{name}");
        }
    }

    #[test]
    fn if_match_is_about_the_current_version() {
        let error = parse_condition(&headers(&[("if-match", "a")]), Some(VersionId::Null)).unwrap_err();
        assert_eq!((error.code().name(), error.elements().next()), ("NotImplemented", Some(("Header", "If-Match"))));
    }

    #[test]
    fn answers() {
        let header =
            |deleted: Deleted, name| render(&deleted).headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let nothing = Deleted::default();
        assert_eq!(render(&nothing).status(), 204);
        assert!(render(&nothing).headers().is_empty());
        let marker = Deleted { version: Some(VersionId::Null), delete_marker: true, plain_len: None };
        assert_eq!(header(marker, "x-amz-delete-marker").as_deref(), Some("true"));
        assert_eq!(header(marker, "x-amz-version-id").as_deref(), Some("null"));
    }
}
