//! Object tags: the `x-amz-tagging` header, and what a tag may be (S3 User Guide, "Categorizing your objects using
//! tags"). Pure.

use super::code::Code;
use super::error::Error;
use crate::wire::decode_query;

/// Tags of one object.
const TAGS_MAX: usize = 10;
/// Characters of a tag's key.
const KEY_MAX_CHARS: usize = 128;
/// Characters of a tag's value.
const VALUE_MAX_CHARS: usize = 256;

/// Reads `x-amz-tagging`: `key=value&…`, URL-encoded.
pub(crate) fn parse_header(header: &str) -> Result<Vec<(String, String)>, Error> {
    let malformed = || {
        Error::invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
             name duplicates.",
            "x-amz-tagging",
            header,
        )
    };
    let mut tags: Vec<(String, String)> = Vec::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode_query(key).ok_or_else(malformed)?, decode_query(value).ok_or_else(malformed)?);
        if tags.iter().any(|(k, _)| *k == key) || !legal(&key) || !legal(&value) {
            return Err(malformed());
        }
        check(&key, &value)?;
        tags.push((key, value));
    }
    if tags.len() > TAGS_MAX {
        return Err(Error::with_message(Code::BadRequest, "Object tags cannot be greater than 10"));
    }
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), Error> {
    let invalid = |message: &'static str| Error::with_message(Code::InvalidTag, message).and("TagKey", key);
    if key.is_empty() || key.chars().count() > KEY_MAX_CHARS {
        return Err(invalid("The TagKey you have provided is invalid"));
    }
    if key.starts_with("aws:") {
        return Err(invalid("Your TagKey cannot be prefixed with aws:"));
    }
    if value.chars().count() > VALUE_MAX_CHARS {
        return Err(invalid("The TagValue you have provided is invalid").and("TagValue", value));
    }
    Ok(())
}

/// Letters, digits and blanks of any script, and `+ - = . _ : / @`.
fn legal(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "+-=._:/@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

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
