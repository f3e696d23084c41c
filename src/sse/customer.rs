//! The key of SSE-C.

use crate::crypto::SecretKey;

/// A customer's key as it came with a request, checked against its MD5.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct CustomerKey {
    key: SecretKey,
    md5_base64: String,
}

/// Which of the checks failed; each has its own AWS text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidCustomerKey {
    /// Not base64 of 32 bytes, or its MD5 is missing.
    Key,
    /// The MD5 is not that of the key.
    Md5,
}

impl CustomerKey {
    /// From the decoded key and the MD5 as sent (base64).
    pub fn new(key: SecretKey, md5_base64: &str) -> Result<Self, InvalidCustomerKey> {
        use base64::Engine as _;
        let computed = base64::engine::general_purpose::STANDARD.encode(crate::crypto::md5(key.expose()));
        if crate::crypto::constant_time_eq(computed.as_bytes(), md5_base64.as_bytes()) {
            Ok(Self { key, md5_base64: computed })
        } else {
            Err(InvalidCustomerKey::Md5)
        }
    }

    /// The key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// For the answer's `x-amz-server-side-encryption-customer-key-MD5`.
    pub fn md5_base64(&self) -> &str {
        &self.md5_base64
    }
}
