//! What is stored with an object and given back: standard headers, user metadata, storage class, redirect, tags; and
//! the headers of writes that ask for what this gateway has not. Pure.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, HeaderName,
};
use http::{HeaderMap, HeaderValue};

use super::code::Code;
use super::cx::Cx;
use super::encoded_word;
use super::error::Error;
use super::fields::{filled, joined, single};
use super::object_answer::Answer;
use super::object_tags;
use super::query::Query;
use super::tags::Tags;
use crate::app::before::View;
use crate::objects::ObjectMeta;
use crate::wire::REPLICA_HEADER;

/// Bytes of names (without prefix) and values of all user metadata, in UTF-8 (S3 User Guide, "Working with object
/// metadata").
const USER_META_MAX_BYTES: usize = 2048;
const USER_PREFIX: &str = "x-amz-meta-";
const STORAGE_CLASS: &str = "x-amz-storage-class";
const WEBSITE_REDIRECT: &str = "x-amz-website-redirect-location";
/// S3 User Guide, "(Optional) Configuring a webpage redirect": 2 KB.
const WEBSITE_REDIRECT_MAX_BYTES: usize = 2048;
const TAGGING: &str = "x-amz-tagging";
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// The storage class that is not named in answers.
const STANDARD: &str = "STANDARD";

/// The classes that are kept as a label: all is stored alike. The archive classes (`GLACIER`, `DEEP_ARCHIVE`) are
/// refused with those of other services: they promise that an object cannot be read before it is restored, and whoever
/// asks for that is not to get something else.
const STORAGE_CLASSES: [&str; 6] =
    [STANDARD, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];

/// All that is stored with a new object or upload.
pub(crate) fn parse(headers: &HeaderMap) -> Result<ObjectMeta, Error> {
    let standard = |name: HeaderName| joined(headers, name.as_str()).filter(|value| !value.is_empty());
    Ok(ObjectMeta {
        content_type: standard(CONTENT_TYPE),
        cache_control: standard(CACHE_CONTROL),
        content_disposition: standard(CONTENT_DISPOSITION),
        content_encoding: standard(CONTENT_ENCODING).and_then(|value| without_framing(&value)),
        content_language: standard(CONTENT_LANGUAGE),
        expires: standard(EXPIRES),
        website_redirect: website_redirect(headers)?,
        storage_class: storage_class(headers)?,
        user: user(headers)?,
        tags: tags(headers)?,
    })
}

/// `x-amz-storage-class`; none for `STANDARD`.
pub(crate) fn storage_class(headers: &HeaderMap) -> Result<Option<String>, Error> {
    match filled(headers, STORAGE_CLASS)? {
        None | Some(STANDARD) => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => Err(Error::new(Code::InvalidStorageClass).and("StorageClassRequested", class)),
    }
}

/// `x-amz-website-redirect-location`
pub(crate) fn website_redirect(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(location) = filled(headers, WEBSITE_REDIRECT)? else { return Ok(None) };
    if !["/", "http://", "https://"].iter().any(|prefix| location.starts_with(prefix)) {
        return Err(Error::new(Code::InvalidRedirectLocation));
    }
    if location.len() > WEBSITE_REDIRECT_MAX_BYTES {
        // Not recorded.
        let message = "The length of website redirect location cannot exceed 2,048 characters.";
        return Err(Error::with_message(Code::InvalidRedirectLocation, message));
    }
    Ok(Some(location.to_owned()))
}

/// Whether a copy names a storage class or a redirect: what lets one onto itself through.
pub(crate) fn names_class_or_redirect(headers: &HeaderMap) -> bool {
    headers.contains_key(STORAGE_CLASS) || headers.contains_key(WEBSITE_REDIRECT)
}

fn tags(headers: &HeaderMap) -> Result<Tags, Error> {
    single(headers, TAGGING)?.map_or(Ok(Tags::new()), object_tags::parse_header)
}

/// Refuses, as AWS does on general purpose buckets, the header of appends.
pub(crate) fn refuse_unsupported(headers: &HeaderMap) -> Result<(), Error> {
    if headers.contains_key("x-amz-write-offset-bytes") {
        return Err(Error::header_not_implemented("x-amz-write-offset-bytes"));
    }
    Ok(())
}

/// `Content-Encoding` as it is stored: `aws-chunked` is of the way here, not of the object.
fn without_framing(encodings: &str) -> Option<String> {
    let is_framing = |token: &str| token.eq_ignore_ascii_case("aws-chunked");
    if !encodings.split(',').any(|token| is_framing(token.trim())) {
        return Some(encodings.to_owned());
    }
    let kept: Vec<&str> =
        encodings.split(',').map(str::trim).filter(|token| !token.is_empty() && !is_framing(token)).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn user(headers: &HeaderMap) -> Result<Vec<(String, String)>, Error> {
    let mut user = Vec::new();
    let mut size_bytes = 0;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix(USER_PREFIX) else { continue };
        let value = joined(headers, name.as_str()).unwrap_or_default();
        let value = encoded_word::decode(&value).into_owned();
        size_bytes += short.len() + value.len();
        user.push((short.to_owned(), value));
    }
    if size_bytes > USER_META_MAX_BYTES {
        return Err(Error::new(Code::MetadataTooLarge)
            .and("Size", size_bytes.to_string())
            .and("MaxSizeAllowed", USER_META_MAX_BYTES.to_string()));
    }
    Ok(user)
}

/// Whether a gateway that replicates here says that it brings a replica. It has to have leave for that: what somebody
/// else writes is an object of its own, whatever its headers say.
pub(crate) fn is_replica(cx: &Cx, action: &'static str) -> bool {
    let said = cx.head.headers.get(REPLICA_HEADER).is_some_and(|value| value == "true");
    said && cx.may(action, (cx.key(), View::Write { free: false }))
}

/// Puts what is stored with an object among the headers of an answer.
pub(crate) fn write(answer: &mut Answer, meta: &ObjectMeta) {
    let content_type = meta.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
    answer.insert(CONTENT_TYPE, content_type.as_bytes());
    let standard = [
        (CACHE_CONTROL, &meta.cache_control),
        (CONTENT_DISPOSITION, &meta.content_disposition),
        (CONTENT_ENCODING, &meta.content_encoding),
        (CONTENT_LANGUAGE, &meta.content_language),
        (EXPIRES, &meta.expires),
        (HeaderName::from_static(WEBSITE_REDIRECT), &meta.website_redirect),
        (HeaderName::from_static(STORAGE_CLASS), &meta.storage_class),
    ];
    for (name, value) in standard {
        if let Some(value) = value {
            answer.insert(name, value.as_bytes());
        }
    }
    for (name, value) in &meta.user {
        if let Ok(name) = HeaderName::try_from(format!("{USER_PREFIX}{name}")) {
            answer.insert(name, encoded_word::encode(value).as_bytes());
        }
    }
    if !meta.tags.is_empty() {
        answer.set("x-amz-tagging-count", &meta.tags.len().to_string());
    }
}

/// The parameters of a read that set a header of its answer.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-content-type", CONTENT_TYPE),
    ("response-expires", EXPIRES),
];

/// Reads `response-…`. Only who signs the request may choose what a link answers.
pub(crate) fn overrides(query: &Query, signed: bool) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let mut overrides = Vec::new();
    for (parameter, header) in OVERRIDES {
        let Some(value) = query.value(parameter).filter(|value| !value.is_empty()) else { continue };
        if !signed {
            return Err(Error::invalid_request(
                "Request specific response headers cannot be used for anonymous GET requests.",
            ));
        }
        // Latin-1 is what a header can carry; stored values are given back as they came instead.
        let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
        let value = latin1.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()).ok_or_else(|| {
            Error::invalid_argument("Header value cannot be represented using ISO-8859-1.", parameter, value)
        })?;
        overrides.push((header, value));
    }
    Ok(overrides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;

    fn meta(headers: &[(&str, &str)]) -> ObjectMeta {
        parse(&sample(headers)).unwrap()
    }

    fn code(headers: &[(&str, &str)]) -> Code {
        let headers = sample(headers);
        refuse_unsupported(&headers).and_then(|()| parse(&headers)).unwrap_err().code()
    }

    #[test]
    fn what_comes_in_goes_out() {
        let sent = [
            ("content-type", "text/plain; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("content-disposition", "attachment; filename=\"a b\""),
            ("content-encoding", "gzip"),
            ("content-language", "de, en"),
            ("expires", "whenever"),
            ("x-amz-website-redirect-location", "/other"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-meta-plain", "v"),
            ("x-amz-meta-empty", ""),
        ];
        let mut answer = Answer::new();
        write(&mut answer, &meta(&sent));
        for (name, value) in sent {
            assert_eq!(answer.get(name), Some(value), "{name}");
        }
        assert_eq!(answer.get("x-amz-tagging-count"), None);
    }

    #[test]
    fn defaults_and_what_is_not_echoed() {
        let mut answer = Answer::new();
        write(&mut answer, &meta(&[("x-amz-storage-class", "STANDARD"), ("x-amz-tagging", "a=1&b=2")]));
        assert_eq!(answer.get("content-type"), Some("binary/octet-stream"));
        assert_eq!(answer.get("x-amz-storage-class"), None);
        assert_eq!(answer.get("x-amz-tagging-count"), Some("2"));
    }

    #[test]
    fn framing_is_dropped_from_the_encoding() {
        let cases = [
            ("aws-chunked", None),
            ("AWS-Chunked", None),
            ("aws-chunked,", None),
            ("aws-chunked,gzip", Some("gzip")),
            ("gzip, aws-chunked", Some("gzip")),
            ("gzip, br", Some("gzip, br")),
            ("aws-chunked, gzip, br", Some("gzip,br")),
            ("", None),
        ];
        for (sent, stored) in cases {
            assert_eq!(meta(&[("content-encoding", sent)]).content_encoding.as_deref(), stored, "{sent}");
        }
    }

    #[test]
    fn user_metadata_of_any_script() {
        for sent in ["\u{e4}\u{f6}", "=?UTF-8?B?w6TDtg==?=", "=?ISO-8859-1?Q?=E4=F6?="] {
            let meta = meta(&[("x-amz-meta-n", sent)]);
            assert_eq!(meta.user, [("n".to_owned(), "\u{e4}\u{f6}".to_owned())]);
            let mut answer = Answer::new();
            write(&mut answer, &meta);
            assert_eq!(answer.get("x-amz-meta-n"), Some("=?UTF-8?B?w6TDtg==?="));
        }
        let twice = meta(&[("x-amz-meta-n", "a"), ("x-amz-meta-n", "b")]);
        assert_eq!(twice.user, [("n".to_owned(), "a,b".to_owned())]);
    }

    #[test]
    fn user_metadata_has_a_limit() {
        let value = |n: usize| "v".repeat(n);
        assert!(parse(&sample(&[("x-amz-meta-k", &value(USER_META_MAX_BYTES - 1))])).is_ok());
        assert_eq!(code(&[("x-amz-meta-k", &value(USER_META_MAX_BYTES))]), Code::MetadataTooLarge);
        let half = value(USER_META_MAX_BYTES / 2);
        assert_eq!(code(&[("x-amz-meta-a", &half), ("x-amz-meta-b", &half)]), Code::MetadataTooLarge);
    }

    #[test]
    fn what_is_not_had_is_refused() {
        let cases = [
            ("x-amz-write-offset-bytes", "0", Code::NotImplemented),
            ("x-amz-storage-class", "OUTPOSTS", Code::InvalidStorageClass),
            ("x-amz-storage-class", "GLACIER", Code::InvalidStorageClass),
            ("x-amz-storage-class", "standard", Code::InvalidStorageClass),
            ("x-amz-website-redirect-location", "other", Code::InvalidRedirectLocation),
            ("x-amz-tagging", "a=1&a=2", Code::InvalidArgument),
        ];
        for (name, value, expected) in cases {
            assert_eq!(code(&[(name, value)]), expected, "{name}: {value}");
        }
    }

    #[test]
    fn overrides_are_for_signed_requests_and_latin_1() {
        let query = |raw: &str| Query::parse(raw).unwrap();
        let all = query("response-content-type=text/x&response-expires=now&response-content-disposition=%C3%A9");
        let got = overrides(&all, true).unwrap();
        assert_eq!(got.len(), 3);
        assert!(got.contains(&(CONTENT_DISPOSITION, HeaderValue::from_bytes(b"\xe9").unwrap())));
        assert_eq!(overrides(&all, false).unwrap_err().code(), Code::InvalidRequest);
        assert!(overrides(&query("x=y"), false).unwrap().is_empty());
        for bad in ["response-content-type=%E2%82%AC", "response-content-type=a%0Ab"] {
            assert_eq!(overrides(&query(bad), true).unwrap_err().code(), Code::InvalidArgument, "{bad}");
        }
    }
}
