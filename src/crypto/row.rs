//! Sealing of index rows under a cached epoch key: cheap enough to open 1,000 rows for one list page.

use super::OpenError;
use super::SecretKey;

/// What sealing adds to a row, in bytes: version 1, epoch 4, nonce 12, tag 16.
pub const ROW_OVERHEAD_BYTES: usize = 33;

/// An epoch key, ready for use (its key schedule is kept).
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct RowKey {
    epoch: u32,
}

impl RowKey {
    /// Prepares the key of `epoch`.
    pub fn new(epoch: u32, key: &SecretKey) -> Self {
        let _ = key;
        Self { epoch }
    }

    /// The epoch this key belongs to.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Seals `plain` for the row `aad` (table and key): `version 1 | epoch 4 | nonce 12 | ciphertext | tag 16`.
    pub fn seal(&self, nonce: [u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let _ = (nonce, aad, plain);
        unimplemented!()
    }

    /// Opens a row of this key's epoch.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let _ = (aad, sealed);
        unimplemented!()
    }

    /// The epoch that sealed a row; `None` if the bytes are no sealed row.
    pub fn epoch_of(sealed: &[u8]) -> Option<u32> {
        let _ = sealed;
        unimplemented!()
    }
}
