//! Sealing to a root that is not there: a rotation of the store key must reach roots whose secret is in somebody's head
//! or in an envelope in a safe.
//!
//! A root's secret (32 bytes) gives a key pair by derivation; the store keeps the public half. Sealed is by ML-KEM-768
//! and X25519 together, so that it holds while one of them does: a stolen index that is kept until a quantum computer
//! exists must not open.
//!
//! ```text
//! seed parts  = HKDF-SHA256(salt = none, secret, info = the labels below)
//! public      = ML-KEM-768 encapsulation key (1,184) | X25519 public key (32)
//! sealed      = version 1 (1) | ML-KEM ciphertext (1,088) | ephemeral X25519 public key (32) | Box
//! Box key     = HKDF-SHA256(salt = none, ML-KEM secret | X25519 secret,
//!                           info = "strongroom root seal v1" | SHA-256(public | all of sealed before the Box))
//! ```
//!
//! Frozen: `fixtures/roots/` holds bytes that must open for ever. Nothing here proves who has sealed: the list of roots
//! is authenticated by itself (`keyring/root/record.rs`).

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

use super::asymmetric::MlKemRecipient;
use super::derive::Derivation;
use super::{BoxHeader, Context, OpenError, SealBox, SecretBytes, SecretKey, open_box, seal_box, sha256};
use crate::sources::Sources;

const VERSION: u8 = 1;
const KEM_PUBLIC_BYTES: usize = 1184;
const KEM_CIPHERTEXT_BYTES: usize = 1088;
const X25519_BYTES: usize = 32;
/// Bytes of a [`Recipient`].
pub const RECIPIENT_BYTES: usize = KEM_PUBLIC_BYTES + X25519_BYTES;
/// All of a sealed message before its Box.
const PREFIX_BYTES: usize = 1 + KEM_CIPHERTEXT_BYTES + X25519_BYTES;

// Frozen.
const KEM_D_LABEL: &[u8] = b"strongroom root ml-kem d v1";
const KEM_Z_LABEL: &[u8] = b"strongroom root ml-kem z v1";
const X25519_LABEL: &[u8] = b"strongroom root x25519 v1";
const SEAL_LABEL: &[u8] = b"strongroom root seal v1";

/// The public half: whom to seal to.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "1,216 bytes that say nothing")]
pub struct Recipient(Vec<u8>);

/// The private half.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct RecipientKey {
    kem: MlKemRecipient,
    agreement: PrivateKey,
    public: Recipient,
}

impl RecipientKey {
    /// The key pair that belongs to a root's secret.
    pub fn derive(secret: &SecretKey) -> Self {
        let root = Derivation::extract(&[], secret.expose());
        let mut seed = Zeroizing::new([0; 64]);
        for (part, label) in [KEM_D_LABEL, KEM_Z_LABEL].into_iter().enumerate() {
            let half = seed[32 * part..][..32].first_chunk_mut().expect("32 bytes were cut");
            root.expand(&[label], half);
        }
        let kem = MlKemRecipient::of_seed(&seed);
        let mut scalar = Zeroizing::new([0; 32]);
        root.expand(&[X25519_LABEL], &mut scalar);
        let agreement = private_key(&scalar);
        let public = Recipient([kem.public(), &public_key(&agreement)].concat());
        Self { kem, agreement, public }
    }

    /// The public half.
    pub fn public(&self) -> &Recipient {
        &self.public
    }

    /// Opens what [`Recipient::seal`] has sealed to this key.
    pub fn open(&self, label: &str, context: &Context, sealed: &[u8]) -> Result<SecretBytes, OpenError> {
        let (prefix, boxed) = sealed.split_at_checked(PREFIX_BYTES).ok_or(OpenError)?;
        let (version, rest) = prefix.split_first().ok_or(OpenError)?;
        if *version != VERSION {
            return Err(OpenError);
        }
        let (ciphertext, ephemeral) = rest.split_at(KEM_CIPHERTEXT_BYTES);
        let shared = self.kem.decapsulate(ciphertext).map_err(|_| OpenError)?;
        let agreed = shared_point(&self.agreement, ephemeral).ok_or(OpenError)?;
        open_box(&box_key(&shared, &agreed, &self.public, prefix), label, context, boxed)
    }
}

impl Recipient {
    /// Reads a stored public half; `None` if it is none.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let kem = bytes.get(..KEM_PUBLIC_BYTES).filter(|_| bytes.len() == RECIPIENT_BYTES)?;
        MlKemRecipient::is_public(kem).then(|| Self(bytes.to_vec()))
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Seals `plain`, `header` being that of the Box.
    pub fn seal(
        &self,
        label: &str,
        header: &BoxHeader,
        context: &Context,
        plain: &[u8],
        sources: &Sources,
    ) -> Result<Vec<u8>, OpenError> {
        let sent = MlKemRecipient::encapsulate(&self.0[..KEM_PUBLIC_BYTES]).map_err(|_| OpenError)?;
        let mut scalar = Zeroizing::new([0; 32]);
        sources.fill(&mut scalar[..]);
        let ephemeral = private_key(&scalar);
        let agreed = shared_point(&ephemeral, &self.0[KEM_PUBLIC_BYTES..]).ok_or(OpenError)?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&sent.ciphertext);
        sealed.extend_from_slice(&public_key(&ephemeral));
        let key = box_key(&sent.secret, &agreed, self, &sealed);
        sealed.append(&mut seal_box(&SealBox { key: &key, label, header, context }, plain, sources));
        Ok(sealed)
    }
}

fn private_key(scalar: &[u8; 32]) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, scalar).expect("any 32 bytes are an X25519 key")
}

fn public_key(private: &PrivateKey) -> Vec<u8> {
    private.compute_public_key().expect("an X25519 key has a public half").as_ref().to_vec()
}

/// `None` for a point of small order.
fn shared_point(private: &PrivateKey, peer: &[u8]) -> Option<SecretBytes> {
    let peer = UnparsedPublicKey::new(&X25519, peer);
    agree(private, peer, (), |shared| Ok(SecretBytes::new(shared.to_vec()))).ok()
}

fn box_key(shared: &SecretBytes, agreed: &SecretBytes, public: &Recipient, prefix: &[u8]) -> SecretKey {
    let both = SecretBytes::new([shared.expose(), agreed.expose()].concat());
    let transcript = sha256(&[public.as_bytes(), prefix].concat());
    let mut key = Zeroizing::new([0; 32]);
    Derivation::extract(&[], both.expose()).expand(&[SEAL_LABEL, &transcript], &mut key);
    SecretKey::from_slice(&key[..]).expect("32 bytes were derived")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Timestamp;

    const LABEL: &str = "strongroom test v1";

    fn sealed_to(key: &RecipientKey, context: &Context) -> Vec<u8> {
        let sources = Sources::seeded(1, Timestamp(0));
        let header = BoxHeader { key_id: b"id".to_vec(), generation: [0; 16] };
        key.public().seal(LABEL, &header, context, b"the store key", &sources).unwrap()
    }

    #[test]
    fn only_the_root_that_was_sealed_to_opens() {
        let [one, two] = [1, 2].map(|byte| RecipientKey::derive(&SecretKey::from_slice(&[byte; 32]).unwrap()));
        let again = RecipientKey::derive(&SecretKey::from_slice(&[1; 32]).unwrap());
        let stored = Recipient::from_slice(one.public().as_bytes()).expect("it reads back");
        assert!(&stored == again.public() && one.public() != two.public());
        let context = Context::new().with("a", "b");
        let sealed = sealed_to(&one, &context);
        assert_eq!(again.open(LABEL, &context, &sealed).ok().unwrap().expose(), b"the store key");
        assert!(two.open(LABEL, &context, &sealed).is_err());
        assert!(one.open(LABEL, &Context::new(), &sealed).is_err());
        assert!(one.open("strongroom test v2", &context, &sealed).is_err());
    }

    #[test]
    fn changed_bytes_and_other_lengths_are_noticed() {
        let key = RecipientKey::derive(&SecretKey::from_slice(&[1; 32]).unwrap());
        let context = Context::new();
        let sealed = sealed_to(&key, &context);
        let places = (0..sealed.len()).step_by(97).chain([0, 1, 1088, 1089, 1120, 1121, sealed.len() - 1]);
        for at in places {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(LABEL, &context, &changed).is_err(), "byte {at}");
            assert!(key.open(LABEL, &context, &sealed[..at]).is_err(), "cut at {at}");
        }
        let public = key.public().as_bytes();
        assert!(Recipient::from_slice(&public[1..]).is_none());
        assert!(Recipient::from_slice(&[public, &[0]].concat()).is_none());
    }
}
