//! What can be asked of the key module. Every use and every change is recorded before its answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{KeyMetadata, KeyringError, OwnedKey};
use crate::auth::{Access, Grant};
use crate::crypto::SecretBytes;
use crate::names::{AccountId, Region};

/// An encryption context as KMS has it.
pub type EncryptionContext = BTreeMap<String, String>;

/// A key that was found: what authorization needs to know before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedKey {
    /// Its metadata when it was resolved; the use checks the state again.
    pub metadata: KeyMetadata,
}

/// A new data key.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct DataKey {
    /// The key.
    pub plaintext: SecretBytes,
    /// The same, as a KMS ciphertext.
    pub ciphertext: Vec<u8>,
    /// The material that sealed it.
    pub material_id: String,
}

/// A new ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The KMS ciphertext.
    pub ciphertext: Vec<u8>,
    /// The material that sealed it.
    pub material_id: String,
}

/// An opened ciphertext.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct Decrypted {
    /// What it held.
    pub plaintext: SecretBytes,
    /// The material that had sealed it.
    pub material_id: String,
}

/// The key module. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct KeyRing {}

impl KeyRing {
    /// Finds a key by id, key ARN, alias name or alias ARN, as seen by `account` in `region`. The texts of its errors
    /// are those that S3 and KMS answer: `Invalid keyId 'x'`, `Key 'arn…' does not exist`, `Invalid arn REGION`.
    /// `alias/aws/s3` is made when it is asked for the first time.
    pub async fn resolve(
        &self,
        access: &Access,
        account: &AccountId,
        region: &Region,
        key: &str,
    ) -> Result<ResolvedKey, KeyringError> {
        let _ = (access, account, region, key);
        unimplemented!()
    }

    /// Which key sealed a ciphertext: to be authorized before [`Self::decrypt`].
    pub async fn resolve_ciphertext(
        &self,
        account: &AccountId,
        region: &Region,
        ciphertext: &[u8],
    ) -> Result<ResolvedKey, KeyringError> {
        let _ = (account, region, ciphertext);
        unimplemented!()
    }

    /// A data key of `bytes` bytes. `grant`: `kms:GenerateDataKey` on the key's ARN. `via_s3`: see
    /// [`crate::audit::Event::via_s3`].
    pub async fn generate_data_key(
        &self,
        grant: &Grant,
        key: &ResolvedKey,
        bytes: usize,
        context: &EncryptionContext,
        via_s3: bool,
    ) -> Result<DataKey, KeyringError> {
        let _ = (grant, key, bytes, context, via_s3);
        unimplemented!()
    }

    /// Opens a KMS ciphertext. `grant`: `kms:Decrypt` on the key's ARN.
    pub async fn decrypt(
        &self,
        grant: &Grant,
        key: &ResolvedKey,
        ciphertext: &[u8],
        context: &EncryptionContext,
        via_s3: bool,
    ) -> Result<Decrypted, KeyringError> {
        let _ = (grant, key, ciphertext, context, via_s3);
        unimplemented!()
    }

    /// The owned key for SSE-S3, from a cache of bounded age or loaded and recorded.
    pub async fn owned_key(&self) -> Result<Arc<OwnedKey>, KeyringError> {
        unimplemented!()
    }
}
