//! An engine in memory that can lose what was not synced and fail on request: for tests and the simulation.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Sequencer, Table};

/// What a [`MemoryIndex`] does wrong, and when. All off by default.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Fail the n-th commit from now without applying it.
    pub fail_commit_in: Option<u64>,
    /// Apply the n-th commit from now and then report an error for it.
    pub lose_answer_in: Option<u64>,
}

/// An index in memory.
#[derive(Debug, Default)]
pub struct MemoryIndex {}

impl MemoryIndex {
    /// An empty index whose log is sequenced by `sequencer`.
    pub fn new(sequencer: Box<dyn Sequencer>) -> Self {
        let _ = sequencer;
        unimplemented!()
    }

    /// Sets the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        let _ = faults;
        unimplemented!()
    }
}

impl Index for MemoryIndex {
    fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>> {
        let _ = (table, key);
        unimplemented!()
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        range: &'a KeyRange,
        limit: usize,
        direction: Direction,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>> {
        let _ = (table, range, limit, direction);
        unimplemented!()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>> {
        let _ = batch;
        unimplemented!()
    }
}
