//! Account ids and the canonical ids that S3 shows as owners.

use std::fmt;

/// An AWS account id: 12 decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

/// The canonical user id of an account: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalId(String);

/// The text is not of the id's form; the message says which form it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAccount(&'static str);

impl AccountId {
    /// Checks that `text` is 12 digits.
    pub fn parse(text: &str) -> Result<Self, InvalidAccount> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccount("an account id is 12 digits"))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CanonicalId {
    /// Checks that `text` is 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, InvalidAccount> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccount("a canonical id is 64 lower-case hexadecimal digits"))
        }
    }

    /// The canonical id of an account that was given none.
    pub fn of_account(account: &AccountId) -> Self {
        Self(super::hex(&crate::crypto::sha256(format!("strongroom canonical id {account}").as_bytes())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CanonicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidAccount {}

#[cfg(test)]
mod tests {
    use super::{AccountId, CanonicalId};

    #[test]
    fn forms() {
        assert!(AccountId::parse("111122223333").is_ok());
        for bad in ["", "11112222333", "1111222233334", "11112222333a", "١١١١٢٢٢٢٣٣٣٣"] {
            assert!(AccountId::parse(bad).is_err(), "{bad}");
        }
        assert!(CanonicalId::parse(&"a1".repeat(32)).is_ok());
        assert!(CanonicalId::parse(&"A1".repeat(32)).is_err());
        assert!(CanonicalId::parse(&"a1".repeat(31)).is_err());
    }
}
