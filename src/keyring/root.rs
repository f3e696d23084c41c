//! Root providers and the store key (design, section 3, "Hierarchy").

use std::path::PathBuf;

use crate::crypto::SecretKey;
use crate::index::Index;
use crate::sources::Sources;

/// A root key in a file of mode 0600: 32 bytes as base64 text with a header line.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
}

/// Why the store key could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootError {
    /// The file is missing but the store was made under a root: never make a new one beside an existing store.
    Missing(String),
    /// Readable by others than its owner.
    Permissions(String),
    /// No root key file of ours.
    Malformed(String),
    /// It is a root key, but not the one this store was made under.
    WrongRoot(String),
    /// Reading or writing failed.
    Io(String),
}

/// The key that wraps everything below it. Derives by label only what may change with it.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct StoreKey {
    key: SecretKey,
    generation: [u8; 16],
}

impl StoreKey {
    /// The key itself, to wrap and unwrap.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Its generation.
    pub fn generation(&self) -> [u8; 16] {
        self.generation
    }
}

/// Opens the store key under the root, or on an empty store makes both.
pub async fn open_store_key(index: &dyn Index, root: &KeyFile, sources: &Sources) -> Result<StoreKey, RootError> {
    let _ = (index, root, sources);
    unimplemented!()
}
