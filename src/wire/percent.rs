//! Percent encoding, in the three ways S3 uses it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What AWS encodes of a key in a list: what Java's `URLEncoder` does, `/` left alone. `~` is encoded and `*` is not.
const LISTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// Encodes all but unreserved characters, `/` included, in upper-case hexadecimal: SigV4's `UriEncode`.
pub fn encode_uri(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

/// Appends a key for a list answer with `encoding-type=url`: a space is `+` (what AWS answers, and what clients decode).
pub fn encode_key_into(out: &mut String, text: &str) {
    for piece in utf8_percent_encode(text, LISTED) {
        out.push_str(if piece == "%20" { "+" } else { piece });
    }
}

/// Decodes once; `+` stays `+`. `None` if the result is not UTF-8.
pub fn decode_path(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|s| s.into_owned())
}

/// Decodes a query name or value, or a path of S3, which reads paths so too: `+` is a space. `None` if the result is
/// not UTF-8.
pub fn decode_query(text: &str) -> Option<String> {
    decode_path(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::{decode_path, decode_query, encode_key_into, encode_uri};

    #[test]
    fn keys_in_lists_are_encoded_as_aws_does_it() {
        let cases = [
            ("", ""),
            ("a/b//c", "a/b//c"),
            ("a b", "a+b"),
            ("date=2026-01-01/", "date%3D2026-01-01/"),
            ("file%2Fname", "file%252Fname"),
            ("%20", "%2520"),
            ("a+b&c<d>\"'", "a%2Bb%26c%3Cd%3E%22%27"),
            ("test_file(3).png", "test_file%283%29.png"),
            ("-_.*/~!'(),;:@=|", "-_.*/%7E%21%27%28%29%2C%3B%3A%40%3D%7C"),
            ("\u{1f600}\r\u{1}", "%F0%9F%98%80%0D%01"),
        ];
        for (key, encoded) in cases {
            let mut out = "x".to_owned();
            encode_key_into(&mut out, key);
            assert_eq!(out, format!("x{encoded}"));
            // Clients decode it as a query value.
            assert_eq!(decode_query(encoded).as_deref(), Some(key));
        }
    }

    #[test]
    fn what_is_decoded_must_be_utf8() {
        assert_eq!(encode_uri("a/b ~"), "a%2Fb%20~");
        assert_eq!(decode_path("a+b%2f"), Some("a+b/".to_owned()));
        assert_eq!(decode_query("a+b%2f"), Some("a b/".to_owned()));
        assert_eq!(decode_path("%ff"), None);
        // A percent sign that starts no escape stays.
        assert_eq!(decode_path("100%"), Some("100%".to_owned()));
    }
}
