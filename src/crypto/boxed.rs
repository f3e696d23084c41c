//! The Box: a short sealed message (design, section 3).

use super::{Context, SecretBytes, SecretKey};
use crate::sources::Sources;

/// Which generation of a key sealed a Box; picks the material at once, never by trying.
pub type Generation = [u8; 16];

/// What a Box says of itself in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxHeader {
    /// The id of the sealing key, at most 255 bytes.
    pub key_id: Vec<u8>,
    /// The generation of that key.
    pub generation: Generation,
}

/// The bytes are no Box of a version this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatError;

/// The Box does not open: wrong key, wrong context or changed bytes. Which of them is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenError;

/// What a Box held.
pub type Opened = SecretBytes;

/// What to seal a message under.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct SealBox<'a> {
    /// The key; each message gets a key of its own from it by HKDF.
    pub key: &'a SecretKey,
    /// Parts the uses of one key, e.g. `strongroom kms ciphertext v1`.
    pub label: &'a str,
    /// Goes into the header.
    pub header: &'a BoxHeader,
    /// Authenticated, not stored.
    pub context: &'a Context,
}

/// Seals `plain`.
pub fn seal_box(seal: &SealBox<'_>, plain: &[u8], sources: &Sources) -> Vec<u8> {
    let _ = (seal, plain, sources);
    unimplemented!()
}

/// Reads the header of a Box without opening it.
pub fn parse_box(sealed: &[u8]) -> Result<BoxHeader, FormatError> {
    let _ = sealed;
    unimplemented!()
}

/// Opens a Box that [`parse_box`] has accepted; `key` is the key that its header names.
pub fn open_box(key: &SecretKey, label: &str, context: &Context, sealed: &[u8]) -> Result<Opened, OpenError> {
    let _ = (key, label, context, sealed);
    unimplemented!()
}
