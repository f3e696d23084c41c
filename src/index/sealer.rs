//! Row sealing: which epoch key seals, and that one is there before the last one has sealed too much.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Precondition, Table, Write};
use super::tuple::{Tuple, TupleReader};
use crate::crypto::{Context, RowKey, SecretKey, StoreKey, UnwrapError};
use crate::sources::Sources;

/// Rows that one epoch key seals at most. Nonces are random 96-bit numbers: at this count two are the same with a
/// chance of 2^-37 (design, section 3, "Box").
const EPOCH_SEALS_MAX: u64 = 1 << 30;
/// From this count on the next epoch is prepared: the other half of the epoch is the time that is left for it.
const EPOCH_SEALS_RENEW: u64 = 1 << 29;
/// Parts the epoch keys from what else the store key wraps.
const EPOCH_LABEL: &str = "strongroom index epoch v1";
/// Epochs read at once when an index is opened.
const EPOCH_PAGE: usize = 1_000;

/// A row does not open or decode. The store is damaged or was tampered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt(pub String);

impl From<Corrupt> for IndexError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt.0)
    }
}

/// Seals and opens rows under epoch keys, which lie in [`Table::Meta`] wrapped under the store key.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct RowSealer {
    store_key: StoreKey,
    sources: Sources,
    epochs: ArcSwap<Epochs>,
    /// Held by the one that makes the next epoch.
    renewal: Mutex<()>,
    renew_after: u64,
    seals_max: u64,
}

struct Epochs {
    current: Arc<RowKey>,
    /// Rows sealed under `current`.
    seals: AtomicU64,
    /// All of the store, with `current`; none is ever dropped.
    all: HashMap<u32, Arc<RowKey>>,
}

impl RowSealer {
    /// Loads the epochs of a store, which were wrapped under `store_key`, and starts a new one for this process: its
    /// count of seals starts at zero, whatever an earlier process did not get to note.
    pub async fn open(index: &dyn Index, store_key: &StoreKey, sources: &Sources) -> Result<Self, IndexError> {
        Self::open_with_limits(index, store_key, sources, EPOCH_SEALS_RENEW, EPOCH_SEALS_MAX).await
    }

    async fn open_with_limits(
        index: &dyn Index,
        store_key: &StoreKey,
        sources: &Sources,
        renew_after: u64,
        seals_max: u64,
    ) -> Result<Self, IndexError> {
        let wrap = Wrap { store_key, sources };
        let mut all = wrap.load_epochs(index).await?;
        let newest = all.keys().max().copied().unwrap_or(0);
        let current = Arc::new(wrap.make_epoch(index, newest).await?);
        all.insert(current.epoch(), Arc::clone(&current));
        Ok(Self {
            store_key: store_key.clone(),
            sources: sources.clone(),
            epochs: ArcSwap::from_pointee(Epochs { current, seals: AtomicU64::new(0), all }),
            renewal: Mutex::new(()),
            renew_after,
            seals_max,
        })
    }

    /// Seals a value for its row.
    pub fn seal(&self, table: Table, key: &[u8], plain: &[u8]) -> Bytes {
        let epochs = self.epochs.load();
        epochs.seals.fetch_add(1, Ordering::Relaxed);
        Bytes::from(epochs.current.seal(self.sources.random(), &row_aad(table, key), plain))
    }

    /// Opens a value of a row.
    pub fn open_row(&self, table: Table, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let row = || format!("row {} of table {}", key.escape_ascii(), table.name());
        let epoch = RowKey::epoch_of(sealed).ok_or_else(|| Corrupt(format!("{} is no sealed row", row())))?;
        let epochs = self.epochs.load();
        let row_key =
            epochs.all.get(&epoch).ok_or_else(|| Corrupt(format!("{} has the unknown epoch {epoch}", row())))?;
        row_key.open(&row_aad(table, key), sealed).map_err(|_| Corrupt(format!("{} does not open", row())))
    }

    /// The epoch that seals now.
    pub fn current_epoch(&self) -> u32 {
        self.epochs.load().current.epoch()
    }

    /// A key for one purpose, derived from the key of `epoch`; `None` if the store has no such epoch. It outlives
    /// restarts and rotations of the store key, as epochs do.
    pub fn derive(&self, epoch: u32, label: &[u8]) -> Option<SecretKey> {
        self.epochs.load().all.get(&epoch).map(|key| key.derive(label))
    }

    /// As [`Self::derive`], from the store's first epoch: always the same key.
    pub fn derive_constant(&self, label: &[u8]) -> SecretKey {
        let epochs = self.epochs.load();
        let first = epochs.all.values().min_by_key(|key| key.epoch()).unwrap_or(&epochs.current);
        first.derive(label)
    }

    /// Starts the next epoch if this one has sealed half of what it may. Called before every commit; costs one atomic
    /// read but for the one commit in 2^29 that makes the epoch, and never delays the others.
    ///
    /// An error only counts once the epoch is used up.
    pub(super) async fn renew_if_due(&self, index: &dyn Index) -> Result<(), IndexError> {
        if self.seals() < self.renew_after {
            return Ok(());
        }
        let renewed = match self.renewal.try_lock() {
            Ok(_guard) => self.renew(index).await,
            Err(_) if self.seals() < self.seals_max => return Ok(()),
            Err(_) => {
                let _guard = self.renewal.lock().await;
                self.renew(index).await
            }
        };
        if self.seals() < self.seals_max { Ok(()) } else { renewed }
    }

    /// Starts the next epoch now. After a rotation of the store key has begun: what was sealed so far is readable to
    /// who got hold of the old store key and of an old copy of the index, what is sealed from here on is not.
    pub async fn begin_epoch(&self, index: &dyn Index) -> Result<(), IndexError> {
        let _guard = self.renewal.lock().await;
        self.next_epoch(index).await
    }

    /// Wraps all epoch keys that an older generation of the store key has wrapped under the one that seals. Returns
    /// how many there were. An epoch key never changes, so the two Boxes of one are worth the same.
    pub async fn rewrap_epochs(&self, index: &dyn Index) -> Result<usize, CommitError> {
        let wrap = Wrap { store_key: &self.store_key, sources: &self.sources };
        let mut rewrapped = 0;
        let mut range = KeyRange::prefix(&epoch_prefix());
        loop {
            let page = index.scan(Table::Meta, &range, EPOCH_PAGE, Direction::Forward).await?;
            let Some((last, _)) = page.last() else { return Ok(rewrapped) };
            range.start = [last, [0].as_slice()].concat();
            let mut batch = Batch::default();
            for (key, sealed) in page {
                if let Some(again) = wrap.rewrap(&key, &sealed).map_err(IndexError::from)? {
                    batch.preconditions.push(Precondition::Is(Table::Meta, key.to_vec(), sealed));
                    batch.writes.push(Write::Put(Table::Meta, key.to_vec(), again));
                }
            }
            if !batch.writes.is_empty() {
                rewrapped += batch.writes.len();
                index.commit(batch).await?;
            }
        }
    }

    fn seals(&self) -> u64 {
        self.epochs.load().seals.load(Ordering::Relaxed)
    }

    async fn renew(&self, index: &dyn Index) -> Result<(), IndexError> {
        if self.seals() < self.renew_after {
            return Ok(()); // somebody else was faster
        }
        self.next_epoch(index).await
    }

    /// The caller holds [`Self::renewal`].
    async fn next_epoch(&self, index: &dyn Index) -> Result<(), IndexError> {
        let epochs = self.epochs.load_full();
        let wrap = Wrap { store_key: &self.store_key, sources: &self.sources };
        let current = Arc::new(wrap.make_epoch(index, epochs.current.epoch()).await?);
        let mut all = epochs.all.clone();
        all.insert(current.epoch(), Arc::clone(&current));
        self.epochs.store(Arc::new(Epochs { current, seals: AtomicU64::new(0), all }));
        Ok(())
    }
}

/// What epoch keys are wrapped under.
struct Wrap<'a> {
    store_key: &'a StoreKey,
    sources: &'a Sources,
}

impl Wrap<'_> {
    async fn load_epochs(&self, index: &dyn Index) -> Result<HashMap<u32, Arc<RowKey>>, IndexError> {
        let mut epochs = HashMap::new();
        let mut range = KeyRange::prefix(&epoch_prefix());
        loop {
            let page = index.scan(Table::Meta, &range, EPOCH_PAGE, Direction::Forward).await?;
            let Some((last, _)) = page.last() else { return Ok(epochs) };
            range.start = [last, [0].as_slice()].concat();
            for (key, sealed) in &page {
                let row_key = self.open_epoch(key, sealed)?;
                epochs.insert(row_key.epoch(), Arc::new(row_key));
            }
        }
    }

    fn open_epoch(&self, key: &[u8], sealed: &[u8]) -> Result<RowKey, Corrupt> {
        let epoch = epoch_of(key)?;
        let opened = self.store_key.unwrap(EPOCH_LABEL, &epoch_context(epoch), sealed);
        let opened = opened.map_err(|error| corrupt_epoch(key, error.text()))?;
        let secret =
            SecretKey::from_slice(opened.expose()).ok_or_else(|| corrupt_epoch(key, "is not 32 bytes long"))?;
        Ok(RowKey::new(epoch, &secret))
    }

    fn rewrap(&self, key: &[u8], sealed: &[u8]) -> Result<Option<Bytes>, Corrupt> {
        let context = epoch_context(epoch_of(key)?);
        let again = self.store_key.rewrap(EPOCH_LABEL, &context, sealed, self.sources);
        again.map(|again| again.map(Bytes::from)).map_err(|error: UnwrapError| corrupt_epoch(key, error.text()))
    }

    /// Makes an epoch later than `newest` and stores it; it is durable when this returns, before anything is sealed
    /// under it.
    async fn make_epoch(&self, index: &dyn Index, newest: u32) -> Result<RowKey, IndexError> {
        let secret = SecretKey::generate(self.sources);
        let mut epoch = newest;
        loop {
            epoch = epoch.checked_add(1).ok_or_else(|| IndexError::Engine("all epochs are used".to_owned()))?;
            let context = epoch_context(epoch);
            let sealed = Bytes::from(self.store_key.wrap(EPOCH_LABEL, &context, secret.expose(), self.sources));
            let key = epoch_key(epoch);
            let batch = Batch {
                preconditions: vec![Precondition::Absent(Table::Meta, key.clone())],
                writes: vec![Write::Put(Table::Meta, key, sealed)],
                appends: Vec::new(),
            };
            match index.commit(batch).await {
                Ok(()) => return Ok(RowKey::new(epoch, &secret)),
                // Another gateway on the same index took the number.
                Err(CommitError::Conflict) => {}
                Err(CommitError::Engine(error)) => return Err(error),
            }
        }
    }
}

/// What a sealed row is bound to: the table's number, then the key. No two rows share it.
fn row_aad(table: Table, key: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(1 + key.len());
    aad.push(table.number());
    aad.extend_from_slice(key);
    aad
}

fn epoch_prefix() -> Vec<u8> {
    Tuple::new().bytes(b"epoch").build()
}

fn epoch_key(epoch: u32) -> Vec<u8> {
    Tuple::new().bytes(b"epoch").u32(epoch).build()
}

fn read_epoch_key(key: &[u8]) -> Option<u32> {
    let mut reader = TupleReader::new(key);
    (reader.bytes()? == b"epoch").then_some(())?;
    reader.u32().filter(|_| reader.is_empty())
}

fn epoch_of(key: &[u8]) -> Result<u32, Corrupt> {
    read_epoch_key(key).ok_or_else(|| corrupt_epoch(key, "is no epoch"))
}

fn corrupt_epoch(key: &[u8], what: &str) -> Corrupt {
    Corrupt(format!("epoch key {}: {what}", key.escape_ascii()))
}

fn epoch_context(epoch: u32) -> Context {
    Context::new().with("epoch", epoch.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::conformance::runtime;
    use super::super::{Faults, MemoryIndex};
    use super::*;
    use crate::crypto::StoreKeyGeneration;
    use crate::sources::Timestamp;

    fn store_key(byte: u8, generation: u8) -> StoreKey {
        StoreKey::new(SecretKey::from_slice(&[byte; 32]).unwrap(), [generation; 16])
    }

    fn sources() -> Sources {
        Sources::seeded(1, Timestamp(0))
    }

    async fn open(index: &MemoryIndex, renew_after: u64, seals_max: u64) -> RowSealer {
        RowSealer::open_with_limits(index, &store_key(3, 4), &sources(), renew_after, seals_max).await.unwrap()
    }

    fn seal(sealer: &RowSealer) -> u32 {
        let sealed = sealer.seal(Table::Object, b"k", b"plain");
        assert_eq!(sealer.open_row(Table::Object, b"k", &sealed).unwrap(), b"plain");
        RowKey::epoch_of(&sealed).unwrap()
    }

    #[test]
    fn the_next_epoch_begins_when_half_of_one_is_used() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            let sealer = open(&index, 3, 6).await;
            let mut epochs = Vec::new();
            for _ in 0..8 {
                epochs.push(seal(&sealer));
                sealer.renew_if_due(&index).await.unwrap();
            }
            assert_eq!(epochs, [1, 1, 1, 2, 2, 2, 3, 3]);
        });
    }

    #[test]
    fn an_epoch_that_cannot_be_made_stops_commits_only_when_the_old_one_is_used_up() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            let sealer = open(&index, 1, 3).await;
            for (sealed, passes) in [(1, true), (2, true), (3, false), (4, false)] {
                assert_eq!(seal(&sealer), 1);
                index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
                assert_eq!(sealer.renew_if_due(&index).await.is_ok(), passes, "after {sealed}");
            }
            sealer.renew_if_due(&index).await.unwrap();
            assert_eq!(seal(&sealer), 2);
        });
    }

    #[test]
    fn of_many_committers_one_makes_the_epoch() {
        runtime().block_on(async {
            let index = Arc::new(MemoryIndex::default());
            let sealer = Arc::new(open(&index, 1, 2).await);
            for _ in 0..5 {
                seal(&sealer);
            }
            let tasks: Vec<_> = (0..50)
                .map(|_| {
                    let (index, sealer) = (Arc::clone(&index), Arc::clone(&sealer));
                    tokio::spawn(async move { sealer.renew_if_due(&*index).await })
                })
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
            assert_eq!(seal(&sealer), 2);
        });
    }

    #[test]
    fn an_epoch_number_that_another_gateway_took_is_skipped() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            let (one, other) = (open(&index, 1, 9).await, open(&index, 1, 9).await);
            assert_eq!((seal(&one), seal(&other)), (1, 2));
            one.renew_if_due(&index).await.unwrap();
            assert_eq!(seal(&one), 3);
        });
    }

    #[test]
    fn epochs_open_under_their_own_store_key_and_number_only() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            open(&index, 1, 2).await;
            for wrong in [store_key(5, 4), store_key(3, 9)] {
                let opened = RowSealer::open(&index, &wrong, &sources()).await;
                assert!(matches!(opened, Err(IndexError::Corrupt(_))));
            }

            let sealed = index.get(Table::Meta, &epoch_key(1)).await.unwrap().unwrap();
            let moved = Write::Put(Table::Meta, epoch_key(8), sealed);
            index.commit(Batch { writes: vec![moved], ..Batch::default() }).await.unwrap();
            let opened = RowSealer::open(&index, &store_key(3, 4), &sources()).await;
            assert!(matches!(opened, Err(IndexError::Corrupt(text)) if text.contains("does not open")));
        });
    }

    #[test]
    fn more_epochs_than_a_page_are_all_loaded() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            let (store_key, sources) = (store_key(3, 4), sources());
            let wrap = Wrap { store_key: &store_key, sources: &sources };
            let epochs = u32::try_from(EPOCH_PAGE).unwrap() + 5;
            for newest in 0..epochs {
                wrap.make_epoch(&index, newest).await.unwrap();
            }
            let sealer = open(&index, 1, 2).await;
            assert_eq!(sealer.epochs.load().all.len(), epochs as usize + 1);
            assert_eq!(seal(&sealer), epochs + 1);
        });
    }

    #[test]
    fn epochs_follow_the_store_key_to_its_next_generation() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            let (store_key, sources) = (store_key(3, 4), sources());
            let sealer = RowSealer::open(&index, &store_key, &sources).await.unwrap();
            let sealed = sealer.seal(Table::Object, b"k", b"plain");
            let derived = |sealer: &RowSealer| {
                let constant = *sealer.derive_constant(b"label").expose();
                (constant, sealer.derive(1, b"other").map(|key| *key.expose()))
            };
            let before = derived(&sealer);
            assert!(before.1.is_some_and(|other| other != before.0));
            store_key.advance(Arc::new(StoreKeyGeneration::generate(&sources)));
            assert_eq!(sealer.rewrap_epochs(&index).await, Ok(1));
            assert_eq!(sealer.rewrap_epochs(&index).await, Ok(0));
            store_key.retire_older();
            let reopened = RowSealer::open(&index, &store_key, &sources).await.unwrap();
            assert_eq!((reopened.current_epoch(), derived(&reopened)), (2, before));
            assert!(reopened.derive(3, b"other").is_none());
            assert_eq!(reopened.open_row(Table::Object, b"k", &sealed).unwrap(), b"plain");
        });
    }
}
