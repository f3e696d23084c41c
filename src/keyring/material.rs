//! Unwrapped generations of material, held for a bounded time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::service::KeyRing;
use crate::crypto::{Generation, KeyMaterial};
use crate::sources::Timestamp;

/// Longest time that unwrapped material is held.
pub(super) const MATERIAL_MAX_AGE: Duration = Duration::from_secs(300);
/// Most generations held at once: from 32 bytes of a symmetric key to a few tens of KiB of an RSA or ML-DSA one each.
const MATERIALS_MAX: usize = 1024;

/// Material by key and generation. What is dropped here is wiped as soon as no running use holds it.
#[derive(Default)]
pub(super) struct MaterialCache {
    held: HashMap<(String, Generation), Held>,
}

struct Held {
    material: Arc<KeyMaterial>,
    since: Timestamp,
}

impl MaterialCache {
    pub(super) fn find(&self, key_id: &str, tag: &Generation, now: Timestamp) -> Option<Arc<KeyMaterial>> {
        // The key of the map owns its string; a use costs this one small allocation.
        let held = self.held.get(&(key_id.to_owned(), *tag))?;
        held.fresh(now).then(|| Arc::clone(&held.material))
    }

    pub(super) fn hold(&mut self, key_id: &str, tag: &Generation, material: &Arc<KeyMaterial>, now: Timestamp) {
        if self.held.len() >= MATERIALS_MAX {
            self.drop_expired(now);
        }
        if self.held.len() >= MATERIALS_MAX
            && let Some(oldest) = self.held.iter().min_by_key(|(_, h)| h.since).map(|(k, _)| k.clone())
        {
            self.held.remove(&oldest);
        }
        self.held.insert((key_id.to_owned(), *tag), Held { material: Arc::clone(material), since: now });
    }

    /// Drops all that is held of a key.
    pub(super) fn forget(&mut self, key_id: &str) {
        self.held.retain(|(held, _), _| held != key_id);
    }

    /// Drops what is too old.
    pub(super) fn drop_expired(&mut self, now: Timestamp) {
        self.held.retain(|_, held| held.fresh(now));
    }
}

impl KeyRing {
    /// Wipes unwrapped keys that were held for five minutes: keys that are not used any more. To be called every
    /// minute or so.
    pub fn wipe_expired(&self) {
        let now = self.sources().now();
        self.materials().drop_expired(now);
        self.owned_cache().drop_expired(now);
    }
}

impl Held {
    /// A clock that went back makes everything old: better one unwrapping more than material held for hours.
    fn fresh(&self, now: Timestamp) -> bool {
        now >= self.since && now.since(self.since) < MATERIAL_MAX_AGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::tests::Fixture;
    use crate::names::KeySpec;
    use crate::sources::Sources;

    fn material() -> Arc<KeyMaterial> {
        Arc::new(KeyMaterial::generate(KeySpec::SymmetricDefault, &Sources::seeded(1, Timestamp(0))))
    }

    #[test]
    fn bounded_in_age() {
        let mut cache = MaterialCache::default();
        let start = Timestamp(1_000_000);
        cache.hold("k", &[1; 16], &material(), start);
        let limit = start.plus(MATERIAL_MAX_AGE);
        assert!(cache.find("k", &[1; 16], Timestamp(limit.0 - 1)).is_some());
        assert!(cache.find("k", &[1; 16], limit).is_none());
        assert!(cache.find("k", &[1; 16], Timestamp(start.0 - 1)).is_none(), "the clock went back");
        assert!(cache.find("k", &[2; 16], start).is_none());
        cache.drop_expired(limit);
        assert!(cache.held.is_empty());
    }

    #[test]
    fn bounded_in_count() {
        let mut cache = MaterialCache::default();
        for n in 0..=MATERIALS_MAX {
            cache.hold(&format!("k{n}"), &[1; 16], &material(), Timestamp(n as i64));
        }
        assert_eq!(cache.held.len(), MATERIALS_MAX);
        assert!(cache.find("k0", &[1; 16], Timestamp(2000)).is_none(), "the oldest went");
        assert!(cache.find("k1", &[1; 16], Timestamp(2000)).is_some());
    }

    #[test]
    fn forgetting_wipes_every_generation_of_a_key() {
        let mut cache = MaterialCache::default();
        let (kept, dropped) = (material(), material());
        cache.hold("k1", &[1; 16], &dropped, Timestamp(0));
        cache.hold("k1", &[2; 16], &dropped, Timestamp(0));
        cache.hold("k2", &[1; 16], &kept, Timestamp(0));
        cache.forget("k1");
        assert_eq!(Arc::strong_count(&dropped), 1, "nothing but this test holds it");
        assert!(cache.find("k2", &[1; 16], Timestamp(0)).is_some());
    }

    /// Also of keys that nobody asks for any more, which no use would drop.
    #[tokio::test]
    async fn what_is_held_goes_by_itself() {
        let t = Fixture::new(11).await;
        let key = t.create().await;
        assert!(t.data_key(&key).await.is_ok());
        let held = || t.keyring.materials().held.len();
        t.sources.advance(MATERIAL_MAX_AGE - Duration::from_millis(1));
        t.keyring.wipe_expired();
        assert_eq!(held(), 1);
        t.sources.advance(Duration::from_millis(1));
        t.keyring.wipe_expired();
        assert_eq!(held(), 0);
    }
}
