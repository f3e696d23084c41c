//! Rotation of the store key.
//!
//! 1. *Begin*: a new generation is sealed to every root, beside the old one. From that commit on it seals; both open.
//!    A new epoch begins under it, so that no row written from then on is under a key that the old one ever wrapped.
//! 2. *Re-wrap*: epoch keys, the material of KMS keys (imported and pending too) and the owned key go over, some rows a
//!    commit, each conditional on what was read. Whatever is cut off is found again, as what is still wrapped under the
//!    old generation.
//! 3. *Retire*: when nothing is left under the old generation the list is written without it.
//!
//! Every state between is a whole store. What a request has wrapped under the old generation just before step 1 may be
//! committed after step 2 has looked: so a process that began the rotation retires only [`RETIRE_AFTER`] later, after
//! one more look. A process that found the rotation under way has never sealed under the old generation and need not
//! wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::Mutex;

use super::RootError;
use super::change::{RootChange, StoredList, seal_generations};
use super::open::render_generations;
use super::record::{GenerationTag, RootList};
use crate::crypto::{StoreKey, StoreKeyGeneration, UnwrapError};
use crate::index::{CommitError, Direction, KeyRange, RowBatch, Table, TupleReader};
use crate::keyring::KeyRing;
use crate::keyring::ciphertext::rewrap_material;
use crate::keyring::custom_store::{KeyStoresRecord, SECRET_LABEL, STORES, secret_context};
use crate::keyring::record::{KeyRecord, MaterialRecord, OwnedRecord};

/// Time after its beginning at which a rotation may end in the process that began it: far more than any request takes
/// from wrapping to its commit.
const RETIRE_AFTER: Duration = Duration::from_secs(900);
/// Rows of keys read, and committed, at once.
const PAGE: usize = 100;
/// Rounds over all that is wrapped, after each of which something was left because it was being changed.
const ROUNDS_MAX: usize = 20;

/// What the process knows of a rotation.
#[derive(Debug, Default)]
pub struct StoreKeyRotation {
    /// One task at a time works on it. When this process began it, on the monotonic clock, in nanoseconds.
    begun: Mutex<Option<u64>>,
    /// Held where the list is read or written: between the commit of a list and the store key in memory following it,
    /// the list looks damaged.
    pub(super) list: Mutex<()>,
}

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationStep {
    /// There is none.
    None,
    /// Everything is under the new generation; the old one is kept until no request can still use it.
    Rewrapped,
    /// The old generation is gone.
    Retired,
}

impl KeyRing {
    /// Begins a rotation, or goes on with the one that is under way, up to the end of re-wrapping.
    pub async fn rotate_store_key(&self, by: RootChange) -> Result<RotationStep, RootError> {
        let mut begun = self.store_key_rotation().begun.lock().await;
        if self.store_key().generations().len() == 1 {
            self.begin_rotation(by).await?;
            *begun = Some(self.sources().monotonic_ns());
        }
        // Also when the rotation was under way: the call that began it may have failed here.
        self.rows().sealer().begin_epoch(&**self.rows().engine()).await?;
        self.rewrap_all().await?;
        Ok(RotationStep::Rewrapped)
    }

    /// Goes on with a rotation that is under way, and ends it as soon as that is safe. To be called every few minutes,
    /// and soon after a start.
    pub async fn continue_rotation(&self) -> Result<RotationStep, RootError> {
        let begun = self.store_key_rotation().begun.lock().await;
        if self.store_key().generations().len() == 1 {
            return Ok(RotationStep::None);
        }
        self.rewrap_all().await?;
        let now = self.sources().monotonic_ns();
        let waits = begun.is_some_and(|begun| Duration::from_nanos(now.saturating_sub(begun)) < RETIRE_AFTER);
        if waits { Ok(RotationStep::Rewrapped) } else { self.retire().await }
    }

    /// Ends a rotation at once. Only where nothing else uses the store: a command on a stopped server's data.
    pub async fn finish_rotation(&self) -> Result<RotationStep, RootError> {
        let mut begun = self.store_key_rotation().begun.lock().await;
        if self.store_key().generations().len() == 1 {
            return Ok(RotationStep::None);
        }
        *begun = None;
        self.rewrap_all().await?;
        self.retire().await
    }

    async fn begin_rotation(&self, by: RootChange) -> Result<(), RootError> {
        let _list = self.store_key_rotation().list.lock().await;
        let stored = self.root_list().await?;
        let next = Arc::new(StoreKeyGeneration::generate(self.sources()));
        // A handle of its own: the others must not seal under a generation that is not stored.
        let ahead = self.detached_store_key();
        ahead.advance(Arc::clone(&next));
        let list = self.resealed(&stored, &ahead)?;
        let event = self.root_event(
            "RotateStoreKey",
            json!({ "generation": super::hex(&next.generation()), "roots": list.roots.len(), "uid": by.uid }),
        )?;
        self.commit_roots_under(&ahead, stored.stored(), &list, &event).await?;
        self.store_key().advance(next);
        Ok(())
    }

    async fn retire(&self) -> Result<RotationStep, RootError> {
        let left = self.rewrap_round().await?;
        if left.rewrapped + left.conflicts > 0 {
            return Ok(RotationStep::Rewrapped);
        }
        let _list = self.store_key_rotation().list.lock().await;
        let stored = self.root_list().await?;
        let ahead = self.detached_store_key();
        ahead.retire_older();
        let list = self.resealed(&stored, &ahead)?;
        let event =
            self.root_event("RetireStoreKey", json!({ "generation": super::hex(&self.store_key().generation()) }))?;
        self.commit_roots_under(&ahead, stored.stored(), &list, &event).await?;
        self.store_key().retire_older();
        Ok(RotationStep::Retired)
    }

    /// The list with the generations of `store_key` sealed to every root.
    fn resealed(&self, stored: &StoredList, store_key: &StoreKey) -> Result<RootList, RootError> {
        let mut list = stored.list.clone();
        for root in &mut list.roots {
            root.sealed = seal_generations(root.id, &root.recipient, store_key, self.sources())?;
        }
        list.generations = store_key.generations().iter().map(|one| GenerationTag(one.generation())).collect();
        Ok(list)
    }

    fn detached_store_key(&self) -> StoreKey {
        super::open::parse_generations(&render_generations(self.store_key())).expect("what was just written reads back")
    }

    async fn rewrap_all(&self) -> Result<(), RootError> {
        for _ in 0..ROUNDS_MAX {
            let left = self.rewrap_round().await?;
            if left.conflicts == 0 {
                return Ok(());
            }
        }
        Err(RootError::Io("keys were changed faster than they could be wrapped anew: it is tried again".to_owned()))
    }

    /// One look at everything that the store key wraps.
    async fn rewrap_round(&self) -> Result<Round, RootError> {
        let mut round = Round::default();
        match self.rows().sealer().rewrap_epochs(&**self.rows().engine()).await {
            Ok(epochs) => round.rewrapped += epochs,
            Err(CommitError::Conflict) => round.conflicts += 1,
            Err(CommitError::Engine(error)) => return Err(error.into()),
        }
        let mut range = KeyRange::prefix(&[]);
        loop {
            let page = self.rows().engine().scan(Table::Key, &range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = page.last() else { return Ok(round) };
            range.start = [last, [0].as_slice()].concat();
            let mut batch = self.rows().batch();
            let mut changed = 0;
            for (row, sealed) in page {
                changed += usize::from(self.rewrap_row(&mut batch, &row, sealed)?);
            }
            if changed == 0 {
                continue;
            }
            match self.rows().commit(batch).await {
                Ok(()) => round.rewrapped += changed,
                Err(CommitError::Conflict) => round.conflicts += changed,
                Err(CommitError::Engine(error)) => return Err(error.into()),
            }
        }
    }

    /// Puts the row into the batch if an older generation wraps something in it.
    fn rewrap_row(&self, batch: &mut RowBatch<'_>, row: &[u8], sealed: Bytes) -> Result<bool, RootError> {
        match WrappedRow::of(row) {
            WrappedRow::Key(key_id) => {
                let mut stored = self.rows().open_value::<KeyRecord>(row, sealed)?;
                let changed = self.rewrap_materials(&key_id, stored.value.all_materials_mut())?;
                if changed {
                    // Not by way of `put_key`: what a key waits for does not change with what wraps its material.
                    batch.expect_unchanged(Table::Key, row.to_vec(), &stored.stamp);
                    batch.put(row.to_vec(), &stored.value);
                }
                Ok(changed)
            }
            WrappedRow::Owned(name) => {
                let mut stored = self.rows().open_value::<OwnedRecord>(row, sealed)?;
                let changed = self.rewrap_materials(&name, &mut stored.value.materials)?;
                if changed {
                    batch.expect_unchanged(Table::Key, row.to_vec(), &stored.stamp);
                    batch.put(row.to_vec(), &stored.value);
                }
                Ok(changed)
            }
            WrappedRow::KeyStores => {
                let mut stored = self.rows().open_value::<KeyStoresRecord>(row, sealed)?;
                let changed = self.rewrap_store_secrets(&mut stored.value)?;
                if changed {
                    batch.expect_unchanged(Table::Key, row.to_vec(), &stored.stamp);
                    batch.put(row.to_vec(), &stored.value);
                }
                Ok(changed)
            }
            WrappedRow::Nothing => Ok(false),
        }
    }

    fn rewrap_store_secrets(&self, stores: &mut KeyStoresRecord) -> Result<bool, RootError> {
        let mut changed = false;
        for store in &mut stores.stores {
            let context = secret_context(&store.id);
            let again = self.store_key().rewrap(SECRET_LABEL, &context, &store.wrapped_secret, self.sources());
            let damaged = |error: UnwrapError| {
                RootError::Damaged(format!("the secret of the key store {} {}", store.id, error.text()))
            };
            if let Some(again) = again.map_err(damaged)? {
                store.wrapped_secret = again;
                changed = true;
            }
        }
        Ok(changed)
    }

    fn rewrap_materials<'a>(
        &self,
        key_id: &str,
        materials: impl IntoIterator<Item = &'a mut MaterialRecord>,
    ) -> Result<bool, RootError> {
        let mut changed = false;
        for material in materials.into_iter().filter(|material| material.is_present()) {
            let again = rewrap_material(self.store_key(), key_id, &material.tag, &material.wrapped, self.sources());
            if let Some(again) = again.map_err(|error| RootError::Damaged(format!("{error:?}")))? {
                material.wrapped = again;
                changed = true;
            }
        }
        Ok(changed)
    }
}

#[derive(Debug, Default)]
struct Round {
    rewrapped: usize,
    conflicts: usize,
}

/// Which rows of [`Table::Key`] hold something that the store key wraps.
enum WrappedRow {
    Key(String),
    Owned(String),
    KeyStores,
    Nothing,
}

impl WrappedRow {
    fn of(row: &[u8]) -> Self {
        let mut reader = TupleReader::new(row);
        let fields: [Option<Vec<u8>>; 3] = std::array::from_fn(|_| reader.bytes());
        let [Some(first), Some(second), Some(third)] = fields else { return Self::Nothing };
        let name = String::from_utf8_lossy(&third).into_owned();
        // A Region is never empty: see `keyring/record.rs`.
        match (first.as_slice(), second.as_slice()) {
            (b"", b"owned") => Self::Owned(name),
            (b"", STORES) => Self::KeyStores,
            (b"", _) => Self::Nothing,
            _ => Self::Key(name),
        }
    }
}
