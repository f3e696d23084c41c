//! Unique ids and access keys, in the forms that AWS documents ("IAM identifiers", unique ID prefixes).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::SecretBytes;
use crate::sources::Sources;

/// Characters behind the prefix of a unique id.
const ID_CHARS: usize = 17;
/// Characters behind the prefix of an access key id.
const KEY_CHARS: usize = 16;
/// Bytes of a secret access key; 40 characters of base64.
const SECRET_BYTES: usize = 30;

/// What has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdOf {
    User,
    Role,
    Group,
    Policy,
    AccessKey,
    TemporaryKey,
}

impl IdOf {
    /// Whether an id is of this kind, by what it begins with.
    pub(super) fn fits(self, id: &str) -> bool {
        id.starts_with(self.prefix())
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Role => "AROA",
            Self::Group => "AGPA",
            Self::Policy => "ANPA",
            Self::AccessKey => "AKIA",
            Self::TemporaryKey => TEMPORARY_PREFIX,
        }
    }
}

/// What the ids of temporary access keys begin with.
pub(super) const TEMPORARY_PREFIX: &str = "ASIA";

/// A new id, never given out before.
pub(super) fn new_id(of: IdOf, sources: &Sources) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let count = if matches!(of, IdOf::AccessKey | IdOf::TemporaryKey) { KEY_CHARS } else { ID_CHARS };
    let random = sources.random::<ID_CHARS>();
    let digits = random.iter().take(count).map(|b| char::from(DIGITS[usize::from(b & 31)]));
    of.prefix().chars().chain(digits).collect()
}

/// A new secret access key.
pub(super) fn new_secret(sources: &Sources) -> SecretBytes {
    SecretBytes::new(STANDARD.encode(sources.random::<SECRET_BYTES>()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let sources = Sources::seeded(1, crate::sources::Timestamp(0));
        for (of, prefix, chars) in [(IdOf::User, "AIDA", 21), (IdOf::Role, "AROA", 21), (IdOf::AccessKey, "AKIA", 20)] {
            let id = new_id(of, &sources);
            assert!(id.starts_with(prefix) && id.len() == chars, "{id}");
            assert_ne!(new_id(of, &sources), id);
        }
        assert_eq!(new_secret(&sources).expose().len(), 40);
    }
}
