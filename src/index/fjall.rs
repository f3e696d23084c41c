//! The embedded engine: fjall, with a group commit of our own (fjall holds its journal lock across the sync).

use std::path::Path;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Sequencer, Table};

/// An index in a directory.
#[derive(Debug)]
pub struct FjallIndex {}

impl FjallIndex {
    /// Opens or creates the index in `path`. The committing thread starts with the first [`Index::commit`] that
    /// follows [`FjallIndex::start`].
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let _ = path;
        unimplemented!()
    }

    /// Starts the committing thread with the sequencer of this gateway's log.
    pub fn start(&self, sequencer: Box<dyn Sequencer>) {
        let _ = sequencer;
        unimplemented!()
    }
}

impl Index for FjallIndex {
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
