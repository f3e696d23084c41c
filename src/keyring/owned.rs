//! The key that AWS calls "AWS owned": SSE-S3's. In no listing; rotates by itself.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::KeyringError;
use super::ciphertext::{damaged_material, material_id, unwrap_material};
use super::manage::CHANGE_ATTEMPTS;
use super::record::{MaterialOrigin, OwnedRecord, owned_row};
use super::service::KeyRing;
use crate::audit::{Event, EventKind};
use crate::auth::system;
use crate::crypto::{BoxHeader, Context, Generation, SealBox, SecretBytes, SecretKey, open_box, parse_box, seal_box};
use crate::index::{RowBatch, Table};
use crate::names::AccountId;
use crate::sources::{Sources, Timestamp};

/// The id of the key in Boxes and in the index. Frozen.
const NAME: &str = "sse-s3";
/// Frozen: every object key of SSE-S3 is wrapped under it.
const LABEL: &str = "strongroom owned key v1";
/// Longest time that it is held unwrapped.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Age at which a new generation is made, as AWS does with keys of its own.
const ROTATION_AGE: Duration = Duration::from_secs(365 * 86_400);
/// A new generation seals only when every gateway must have loaded it: twice [`MAX_AGE`]. Until then a gateway that
/// does not know it yet could meet objects that it cannot open.
const ACTIVATION_DELAY: Duration = Duration::from_secs(600);
/// The account of the gateway's own events, which belong to no customer.
const OPERATOR: &str = "000000000000";

/// The owned key's material, held for a bounded time. Each time it is loaded the trail gets a record.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct OwnedKey {
    generations: Vec<(Generation, SecretKey)>,
    /// Index of the one that seals.
    sealing: usize,
    sources: Sources,
}

/// What [`KeyRing`] holds of it.
#[derive(Default)]
pub(super) struct OwnedCache {
    held: ArcSwapOption<(Timestamp, Arc<OwnedKey>)>,
    /// One loads, the others wait for it.
    loading: Mutex<()>,
}

impl OwnedKey {
    /// Of one generation.
    #[cfg(test)]
    pub(super) fn for_tests(generation: Generation, key: SecretKey, sources: Sources) -> Self {
        Self { generations: vec![(generation, key)], sealing: 0, sources }
    }

    /// Wraps an object key under the newest generation.
    pub fn wrap(&self, context: &Context, plain: &[u8]) -> Vec<u8> {
        let (generation, key) = &self.generations[self.sealing];
        let header = BoxHeader { key_id: NAME.as_bytes().to_vec(), generation: *generation };
        seal_box(&SealBox { key, label: LABEL, header: &header, context }, plain, &self.sources)
    }

    /// Unwraps what any kept generation has wrapped.
    pub fn unwrap(&self, context: &Context, sealed: &[u8]) -> Result<SecretBytes, KeyringError> {
        let header = parse_box(sealed).map_err(|_| KeyringError::InvalidCiphertext)?;
        let known = self.generations.iter().find(|(tag, _)| *tag == header.generation);
        let (_, key) = known.filter(|_| header.key_id == NAME.as_bytes()).ok_or(KeyringError::InvalidCiphertext)?;
        open_box(key, LABEL, context, sealed).map_err(|_| KeyringError::InvalidCiphertext)
    }
}

impl OwnedCache {
    fn find(&self, now: Timestamp) -> Option<Arc<OwnedKey>> {
        let held = self.held.load();
        let (since, key) = held.as_deref()?;
        fresh(*since, now).then(|| Arc::clone(key))
    }

    /// Drops it if it is too old.
    pub(super) fn drop_expired(&self, now: Timestamp) {
        if self.held.load().as_deref().is_some_and(|(since, _)| !fresh(*since, now)) {
            self.held.store(None);
        }
    }
}

/// A clock that went back makes it old.
fn fresh(since: Timestamp, now: Timestamp) -> bool {
    now >= since && now.since(since) < MAX_AGE
}

impl KeyRing {
    pub(super) async fn load_owned_key(&self) -> Result<Arc<OwnedKey>, KeyringError> {
        let cache = self.owned_cache();
        if let Some(key) = cache.find(self.sources().now()) {
            return Ok(key);
        }
        let _one = cache.loading.lock().await;
        let now = self.sources().now();
        if let Some(key) = cache.find(now) {
            return Ok(key);
        }
        let record = self.owned_record(now).await?;
        let key = Arc::new(self.unwrap_owned(&record, now)?);
        let (generation, _) = &key.generations[key.sealing];
        self.record(&self.owned_event("LoadOwnedKey", now, generation)?).await?;
        cache.held.store(Some(Arc::new((now, Arc::clone(&key)))));
        Ok(key)
    }

    /// The generations, after making the first one or the one that is due.
    async fn owned_record(&self, now: Timestamp) -> Result<OwnedRecord, KeyringError> {
        let row = owned_row(NAME);
        for _ in 0..CHANGE_ATTEMPTS {
            let stored = self.rows().load::<OwnedRecord>(&row).await?;
            let newest = stored.as_ref().and_then(|s| s.value.materials.last()).map(|m| Timestamp(m.created_ms));
            let mut batch = self.rows().batch();
            let (mut record, origin, name) = match (stored, newest) {
                (Some(stored), Some(newest)) if now.since(newest) < ROTATION_AGE => return Ok(stored.value),
                (Some(stored), _) => {
                    batch.expect_unchanged(Table::Key, row.clone(), &stored.stamp);
                    (stored.value, MaterialOrigin::Automatic, "RotateKey")
                }
                (None, _) => {
                    batch.expect_absent(Table::Key, row.clone());
                    (OwnedRecord { materials: Vec::new() }, MaterialOrigin::Initial, "CreateKey")
                }
            };
            let material = self.new_material(NAME, origin);
            let event = self.owned_event(name, now, &material.tag)?;
            record.materials.push(material);
            if self.commit_owned(batch, row.clone(), &record, &event).await? {
                return Ok(record);
            }
        }
        Err(KeyringError::Contention)
    }

    async fn commit_owned(
        &self,
        mut batch: RowBatch<'_>,
        row: Vec<u8>,
        record: &OwnedRecord,
        event: &Event,
    ) -> Result<bool, KeyringError> {
        batch.put(row, record);
        Ok(self.commit(batch, event).await?.is_some())
    }

    fn unwrap_owned(&self, record: &OwnedRecord, now: Timestamp) -> Result<OwnedKey, KeyringError> {
        let unwrap = |m: &super::record::MaterialRecord| {
            let bytes = unwrap_material(self.store_key(), NAME, &m.tag, &m.wrapped)?;
            Ok((m.tag, SecretKey::from_slice(bytes.expose()).ok_or_else(|| damaged_material(NAME))?))
        };
        let generations = record.materials.iter().map(unwrap).collect::<Result<Vec<_>, KeyringError>>()?;
        let active = |m: &super::record::MaterialRecord| now.since(Timestamp(m.created_ms)) >= ACTIVATION_DELAY;
        // The first one seals at once: no gateway has loaded a record without it.
        let sealing = record.materials.iter().rposition(active).unwrap_or(0);
        if generations.is_empty() {
            return Err(KeyringError::Internal("the owned key has no material".to_owned()));
        }
        Ok(OwnedKey { generations, sealing, sources: self.sources().clone() })
    }

    fn owned_event(&self, name: &'static str, now: Timestamp, tag: &Generation) -> Result<Event, KeyringError> {
        let recipient =
            AccountId::parse(OPERATOR).map_err(|e| KeyringError::Internal(format!("the operator's account: {e}")))?;
        Ok(Event {
            access: system("owned-key", self.home().clone(), now),
            source: "kms.amazonaws.com",
            name,
            kind: EventKind::ServiceEvent,
            request: json!({ "ownedKey": NAME, "keyMaterialId": material_id(NAME, tag) }),
            response: Value::Null,
            additional: Value::Null,
            error: None,
            read_only: name == "LoadOwnedKey",
            management: true,
            resources: Vec::new(),
            via_s3: false,
            recipient,
        })
    }
}
