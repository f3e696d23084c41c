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
        newest.fresh(now, SEALS_FOR).then(|| (newest.key.duplicate(), newest.ciphertext.clone()))
    }

    /// The key that a ciphertext holds, if it is kept.
    pub(super) fn for_opening(&self, slot: &Slot, ciphertext: &[u8], now: Timestamp) -> Option<SecretKey> {
        let all = self.0.lock().expect("no holder panics");
        let kept = all.get(slot)?.get(ciphertext)?;
        kept.fresh(now, KEPT_FOR).then(|| kept.key.duplicate())
    }

    /// Keeps a key; drops (and so wipes) what is too old or too much.
    pub(super) fn insert(&self, slot: Slot, key: &SecretKey, ciphertext: &[u8], now: Timestamp) {
        let mut all = self.0.lock().expect("no holder panics");
        let kept = Kept { key: key.duplicate(), ciphertext: ciphertext.to_vec(), since: now };
        all.entry(slot).or_default().insert(ciphertext.to_vec(), kept);
        let count: usize = all.values().map(BTreeMap::len).sum();
        let limit = if count > KEPT_AT_MOST { KEPT_FOR / 2 } else { KEPT_FOR };
        retain_fresh(&mut all, now, limit);
        if all.values().map(BTreeMap::len).sum::<usize>() > KEPT_AT_MOST {
            all.clear();
        }
    }
    /// Drops (and so wipes) what is too old.
    pub(super) fn drop_expired(&self, now: Timestamp) {
        retain_fresh(&mut self.0.lock().expect("no holder panics"), now, KEPT_FOR);
    }
}

impl Kept {
    /// A clock that went back makes everything old: better one call more than a key that is held for hours.
    fn fresh(&self, now: Timestamp, limit: Duration) -> bool {
        now >= self.since && now.since(self.since) < limit
    }
}

fn retain_fresh(all: &mut HashMap<Slot, BTreeMap<Vec<u8>, Kept>>, now: Timestamp, limit: Duration) {
    all.retain(|_, keys| {
        keys.retain(|_, kept| kept.fresh(now, limit));
        !keys.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Sources;

    #[test]
    fn bounded_in_age() {
        let (keys, slot) = (BucketKeys::default(), Slot([1; 32]));
        let start = Timestamp(1_000_000);
        let limit = start.plus(KEPT_FOR);
        let key = SecretKey::generate(&Sources::seeded(1, start));
        keys.insert(slot.clone(), &key, b"sealed", start);
        let found = |now| (keys.for_sealing(&slot, now).is_some(), keys.for_opening(&slot, b"sealed", now).is_some());
        assert_eq!(found(Timestamp(limit.0 - 1)), (true, true));
        assert_eq!(found(limit), (false, false));
        assert_eq!(found(Timestamp(start.0 - 1)), (false, false), "the clock went back");
        keys.drop_expired(Timestamp(limit.0 - 1));
        assert_eq!(keys.0.lock().unwrap().len(), 1);
        keys.drop_expired(limit);
        assert!(keys.0.lock().unwrap().is_empty());
    }

    #[test]
    fn bounded_in_count() {
        let keys = BucketKeys::default();
        let key = SecretKey::generate(&Sources::seeded(1, Timestamp(0)));
        for n in 0..=KEPT_AT_MOST {
            keys.insert(Slot([1; 32]), &key, &n.to_be_bytes(), Timestamp(0));
            let count = keys.0.lock().unwrap().values().map(BTreeMap::len).sum::<usize>();
            assert!(count <= KEPT_AT_MOST, "{count}");
        }
    }
}
