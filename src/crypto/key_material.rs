//! The material of a KMS key of any spec: made, stored, read, used.
//!
//! How the keyring is to use it:
//!
//! - **CreateKey, rotation**: [`KeyMaterial::generate`], then [`KeyMaterial::to_bytes`] into a Box and, for asymmetric
//!   specs, [`KeyMaterial::public_key`] beside it, so that GetPublicKey opens nothing. RSA keys take up to seconds of
//!   CPU: off the runtime's threads.
//! - **Use**: open the Box, [`KeyMaterial::parse`] with the record's spec, keep the result in the cache of unwrapped
//!   material (parsing RSA costs more than signing with P-256). State, usage and policy are checked before: material
//!   knows its spec, not the usage it was made for. The symmetric spec's own ciphertexts are Boxes and made by the
//!   keyring with [`KeyMaterial::symmetric`].
//! - **Import**: [`super::WrappingKey::unwrap`], then [`KeyMaterial::parse`]. Store `to_bytes` of the result, not what
//!   came in: it is the canonical encoding, so that the same key imported again gives the same bytes.
//! - **Data key pairs**: `generate`; the private key given out is `to_bytes`, sealed as any plaintext.
//!
//! | spec | `to_bytes` | by |
//! |---|---|---|
//! | SYMMETRIC_DEFAULT | the 32 bytes | |
//! | HMAC | the bytes | |
//! | RSA | PKCS #8, version 1, with an RSAPrivateKey (RFC 8017) | AWS-LC |
//! | NIST curves, secp256k1 | PKCS #8, version 1, with an ECPrivateKey (RFC 5915) and its public key | AWS-LC |
//! | Ed25519 | PKCS #8, version 1 (RFC 8410) | here |
//! | ML-DSA, ML-KEM | PKCS #8, version 1, seed alone (RFC 9881, RFC 9935) | here |
//!
//! These bytes are frozen in `fixtures/crypto/keys/`. Randomness comes from [`Sources`] where the algorithm takes a
//! seed; AWS-LC draws its own for RSA and the curves, and for the nonces of signatures and encryptions.

use super::asymmetric::{Curve, EcKey, Ed25519Key, Hashed, MlDsaKey, MlDsaSet, MlKemKey, MlKemSet, RsaKey};
use super::hmac_key::HmacKey;
use super::{SecretBytes, SecretKey};
use crate::names::{EncryptionAlgorithm, KeySpec, MacAlgorithm, MessageType, SigningAlgorithm};
use crate::sources::Sources;

/// Longest message that Sign, Verify, GenerateMac and VerifyMac take, in bytes.
pub const MESSAGE_MAX_BYTES: usize = 4096;

/// The bytes are no key of the spec: malformed, of another kind or size, or public and private halves differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

/// Why a key was not used. Where one is the caller's fault, the text AWS answers is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseError {
    /// InvalidKeyUsageException `Algorithm A is incompatible with key spec S.`
    Algorithm,
    /// ValidationException `Message type T is incompatible with key spec S.`
    MessageTypeOfSpec,
    /// ValidationException `Message type T is incompatible with algorithm A.`
    MessageTypeOfAlgorithm,
    /// ValidationException `Digest is invalid length for algorithm A.`
    DigestLength,
    /// ValidationException `External Mu is invalid length for algorithm A.`
    MuLength,
    /// The message has more than [`MESSAGE_MAX_BYTES`]: the constraint of the model was not checked.
    MessageTooLong,
    /// ValidationException `Algorithm A and key spec S cannot encrypt data larger than N bytes.`
    PlaintextTooLong {
        /// N.
        max_bytes: usize,
    },
    /// InvalidCiphertextException, without a message: what is wrong with it is never told.
    Ciphertext,
    /// KMSInvalidSignatureException, without a message.
    Signature,
    /// KMSInvalidMacException.
    Mac,
    /// ValidationException: the peer's key is no SubjectPublicKeyInfo, or not on the key's curve.
    PublicKey,
    /// The library failed where it should not: out of memory, or a defect.
    Library,
}

/// What Encapsulate gives.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct Encapsulated {
    /// `SharedSecretCiphertextBlob`: 768, 1,088 or 1,568 bytes.
    pub ciphertext: Vec<u8>,
    /// `SharedSecret`: 32 bytes.
    pub secret: SecretBytes,
}

/// The material of a KMS key. Wiped when dropped; there is no Clone.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct KeyMaterial {
    spec: KeySpec,
    kind: Kind,
}

enum Kind {
    Symmetric(SecretKey),
    Rsa(Box<RsaKey>),
    Ec(Box<EcKey>),
    Ed25519(Box<Ed25519Key>),
    MlDsa(Box<MlDsaKey>),
    MlKem(Box<MlKemKey>),
    Hmac(HmacKey),
}

/// The family that reads a spec, and its parameter.
enum Family {
    Symmetric,
    Rsa { bits: usize },
    Ec(Curve),
    Ed25519,
    MlDsa(MlDsaSet),
    MlKem(MlKemSet),
    Hmac(MacAlgorithm),
}

impl Family {
    fn of(spec: KeySpec) -> Self {
        match spec {
            KeySpec::SymmetricDefault => Self::Symmetric,
            KeySpec::Rsa2048 => Self::Rsa { bits: 2048 },
            KeySpec::Rsa3072 => Self::Rsa { bits: 3072 },
            KeySpec::Rsa4096 => Self::Rsa { bits: 4096 },
            KeySpec::P256 => Self::Ec(Curve::P256),
            KeySpec::P384 => Self::Ec(Curve::P384),
            KeySpec::P521 => Self::Ec(Curve::P521),
            KeySpec::Secp256k1 => Self::Ec(Curve::Secp256k1),
            KeySpec::Ed25519 => Self::Ed25519,
            KeySpec::MlDsa44 => Self::MlDsa(MlDsaSet::MlDsa44),
            KeySpec::MlDsa65 => Self::MlDsa(MlDsaSet::MlDsa65),
            KeySpec::MlDsa87 => Self::MlDsa(MlDsaSet::MlDsa87),
            KeySpec::MlKem512 => Self::MlKem(MlKemSet::MlKem512),
            KeySpec::MlKem768 => Self::MlKem(MlKemSet::MlKem768),
            KeySpec::MlKem1024 => Self::MlKem(MlKemSet::MlKem1024),
            KeySpec::Hmac224 => Self::Hmac(MacAlgorithm::HmacSha224),
            KeySpec::Hmac256 => Self::Hmac(MacAlgorithm::HmacSha256),
            KeySpec::Hmac384 => Self::Hmac(MacAlgorithm::HmacSha384),
            KeySpec::Hmac512 => Self::Hmac(MacAlgorithm::HmacSha512),
        }
    }
}

impl KeyMaterial {
    /// Makes material. RSA takes up to seconds of CPU, everything else less than a millisecond.
    pub fn generate(spec: KeySpec, sources: &Sources) -> Self {
        let kind = match Family::of(spec) {
            Family::Symmetric => Kind::Symmetric(SecretKey::generate(sources)),
            Family::Rsa { bits } => Kind::Rsa(Box::new(RsaKey::generate(bits))),
            Family::Ec(curve) => Kind::Ec(Box::new(EcKey::generate(curve))),
            Family::Ed25519 => Kind::Ed25519(Box::new(Ed25519Key::generate(sources))),
            Family::MlDsa(set) => Kind::MlDsa(Box::new(MlDsaKey::generate(set, sources))),
            Family::MlKem(set) => Kind::MlKem(Box::new(MlKemKey::generate(set, sources))),
            Family::Hmac(algorithm) => Kind::Hmac(HmacKey::generate(algorithm, sources)),
        };
        Self { spec, kind }
    }

    /// Reads what [`Self::to_bytes`] wrote, or material to import: PKCS #8, or the bytes of a symmetric key.
    pub fn parse(spec: KeySpec, bytes: &[u8]) -> Result<Self, BadKey> {
        let kind = match Family::of(spec) {
            Family::Symmetric => Kind::Symmetric(SecretKey::from_slice(bytes).ok_or(BadKey)?),
            Family::Rsa { bits } => Kind::Rsa(Box::new(RsaKey::parse(bits, bytes)?)),
            Family::Ec(curve) => Kind::Ec(Box::new(EcKey::parse(curve, bytes)?)),
            Family::Ed25519 => Kind::Ed25519(Box::new(Ed25519Key::parse(bytes)?)),
            Family::MlDsa(set) => Kind::MlDsa(Box::new(MlDsaKey::parse(set, bytes)?)),
            Family::MlKem(set) => Kind::MlKem(Box::new(MlKemKey::parse(set, bytes)?)),
            Family::Hmac(algorithm) => Kind::Hmac(HmacKey::parse(algorithm, bytes)?),
        };
        Ok(Self { spec, kind })
    }

    /// The bytes to store; of a data key pair, the private key.
    pub fn to_bytes(&self) -> SecretBytes {
        match &self.kind {
            Kind::Symmetric(key) => SecretBytes::new(key.expose().to_vec()),
            Kind::Rsa(key) => key.oaep().to_pkcs8(),
            Kind::Ec(key) => key.to_pkcs8(),
            Kind::Ed25519(key) => key.to_pkcs8(),
            Kind::MlDsa(key) => key.to_pkcs8(),
            Kind::MlKem(key) => key.to_pkcs8(),
            Kind::Hmac(key) => key.to_bytes(),
        }
    }

    /// The spec it was made or read for.
    pub fn spec(&self) -> KeySpec {
        self.spec
    }

    /// The public key as a DER SubjectPublicKeyInfo; of asymmetric specs alone.
    pub fn public_key(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Symmetric(_) | Kind::Hmac(_) => None,
            Kind::Rsa(key) => Some(key.oaep().public_der()),
            Kind::Ec(key) => Some(key.public_der()),
            Kind::Ed25519(key) => Some(key.public_der()),
            Kind::MlDsa(key) => Some(key.public_der()),
            Kind::MlKem(key) => Some(key.public_der()),
        }
    }

    /// The key of SYMMETRIC_DEFAULT.
    pub fn symmetric(&self) -> Option<&SecretKey> {
        match &self.kind {
            Kind::Symmetric(key) => Some(key),
            _ => None,
        }
    }

    /// Encrypts under the public key. RSA alone; the limit follows from modulus and hash: 214, 190, 342, 318, 470 or
    /// 446 bytes.
    pub fn encrypt(&self, algorithm: EncryptionAlgorithm, plain: &[u8]) -> Result<Vec<u8>, UseError> {
        match &self.kind {
            Kind::Rsa(key) => key.oaep().encrypt(algorithm, plain),
            _ => Err(UseError::Algorithm),
        }
    }

    /// Opens what [`Self::encrypt`], or anybody else with the public key, sealed.
    pub fn decrypt(&self, algorithm: EncryptionAlgorithm, sealed: &[u8]) -> Result<SecretBytes, UseError> {
        match &self.kind {
            Kind::Rsa(key) => key.oaep().decrypt(algorithm, sealed),
            _ => Err(UseError::Algorithm),
        }
    }

    /// Signs. RSA and Ed25519 signatures are the bare values, ECDSA's are DER. `sources` serves the hedging of ML-DSA.
    pub fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        sources: &Sources,
    ) -> Result<Vec<u8>, UseError> {
        self.check_signing(algorithm, message)?;
        match &self.kind {
            Kind::Rsa(key) => key.sign(algorithm, &Hashed::new(algorithm, message_type, message)?),
            Kind::Ec(key) => key.sign(&Hashed::new(algorithm, message_type, message)?),
            Kind::Ed25519(key) => key.sign(algorithm, message_type, message),
            Kind::MlDsa(key) => key.sign(message_type, message, sources),
            Kind::Symmetric(_) | Kind::MlKem(_) | Kind::Hmac(_) => Err(UseError::Algorithm),
        }
    }

    /// Verifies; a signature that does not hold is [`UseError::Signature`]. The message type need not be that of the
    /// signing: a digest verifies what was signed as a message.
    pub fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), UseError> {
        self.check_signing(algorithm, message)?;
        match &self.kind {
            Kind::Rsa(key) => key.verify(algorithm, &Hashed::new(algorithm, message_type, message)?, signature),
            Kind::Ec(key) => key.verify(&Hashed::new(algorithm, message_type, message)?, signature),
            Kind::Ed25519(key) => key.verify(algorithm, message_type, message, signature),
            Kind::MlDsa(key) => key.verify(message_type, message, signature),
            Kind::Symmetric(_) | Kind::MlKem(_) | Kind::Hmac(_) => Err(UseError::Algorithm),
        }
    }

    fn check_signing(&self, algorithm: SigningAlgorithm, message: &[u8]) -> Result<(), UseError> {
        if !self.spec.abilities().signing.contains(&algorithm) {
            return Err(UseError::Algorithm);
        }
        check_length(message)
    }

    /// The HMAC of a message.
    pub fn generate_mac(&self, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, UseError> {
        check_length(message)?;
        Ok(self.hmac(algorithm)?.generate_mac(message))
    }

    /// Compares in constant time; any other MAC is [`UseError::Mac`].
    pub fn verify_mac(&self, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<(), UseError> {
        check_length(message)?;
        self.hmac(algorithm)?.verify_mac(message, mac)
    }

    fn hmac(&self, algorithm: MacAlgorithm) -> Result<&HmacKey, UseError> {
        match &self.kind {
            Kind::Hmac(key) if self.spec.abilities().mac.contains(&algorithm) => Ok(key),
            _ => Err(UseError::Algorithm),
        }
    }

    /// ECDH with the peer's SubjectPublicKeyInfo: the raw x-coordinate of 32, 48 or 66 bytes. NIST curves alone.
    pub fn derive_shared_secret(&self, peer_public_key: &[u8]) -> Result<SecretBytes, UseError> {
        match &self.kind {
            Kind::Ec(key) => key.agree(peer_public_key),
            _ => Err(UseError::Algorithm),
        }
    }

    /// A fresh shared secret and what carries it to the holder of the private key. ML-KEM alone.
    pub fn encapsulate(&self) -> Result<Encapsulated, UseError> {
        match &self.kind {
            Kind::MlKem(key) => key.encapsulate(),
            _ => Err(UseError::Algorithm),
        }
    }

    /// The shared secret of a ciphertext. Only a wrong length is [`UseError::Ciphertext`]; any other foreign
    /// ciphertext gives a secret that nobody knows (implicit rejection).
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, UseError> {
        match &self.kind {
            Kind::MlKem(key) => key.decapsulate(ciphertext),
            _ => Err(UseError::Algorithm),
        }
    }
}

fn check_length(message: &[u8]) -> Result<(), UseError> {
    if message.len() > MESSAGE_MAX_BYTES { Err(UseError::MessageTooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
