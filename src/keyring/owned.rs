//! The key that AWS calls "AWS owned": SSE-S3's. In no listing; rotates by itself.

use crate::crypto::{Context, SecretBytes};

use super::KeyringError;

/// The owned key's material, held for a bounded time. Each time it is loaded the trail gets a record.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct OwnedKey {}

impl OwnedKey {
    /// Wraps an object key under the newest generation.
    pub fn wrap(&self, context: &Context, plain: &[u8]) -> Vec<u8> {
        let _ = (context, plain);
        unimplemented!()
    }

    /// Unwraps what any kept generation has wrapped.
    pub fn unwrap(&self, context: &Context, sealed: &[u8]) -> Result<SecretBytes, KeyringError> {
        let _ = (context, sealed);
        unimplemented!()
    }
}
