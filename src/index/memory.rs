//! An engine in memory that can lose what was not synced and fail on request: for tests and the simulation.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Sequencer, Table};
use super::group::Group;

/// What a [`MemoryIndex`] does wrong, and when. All off by default; `Some(1)` is the next commit. A fault happens once.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Fail the n-th commit from now without applying it.
    pub fail_commit_in: Option<u64>,
    /// Apply the n-th commit from now and then report an error for it. As with every engine, an outcome that is not
    /// known ends all commits until the index is opened again: see [`MemoryIndex::crash`].
    pub lose_answer_in: Option<u64>,
    /// Refuse the n-th commit from now as a full disk does.
    pub full_in: Option<u64>,
    /// So long every commit takes before it is done: no fault, but a slow disk.
    pub commit_delay: Duration,
    /// Before every read of a row others get their turn: no fault, but many clients.
    pub yield_reads: bool,
}

/// An index in memory.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "the sequencer may hold secrets")]
pub struct MemoryIndex {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tables: BTreeMap<Table, BTreeMap<Bytes, Bytes>>,
    log: Option<Box<dyn Sequencer>>,
    faults: Faults,
    /// Why there are no more commits.
    closed: Option<&'static str>,
}

impl MemoryIndex {
    /// An empty index whose log is sequenced by `sequencer`.
    pub fn new(sequencer: Box<dyn Sequencer>) -> Self {
        let index = Self::default();
        index.start(sequencer);
        index
    }

    /// Starts the log; batches with appends are refused before. As [`super::FjallIndex::start`].
    pub fn start(&self, sequencer: Box<dyn Sequencer>) {
        self.state().log = Some(sequencer);
    }

    /// Sets the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Ends this index as a crash would, and opens what was durable at that moment: all commits that were answered,
    /// and those whose answer was lost. The new index has no faults and no log yet. Commits that are still on their
    /// way to the old one fail.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut state = self.state();
        state.closed = Some("it has crashed");
        let tables = state.tables.clone();
        Self { state: Mutex::new(State { tables, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl State {
    fn read(&self, table: Table, key: &[u8]) -> Option<Bytes> {
        self.tables.get(&table)?.get(key).cloned()
    }

    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        if let Some(why) = self.closed {
            return Err(IndexError::Engine(format!("no more commits: {why}")).into());
        }
        let fail = due(&mut self.faults.fail_commit_in);
        let lose_answer = due(&mut self.faults.lose_answer_in);
        if due(&mut self.faults.full_in) {
            return Err(IndexError::Full("a fault set by the test".to_owned()).into());
        }

        let mut group = Group::default();
        let mut log = self.log.take();
        group.stage(batch, |table, key| Ok(self.read(table, key)), log.as_deref_mut());
        self.log = log;

        let mut outcome = Ok(());
        if fail {
            outcome = Err(IndexError::Engine("a fault set by the test: not applied".to_owned()));
        } else {
            for (table, key, value) in group.take_writes() {
                let rows = self.tables.entry(table).or_default();
                match value {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(&key),
                };
            }
        }
        if lose_answer {
            outcome = Err(IndexError::Engine("a fault set by the test: the answer was lost".to_owned()));
            self.closed = Some("the outcome of an earlier one is not known");
        }
        if let (true, Some(log)) = (group.appended(), &mut self.log) {
            log.settle(outcome.is_ok());
        }
        group.answers(outcome).next().expect("one batch was staged")
    }
}

/// Counts down to a fault.
fn due(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0 | 1) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

impl Index for MemoryIndex {
    fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>> {
        Box::pin(async move {
            let yields = self.state().faults.yield_reads;
            if yields {
                tokio::task::yield_now().await;
            }
            Ok(self.state().read(table, key))
        })
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        range: &'a KeyRange,
        limit: usize,
        direction: Direction,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>> {
        Box::pin(async move {
            let state = self.state();
            let Some(rows) = state.tables.get(&table).filter(|_| !range.is_empty()) else { return Ok(Vec::new()) };
            let end = range.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let rows = rows.range::<[u8], _>((Bound::Included(range.start.as_slice()), end));
            let row = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
            Ok(match direction {
                Direction::Forward => rows.take(limit).map(row).collect(),
                Direction::Backward => rows.rev().take(limit).map(row).collect(),
            })
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            // Others get their turn between the decision to commit and the commit, as with a real engine.
            tokio::task::yield_now().await;
            let delay = self.state().faults.commit_delay;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            self.state().commit(batch)
        })
    }

    fn failure(&self) -> Option<String> {
        self.state().closed.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::conformance::{CountingLog, Subject, conformance_tests, put, runtime};
    use super::{Batch, CommitError, Faults, Index, IndexError, MemoryIndex, Sequencer, Table};

    impl Subject for Arc<MemoryIndex> {
        type Engine = MemoryIndex;

        fn create() -> Self {
            Self::default()
        }

        fn index(&self) -> Self {
            Self::clone(self)
        }

        fn start(&self, log: Box<dyn Sequencer>) {
            MemoryIndex::start(self, log);
        }

        fn reopen(self) -> Self {
            Self::new(self.crash())
        }
    }

    conformance_tests!(Arc<MemoryIndex>);

    fn appending() -> Batch {
        Batch { appends: vec![b"record".to_vec()], ..put(Table::Object, b"k", b"v") }
    }

    #[test]
    fn a_failed_commit_changes_nothing_and_gives_its_number_back() {
        runtime().block_on(async {
            let log = CountingLog::default();
            let index = MemoryIndex::new(Box::new(log.clone()));
            index.set_faults(Faults { fail_commit_in: Some(2), ..Faults::default() });
            index.commit(appending()).await.unwrap();
            assert!(matches!(index.commit(appending()).await, Err(CommitError::Engine(IndexError::Engine(_)))));
            assert_eq!(log.last(), 1);
            index.commit(appending()).await.unwrap();
            assert_eq!(log.last(), 2);
        });
    }

    #[test]
    fn a_lost_answer_ends_all_commits_until_the_index_is_opened_again() {
        runtime().block_on(async {
            let index = MemoryIndex::new(Box::new(CountingLog::default()));
            index.set_faults(Faults { lose_answer_in: Some(1), ..Faults::default() });
            assert_eq!(index.failure(), None);
            assert!(matches!(index.commit(appending()).await, Err(CommitError::Engine(IndexError::Engine(_)))));
            assert!(matches!(
                index.commit(put(Table::Object, b"l", b"v")).await,
                Err(CommitError::Engine(IndexError::Engine(_)))
            ));

            assert!(index.failure().is_some());
            let reopened = index.crash();
            assert_eq!(reopened.failure(), None);
            assert_eq!(reopened.get(Table::Object, b"k").await.unwrap().as_deref(), Some(b"v".as_slice()));
            assert_eq!(reopened.get(Table::Object, b"l").await.unwrap(), None);
            reopened.commit(put(Table::Object, b"l", b"v")).await.unwrap();
            assert!(index.commit(put(Table::Object, b"m", b"v")).await.is_err(), "the crashed index is dead");
        });
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        runtime().block_on(async {
            let index = MemoryIndex::default();
            index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
            assert!(matches!(
                index.commit(put(Table::Object, b"k", b"v")).await,
                Err(CommitError::Engine(IndexError::Full(_)))
            ));
            assert_eq!(index.get(Table::Object, b"k").await.unwrap(), None);
            index.commit(put(Table::Object, b"k", b"v")).await.unwrap();
        });
    }
}
