//! S3 Bucket Keys: data keys at the level of a bucket, kept for a short time so that many objects need one call of the
//! key module. Never more rights than a call: the key's state and the caller's permission are checked on each use.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use crate::auth::Access;
use crate::crypto::{SecretKey, sha256};
use crate::keyring::EncryptionContext;
use crate::sources::Timestamp;

/// A bucket key seals new objects for so long.
const SEALS_FOR: Duration = Duration::from_secs(5 * 60);
/// An opened bucket key is kept for so long.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);
/// Bucket keys in memory; the oldest half goes when there are more.
const KEPT_AT_MOST: usize = 1_024;

/// Who may share a bucket key: one requester, one key, one context (bucket ARN and the client's pairs).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Slot([u8; 32]);

struct Kept {
    key: SecretKey,
    ciphertext: Vec<u8>,
    since: Timestamp,
}

/// The bucket keys of this process.
#[derive(Default)]
pub(super) struct BucketKeys(Mutex<HashMap<Slot, BTreeMap<Vec<u8>, Kept>>>);

impl BucketKeys {
    /// The slot of a requester, key and context.
    pub(super) fn slot(access: &Access, key_arn: &str, context: &EncryptionContext) -> Slot {
        let mut id = Vec::with_capacity(256);
        let mut field = |text: &str| {
            id.extend_from_slice(&(text.len() as u64).to_be_bytes());
            id.extend_from_slice(text.as_bytes());
        };
        field(access.caller().arn());
        field(key_arn);
        for (name, value) in context {
            field(name);
            field(value);
        }
        Slot(sha256(&id))
    }

    /// The newest key of a slot, if it may still seal.
    pub(super) fn for_sealing(&self, slot: &Slot, now: Timestamp) -> Option<(SecretKey, Vec<u8>)> {
        let all = self.0.lock().expect("no holder panics");
        let newest = all.get(slot)?.values().max_by_key(|kept| kept.since)?;
        (now.since(newest.since) < SEALS_FOR).then(|| (newest.key.duplicate(), newest.ciphertext.clone()))
    }

    /// The key that a ciphertext holds, if it is kept.
    pub(super) fn for_opening(&self, slot: &Slot, ciphertext: &[u8], now: Timestamp) -> Option<SecretKey> {
        let all = self.0.lock().expect("no holder panics");
        let kept = all.get(slot)?.get(ciphertext)?;
        (now.since(kept.since) < KEPT_FOR).then(|| kept.key.duplicate())
    }

    /// Keeps a key; drops (and so wipes) what is too old or too much.
    pub(super) fn insert(&self, slot: Slot, key: &SecretKey, ciphertext: &[u8], now: Timestamp) {
        let mut all = self.0.lock().expect("no holder panics");
        let kept = Kept { key: key.duplicate(), ciphertext: ciphertext.to_vec(), since: now };
        all.entry(slot).or_default().insert(ciphertext.to_vec(), kept);
        let count: usize = all.values().map(BTreeMap::len).sum();
        let limit = if count > KEPT_AT_MOST { KEPT_FOR / 2 } else { KEPT_FOR };
        all.retain(|_, keys| {
            keys.retain(|_, kept| now.since(kept.since) < limit);
            !keys.is_empty()
        });
        if all.values().map(BTreeMap::len).sum::<usize>() > KEPT_AT_MOST {
            all.clear();
        }
    }
}
