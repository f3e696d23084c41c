//! Object tags in the `x-amz-tagging` header. Pure.

use super::error::Error;
use super::tags::{self, Tags, legal};
use crate::wire::decode_query;

/// Reads `x-amz-tagging`: `key=value&…`, URL-encoded.
pub(crate) fn parse_header(header: &str) -> Result<Tags, Error> {
    let malformed = || {
        Error::invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
             name duplicates.",
            "x-amz-tagging",
            header,
        )
    };
    let mut tags = Tags::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode_query(key).ok_or_else(malformed)?, decode_query(value).ok_or_else(malformed)?);
        if tags.iter().any(|(k, _)| *k == key) || !legal(&key) || !legal(&value) {
            return Err(malformed());
        }
        tags.push((key, value));
    }
    tags::check(&tags)?;
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::code::Code;
    use crate::s3::tags::{KEY_MAX_CHARS, TAGS_MAX, VALUE_MAX_CHARS};

    #[test]
    fn tags_are_decoded_once() {
        let tags = parse_header("a=1&b=x%20y&c=%2B+z&d&%C3%A4=%3D&").unwrap();
        let expected = [("a", "1"), ("b", "x y"), ("c", "+ z"), ("d", ""), ("\u{e4}", "=")];
        assert_eq!(tags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(parse_header("").unwrap().is_empty());
    }

    #[test]
    fn limits() {
        let many = |n: usize| (0..n).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(parse_header(&many(TAGS_MAX)).unwrap().len(), TAGS_MAX);
        assert_eq!(parse_header(&many(TAGS_MAX + 1)).unwrap_err().code(), Code::BadRequest);
        let (key, value) = ("k".repeat(KEY_MAX_CHARS), "v".repeat(VALUE_MAX_CHARS));
        assert!(parse_header(&format!("{key}={value}")).is_ok());
        for bad in [format!("{key}k=v"), format!("k={value}v"), "=v".to_owned(), "aws:x=v".to_owned()] {
            assert_eq!(parse_header(&bad).unwrap_err().code(), Code::InvalidTag, "{bad}");
        }
    }

    #[test]
    fn what_is_no_query_of_unique_names_is_refused() {
        for bad in ["a=1&a=2", "a=%ff", "a=%00", "a=%3C", "a=!"] {
            assert_eq!(parse_header(bad).unwrap_err().code(), Code::InvalidArgument, "{bad}");
        }
    }
}
