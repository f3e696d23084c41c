//! Sealed rows: what the program stores in the index, unreadable and unexchangeable at rest.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Table};
use crate::sources::Sources;

/// A typed row. The encoding is minicbor with numbered fields behind a version byte: fields may be added, never
/// renumbered.
pub trait Record: Sized + for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()> {
    /// The table it lies in.
    const TABLE: Table;
    /// The version byte written today; older ones stay readable.
    const VERSION: u8 = 1;
}

/// Marks the version of a row that was read, for a precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Bytes);

/// A row and the version it was read at.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// The record.
    pub value: T,
    /// For [`RowBatch::expect_unchanged`].
    pub stamp: Stamp,
}

/// A row does not open or decode. The store is damaged or was tampered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt(pub String);

/// Seals and opens rows under epoch keys, which lie in [`Table::Meta`] wrapped under the store key.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct RowSealer {}

impl RowSealer {
    /// Loads the epochs of a store and starts a new one for this process.
    pub async fn open(
        index: &dyn Index,
        store_key: &crate::crypto::SecretKey,
        sources: &Sources,
    ) -> Result<Self, IndexError> {
        let _ = (index, store_key, sources);
        unimplemented!()
    }

    /// Seals a value for its row.
    pub fn seal(&self, table: Table, key: &[u8], plain: &[u8]) -> Bytes {
        let _ = (table, key, plain);
        unimplemented!()
    }

    /// Opens a value of a row.
    pub fn open_row(&self, table: Table, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let _ = (table, key, sealed);
        unimplemented!()
    }
}

/// The index as the rest of the program sees it: typed, sealed rows.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Rows {
    index: Arc<dyn Index>,
    sealer: Arc<RowSealer>,
}

impl Rows {
    /// Puts the sealer over the engine.
    pub fn new(index: Arc<dyn Index>, sealer: Arc<RowSealer>) -> Self {
        Self { index, sealer }
    }

    /// The engine below, for tables whose values are not sealed rows.
    pub fn engine(&self) -> &Arc<dyn Index> {
        &self.index
    }

    /// Reads a record.
    pub async fn load<R: Record>(&self, key: &[u8]) -> Result<Option<Stored<R>>, IndexError> {
        let _ = key;
        unimplemented!()
    }

    /// Reads at most `limit` records of a range, with their keys.
    pub async fn list<R: Record>(
        &self,
        range: &KeyRange,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Bytes, Stored<R>)>, IndexError> {
        let _ = (range, limit, direction);
        unimplemented!()
    }

    /// Starts a batch.
    pub fn batch(&self) -> RowBatch<'_> {
        RowBatch { sealer: &self.sealer, batch: Batch::default(), marker: PhantomData }
    }

    /// Applies a batch made by [`Self::batch`].
    pub async fn commit(&self, batch: RowBatch<'_>) -> Result<(), CommitError> {
        self.index.commit(batch.batch).await
    }
}

/// Changes of sealed rows that are applied together.
#[expect(missing_debug_implementations, reason = "borrows secrets")]
pub struct RowBatch<'a> {
    sealer: &'a RowSealer,
    batch: Batch,
    marker: PhantomData<()>,
}

impl RowBatch<'_> {
    /// Inserts or replaces a record.
    pub fn put<R: Record>(&mut self, key: Vec<u8>, record: &R) {
        let _ = (&self.sealer, &self.batch, key, record, self.marker);
        unimplemented!()
    }

    /// Inserts bytes that are sealed already ([`Table::Inline`], [`Table::Meta`]).
    pub fn put_sealed(&mut self, table: Table, key: Vec<u8>, sealed: Bytes) {
        let _ = (table, key, sealed);
        unimplemented!()
    }

    /// Removes a row.
    pub fn delete(&mut self, table: Table, key: Vec<u8>) {
        let _ = (table, key);
        unimplemented!()
    }

    /// The batch is refused if the row exists.
    pub fn expect_absent(&mut self, table: Table, key: Vec<u8>) {
        let _ = (table, key);
        unimplemented!()
    }

    /// The batch is refused if the row has changed since it was read.
    pub fn expect_unchanged(&mut self, table: Table, key: Vec<u8>, stamp: &Stamp) {
        let _ = (table, key, stamp);
        unimplemented!()
    }

    /// Appends a record to this gateway's log.
    pub fn append(&mut self, record: Vec<u8>) {
        let _ = record;
        unimplemented!()
    }
}
