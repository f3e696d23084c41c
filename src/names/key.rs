//! Object keys.

use std::fmt;

/// The longest object key, in bytes of UTF-8 (S3 User Guide, "Naming Amazon S3 objects").
pub const KEY_MAX_BYTES: usize = 1024;

/// An object key: 1 to [`KEY_MAX_BYTES`] bytes of any UTF-8. Never a path: `//`, `.` and `..` mean nothing here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// Why a text is no object key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidObjectKey {
    /// No byte at all.
    Empty,
    /// More than [`KEY_MAX_BYTES`]; holds the length in bytes.
    TooLong(usize),
}

impl ObjectKey {
    /// Checks the length of `text`.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidObjectKey> {
        let text = text.into();
        match text.len() {
            0 => Err(InvalidObjectKey::Empty),
            n if n > KEY_MAX_BYTES => Err(InvalidObjectKey::TooLong(n)),
            _ => Ok(Self(text)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidObjectKey, KEY_MAX_BYTES, ObjectKey};

    #[test]
    fn length_is_counted_in_bytes() {
        assert!(ObjectKey::parse("é".repeat(KEY_MAX_BYTES / 2)).is_ok());
        assert_eq!(ObjectKey::parse("é".repeat(KEY_MAX_BYTES / 2) + "x"), Err(InvalidObjectKey::TooLong(1025)));
        assert_eq!(ObjectKey::parse(""), Err(InvalidObjectKey::Empty));
    }
}
