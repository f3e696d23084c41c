//! DeleteObject.

use http::{HeaderMap, StatusCode};

use crate::objects::{DeleteCondition, Deleted, VersionId};
use crate::s3::answer;
use crate::s3::cx::{Cx, header_text};
use crate::s3::error::Error;
use crate::sources::Timestamp;
use crate::wire::{Response, parse_http_date, parse_iso8601};

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = cx.query.version()?;
    refuse_bypass(&cx.head.headers)?;
    let condition = parse_condition(&cx.head.headers, version)?;
    let deleted = cx.app.objects.delete(&cx.grant, cx.bucket(), cx.key(), version, &condition).await?;
    Ok(render(&deleted))
}

/// Buckets have no Object Lock here, so there is no retention to bypass.
pub(super) fn refuse_bypass(headers: &HeaderMap) -> Result<(), Error> {
    let name = "x-amz-bypass-governance-retention";
    match header_text(headers, name)? {
        Some(value) if !value.eq_ignore_ascii_case("false") => Err(Error::invalid_argument(
            "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
            name,
            value,
        )),
        _ => Ok(()),
    }
}

/// `If-Match` is about the current version: with a version id AWS does not take it.
fn parse_condition(headers: &HeaderMap, version: Option<VersionId>) -> Result<DeleteCondition, Error> {
    let if_match = header_text(headers, "if-match")?.map(parse_etag);
    if if_match.is_some() && version.is_some() {
        return Err(Error::header_not_implemented("If-Match"));
    }
    let parsed = |name: &'static str| -> Result<_, Error> {
        Ok(header_text(headers, name)?
            .map(|text| (text, Error::invalid_argument("Argument format not recognized", name, text))))
    };
    let if_modified_at = match parsed("x-amz-if-match-last-modified-time")? {
        Some((text, invalid)) => Some(parse_time(text).ok_or(invalid)?),
        None => None,
    };
    let if_size = match parsed("x-amz-if-match-size")? {
        Some((text, invalid)) => Some(text.parse().map_err(|_| invalid)?),
        None => None,
    };
    Ok(DeleteCondition { if_match, if_modified_at, if_size })
}

/// An ETag as clients send it, with quotes or without.
pub(super) fn parse_etag(text: &str) -> String {
    text.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// The model says RFC 822; some clients send ISO 8601.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    parse_http_date(text).or_else(|| parse_iso8601(text))
}

fn render(deleted: &Deleted) -> Response {
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    answer::set(&mut answer, "x-amz-delete-marker", deleted.delete_marker.then_some("true"));
    answer::set(&mut answer, "x-amz-version-id", deleted.version.map(|v| v.to_string()).as_deref());
    answer
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{DeleteCondition, Deleted, Timestamp, VersionId, parse_condition, refuse_bypass, render};

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
        };
        assert_eq!(parse(&all), Ok(expected));
        for etag in ["abc", "W/\"abc\"", " \"abc\" "] {
            let condition = parse_condition(&headers(&[("if-match", etag)]), None).unwrap();
            assert_eq!(condition.if_match.as_deref(), Some("abc"));
        }
        assert_eq!(parse(&[("if-match", "*")]).unwrap().if_match.as_deref(), Some("*"));
        assert_eq!(parse(&[("x-amz-if-match-size", "-1")]), Err("InvalidArgument"));
        assert_eq!(parse(&[("x-amz-if-match-last-modified-time", "now")]), Err("InvalidArgument"));
    }

    #[test]
    fn if_match_is_about_the_current_version() {
        let error = parse_condition(&headers(&[("if-match", "a")]), Some(VersionId::Null)).unwrap_err();
        assert_eq!((error.code().name(), error.elements().next()), ("NotImplemented", Some(("Header", "If-Match"))));
    }

    #[test]
    fn there_is_nothing_to_bypass() {
        let check = |value| {
            let headers = headers(&[("x-amz-bypass-governance-retention", value)]);
            refuse_bypass(&headers).map_err(|e| e.message().to_owned())
        };
        let refused = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.".to_owned();
        assert_eq!(check("false"), Ok(()));
        assert_eq!(check("true"), Err(refused));
        assert!(refuse_bypass(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn answers() {
        let header =
            |deleted: Deleted, name| render(&deleted).headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let nothing = Deleted { version: None, delete_marker: false };
        assert_eq!(render(&nothing).status(), 204);
        assert!(render(&nothing).headers().is_empty());
        let marker = Deleted { version: Some(VersionId::Null), delete_marker: true };
        assert_eq!(header(marker, "x-amz-delete-marker").as_deref(), Some("true"));
        assert_eq!(header(marker, "x-amz-version-id").as_deref(), Some("null"));
    }
}
