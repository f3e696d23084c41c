//! The list of roots as it is stored, pure.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `ff 53 52 52` |
//! | 1 | version, 1 |
//! | n | CBOR of [`RootList`]; fields may be added, never renumbered |
//! | 32 | HMAC-SHA256 of all before it, under a key derived from the sealing generation of the store key |
//!
//! The authenticator is what makes a rotation safe: the new generation is sealed to the public halves in this list, and
//! whoever could put one of his own there unnoticed would be handed the key. Golden bytes in `fixtures/roots/`.

use super::{RootError, RootId};
use crate::crypto::{Argon2Cost, Generation, StoreKey, constant_time_eq, hmac_sha256};
use crate::index::Tuple;

const MAGIC: [u8; 4] = *b"\xffSRR";
const VERSION: u8 = 1;
const MAC_BYTES: usize = 32;
/// Label of the authenticator's key. Frozen.
const MAC_LABEL: &[u8] = b"strongroom root list v1";
/// Most roots of one store: people can still tell them apart, and a rotation seals to each.
pub const ROOTS_MAX: usize = 16;
/// Longest name of a root, in characters.
pub const ROOT_NAME_MAX_CHARS: usize = 64;

/// How the secret of a root is had. Its numbers are part of the stored format.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Method {
    /// The file that `root_key_file` names.
    #[n(0)]
    KeyFile,
    /// Argon2id of a passphrase.
    #[n(1)]
    Passphrase {
        /// Memory, in KiB.
        #[n(0)]
        memory_kib: u32,
        /// Passes.
        #[n(1)]
        passes: u32,
        /// Lanes.
        #[n(2)]
        lanes: u32,
        /// Random.
        #[n(3)]
        #[cbor(with = "minicbor::bytes")]
        salt: [u8; 16],
    },
    /// The credential of systemd that `root_credential` names.
    #[n(2)]
    Credential,
    /// Shamir shares that people keep.
    #[n(3)]
    Shares {
        /// So many give the secret.
        #[n(0)]
        threshold: u8,
        /// So many were made.
        #[n(1)]
        count: u8,
    },
    /// A key on a PKCS#11 token opens the secret.
    #[n(4)]
    Token {
        /// `CKA_ID` of the key on the token.
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        key_id: [u8; 16],
        /// The secret under that key: nonce, ciphertext, tag.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
    /// A key of an external key service opens the secret.
    #[n(5)]
    Kms {
        /// The key's ARN or id there.
        #[n(0)]
        key_id: String,
        /// `CiphertextBlob`.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
}

impl Method {
    /// As commands and the trail name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::KeyFile => "key-file",
            Self::Passphrase { .. } => "passphrase",
            Self::Credential => "systemd-credential",
            Self::Shares { .. } => "shares",
            Self::Token { .. } => "token",
            Self::Kms { .. } => "kms",
        }
    }

    /// Whether people have to bring the secret.
    pub fn takes_people(&self) -> bool {
        match self {
            Self::Passphrase { .. } | Self::Shares { .. } => true,
            Self::KeyFile | Self::Credential | Self::Token { .. } | Self::Kms { .. } => false,
        }
    }

    /// The cost and the salt of a passphrase.
    pub fn argon2(&self) -> Option<(Argon2Cost, &[u8; 16])> {
        match self {
            Self::Passphrase { memory_kib, passes, lanes, salt } => {
                Some((Argon2Cost { memory_kib: *memory_kib, passes: *passes, lanes: *lanes }, salt))
            }
            _ => None,
        }
    }
}

/// One root of a store.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Root {
    /// Follows from its secret.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) id: [u8; 16],
    /// Chosen by the operator; no two roots share one.
    #[n(1)]
    pub name: String,
    /// How its secret is had.
    #[n(2)]
    pub method: Method,
    /// Milliseconds since the epoch.
    #[n(3)]
    pub created_ms: i64,
    /// A [`crate::crypto::Recipient`].
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) recipient: Vec<u8>,
    /// All live generations of the store key, sealed to the recipient: 16 bytes of tag and 32 of key each, oldest first.
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) sealed: Vec<u8>,
}

impl Root {
    /// Its id.
    pub fn id(&self) -> RootId {
        RootId(self.id)
    }
}

/// All roots of a store.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct RootList {
    /// Never empty.
    #[n(0)]
    pub(super) roots: Vec<Root>,
    /// The live generations, oldest first; the last one seals. More than one: a rotation is under way.
    #[n(1)]
    pub(super) generations: Vec<GenerationTag>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub(super) struct GenerationTag(#[cbor(with = "minicbor::bytes")] pub(super) Generation);

impl RootList {
    /// The stored bytes.
    pub(super) fn render(&self, store_key: &StoreKey) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        minicbor::encode(self, &mut out).expect("encoding into memory does not fail");
        let mac = authenticator(store_key, &out);
        out.extend_from_slice(&mac);
        out
    }

    /// Reads stored bytes. They are believed only as far as [`Self::verify`] is not needed: to choose a root to try.
    pub(super) fn parse(stored: &[u8]) -> Result<Self, RootError> {
        let (body, _) = split(stored)?;
        let rest = body.strip_prefix(&MAGIC).ok_or_else(damaged)?;
        let (&version, rest) = rest.split_first().ok_or_else(damaged)?;
        if version != VERSION {
            return Err(RootError::Damaged(format!(
                "the list of roots has version {version}, which this program does not know: start a newer one. Nothing \
                 was changed"
            )));
        }
        let mut decoder = minicbor::Decoder::new(rest);
        let list: Self = decoder.decode().map_err(|_| damaged())?;
        let whole = decoder.position() == rest.len() && !list.roots.is_empty() && !list.generations.is_empty();
        if whole { Ok(list) } else { Err(damaged()) }
    }

    /// Checks that a holder of the store key has written these bytes.
    pub(super) fn verify(stored: &[u8], store_key: &StoreKey) -> Result<(), RootError> {
        let (body, mac) = split(stored)?;
        let whole = constant_time_eq(&authenticator(store_key, body), mac);
        if whole { Ok(()) } else { Err(damaged()) }
    }
}

/// The row of the list.
pub(super) fn roots_row() -> Vec<u8> {
    Tuple::new().bytes(b"roots").build()
}

/// The row of the store key of a store from before there was a list.
pub(super) fn single_root_row() -> Vec<u8> {
    Tuple::new().bytes(b"store-key").build()
}

fn split(stored: &[u8]) -> Result<(&[u8], &[u8]), RootError> {
    stored.len().checked_sub(MAC_BYTES).map(|at| stored.split_at(at)).ok_or_else(damaged)
}

fn authenticator(store_key: &StoreKey, body: &[u8]) -> [u8; 32] {
    hmac_sha256(store_key.derive(MAC_LABEL).expose(), body)
}

pub(super) fn damaged() -> RootError {
    RootError::Damaged(
        "the store's record of its key is damaged: restore the index from a backup. The root is the right one and whole"
            .to_owned(),
    )
}
