//! RSA of 2048, 3072 and 4096 bits: OAEP, PSS and PKCS #1 v1.5 (RFC 8017), by AWS-LC.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaParameters, RsaSignatureEncoding, UnparsedPublicKey,
};

use super::ber::to_der;
use super::message::Hashed;
use crate::crypto::{BadKey, SecretBytes, UseError};
use crate::names::{EncryptionAlgorithm, SigningAlgorithm};

/// An RSA key for encryption: a KMS key, or one that wraps material to import.
pub(in crate::crypto) struct OaepKey {
    private: PrivateDecryptingKey,
    public: PublicEncryptingKey,
    public_der: Vec<u8>,
}

impl OaepKey {
    /// Makes a key of `bits`: 2048, 3072 or 4096. Takes up to seconds of CPU.
    pub(in crate::crypto) fn generate(bits: usize) -> Self {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => unreachable!("specs name three sizes"),
        };
        let private = PrivateDecryptingKey::generate(size).expect("AWS-LC makes keys of the sizes it names");
        Self::new(private)
    }

    /// Reads a PKCS #8 key of exactly `bits`, in BER or DER. AWS-LC checks that the public half and the CRT values
    /// match.
    pub(in crate::crypto) fn parse(bits: usize, pkcs8: &[u8]) -> Result<Self, BadKey> {
        let private = PrivateDecryptingKey::from_pkcs8(&to_der(pkcs8)?).map_err(|_| BadKey)?;
        if private.key_size_bits() != bits {
            return Err(BadKey);
        }
        Ok(Self::new(private))
    }

    fn new(private: PrivateDecryptingKey) -> Self {
        let public = private.public_key();
        let der = AsDer::as_der(&public).expect("an RSA public key has an encoding");
        Self { private, public_der: der.as_ref().to_vec(), public }
    }

    pub(in crate::crypto) fn to_pkcs8(&self) -> SecretBytes {
        let der = AsDer::as_der(&self.private).expect("an RSA private key has an encoding");
        SecretBytes::new(der.as_ref().to_vec())
    }

    pub(in crate::crypto) fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// Bytes of the modulus: of every ciphertext and signature.
    pub(in crate::crypto) fn modulus_bytes(&self) -> usize {
        self.private.key_size_bytes()
    }

    pub(in crate::crypto) fn encrypt(&self, algorithm: EncryptionAlgorithm, plain: &[u8]) -> Result<Vec<u8>, UseError> {
        let oaep = oaep(algorithm)?;
        let key = OaepPublicEncryptingKey::new(self.public.clone()).map_err(|_| UseError::Library)?;
        let max_bytes = key.max_plaintext_size(oaep);
        if plain.len() > max_bytes {
            return Err(UseError::PlaintextTooLong { max_bytes });
        }
        let mut out = vec![0; key.ciphertext_size()];
        let written = key.encrypt(oaep, plain, &mut out, None).map_err(|_| UseError::Library)?.len();
        out.truncate(written);
        Ok(out)
    }

    pub(in crate::crypto) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        sealed: &[u8],
    ) -> Result<SecretBytes, UseError> {
        let oaep = oaep(algorithm)?;
        let key = OaepPrivateDecryptingKey::new(self.private.clone()).map_err(|_| UseError::Library)?;
        let mut buffer = SecretBytes::new(vec![0; key.min_output_size()]);
        let plain = key.decrypt(oaep, sealed, buffer.expose_mut(), None).map_err(|_| UseError::Ciphertext)?;
        Ok(SecretBytes::new(plain.to_vec()))
    }
}

fn oaep(algorithm: EncryptionAlgorithm) -> Result<&'static OaepAlgorithm, UseError> {
    match algorithm {
        EncryptionAlgorithm::OaepSha1 => Ok(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithm::OaepSha256 => Ok(&OAEP_SHA256_MGF1SHA256),
        EncryptionAlgorithm::SymmetricDefault => Err(UseError::Algorithm),
    }
}

/// An RSA KMS key, for either usage.
pub(in crate::crypto) struct RsaKey {
    oaep: OaepKey,
    signing: KeyPair,
}

impl RsaKey {
    pub(in crate::crypto) fn generate(bits: usize) -> Self {
        Self::new(OaepKey::generate(bits)).expect("AWS-LC reads the keys it writes")
    }

    pub(in crate::crypto) fn parse(bits: usize, pkcs8: &[u8]) -> Result<Self, BadKey> {
        Self::new(OaepKey::parse(bits, pkcs8)?)
    }

    fn new(oaep: OaepKey) -> Result<Self, BadKey> {
        let signing = KeyPair::from_pkcs8(oaep.to_pkcs8().expose()).map_err(|_| BadKey)?;
        Ok(Self { oaep, signing })
    }

    pub(in crate::crypto) fn oaep(&self) -> &OaepKey {
        &self.oaep
    }

    pub(in crate::crypto) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: &Hashed<'_>,
    ) -> Result<Vec<u8>, UseError> {
        let Scheme { signing, .. } = Scheme::of(algorithm)?;
        let mut out = vec![0; self.signing.public_modulus_len()];
        let done = match message {
            Hashed::Not(message) => self.signing.sign(signing, &SystemRandom::new(), message, &mut out),
            Hashed::Already(digest) => self.signing.sign_digest(signing, digest, &mut out),
        };
        done.map(|()| out).map_err(|_| UseError::Library)
    }

    pub(in crate::crypto) fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message: &Hashed<'_>,
        signature: &[u8],
    ) -> Result<(), UseError> {
        verify(self.oaep.public_der(), algorithm, message, signature)
    }
}

/// Verifies with a SubjectPublicKeyInfo. The salt of PSS has the digest's length, no other.
fn verify(
    public_der: &[u8],
    algorithm: SigningAlgorithm,
    message: &Hashed<'_>,
    signature: &[u8],
) -> Result<(), UseError> {
    let key = UnparsedPublicKey::new(Scheme::of(algorithm)?.verifying, public_der);
    let valid = match message {
        Hashed::Not(message) => key.verify(message, signature),
        Hashed::Already(digest) => key.verify_digest(digest, signature),
    };
    valid.map_err(|_| UseError::Signature)
}

struct Scheme {
    signing: &'static RsaSignatureEncoding,
    verifying: &'static RsaParameters,
}

impl Scheme {
    fn of(algorithm: SigningAlgorithm) -> Result<Self, UseError> {
        use SigningAlgorithm as Signing;
        let (signing, verifying) = match algorithm {
            Signing::PssSha256 => (&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256),
            Signing::PssSha384 => (&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384),
            Signing::PssSha512 => (&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512),
            Signing::Pkcs1Sha256 => (&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256),
            Signing::Pkcs1Sha384 => (&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384),
            Signing::Pkcs1Sha512 => (&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512),
            Signing::EcdsaSha256
            | Signing::EcdsaSha384
            | Signing::EcdsaSha512
            | Signing::Ed25519
            | Signing::Ed25519Ph
            | Signing::MlDsa => return Err(UseError::Algorithm),
        };
        Ok(Self { signing, verifying })
    }
}

#[cfg(test)]
mod tests;
