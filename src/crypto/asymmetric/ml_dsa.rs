//! ML-DSA (FIPS 204) by AWS-LC; signatures of an external µ by RustCrypto's `ml-dsa`, since AWS-LC's bindings take
//! whole messages only.

use std::convert::Infallible;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{
    KeyPair, ML_DSA_44, ML_DSA_44_SIGNING, ML_DSA_65, ML_DSA_65_SIGNING, ML_DSA_87, ML_DSA_87_SIGNING, PqdsaKeyPair,
    PqdsaSigningAlgorithm, PqdsaVerificationAlgorithm, UnparsedPublicKey,
};
use ml_dsa::signature::rand_core::{TryCryptoRng, TryRng};
use ml_dsa::{EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::message::MU_BYTES;
use super::seed_key::{Arcs, parse_private, render_private};
use crate::crypto::{BadKey, SecretBytes, UseError};
use crate::names::MessageType;
use crate::sources::Sources;

const SEED_BYTES: usize = 32;

/// The parameter sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crypto) enum MlDsaSet {
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl MlDsaSet {
    fn signing(self) -> &'static PqdsaSigningAlgorithm {
        match self {
            Self::MlDsa44 => &ML_DSA_44_SIGNING,
            Self::MlDsa65 => &ML_DSA_65_SIGNING,
            Self::MlDsa87 => &ML_DSA_87_SIGNING,
        }
    }

    fn verifying(self) -> &'static PqdsaVerificationAlgorithm {
        match self {
            Self::MlDsa44 => &ML_DSA_44,
            Self::MlDsa65 => &ML_DSA_65,
            Self::MlDsa87 => &ML_DSA_87,
        }
    }

    /// id-ml-dsa-44, -65, -87.
    fn arcs(self) -> Arcs {
        match self {
            Self::MlDsa44 => [3, 17],
            Self::MlDsa65 => [3, 18],
            Self::MlDsa87 => [3, 19],
        }
    }
}

/// An ML-DSA key.
pub(in crate::crypto) struct MlDsaKey {
    set: MlDsaSet,
    pair: PqdsaKeyPair,
    seed: Box<Zeroizing<[u8; SEED_BYTES]>>,
    public_der: Vec<u8>,
}

impl MlDsaKey {
    pub(in crate::crypto) fn generate(set: MlDsaSet, sources: &Sources) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; SEED_BYTES]));
        sources.fill(&mut seed[..]);
        Self::new(set, seed).expect("any 32 bytes are a seed")
    }

    /// Reads PKCS #8 with the seed alone.
    pub(in crate::crypto) fn parse(set: MlDsaSet, pkcs8: &[u8]) -> Result<Self, BadKey> {
        Self::new(set, parse_private(set.arcs(), pkcs8)?)
    }

    fn new(set: MlDsaSet, seed: Box<Zeroizing<[u8; SEED_BYTES]>>) -> Result<Self, BadKey> {
        let pair = PqdsaKeyPair::from_seed(set.signing(), &seed[..]).map_err(|_| BadKey)?;
        let public_der = AsDer::as_der(pair.public_key()).map_err(|_| BadKey)?.as_ref().to_vec();
        Ok(Self { set, pair, seed, public_der })
    }

    pub(in crate::crypto) fn to_pkcs8(&self) -> SecretBytes {
        render_private(self.set.arcs(), &self.seed)
    }

    pub(in crate::crypto) fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// A hedged signature, another one each time; the context is empty, as KMS has none.
    pub(in crate::crypto) fn sign(
        &self,
        message_type: MessageType,
        message: &[u8],
        sources: &Sources,
    ) -> Result<Vec<u8>, UseError> {
        match Input::new(message_type, message)? {
            Input::Message(message) => {
                let mut out = vec![0; self.set.signing().signature_len()];
                let written = self.pair.sign(message, &mut out).map_err(|_| UseError::Library)?;
                out.truncate(written);
                Ok(out)
            }
            Input::Mu(mu) => match self.set {
                MlDsaSet::MlDsa44 => sign_mu::<MlDsa44>(&self.seed, mu, sources),
                MlDsaSet::MlDsa65 => sign_mu::<MlDsa65>(&self.seed, mu, sources),
                MlDsaSet::MlDsa87 => sign_mu::<MlDsa87>(&self.seed, mu, sources),
            },
        }
    }

    pub(in crate::crypto) fn verify(
        &self,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), UseError> {
        verify(self.set, self.pair.public_key().as_ref(), Input::new(message_type, message)?, signature)
    }
}

enum Input<'a> {
    Message(&'a [u8]),
    Mu(&'a [u8; MU_BYTES]),
}

impl<'a> Input<'a> {
    fn new(message_type: MessageType, message: &'a [u8]) -> Result<Self, UseError> {
        match message_type {
            MessageType::Raw => Ok(Self::Message(message)),
            MessageType::ExternalMu => message.try_into().map(Self::Mu).map_err(|_| UseError::MuLength),
            MessageType::Digest => Err(UseError::MessageTypeOfSpec),
        }
    }
}

fn sign_mu<P: MlDsaParams>(
    seed: &[u8; SEED_BYTES],
    mu: &[u8; MU_BYTES],
    sources: &Sources,
) -> Result<Vec<u8>, UseError> {
    let key = SigningKey::<P>::from_seed(seed.into());
    let signature = key.expanded_key().sign_mu_randomized(mu.into(), &mut Random(sources));
    signature.map(|signature| signature.encode().to_vec()).map_err(|_| UseError::Library)
}

fn verify(set: MlDsaSet, public: &[u8], input: Input<'_>, signature: &[u8]) -> Result<(), UseError> {
    match input {
        Input::Message(message) => {
            let key = UnparsedPublicKey::new(set.verifying(), public);
            key.verify(message, signature).map_err(|_| UseError::Signature)
        }
        Input::Mu(mu) => match set {
            MlDsaSet::MlDsa44 => verify_mu::<MlDsa44>(public, mu, signature),
            MlDsaSet::MlDsa65 => verify_mu::<MlDsa65>(public, mu, signature),
            MlDsaSet::MlDsa87 => verify_mu::<MlDsa87>(public, mu, signature),
        },
    }
}

fn verify_mu<P: MlDsaParams>(public: &[u8], mu: &[u8; MU_BYTES], signature: &[u8]) -> Result<(), UseError> {
    let public = EncodedVerifyingKey::<P>::try_from(public).map_err(|_| UseError::Library)?;
    let signature = Signature::<P>::try_from(signature).map_err(|_| UseError::Signature)?;
    let valid = VerifyingKey::<P>::decode(&public).verify_mu(mu.into(), &signature);
    if valid { Ok(()) } else { Err(UseError::Signature) }
}

/// [`Sources`] as the random generator of RustCrypto's traits.
struct Random<'a>(&'a Sources);

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.0.random()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.0.random()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}

#[cfg(test)]
mod tests;
