//! The key module: KMS keys, their life cycle and material, KMS ciphertexts, and the root under which all lies.
//!
//! Hierarchy: one or more roots ([`Root`]) open the [`StoreKey`], which wraps every generation of every key's material;
//! material seals KMS ciphertexts ([`KeyRing`]) and object keys ([`OwnedKey`]). What is stored of keys are sealed rows
//! of [`crate::index::Table::Key`] and `Alias`; what is held unwrapped in memory is bounded in time and count.

mod algorithms;
mod alias;
mod call;
mod ciphertext;
mod clock;
mod custom_store;
mod destroy;
mod error;
#[cfg(test)]
mod golden;
mod grants;
mod import;
mod import_token;
mod key_pair;
mod key_policies;
mod keys;
mod labels;
mod lines;
mod manage;
mod marker;
mod material;
mod multi_region;
mod owned;
mod permission;
mod queue;
mod record;
mod root;
mod rotation;
mod service;
mod token_key;

pub(crate) use lines::Lines;
pub(crate) use marker::Markers;
pub(crate) use token_key::{TokenKey, TokenKind};
mod usage;

pub use algorithms::{Message, PublicKey};
pub use alias::{ALIASES_PER_KEY_MAX, AliasChange, AliasEntry, AliasTarget};
pub use call::{Call, Refused};
pub use custom_store::{
    Backend, Backends, ConfiguredToken, ConnectionError, ConnectionState, CustomKey, KEY_STORES_MAX, KeyStore,
    KeyStoreChange, KeyStoreFilter, NewBackend, NewCustomKey, NewKeyStore, ProxyClient, ProxyCredential, StoreCode,
    TOKEN_TIMEOUT, Tokens, XKS_PORT_DEFAULT, XKS_TIMEOUT_DEFAULT,
};
pub use error::KeyringError;
pub use grants::{
    CONSTRAINT_PAIRS_MAX, CONSTRAINT_VALUE_MAX_CHARS, ContextConstraint, CreatedGrant, GRANTS_PER_KEY_MAX, GrantEntry,
    GrantFilter, GrantOperation, GrantTerms, Leave, NewGrant, Party, Retirement, Retirer,
};
pub use import::{Import, ImportType, Imported};
pub use import_token::{ImportParameters, Wrapping};
pub use key_pair::DataKeyPair;
pub use keys::{Expiration, KeyMetadata, KeyOrigin, KeyState, MultiRegion};
pub use labels::{LastUsage, LastUse, TAGS_MAX};
pub use manage::{NewKey, PENDING_WINDOW_DEFAULT_DAYS, Page, ScheduledDeletion};
pub use multi_region::{NewReplica, Replica};
pub use owned::OwnedKey;
pub use permission::{Told, authorize_without_key, keeps_manageable, keeps_new_manageable, kind_keys};
pub use root::{
    KeyFile, KeyService, Method, NewRoot, Opening, ParsedShare, ROOT_NAME_MAX_CHARS, ROOTS_MAX, Root, RootChange,
    RootError, RootId, RootSecret, Roots, RotationStep, StoreKeyRotation, Token, Unattended, combine, create_store,
    make_key_text, open_store_key, parse_key_text, parse_share, passphrase_secret, read_private, split,
};
pub use rotation::{
    MaterialState, ON_DEMAND_ROTATIONS_MAX, ROTATION_PERIOD_DAYS, Rotation, RotationKind, RotationStatus,
};
pub use service::{DataKey, Decrypted, Encrypted, EncryptionContext, KeyRing, Reach, ResolvedKey, S3_ALIAS};
pub use usage::{DataKeySize, Sealing, Use};

pub use crate::crypto::StoreKey;

#[cfg(test)]
pub(crate) mod tests;
