//! Percent encoding, in the three ways S3 uses it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same with `/` left alone.
const PATH: &AsciiSet = &STRICT.remove(b'/');

/// Encodes all but unreserved characters, `/` included, in upper-case hexadecimal: SigV4's `UriEncode`.
pub fn encode_uri(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

/// Encodes a key for a list answer with `encoding-type=url`: as [`encode_uri`], with `/` left alone and a space as `+`
/// (what AWS answers, and what clients decode).
pub fn encode_key_for_list(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string().replace("%20", "+")
}

/// Decodes a path once; `+` stays `+`. `None` if the result is not UTF-8.
pub fn decode_path(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|s| s.into_owned())
}

/// Decodes a query name or value: `+` is a space. `None` if the result is not UTF-8.
pub fn decode_query(text: &str) -> Option<String> {
    decode_path(&text.replace('+', " "))
}
