//! Ed25519 (RFC 8032): the plain one by AWS-LC, Ed25519ph by `ed25519-dalek`, since AWS-LC's bindings lack it.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use ed25519_dalek::{Digest, Sha512, Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::ber::to_der;
use crate::crypto::{BadKey, SecretBytes, UseError};
use crate::names::{MessageType, SigningAlgorithm};
use crate::sources::Sources;

const SEED_BYTES: usize = 32;
const DIGEST_BYTES: usize = 64;
/// RFC 8410: `SEQUENCE { INTEGER 0, SEQUENCE { 1.3.101.112 }, OCTET STRING { OCTET STRING seed } }` up to the seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// An Ed25519 key.
pub(in crate::crypto) struct Ed25519Key {
    pair: Ed25519KeyPair,
    seed: Box<Zeroizing<[u8; SEED_BYTES]>>,
    public_der: Vec<u8>,
}

impl Ed25519Key {
    pub(in crate::crypto) fn generate(sources: &Sources) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; SEED_BYTES]));
        sources.fill(&mut seed[..]);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).expect("any 32 bytes are a seed");
        Self::new(pair, seed)
    }

    /// Reads PKCS #8, version 1 or 2, in DER alone, as AWS does; the public key of version 2 has to match.
    pub(in crate::crypto) fn parse(pkcs8: &[u8]) -> Result<Self, BadKey> {
        if to_der(pkcs8)?.as_slice() != pkcs8 {
            return Err(BadKey);
        }
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| BadKey)?;
        let encoded = pair.to_pkcs8v1().map_err(|_| BadKey)?;
        let held = encoded.as_ref().strip_prefix(&PKCS8_PREFIX).ok_or(BadKey)?;
        let mut seed = Box::new(Zeroizing::new([0; SEED_BYTES]));
        seed.copy_from_slice(held.get(..SEED_BYTES).ok_or(BadKey)?);
        Ok(Self::new(pair, seed))
    }

    fn new(pair: Ed25519KeyPair, seed: Box<Zeroizing<[u8; SEED_BYTES]>>) -> Self {
        let der = AsDer::as_der(pair.public_key()).expect("an Ed25519 public key has an encoding");
        let public_der = der.as_ref().to_vec();
        Self { pair, seed, public_der }
    }

    pub(in crate::crypto) fn to_pkcs8(&self) -> SecretBytes {
        let mut out = Vec::with_capacity(PKCS8_PREFIX.len() + SEED_BYTES);
        out.extend_from_slice(&PKCS8_PREFIX);
        out.extend_from_slice(&self.seed[..]);
        SecretBytes::new(out)
    }

    pub(in crate::crypto) fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    pub(in crate::crypto) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
    ) -> Result<Vec<u8>, UseError> {
        match Input::new(algorithm, message_type, message)? {
            Input::Message(message) => Ok(self.pair.sign(message).as_ref().to_vec()),
            Input::Prehash(hash) => {
                let signature = SigningKey::from_bytes(&self.seed).sign_prehashed(hash, None);
                signature.map(|signature| signature.to_bytes().to_vec()).map_err(|_| UseError::Library)
            }
        }
    }

    pub(in crate::crypto) fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), UseError> {
        verify(self.pair.public_key().as_ref(), Input::new(algorithm, message_type, message)?, signature)
    }
}

/// What an algorithm signs.
enum Input<'a> {
    Message(&'a [u8]),
    /// PH(M) of Ed25519ph, still to be finished.
    Prehash(Sha512),
}

impl<'a> Input<'a> {
    /// Each algorithm takes one type of message. KMS hashes the digest it is given for Ed25519ph as if it were the
    /// message, so that a client's SHA-512 is hashed twice: a signature recorded from AWS verifies so and not
    /// otherwise. (An outside verifier is therefore given the digest, not the message.)
    fn new(algorithm: SigningAlgorithm, message_type: MessageType, message: &'a [u8]) -> Result<Self, UseError> {
        match (algorithm, message_type) {
            (SigningAlgorithm::Ed25519, MessageType::Raw) => Ok(Self::Message(message)),
            (SigningAlgorithm::Ed25519Ph, MessageType::Digest) if message.len() == DIGEST_BYTES => {
                Ok(Self::Prehash(Sha512::new_with_prefix(message)))
            }
            (SigningAlgorithm::Ed25519Ph, MessageType::Digest) => Err(UseError::DigestLength),
            (SigningAlgorithm::Ed25519 | SigningAlgorithm::Ed25519Ph, MessageType::ExternalMu) => {
                Err(UseError::MessageTypeOfSpec)
            }
            (SigningAlgorithm::Ed25519, MessageType::Digest) | (SigningAlgorithm::Ed25519Ph, MessageType::Raw) => {
                Err(UseError::MessageTypeOfAlgorithm)
            }
            (_, _) => Err(UseError::Algorithm),
        }
    }
}

fn verify(public: &[u8], input: Input<'_>, signature: &[u8]) -> Result<(), UseError> {
    match input {
        Input::Message(message) => {
            UnparsedPublicKey::new(&ED25519, public).verify(message, signature).map_err(|_| UseError::Signature)
        }
        Input::Prehash(hash) => {
            let key = public.try_into().map_err(|_| UseError::Library)?;
            let key = VerifyingKey::from_bytes(key).map_err(|_| UseError::Library)?;
            let signature = Signature::from_slice(signature).map_err(|_| UseError::Signature)?;
            key.verify_prehashed_strict(hash, None, &signature).map_err(|_| UseError::Signature)
        }
    }
}

#[cfg(test)]
mod tests;
