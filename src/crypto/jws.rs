//! Signatures of JSON Web Tokens (RFC 7515, RFC 7518) with the public keys of their issuers, by AWS-LC: RSASSA-PKCS1-v1_5
//! and ECDSA, what AWS takes of OpenID Connect providers. There is neither `none` nor a MAC here to be confused with.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::BadKey;

/// Sizes of RSA moduli that are taken, in bytes: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// Longest public exponent, in bytes. Longer ones than 65537 serve nobody but who wants to burn our time.
const EXPONENT_MAX_BYTES: usize = 4;

/// `alg` of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
}

/// A public key that tokens are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwsKey(Public);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point, uncompressed, and the only algorithm of its curve.
    Ec {
        algorithm: JwsAlgorithm,
        point: Vec<u8>,
    },
}

impl JwsAlgorithm {
    /// Reads `alg`. None: another one, `none` and MACs among them.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::Es512 => None,
        }
    }

    fn ec(self) -> Option<&'static EcdsaVerificationAlgorithm> {
        match self {
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
            Self::Es512 => Some(&ECDSA_P521_SHA512_FIXED),
            Self::Rs256 | Self::Rs384 | Self::Rs512 => None,
        }
    }
}

impl JwsKey {
    /// An RSA key of 2,048 to 8,192 bits, of a JWK's `n` and `e`, big-endian.
    pub fn rsa(n: &[u8], e: &[u8]) -> Result<Self, BadKey> {
        let bare = |bytes: &[u8]| bytes.iter().position(|b| *b != 0).map_or_else(Vec::new, |at| bytes[at..].to_vec());
        let (n, e) = (bare(n), bare(e));
        let odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last & 1 == 1);
        if !MODULUS_BYTES.contains(&n.len()) || e.len() > EXPONENT_MAX_BYTES || !odd(&n) || !odd(&e) || e == [1] {
            return Err(BadKey);
        }
        Ok(Self(Public::Rsa { n, e }))
    }

    /// A key on the curve that a JWK's `crv` names, of `x` and `y`, which have the length of the curve's field. That the
    /// point is on the curve AWS-LC checks when the key is used.
    pub fn ec(curve: &str, x: &[u8], y: &[u8]) -> Result<Self, BadKey> {
        let (algorithm, bytes) = match curve {
            "P-256" => (JwsAlgorithm::Es256, 32),
            "P-384" => (JwsAlgorithm::Es384, 48),
            "P-521" => (JwsAlgorithm::Es512, 66),
            _ => return Err(BadKey),
        };
        if x.len() != bytes || y.len() != bytes {
            return Err(BadKey);
        }
        Ok(Self(Public::Ec { algorithm, point: [&[4], x, y].concat() }))
    }

    /// Whether `signature` is this key's of `signed`. A key is good for the algorithms of its kind and curve alone.
    pub fn verifies(&self, algorithm: JwsAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Public::Rsa { n, e } => algorithm.rsa().is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }),
            Public::Ec { algorithm: own, point } => algorithm
                .ec()
                .filter(|_| *own == algorithm)
                .is_some_and(|scheme| UnparsedPublicKey::new(scheme, point).verify(signed, signature).is_ok()),
        }
    }
}

/// Signs for tests of other layers: an issuer's key pair.
#[cfg(test)]
pub(crate) struct TestIssuerKey(aws_lc_rs::signature::EcdsaKeyPair);

#[cfg(test)]
impl TestIssuerKey {
    pub(crate) fn new() -> Self {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// `x` and `y`.
    pub(crate) fn point(&self) -> (Vec<u8>, Vec<u8>) {
        use aws_lc_rs::signature::KeyPair as _;
        let point = self.0.public_key().as_ref();
        (point[1..33].to_vec(), point[33..].to_vec())
    }

    /// An ES256 signature.
    pub(crate) fn sign(&self, signed: &[u8]) -> Vec<u8> {
        self.0.sign(&aws_lc_rs::rand::SystemRandom::new(), signed).unwrap().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests;
