//! What was loaded for requests and is good until its account changes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::auth::{FindError, Identity};
use crate::crypto::{constant_time_eq, sha256};
use crate::index::Stamp;
use crate::names::AccountId;
use crate::policy::Policy;
use crate::sources::Timestamp;

/// Access keys held, temporary ones among them. At the limit all are dropped, and those in use come back.
const IDENTITIES_MAX: usize = 10_000;
/// Documents of managed policies held.
const DOCUMENTS_MAX: usize = 10_000;

/// Who signs with an access key.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) account: AccountId,
    /// Of the account, when this was loaded.
    pub(super) version: Stamp,
    pub(super) identity: Arc<Identity>,
    /// Of temporary credentials.
    pub(super) expires: Option<Timestamp>,
}

impl Held {
    pub(super) fn identity_at(&self, now: Timestamp) -> Result<Arc<Identity>, FindError> {
        match self.expires {
            Some(expires) if expires <= now => Err(FindError::Expired),
            Some(_) | None => Ok(Arc::clone(&self.identity)),
        }
    }
}

/// Held under the hash of its token, so that no other token is taken for it.
struct Entry {
    token: Option<[u8; 32]>,
    held: Held,
}

#[derive(Default)]
pub(super) struct Cache {
    identities: RwLock<HashMap<String, Entry>>,
    /// By policy id and version, of which the document never changes.
    documents: RwLock<HashMap<(String, u32), Arc<Policy>>>,
}

impl Cache {
    pub(super) fn identity(&self, access_key_id: &str, token: Option<&str>) -> Option<Held> {
        let identities = self.identities.read().unwrap_or_else(PoisonError::into_inner);
        let entry = identities.get(access_key_id)?;
        let same = match (&entry.token, token) {
            (None, None) => true,
            (Some(held), Some(token)) => constant_time_eq(held, &sha256(token.as_bytes())),
            (Some(_), None) | (None, Some(_)) => false,
        };
        same.then(|| entry.held.clone())
    }

    pub(super) fn keep_identity(&self, access_key_id: &str, token: Option<&str>, held: Held) {
        let token = token.map(|token| sha256(token.as_bytes()));
        let mut identities = self.identities.write().unwrap_or_else(PoisonError::into_inner);
        if identities.len() >= IDENTITIES_MAX {
            identities.clear();
        }
        identities.insert(access_key_id.to_owned(), Entry { token, held });
    }

    pub(super) fn document(&self, policy_id: &str, version: u32) -> Option<Arc<Policy>> {
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        documents.get(&(policy_id.to_owned(), version)).cloned()
    }

    pub(super) fn keep_document(&self, policy_id: &str, version: u32, policy: Arc<Policy>) -> Arc<Policy> {
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        if documents.len() >= DOCUMENTS_MAX {
            documents.clear();
        }
        documents.insert((policy_id.to_owned(), version), Arc::clone(&policy));
        policy
    }
}
