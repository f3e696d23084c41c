//! What Sign and Verify were given, checked against key spec and algorithm.

use aws_lc_rs::digest::{self, Algorithm, Digest};

use crate::crypto::UseError;
use crate::names::{MessageType, SigningAlgorithm};

/// Bytes of the µ of ML-DSA (FIPS 204, section 6.2).
pub(super) const MU_BYTES: usize = 64;

/// A message of [`MessageType::Raw`], or the digest of one.
pub(in crate::crypto) enum Hashed<'a> {
    /// Still to be hashed: the library does it, as its validated module demands.
    Not(&'a [u8]),
    Already(Digest),
}

impl<'a> Hashed<'a> {
    /// For the algorithms that hash and then sign.
    pub(in crate::crypto) fn new(
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &'a [u8],
    ) -> Result<Self, UseError> {
        let hash = hash_of(algorithm).ok_or(UseError::Algorithm)?;
        match message_type {
            MessageType::Raw => Ok(Self::Not(message)),
            MessageType::Digest => {
                Digest::import_less_safe(message, hash).map(Self::Already).map_err(|_| UseError::DigestLength)
            }
            MessageType::ExternalMu => Err(UseError::MessageTypeOfSpec),
        }
    }
}

fn hash_of(algorithm: SigningAlgorithm) -> Option<&'static Algorithm> {
    use SigningAlgorithm as Signing;
    match algorithm {
        Signing::PssSha256 | Signing::Pkcs1Sha256 | Signing::EcdsaSha256 => Some(&digest::SHA256),
        Signing::PssSha384 | Signing::Pkcs1Sha384 | Signing::EcdsaSha384 => Some(&digest::SHA384),
        Signing::PssSha512 | Signing::Pkcs1Sha512 | Signing::EcdsaSha512 => Some(&digest::SHA512),
        Signing::Ed25519 | Signing::Ed25519Ph | Signing::MlDsa => None,
    }
}
