//! RFC 2047 encoded words, in which AWS gives user metadata back that is not US-ASCII, and takes it. Pure.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest encoded word, in characters (RFC 2047, section 2).
const WORD_MAX_CHARS: usize = 75;
const OPENING: &str = "=?UTF-8?B?";
const CLOSING: &str = "?=";
/// Bytes that fit into one word: base64 makes four characters of three bytes.
const WORD_MAX_BYTES: usize = (WORD_MAX_CHARS - OPENING.len() - CLOSING.len()) / 4 * 3;

/// Decodes the encoded words of `text`; blanks between two of them belong to neither. What is malformed or of an
/// unknown charset stays as it is, so that nothing is lost.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains("=?") {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, candidate) = rest.split_at(start);
        let Some((word, after)) = first_word(candidate) else {
            decoded.push_str(before);
            decoded.push_str("=?");
            (rest, after_word) = (&candidate[2..], false);
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        decoded.push_str(&word);
        (rest, after_word) = (after, true);
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// Encodes `text` as one or more words of UTF-8 in base64; visible US-ASCII is left alone.
pub(crate) fn encode(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(WORD_MAX_BYTES));
        if !encoded.is_empty() {
            encoded.push(' ');
        }
        encoded.push_str(OPENING);
        STANDARD.encode_string(word, &mut encoded);
        encoded.push_str(CLOSING);
        rest = after;
    }
    Cow::Owned(encoded)
}

/// Decodes the word that `text` starts with; with it, what follows the word.
fn first_word(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix("=?")?;
    let (charset, inner) = inner.split_once('?')?;
    let (encoding, inner) = inner.split_once('?')?;
    let (payload, after) = inner.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(payload).ok()?,
        "Q" | "q" => decode_q(payload)?,
        _ => return None,
    };
    // RFC 2231 lets a language follow the charset.
    let charset = charset.split('*').next().unwrap_or_default();
    let word = if charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii") {
        String::from_utf8(bytes).ok()?
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        bytes.into_iter().map(char::from).collect()
    } else {
        return None;
    };
    Some((word, after))
}

fn decode_q(payload: &str) -> Option<Vec<u8>> {
    let mut bytes = payload.bytes();
    let mut decoded = Vec::with_capacity(payload.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(bytes.next()?)? * 16 + digit(bytes.next()?)?
            }
            b' ' => return None,
            byte => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_both_encodings() {
        let cases = [
            ("plain", "plain"),
            ("=?UTF-8?B?w6TDtg==?=", "äö"),
            ("=?utf-8?b?w6TDtg==?=", "äö"),
            ("=?UTF-8?Q?Sch=C3=B6n_so.pdf?=", "Schön so.pdf"),
            ("=?ISO-8859-1?Q?Sch=F6n?=", "Schön"),
            ("=?UTF-8*de?Q?=C3=A4?=", "ä"),
            ("a =?UTF-8?Q?=C3=A4?= b", "a ä b"),
            ("=?UTF-8?Q?a?= =?UTF-8?Q?b?=", "ab"),
            ("=?UTF-8?Q?a?= x =?UTF-8?Q?b?=", "a x b"),
            ("=?UTF-8?Q?a?= =? =?UTF-8?Q?b?=", "a =? b"),
            ("=?UTF-8?B?!!!?=", "=?UTF-8?B?!!!?="),
            ("=?KOI8-R?B?w6Q=?=", "=?KOI8-R?B?w6Q=?="),
            ("=?UTF-8?Q?=C3?=", "=?UTF-8?Q?=C3?="),
            ("=?UTF-8?Q?=x?=", "=?UTF-8?Q?=x?="),
            ("=?", "=?"),
            ("=?a?b?c", "=?a?b?c"),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text), expected, "{text}");
        }
    }

    #[test]
    fn encodes_what_is_not_visible_ascii_and_back() {
        assert_eq!(encode("plain =?"), "plain =?");
        assert_eq!(encode("äö"), "=?UTF-8?B?w6TDtg==?=");
        for text in ["äö", "line\nbreak", "tab\t", "\u{1f600}", &"ä".repeat(500), &format!("a{}", "日本".repeat(60))]
        {
            let encoded = encode(text);
            assert!(encoded.split(' ').all(|word| word.len() <= WORD_MAX_CHARS), "{encoded}");
            assert!(encoded.bytes().all(|b| (b' '..=b'~').contains(&b)));
            assert_eq!(decode(&encoded), *text);
        }
    }
}
