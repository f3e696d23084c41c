//! The end of keys whose waiting period is over.

use serde_json::json;

use super::call::service_event;
use super::multi_region::Member;
use super::queue::{Due, put_key, remove_key};
use super::record::{KeyPlace, KeyRecord, Tombstone, alias_row, last_use_row};
use super::service::KeyRing;
use super::{KeyState, KeyringError};
use crate::auth::system;
use crate::index::{RowBatch, Stored, Table};
use crate::sources::Timestamp;

impl KeyRing {
    /// Destroys the material of all keys whose time is up, with their aliases and grants. To be called every few minutes. A key is
    /// gone in one commit, together with its `DeleteKey` record; what remains is its id, so that it is never used
    /// again. Returns how many went. See `keyring/clock.rs` for what "time is up" means when clocks jump.
    pub async fn destroy_due_keys(&self) -> Result<usize, KeyringError> {
        self.note_time().await?;
        self.work_off(Due::Deletion).await
    }

    /// Whether the key was destroyed by this call.
    pub(super) async fn destroy_if_due(&self, place: &KeyPlace) -> Result<bool, KeyringError> {
        let Some(stored) = self.rows().load::<KeyRecord>(&place.row()).await? else {
            return Ok(false);
        };
        let (now, trusted) = (self.sources().now(), self.trusted_now().await?);
        let record = &stored.value;
        let is_due = record.state == KeyState::PendingDeletion
            && record
                .deletion_ms
                .is_some_and(|at| at <= now.0 && record.deletion_trusted_ms.unwrap_or(at) <= trusted.0);
        if !is_due {
            return Ok(false);
        }
        self.materials().forget(&place.key_id);
        let others = self.others(place, record).await?;
        self.bury(place, stored, others, trusted).await
    }

    async fn bury(
        &self,
        place: &KeyPlace,
        stored: Stored<KeyRecord>,
        others: Vec<Member>,
        trusted: Timestamp,
    ) -> Result<bool, KeyringError> {
        let now = self.sources().now();
        let access = system("key-deletion", place.region.clone(), now);
        let event =
            service_event(&access, "DeleteKey", &stored.value.metadata(place), json!({ "keyId": place.key_id }));
        let mut batch = self.rows().batch();
        batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
        remove_key(&mut batch, place, &stored.value);
        batch.delete(Table::Key, last_use_row(&place.arn()));
        let custom = stored.value.custom.clone().zip(stored.value.materials.last().map(|material| material.tag));
        if let Some((custom, _)) = &custom {
            self.leave_store(&mut batch, place, custom).await?;
        }
        for alias in &stored.value.aliases {
            batch.delete(Table::Alias, alias_row(&place.region, &place.account, alias));
        }
        self.delete_grants(&mut batch, place).await?;
        if stored.value.is_replica(place) {
            self.leave_set(&mut batch, place, others, trusted);
        } else {
            // Of a multi-Region key too: the primary key goes last, and its id with it.
            let tombstone = Tombstone { created_ms: stored.value.created_ms, destroyed_ms: now.0 };
            batch.put(place.tombstone_row(), &tombstone);
        }
        let gone = self.commit(batch, &event).await?.is_some();
        if let Some((custom, tag)) = custom.filter(|_| gone) {
            self.clear_store(place, &custom, tag).await;
        }
        Ok(gone)
    }

    /// Takes a replica that goes out of its set. When it was the last one, the waiting period of a primary key that is
    /// to be deleted begins.
    fn leave_set(&self, batch: &mut RowBatch<'_>, place: &KeyPlace, others: Vec<Member>, trusted: Timestamp) {
        let now = self.sources().now();
        for (other, stored) in others {
            let mut record = stored.value.clone();
            let Some(set) = &mut record.multi_region else { continue };
            set.replicas.retain(|region| region != place.region.as_str());
            let alone = set.replicas.is_empty();
            if let Some(days) = record.pending_window_days.filter(|_| alone) {
                record.begin_waiting(days, now, trusted);
            }
            batch.expect_unchanged(Table::Key, other.row(), &stored.stamp);
            put_key(batch, &other, Some(&stored.value), &record);
            let access = system("multi-region", other.region.clone(), now);
            let details = json!({ "keyId": other.key_id });
            self.audit()
                .append(batch, &service_event(&access, "SynchronizeMultiRegionKey", &record.metadata(&other), details));
        }
    }
}
