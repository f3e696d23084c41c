//! ML-KEM (FIPS 203) by AWS-LC. Its bindings take no seed, which is the form that keys are stored and given out in:
//! RustCrypto's `ml-kem` expands it, and does nothing else.

use aws_lc_rs::kem::{self, AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::array::Array;
use ml_kem::{MlKem512, MlKem768, MlKem1024, Seed};
use zeroize::{Zeroize, Zeroizing};

use super::seed_key::{Arcs, parse_private, render_private, render_public};
use crate::crypto::{BadKey, Encapsulated, SecretBytes, UseError, constant_time_eq};
use crate::sources::Sources;

/// d and z of FIPS 203, section 7.1.
const SEED_BYTES: usize = 64;

/// The parameter sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crypto) enum MlKemSet {
    MlKem512,
    MlKem768,
    MlKem1024,
}

impl MlKemSet {
    fn algorithm(self) -> &'static kem::Algorithm<AlgorithmId> {
        match self {
            Self::MlKem512 => &kem::ML_KEM_512,
            Self::MlKem768 => &kem::ML_KEM_768,
            Self::MlKem1024 => &kem::ML_KEM_1024,
        }
    }

    /// Rank of the module.
    fn k(self) -> usize {
        match self {
            Self::MlKem512 => 2,
            Self::MlKem768 => 3,
            Self::MlKem1024 => 4,
        }
    }

    fn ciphertext_bytes(self) -> usize {
        match self {
            Self::MlKem512 => 768,
            Self::MlKem768 => 1088,
            Self::MlKem1024 => 1568,
        }
    }

    /// id-alg-ml-kem-512, -768, -1024.
    fn arcs(self) -> Arcs {
        match self {
            Self::MlKem512 => [4, 1],
            Self::MlKem768 => [4, 2],
            Self::MlKem1024 => [4, 3],
        }
    }
}

/// An ML-KEM key.
pub(in crate::crypto) struct MlKemKey {
    set: MlKemSet,
    seed: Box<Zeroizing<[u8; SEED_BYTES]>>,
    private: DecapsulationKey,
    public: EncapsulationKey,
    public_der: Vec<u8>,
}

impl MlKemKey {
    pub(in crate::crypto) fn generate(set: MlKemSet, sources: &Sources) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; SEED_BYTES]));
        sources.fill(&mut seed[..]);
        Self::new(set, seed).expect("any 64 bytes are a seed")
    }

    /// Reads PKCS #8 with the seed alone.
    pub(in crate::crypto) fn parse(set: MlKemSet, pkcs8: &[u8]) -> Result<Self, BadKey> {
        Self::new(set, parse_private(set.arcs(), pkcs8)?)
    }

    fn new(set: MlKemSet, seed: Box<Zeroizing<[u8; SEED_BYTES]>>) -> Result<Self, BadKey> {
        let expanded = expand(set, &seed);
        wipe_stack();
        // dk = dk_PKE | ek | H(ek) | z (FIPS 203, algorithm 16), with 384 k, 384 k + 32, 32 and 32 bytes.
        let public = &expanded[384 * set.k()..][..384 * set.k() + 32];
        let public_der = render_public(set.arcs(), public);
        let public = EncapsulationKey::new(set.algorithm(), public).map_err(|_| BadKey)?;
        let private = DecapsulationKey::new(set.algorithm(), &expanded).map_err(|_| BadKey)?;
        let key = Self { set, seed, private, public, public_der };
        key.check_pair()?;
        Ok(key)
    }

    /// The pairwise consistency test of FIPS 203, section 7.1; here two implementations meet.
    fn check_pair(&self) -> Result<(), BadKey> {
        let sent = self.encapsulate().map_err(|_| BadKey)?;
        let received = self.decapsulate(&sent.ciphertext).map_err(|_| BadKey)?;
        let same = constant_time_eq(sent.secret.expose(), received.expose());
        if same { Ok(()) } else { Err(BadKey) }
    }

    pub(in crate::crypto) fn to_pkcs8(&self) -> SecretBytes {
        render_private(self.set.arcs(), &self.seed)
    }

    pub(in crate::crypto) fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// A fresh secret of 32 bytes and the ciphertext that carries it.
    pub(in crate::crypto) fn encapsulate(&self) -> Result<Encapsulated, UseError> {
        let (ciphertext, secret) = self.public.encapsulate().map_err(|_| UseError::Library)?;
        let (secret, ciphertext) = (SecretBytes::new(secret.as_ref().to_vec()), ciphertext.as_ref().to_vec());
        Ok(Encapsulated { ciphertext, secret })
    }

    /// The secret that `ciphertext` carries. One of the right length that was changed gives a secret that nobody
    /// knows: FIPS 203's implicit rejection.
    pub(in crate::crypto) fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, UseError> {
        if ciphertext.len() != self.set.ciphertext_bytes() {
            return Err(UseError::Ciphertext);
        }
        let secret = self.private.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| UseError::Library)?;
        Ok(SecretBytes::new(secret.as_ref().to_vec()))
    }
}

/// An ML-KEM-768 key outside of KMS: as raw bytes and a seed, for sealing to a root.
pub(in crate::crypto) struct MlKemRecipient(MlKemKey);

impl MlKemRecipient {
    pub(in crate::crypto) fn of_seed(seed: &[u8; SEED_BYTES]) -> Self {
        let mut own = Box::new(Zeroizing::new([0; SEED_BYTES]));
        own.copy_from_slice(seed);
        Self(MlKemKey::new(MlKemSet::MlKem768, own).expect("any 64 bytes are a seed"))
    }

    /// The encapsulation key as FIPS 203 encodes it: the end of the SubjectPublicKeyInfo.
    pub(in crate::crypto) fn public(&self) -> &[u8] {
        let bytes = 384 * MlKemSet::MlKem768.k() + 32;
        &self.0.public_der[self.0.public_der.len() - bytes..]
    }

    pub(in crate::crypto) fn is_public(bytes: &[u8]) -> bool {
        EncapsulationKey::new(MlKemSet::MlKem768.algorithm(), bytes).is_ok()
    }

    pub(in crate::crypto) fn encapsulate(public: &[u8]) -> Result<Encapsulated, UseError> {
        let key = EncapsulationKey::new(MlKemSet::MlKem768.algorithm(), public).map_err(|_| UseError::PublicKey)?;
        let (ciphertext, secret) = key.encapsulate().map_err(|_| UseError::Library)?;
        let (secret, ciphertext) = (SecretBytes::new(secret.as_ref().to_vec()), ciphertext.as_ref().to_vec());
        Ok(Encapsulated { ciphertext, secret })
    }

    pub(in crate::crypto) fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, UseError> {
        self.0.decapsulate(ciphertext)
    }
}

/// The expanded private key, dk of FIPS 203. Its caller wipes the stack.
#[inline(never)]
fn expand(set: MlKemSet, seed: &[u8; SEED_BYTES]) -> Zeroizing<Vec<u8>> {
    let mut seed = Seed::from(*seed);
    let expanded = match set {
        MlKemSet::MlKem512 => bytes_of(&ml_kem::DecapsulationKey::<MlKem512>::from_seed(seed)),
        MlKemSet::MlKem768 => bytes_of(&ml_kem::DecapsulationKey::<MlKem768>::from_seed(seed)),
        MlKemSet::MlKem1024 => bytes_of(&ml_kem::DecapsulationKey::<MlKem1024>::from_seed(seed)),
    };
    seed.as_mut_slice().zeroize();
    expanded
}

/// Overwrites the stack below the caller. `ml-kem` takes the seed by value, and what it moves stays where it was: a scan
/// of the process's memory found it there.
#[inline(never)]
fn wipe_stack() {
    // More than the expansion of ML-KEM-1024 uses, unoptimised: after it the scan finds nothing.
    std::hint::black_box(&mut [0_u8; 128 * 1024]);
}

#[expect(deprecated, reason = "the expanded form goes no further than AWS-LC, which takes no other")]
fn bytes_of<K: ml_kem::ExpandedKeyEncoding>(key: &K) -> Zeroizing<Vec<u8>> {
    let mut bytes: Array<u8, K::EncodedSize> = key.to_expanded_bytes();
    let out = Zeroizing::new(bytes.to_vec());
    bytes.as_mut_slice().zeroize();
    out
}

#[cfg(test)]
mod tests;
