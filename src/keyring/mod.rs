//! The key module: KMS keys, their life cycle and material, KMS ciphertexts, and the root under which all lies.
//!
//! Hierarchy: a root key ([`KeyFile`]) wraps the [`StoreKey`], which wraps every generation of every key's material;
//! material seals KMS ciphertexts ([`KeyRing`]) and object keys ([`OwnedKey`]). What is stored of keys are sealed rows
//! of [`crate::index::Table::Key`] and `Alias`; what is held unwrapped in memory is bounded in time and count.

mod algorithms;
mod alias;
mod call;
mod ciphertext;
mod destroy;
mod error;
mod key_pair;
mod keys;
mod manage;
mod marker;
mod material;
mod owned;
mod record;
mod root;
mod service;
mod usage;

pub use algorithms::{Message, PublicKey};
pub use alias::{ALIASES_PER_KEY_MAX, AliasChange, AliasEntry, AliasTarget};
pub use call::{Call, Refused};
pub use error::KeyringError;
pub use key_pair::DataKeyPair;
pub use keys::{KeyMetadata, KeyState};
pub use manage::{NewKey, ON_DEMAND_ROTATIONS_MAX, PENDING_WINDOW_DEFAULT_DAYS, Page, ScheduledDeletion};
pub use owned::OwnedKey;
pub use root::{KeyFile, RootError, StoreKey, open_store_key};
pub use service::{DataKey, Decrypted, Encrypted, EncryptionContext, KeyRing, ResolvedKey, S3_ALIAS};
pub use usage::{DataKeySize, Sealing, Use};

#[cfg(test)]
pub(crate) mod tests;
