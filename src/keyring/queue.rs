//! What keys wait for: queues in the order of time, so that a worker reads only what is due.
//!
//! An entry says where to look, the key's own record decides. Every write of a key's row goes through [`put_key`] or
//! [`remove_key`], which keep the entries to what [`waits_for`] derives from the record: in the same commit, so there
//! is no crash after which a key waits for something without standing in its queue.

use std::collections::BTreeSet;

use super::record::{DueRecord, INTERNAL, KeyPlace, KeyRecord, MaterialRecord};
use super::service::KeyRing;
use super::{KeyState, KeyringError};
use crate::index::{Direction, KeyRange, RowBatch, Table, Tuple};
use crate::names::{AccountId, Region};
use crate::sources::Timestamp;

/// Keys looked at in one read of a queue.
const PAGE: usize = 100;

/// What a key can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Its end.
    Deletion,
    /// New material.
    Rotation,
    /// The end of imported material.
    Expiry,
}

impl Due {
    /// The queue's name in the index. Frozen.
    fn name(self) -> &'static [u8] {
        match self {
            Self::Deletion => b"due",
            Self::Rotation => b"rotation",
            Self::Expiry => b"expiry",
        }
    }

    fn start(self) -> Tuple {
        Tuple::new().bytes(INTERNAL).bytes(self.name())
    }

    /// The row of a key's entry.
    pub(super) fn row(self, at: Timestamp, place: &KeyPlace) -> Vec<u8> {
        let row = self.start().u64(order(at)).bytes(place.key_id.as_bytes());
        // The id says it all, but for multi-Region keys, which share theirs.
        if place.key_id.starts_with("mrk-") { row.bytes(place.region.as_str().as_bytes()).build() } else { row.build() }
    }
}

/// A time as it stands in the queues' keys.
fn order(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0)
}

/// What a key waits for, by the wall clock.
fn waits_for(place: &KeyPlace, record: &KeyRecord) -> BTreeSet<(Due, i64)> {
    let deletion = record.deletion_ms.filter(|_| record.state == KeyState::PendingDeletion);
    // A disabled key does not rotate; when it is enabled again it does at once if that is overdue.
    let rotates = record.state == KeyState::Enabled && !record.is_replica(place);
    let rotation = record.rotation.filter(|_| rotates).map(|rotation| rotation.next_ms);
    let expiry = record.all_materials().filter_map(MaterialRecord::valid_to).min().map(|at| at.0);
    let waits = [(Due::Deletion, deletion), (Due::Rotation, rotation), (Due::Expiry, expiry)];
    waits.into_iter().filter_map(|(due, at)| Some((due, at?))).collect()
}

/// Puts a key's row and its queue entries. `before`: the record as it was read; none for a new key. The precondition
/// on the row is the caller's.
pub(super) fn put_key(batch: &mut RowBatch<'_>, place: &KeyPlace, before: Option<&KeyRecord>, after: &KeyRecord) {
    let old = before.map(|record| waits_for(place, record)).unwrap_or_default();
    let new = waits_for(place, after);
    for (due, at) in old.difference(&new) {
        batch.delete(Table::Key, due.row(Timestamp(*at), place));
    }
    let (region, account) = (place.region.as_str().to_owned(), place.account.as_str().to_owned());
    let entry = DueRecord { region, account, key_id: place.key_id.clone() };
    for (due, at) in new.difference(&old) {
        batch.put(due.row(Timestamp(*at), place), &entry);
    }
    batch.put(place.row(), after);
}

/// Removes a key's row and its queue entries.
pub(super) fn remove_key(batch: &mut RowBatch<'_>, place: &KeyPlace, record: &KeyRecord) {
    for (due, at) in waits_for(place, record) {
        batch.delete(Table::Key, due.row(Timestamp(at), place));
    }
    batch.delete(Table::Key, place.row());
}

impl KeyRing {
    /// Does what is due by the wall clock; what has to wait for the trusted clock too stays in the queue. Returns to
    /// how many keys something was done. A key that fails is left for the next
    /// pass and holds up no other; what failed first is the answer.
    pub(super) async fn work_off(&self, due: Due) -> Result<usize, KeyringError> {
        let now = self.sources().now();
        let mut range =
            KeyRange { start: due.start().build(), end: Some(due.start().u64(order(now).saturating_add(1)).build()) };
        let (mut done, mut failed) = (0, None);
        loop {
            let entries = self.rows().list::<DueRecord>(&range, PAGE, Direction::Forward).await?;
            for (row, entry) in &entries {
                match self.work_off_one(row, due, &entry.value).await {
                    Ok(acted) => done += usize::from(acted),
                    Err(error) => _ = failed.get_or_insert(error),
                }
            }
            match entries.last() {
                Some((last, _)) if entries.len() == PAGE => range.start = super::manage::after(last.to_vec()),
                Some(_) | None => return failed.map_or(Ok(done), Err),
            }
        }
    }

    async fn work_off_one(&self, row: &[u8], due: Due, entry: &DueRecord) -> Result<bool, KeyringError> {
        let place = place_of(entry)?;
        let acted = match due {
            Due::Deletion => self.destroy_if_due(&place).await?,
            Due::Rotation => self.rotate_if_due(&place).await?,
            Due::Expiry => self.expire_if_due(&place).await?,
        };
        if !acted {
            self.drop_stale(row, due, &place).await?;
        }
        Ok(acted)
    }

    /// Removes an entry whose key waits for nothing there: versions before [`put_key`] left such.
    async fn drop_stale(&self, row: &[u8], due: Due, place: &KeyPlace) -> Result<(), KeyringError> {
        let stored = self.rows().load::<KeyRecord>(&place.row()).await?;
        let waits = stored.as_ref().map(|key| waits_for(place, &key.value)).unwrap_or_default();
        if waits.iter().any(|(kind, at)| *kind == due && due.row(Timestamp(*at), place) == row) {
            return Ok(());
        }
        let mut batch = self.rows().batch();
        match &stored {
            Some(key) => batch.expect_unchanged(Table::Key, place.row(), &key.stamp),
            None => batch.expect_absent(Table::Key, place.row()),
        }
        batch.delete(Table::Key, row.to_vec());
        match self.rows().commit(batch).await {
            Ok(()) | Err(crate::index::CommitError::Conflict) => Ok(()),
            Err(crate::index::CommitError::Engine(error)) => Err(error.into()),
        }
    }
}

fn place_of(entry: &DueRecord) -> Result<KeyPlace, KeyringError> {
    match (Region::parse(&entry.region), AccountId::parse(&entry.account)) {
        (Ok(region), Ok(account)) => Ok(KeyPlace::new(&region, &account, &entry.key_id)),
        _ => Err(KeyringError::Internal(format!("the queue entry of key {} is malformed", entry.key_id))),
    }
}
