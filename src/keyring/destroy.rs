//! The end of keys whose waiting period is over.

use serde_json::json;

use super::call::service_event;
use super::record::{DueRecord, KeyPlace, KeyRecord, Tombstone, alias_row, due_order, due_tuple};
use super::service::KeyRing;
use super::{KeyState, KeyringError};
use crate::auth::system;
use crate::index::{Direction, KeyRange, Stored, Table};
use crate::names::{AccountId, Region};

/// Keys looked at in one read of the queue.
const PAGE: usize = 100;

impl KeyRing {
    /// Destroys the material of all keys whose time is up, with their aliases, and drops cached material that is too
    /// old. To be called every few minutes. A key is gone in one commit, together with its `DeleteKey` record; what
    /// remains is its id, so that it is never used again. Returns how many went.
    pub async fn destroy_due_keys(&self) -> Result<usize, KeyringError> {
        let now = self.sources().now();
        self.materials().drop_expired(now);
        self.owned_cache().drop_expired(now);
        let range = KeyRange {
            start: due_tuple().build(),
            end: Some(due_tuple().u64(due_order(now).saturating_add(1)).build()),
        };
        let mut destroyed = 0;
        loop {
            let due = self.rows().list::<DueRecord>(&range, PAGE, Direction::Forward).await?;
            let whole_page = due.len() == PAGE;
            let mut gone = 0;
            for (row, entry) in due {
                gone += usize::from(self.destroy(&row, &entry.value).await?);
            }
            destroyed += gone;
            // Entries that another gateway changed under us stay for the next call.
            if !whole_page || gone == 0 {
                return Ok(destroyed);
            }
        }
    }

    /// Whether the key was destroyed by this call.
    async fn destroy(&self, due_row: &[u8], due: &DueRecord) -> Result<bool, KeyringError> {
        let malformed = |_| KeyringError::Internal(format!("the deletion entry of key {} is malformed", due.key_id));
        let region = Region::parse(&due.region).map_err(|_| malformed(()))?;
        let account = AccountId::parse(&due.account).map_err(|_| malformed(()))?;
        let place = KeyPlace::new(&region, &account, &due.key_id);
        let Some(stored) = self.rows().load::<KeyRecord>(&place.row()).await? else {
            return Ok(false);
        };
        // The queue only says where to look; the key's own record decides.
        let is_due = stored.value.state == KeyState::PendingDeletion
            && stored.value.deletion_ms.is_some_and(|at| at <= self.sources().now().0);
        if !is_due {
            return Ok(false);
        }
        self.materials().forget(&place.key_id);
        self.bury(due_row, &place, stored).await
    }

    async fn bury(&self, due_row: &[u8], place: &KeyPlace, stored: Stored<KeyRecord>) -> Result<bool, KeyringError> {
        let now = self.sources().now();
        let access = system("key-deletion", place.region.clone(), now);
        let event =
            service_event(&access, "DeleteKey", &stored.value.metadata(place), json!({ "keyId": place.key_id }));
        let mut batch = self.rows().batch();
        batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
        batch.delete(Table::Key, place.row());
        batch.delete(Table::Key, due_row.to_vec());
        for alias in &stored.value.aliases {
            batch.delete(Table::Alias, alias_row(&place.region, &place.account, alias));
        }
        let tombstone = Tombstone { created_ms: stored.value.created_ms, destroyed_ms: now.0 };
        batch.put(place.tombstone_row(), &tombstone);
        Ok(self.commit(batch, &event).await?.is_some())
    }
}
