//! The wrapping of material to import: RSA-OAEP, alone or over the AES key of a key wrap with padding (RFC 5649).
//!
//! GetParametersForImport makes a [`WrappingKey`], gives out its public key, and keeps [`WrappingKey::to_pkcs8`] in a
//! Box that the import token names. ImportKeyMaterial unwraps with it. Which material may be wrapped how is
//! [`WrappingAlgorithm::carries`]; what the unwrapped bytes must be, [`super::KeyMaterial::parse`].

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};

use super::asymmetric::OaepKey;
use super::{BadKey, OpenError, SecretBytes};
use crate::names::{EncryptionAlgorithm, WrappingAlgorithm, WrappingKeySpec};

/// An RSA key that wraps material to import. Wiped when dropped.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct WrappingKey(OaepKey);

impl WrappingKey {
    /// Makes a key. Takes up to seconds of CPU: off the runtime's threads.
    pub fn generate(spec: WrappingKeySpec) -> Self {
        Self(OaepKey::generate(bits(spec)))
    }

    /// Reads what [`Self::to_pkcs8`] wrote.
    pub fn parse(spec: WrappingKeySpec, pkcs8: &[u8]) -> Result<Self, BadKey> {
        OaepKey::parse(bits(spec), pkcs8).map(Self)
    }

    /// The bytes to store.
    pub fn to_pkcs8(&self) -> SecretBytes {
        self.0.to_pkcs8()
    }

    /// The public key as a DER SubjectPublicKeyInfo.
    pub fn public_key(&self) -> &[u8] {
        self.0.public_der()
    }

    /// Unwraps material. With an AES key wrap, `wrapped` is the AES-256 key under RSA-OAEP, as long as the modulus, and
    /// then the material under that key. Every failure is the same: InvalidCiphertextException.
    pub fn unwrap(&self, algorithm: WrappingAlgorithm, wrapped: &[u8]) -> Result<SecretBytes, OpenError> {
        let (oaep, key_wrapped) = match algorithm {
            WrappingAlgorithm::OaepSha1 => (EncryptionAlgorithm::OaepSha1, false),
            WrappingAlgorithm::OaepSha256 => (EncryptionAlgorithm::OaepSha256, false),
            WrappingAlgorithm::AesKeyWrapSha1 => (EncryptionAlgorithm::OaepSha1, true),
            WrappingAlgorithm::AesKeyWrapSha256 => (EncryptionAlgorithm::OaepSha256, true),
        };
        if !key_wrapped {
            return self.0.decrypt(oaep, wrapped).map_err(|_| OpenError);
        }
        let (kek, material) = wrapped.split_at_checked(self.0.modulus_bytes()).ok_or(OpenError)?;
        let kek = self.0.decrypt(oaep, kek).map_err(|_| OpenError)?;
        unwrap_padded(kek.expose(), material)
    }
}

fn bits(spec: WrappingKeySpec) -> usize {
    match spec {
        WrappingKeySpec::Rsa2048 => 2048,
        WrappingKeySpec::Rsa3072 => 3072,
        WrappingKeySpec::Rsa4096 => 4096,
    }
}

/// RFC 5649 with AES-256; KMS takes no other key.
fn unwrap_padded(kek: &[u8], wrapped: &[u8]) -> Result<SecretBytes, OpenError> {
    let kek = AesKek::new(&AES_256, kek).map_err(|_| OpenError)?;
    let mut buffer = SecretBytes::new(vec![0; wrapped.len()]);
    let plain = kek.unwrap_with_padding(wrapped, buffer.expose_mut()).map_err(|_| OpenError)?;
    Ok(SecretBytes::new(plain.to_vec()))
}

/// What a client does with GetParametersForImport's public key: for tests of the layers above.
#[cfg(test)]
pub(crate) fn wrap_for_tests(public_key: &[u8], algorithm: WrappingAlgorithm, material: &[u8]) -> Vec<u8> {
    use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};

    let key = PublicEncryptingKey::from_der(public_key).expect("an RSA key");
    let key = OaepPublicEncryptingKey::new(key).expect("an RSA key for encryption");
    let oaep = match algorithm {
        WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::AesKeyWrapSha1 => &OAEP_SHA1_MGF1SHA1,
        WrappingAlgorithm::OaepSha256 | WrappingAlgorithm::AesKeyWrapSha256 => &OAEP_SHA256_MGF1SHA256,
    };
    let encrypt = |plain: &[u8]| {
        let mut out = vec![0; key.ciphertext_size()];
        key.encrypt(oaep, plain, &mut out, None).expect("it fits").to_vec()
    };
    match algorithm {
        WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::OaepSha256 => encrypt(material),
        WrappingAlgorithm::AesKeyWrapSha1 | WrappingAlgorithm::AesKeyWrapSha256 => {
            let kek = [9; 32];
            let mut wrapped = vec![0; material.len() + 15];
            let kw = AesKek::new(&AES_256, &kek).expect("an AES-256 key");
            let inner = kw.wrap_with_padding(material, &mut wrapped).expect("there is room").to_vec();
            [encrypt(&kek), inner].concat()
        }
    }
}

#[cfg(test)]
mod tests;
