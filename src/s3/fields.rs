//! Headers of a request as text. (What a presigned URL carries in its query instead of a header stands among the
//! headers already: `auth::authenticate` moves it there.)

use std::borrow::Cow;

use http::HeaderMap;

use super::error::Error;

/// A header that may be sent once: trimmed. Sent twice with different values it is `InvalidArgument`, so that no
/// second value, e.g. another encryption, is dropped in silence.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|value| value != first) {
        // Not the values: they may be keys.
        return Err(Error::invalid_argument("The header was sent more than once with different values.", name, ""));
    }
    match std::str::from_utf8(first.as_bytes()) {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(Error::invalid_argument("Header value is not valid UTF-8.", name, "")),
    }
}

/// As [`single`], an empty value counting as none.
pub(crate) fn filled<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Error> {
    Ok(single(headers, name)?.filter(|value| !value.is_empty()))
}

/// A header that is a list or may be taken as one: all its values joined by commas (RFC 9110, section 5.3), bytes that
/// are not UTF-8 read as ISO-8859-1, HTTP's old charset, in which every byte is a character.
pub(crate) fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(|value| text(value.as_bytes()));
    let mut whole = values.next()?.into_owned();
    for value in values {
        whole.push(',');
        whole.push_str(&value);
    }
    Some(whole)
}

/// One value, as in [`joined`].
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    let value = value.trim_ascii();
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.iter().copied().map(char::from).collect()),
    }
}

/// A whole number, AWS's `long`; `InvalidArgument` with AWS's text for what is none.
pub(crate) fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, Error> {
    number_to(headers, name, i64::MAX.unsigned_abs())
}

/// As [`number`], AWS's `integer`.
pub(crate) fn integer(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, Error> {
    number_to(headers, name, i32::MAX.unsigned_abs().into())
}

fn number_to(headers: &HeaderMap, name: &'static str, most: u64) -> Result<Option<u64>, Error> {
    let Some(text) = filled(headers, name)? else { return Ok(None) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number <= most => Ok(Some(number)),
        _ => {
            Err(Error::invalid_argument(format!("Provided {name} not an integer or within integer range"), name, text))
        }
    }
}

/// `true` or `false`, in any case.
pub(crate) fn flag(headers: &HeaderMap, name: &'static str) -> Result<Option<bool>, Error> {
    match filled(headers, name)? {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        // Not recorded.
        Some(text) => Err(Error::invalid_argument("Invalid Argument", name, text)),
    }
}

/// Headers of a test: name and value.
#[cfg(test)]
pub(crate) type Lines<'a> = &'a [(&'a str, &'a str)];

/// Headers for tests.
#[cfg(test)]
pub(crate) fn sample(lines: Lines<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = name.parse::<http::HeaderName>().unwrap();
        headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::{filled, flag, integer, joined, number, sample, single, text};

    #[test]
    fn one_value_or_none() {
        let headers = sample(&[("x-a", " v "), ("x-b", ""), ("x-c", "1"), ("x-c", "1"), ("x-d", "1"), ("x-d", "2")]);
        assert_eq!(single(&headers, "x-a").unwrap(), Some("v"));
        assert_eq!(single(&headers, "x-b").unwrap(), Some(""));
        assert_eq!(filled(&headers, "x-b").unwrap(), None);
        assert_eq!(single(&headers, "x-c").unwrap(), Some("1"));
        assert!(single(&headers, "x-d").is_err());
        assert_eq!(single(&headers, "x-e").unwrap(), None);
    }

    #[test]
    fn lists_are_joined_and_every_byte_is_a_character() {
        let headers = sample(&[("x-a", "b"), ("x-a", " c "), ("x-u", "\u{e9}")]);
        assert_eq!(joined(&headers, "x-a").as_deref(), Some("b,c"));
        assert_eq!(joined(&headers, "x-u").as_deref(), Some("\u{e9}"));
        assert_eq!(text(b"caf\xe9"), "caf\u{e9}");
    }

    #[test]
    fn numbers() {
        let headers = sample(&[("x-a", "9223372036854775807"), ("x-b", "9223372036854775808"), ("x-c", "+1")]);
        assert_eq!(number(&headers, "x-a").unwrap(), Some(i64::MAX.unsigned_abs()));
        assert!(number(&headers, "x-b").is_err());
        assert!(number(&headers, "x-c").is_err());
        let headers = sample(&[("x-a", "2147483647"), ("x-b", "2147483648"), ("x-c", "-1")]);
        assert_eq!(integer(&headers, "x-a").unwrap(), Some(2_147_483_647));
        assert!(integer(&headers, "x-b").is_err());
        assert!(integer(&headers, "x-c").is_err());
    }

    #[test]
    fn flags() {
        for (value, expected) in [("true", Some(true)), ("FALSE", Some(false)), ("", None)] {
            assert_eq!(flag(&sample(&[("x-a", value)]), "x-a").unwrap(), expected, "{value}");
        }
        assert!(flag(&sample(&[("x-a", "1")]), "x-a").is_err());
    }
}
