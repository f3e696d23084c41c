//! The canonical request: the bytes that both sides must agree on.

use http::HeaderMap;

/// How a service's canonical URI is made from the path of the request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathRule {
    /// S3: the path as sent. Each byte is encoded once, whether it came encoded or bare (`(`, UTF-8); a bare `+` is a
    /// space; nothing is normalised, since `//` and `..` are legal in keys; `%2F` is not `/`.
    AsSent,
    /// Every other service: empty and dot segments removed, then what was sent is encoded once more.
    NormalizedTwice,
}

/// What of a request a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct SignedParts<'a> {
    /// Upper case, as sent.
    pub method: &'a str,
    /// Still encoded, as sent.
    pub path: &'a str,
    /// Still encoded, as sent; empty if there is none.
    pub query: &'a str,
    /// All headers of the request.
    pub headers: &'a HeaderMap,
    /// Value of `host`: HTTP/2 carries it outside the headers.
    pub host: &'a str,
}

/// Makes the canonical request. `signed_headers` is taken exactly as the client named them; one that the request lacks
/// counts as empty. Bytes, not text: header values may be of any encoding.
pub fn canonical_request(parts: &SignedParts<'_>, signed_headers: &str, payload_hash: &str, rule: PathRule) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(parts.method.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(canonical_uri(parts.path, rule).as_bytes());
    out.push(b'\n');
    out.extend_from_slice(canonical_query(parts.query).as_bytes());
    out.push(b'\n');
    for name in signed_headers.split(';') {
        push_header(&mut out, parts, &name.to_ascii_lowercase());
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash.as_bytes());
    out
}

fn push_header(out: &mut Vec<u8>, parts: &SignedParts<'_>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    if name == "host" {
        push_collapsed(out, parts.host.as_bytes());
    } else {
        for (i, value) in parts.headers.get_all(name).iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            push_collapsed(out, value.as_bytes());
        }
    }
    out.push(b'\n');
}

/// Trims, and makes one space of several, inside quotes too.
fn push_collapsed(out: &mut Vec<u8>, value: &[u8]) {
    let mut previous = b' ';
    for &byte in value.trim_ascii() {
        if byte != b' ' || previous != b' ' {
            out.push(byte);
        }
        previous = byte;
    }
}

/// The canonical URI of a path; an empty path counts as `/`.
pub fn canonical_uri(path: &str, rule: PathRule) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    match rule {
        PathRule::AsSent => {
            for octet in octets(path.as_bytes()) {
                match (octet.byte, octet.escaped) {
                    (b'/', false) => out.push('/'),
                    (b'+', false) => push_encoded(&mut out, b' '),
                    (byte, _) => push_encoded(&mut out, byte),
                }
            }
        }
        PathRule::NormalizedTwice => {
            for byte in normalize(path).bytes() {
                if byte == b'/' { out.push('/') } else { push_encoded(&mut out, byte) }
            }
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

/// The canonical query: names and values decoded once (`+` is a space, as the server reads it) and encoded strictly,
/// sorted by their encoded bytes, names before values; a name without `=` has an empty value. A signature in the query
/// cannot cover itself: `X-Amz-Signature` is left out.
pub fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .map(|(name, value)| (reencode(name), reencode(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    let mut out = String::with_capacity(query.len() + 16);
    for (name, value) in &pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

fn reencode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for octet in octets(text.as_bytes()) {
        if octet.byte == b'+' && !octet.escaped { out.push_str("%20") } else { push_encoded(&mut out, octet.byte) }
    }
    out
}

/// One byte of meaning, and whether it was sent as `%XX`.
struct Octet {
    byte: u8,
    escaped: bool,
}

/// Takes percent encoding off. A `%` that starts no valid escape stands for itself.
fn octets(text: &[u8]) -> impl Iterator<Item = Octet> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *text.get(at)?;
        if byte == b'%'
            && let Some(value) = text.get(at + 1..at + 3).and_then(hex_pair)
        {
            at += 3;
            return Some(Octet { byte: value, escaped: true });
        }
        at += 1;
        Some(Octet { byte, escaped: false })
    })
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(value(digits[0])? << 4 | value(digits[1])?)
}

/// `UriEncode` of the specification for one byte: all but the unreserved characters, in upper-case hexadecimal.
fn push_encoded(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// RFC 3986 section 5.2.4, and empty segments removed.
fn normalize(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let tail = if directory && !kept.is_empty() { "/" } else { "" };
    format!("/{}{tail}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn s3_paths_are_encoded_once_and_left_alone() {
        let cases = [
            ("", "/"),
            ("/", "/"),
            ("//a//", "//a//"),
            ("/a/../b/./c", "/a/../b/./c"),
            ("/b/a b", "/b/a%20b"),
            ("/b/a%20b", "/b/a%20b"),
            ("/b/a+b", "/b/a%20b"),
            ("/b/a%2Bb", "/b/a%2Bb"),
            ("/b/a%2fb", "/b/a%2Fb"),
            ("/b/%7E~", "/b/~~"),
            ("/b/%E2%82%AC", "/b/%E2%82%AC"),
            ("/b/\u{20ac}", "/b/%E2%82%AC"),
            ("/b/%FF%fe", "/b/%FF%FE"),
            ("/b/100%", "/b/100%25"),
            ("/b/%zz", "/b/%25zz"),
            ("/b/%2525", "/b/%2525"),
            ("/b/!$&'()*,:;=@[]", "/b/%21%24%26%27%28%29%2A%2C%3A%3B%3D%40%5B%5D"),
            ("/b/a%00b", "/b/a%00b"),
        ];
        for (sent, canonical) in cases {
            assert_eq!(canonical_uri(sent, PathRule::AsSent), canonical, "{sent:?}");
        }
    }

    #[test]
    fn other_services_normalise_and_encode_again() {
        let cases = [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a/..", "/"),
            ("/a/./b/", "/a/b/"),
            ("/a//b/.", "/a/b/"),
            ("/../a", "/a"),
            ("/a%20b", "/a%2520b"),
            // From the signing test suite of AWS, `double-encode-path` and `double-url-encode`.
            ("/test/@connections/JBDvjfGEIAMCERw%3D", "/test/%40connections/JBDvjfGEIAMCERw%253D"),
            ("/functions/arn%3Aaws%3Alambda/invocations", "/functions/arn%253Aaws%253Alambda/invocations"),
        ];
        for (sent, canonical) in cases {
            assert_eq!(canonical_uri(sent, PathRule::NormalizedTwice), canonical, "{sent:?}");
        }
    }

    #[test]
    fn queries_are_sorted_by_encoded_bytes() {
        let cases = [
            ("", ""),
            ("delete", "delete="),
            ("delete=", "delete="),
            ("&&a=1&", "a=1"),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a=", "a=&a=1&a=2"),
            ("B=1&a=1&A=1", "A=1&B=1&a=1"),
            ("a=b=c", "a=b%3Dc"),
            ("a=b+c", "a=b%20c"),
            ("a=b%2Bc", "a=b%2Bc"),
            ("a=b%20c", "a=b%20c"),
            ("a=/&b=%2F", "a=%2F&b=%2F"),
            ("prefix=%C3%a9", "prefix=%C3%A9"),
            ("a-b=1&a=2&a%2Db=0", "a=2&a-b=0&a-b=1"),
            ("X-Amz-Signature=x&a=1&X-Amz-Date=d", "X-Amz-Date=d&a=1"),
            ("=v", "=v"),
        ];
        for (sent, canonical) in cases {
            assert_eq!(canonical_query(sent), canonical, "{sent:?}");
        }
    }

    #[test]
    fn headers_are_trimmed_collapsed_and_joined() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-b", &b"  two   words "[..]), ("x-b", b"2"), ("x-raw", b"\xe9\tx")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        let parts = SignedParts { method: "GET", path: "/", query: "", headers: &headers, host: "h:9000" };
        let canonical = canonical_request(&parts, "x-raw;Host;x-b;x-none", "HASH", PathRule::AsSent);
        let expected = b"GET\n/\n\nx-raw:\xe9\tx\nhost:h:9000\nx-b:two words,2\nx-none:\n\nx-raw;Host;x-b;x-none\nHASH";
        assert_eq!(canonical, expected);
    }
}
