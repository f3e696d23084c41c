//! The secret of a root and the id that follows from it.

use std::fmt;
use std::str::FromStr;

use super::hex;
use crate::crypto::{RecipientKey, SecretKey, hmac_sha256};
use crate::sources::Sources;

/// Label under which the id of a root is derived from it. Frozen, as the ids are stored.
const ROOT_ID_LABEL: &[u8] = b"strongroom root id v1";

/// Names a root: follows from its secret and tells nothing of it, so that a wrong root is told from a damaged store
/// before anything is opened with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootId(pub [u8; 16]);

/// The secret of a root: what a file holds, a passphrase gives, a token unwraps, shares make up.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct RootSecret {
    key: SecretKey,
    id: RootId,
}

impl RootSecret {
    /// A new one.
    pub fn generate(sources: &Sources) -> Self {
        Self::of_key(SecretKey::generate(sources))
    }

    /// Of its 32 bytes.
    pub fn of_key(key: SecretKey) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&hmac_sha256(key.expose(), ROOT_ID_LABEL)[..16]);
        Self { key, id: RootId(id) }
    }

    /// Its id.
    pub fn id(&self) -> RootId {
        self.id
    }

    /// The bytes, to be written to where the root is kept.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// The key pair that the store key is sealed to.
    pub(super) fn recipient(&self) -> RecipientKey {
        RecipientKey::derive(&self.key)
    }
}

impl fmt::Display for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for RootId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 32 || !text.is_ascii() {
            return Err(());
        }
        let mut id = [0; 16];
        for (byte, at) in id.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(drop)?;
        }
        Ok(Self(id))
    }
}
