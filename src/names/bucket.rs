//! Bucket names, by the rules for general purpose buckets (S3 User Guide, "Bucket naming rules").

use std::fmt;

const MIN_BYTES: usize = 3;
const MAX_BYTES: usize = 63;
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// The name of a general purpose bucket: 3 to 63 bytes of `a-z 0-9 . -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

/// The text is no name that AWS accepts for a general purpose bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidBucketName;

impl BucketName {
    /// Checks `text` against the naming rules.
    pub fn parse(text: &str) -> Result<Self, InvalidBucketName> {
        let bytes = text.as_bytes();
        let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let inner = |b: &u8| edge(b) || *b == b'.' || *b == b'-';
        let legal = (MIN_BYTES..=MAX_BYTES).contains(&bytes.len())
            && bytes.iter().all(inner)
            && text.split('.').map(str::as_bytes).all(|l| l.first().is_some_and(edge) && l.last().is_some_and(edge))
            && !looks_like_ipv4(text)
            && !RESERVED_PREFIXES.iter().any(|p| text.starts_with(p))
            && !RESERVED_SUFFIXES.iter().any(|s| text.ends_with(s));
        if legal { Ok(Self(text.to_owned())) } else { Err(InvalidBucketName) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn looks_like_ipv4(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    labels.len() == 4 && labels.iter().all(|l| !l.is_empty() && l.len() <= 3 && l.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::BucketName;

    #[test]
    fn accepts_what_aws_accepts() {
        for name in ["abc", "a-b", "a.b.c", "1bucket", "my-bucket-2", "192.168.5", &"a".repeat(63)] {
            assert!(BucketName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_what_aws_refuses() {
        let long = "a".repeat(64);
        let names = [
            "",
            "ab",
            &long,
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "a.-b",
            "a-.b",
            "192.168.5.4",
            "xn--abc",
            "sthree-x",
            "amzn-s3-demo-x",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "a b",
            "a/b",
            "ab\u{e9}",
            "ab\0",
        ];
        for name in names {
            assert!(BucketName::parse(name).is_err(), "{name:?}");
        }
    }
}
