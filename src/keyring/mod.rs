//! The key module: KMS keys, their life cycle and material, KMS ciphertexts, and the root under which all lies.
//!
//! Hierarchy: one or more roots ([`Root`]) open the [`StoreKey`], which wraps every generation of every key's material;
//! material seals KMS ciphertexts ([`KeyRing`]) and object keys ([`OwnedKey`]). What is stored of keys are sealed rows
//! of [`crate::index::Table::Key`] and `Alias`; what is held unwrapped in memory is bounded in time and count.

mod alias;
mod call;
mod ciphertext;
mod destroy;
mod error;
mod keys;
mod manage;
mod marker;
mod material;
mod owned;
mod record;
mod root;
mod service;
mod usage;

pub use alias::{ALIASES_PER_KEY_MAX, AliasChange, AliasEntry, AliasTarget};
pub use call::{Call, Refused};
pub use error::KeyringError;
pub use keys::{KeyMetadata, KeyState};
pub use manage::{NewKey, ON_DEMAND_ROTATIONS_MAX, PENDING_WINDOW_DEFAULT_DAYS, Page, ScheduledDeletion};
pub use owned::OwnedKey;
pub use root::{
    KeyFile, KeyService, Method, NewRoot, Opening, ParsedShare, ROOT_NAME_MAX_CHARS, ROOTS_MAX, Root, RootChange,
    RootError, RootId, RootSecret, Roots, Rotation, RotationStep, Token, Unattended, combine, create_store,
    make_key_text, open_store_key, parse_key_text, parse_share, passphrase_secret, split,
};

pub use crate::crypto::StoreKey;
pub use service::{DataKey, Decrypted, Encrypted, EncryptionContext, KeyRing, ResolvedKey, S3_ALIAS};
pub use usage::{DataKeySize, Use};

#[cfg(test)]
pub(crate) mod tests;
