//! The key module: KMS keys, their life cycle and material, KMS ciphertexts, and the root under which all lies.

mod error;
mod keys;
mod owned;
mod root;
mod service;

pub use error::KeyringError;
pub use keys::{KeyMetadata, KeyState};
pub use owned::OwnedKey;
pub use root::{KeyFile, RootError, StoreKey, open_store_key};
pub use service::{DataKey, Decrypted, Encrypted, EncryptionContext, KeyRing, ResolvedKey};
