//! The curves P-256, P-384, P-521 and secp256k1: ECDSA with DER signatures, and ECDH on the first three, by AWS-LC.

use aws_lc_rs::agreement::{self, agree};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1_SIGNING,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair, UnparsedPublicKey,
};

use super::ber::to_der;
use super::message::Hashed;
use crate::crypto::{BadKey, SecretBytes, UseError};

/// A curve that KMS has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crypto) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
            Self::Secp256k1 => &ECDSA_P256K1_SHA256_ASN1_SIGNING,
        }
    }

    fn verifying(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
            Self::P521 => &ECDSA_P521_SHA512_ASN1,
            Self::Secp256k1 => &ECDSA_P256K1_SHA256_ASN1,
        }
    }

    /// Bytes of a coordinate.
    fn field_bytes(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn agreement(self) -> Option<&'static agreement::Algorithm> {
        match self {
            Self::P256 => Some(&agreement::ECDH_P256),
            Self::P384 => Some(&agreement::ECDH_P384),
            Self::P521 => Some(&agreement::ECDH_P521),
            Self::Secp256k1 => None,
        }
    }
}

/// A key on a curve, for either usage.
pub(in crate::crypto) struct EcKey {
    curve: Curve,
    pair: EcdsaKeyPair,
    /// The same private key, as AWS-LC wants it for ECDH.
    agreement: Option<agreement::PrivateKey>,
    public_der: Vec<u8>,
}

impl EcKey {
    pub(in crate::crypto) fn generate(curve: Curve) -> Self {
        let pair = EcdsaKeyPair::generate(curve.signing()).expect("AWS-LC makes keys on the curves it names");
        Self::new(curve, pair).expect("AWS-LC reads the keys it writes")
    }

    /// Reads a PKCS #8 key on `curve`, in BER or DER. AWS-LC checks the scalar's range and, where a public key is given, that it
    /// matches.
    pub(in crate::crypto) fn parse(curve: Curve, pkcs8: &[u8]) -> Result<Self, BadKey> {
        Self::new(curve, EcdsaKeyPair::from_pkcs8(curve.signing(), &to_der(pkcs8)?).map_err(|_| BadKey)?)
    }

    fn new(curve: Curve, pair: EcdsaKeyPair) -> Result<Self, BadKey> {
        let public_der = AsDer::as_der(pair.public_key()).map_err(|_| BadKey)?.as_ref().to_vec();
        let agreement = match curve.agreement() {
            Some(algorithm) => {
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| BadKey)?;
                Some(agreement::PrivateKey::from_private_key_der(algorithm, pkcs8.as_ref()).map_err(|_| BadKey)?)
            }
            None => None,
        };
        Ok(Self { curve, pair, agreement, public_der })
    }

    pub(in crate::crypto) fn to_pkcs8(&self) -> SecretBytes {
        let der = self.pair.to_pkcs8v1().expect("a private key has an encoding");
        SecretBytes::new(der.as_ref().to_vec())
    }

    pub(in crate::crypto) fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// A DER signature, another one each time.
    pub(in crate::crypto) fn sign(&self, message: &Hashed<'_>) -> Result<Vec<u8>, UseError> {
        let signature = match message {
            Hashed::Not(message) => self.pair.sign(&SystemRandom::new(), message),
            Hashed::Already(digest) => self.pair.sign_digest(digest),
        };
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| UseError::Library)
    }

    pub(in crate::crypto) fn verify(&self, message: &Hashed<'_>, signature: &[u8]) -> Result<(), UseError> {
        verify(self.curve, &self.public_der, message, signature)
    }

    /// The x-coordinate of the shared point, of the field's length. `peer_der` is a SubjectPublicKeyInfo.
    pub(in crate::crypto) fn agree(&self, peer_der: &[u8]) -> Result<SecretBytes, UseError> {
        let private = self.agreement.as_ref().ok_or(UseError::Algorithm)?;
        agree_with(self.curve, private, &self.public_der, peer_der)
    }
}

/// A peer's key may differ from `own_der` in the point alone: the curve by its name (RFC 5480 forbids parameters, with
/// which AWS-LC would read a curve), the point uncompressed, nothing behind. That the point is on the curve is checked
/// by AWS-LC; these curves have no small subgroup.
fn agree_with(
    curve: Curve,
    private: &agreement::PrivateKey,
    own_der: &[u8],
    peer_der: &[u8],
) -> Result<SecretBytes, UseError> {
    // The last byte before the coordinates is the 4 of an uncompressed point, which belongs to it.
    let coordinates = own_der.len() - 2 * curve.field_bytes();
    if peer_der.len() != own_der.len() || peer_der[..coordinates] != own_der[..coordinates] {
        return Err(UseError::PublicKey);
    }
    let peer = agreement::UnparsedPublicKey::new(private.algorithm(), &peer_der[coordinates - 1..]);
    agree(private, peer, UseError::PublicKey, |secret| Ok(SecretBytes::new(secret.to_vec())))
}

/// Verifies with a SubjectPublicKeyInfo.
fn verify(curve: Curve, public_der: &[u8], message: &Hashed<'_>, signature: &[u8]) -> Result<(), UseError> {
    let key = UnparsedPublicKey::new(curve.verifying(), public_der);
    let valid = match message {
        Hashed::Not(message) => key.verify(message, signature),
        Hashed::Already(digest) => key.verify_digest(digest, signature),
    };
    valid.map_err(|_| UseError::Signature)
}

#[cfg(test)]
mod tests;
