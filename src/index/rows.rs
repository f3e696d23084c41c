//! Sealed rows: what the program stores in the index, unreadable and unexchangeable at rest.

use std::sync::Arc;

use bytes::Bytes;

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Precondition, Table, Write};
use super::sealer::{Corrupt, RowSealer};

/// A typed row. The encoding is minicbor with numbered fields behind a version byte: fields may be added, never
/// renumbered.
pub trait Record: Sized + for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()> {
    /// The table it lies in.
    const TABLE: Table;
    /// The version byte written today; older ones, from 1, stay readable.
    const VERSION: u8 = 1;
}

/// Marks the version of a row that was read, for a precondition: the sealed bytes, which never repeat. The
/// default fits no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp(Bytes);

impl Stamp {
    /// Size of the sealed row in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A row and the version it was read at.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// The record.
    pub value: T,
    /// For [`RowBatch::expect_unchanged`].
    pub stamp: Stamp,
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

    /// The sealer, for rows that are no records ([`Table::Audit`]).
    pub fn sealer(&self) -> &Arc<RowSealer> {
        &self.sealer
    }

    /// Reads a record.
    pub async fn load<R: Record>(&self, key: &[u8]) -> Result<Option<Stored<R>>, IndexError> {
        match self.index.get(R::TABLE, key).await? {
            Some(sealed) => self.open_value(key, sealed).map(Some),
            None => Ok(None),
        }
    }

    /// The version of a row, without opening it; the default stamp where there is none.
    pub async fn version<R: Record>(&self, key: &[u8]) -> Result<Stamp, IndexError> {
        Ok(Stamp(self.index.get(R::TABLE, key).await?.unwrap_or_default()))
    }

    /// Reads at most `limit` records of a range, with their keys.
    pub async fn list<R: Record>(
        &self,
        range: &KeyRange,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Bytes, Stored<R>)>, IndexError> {
        let rows = self.index.scan(R::TABLE, range, limit, direction).await?;
        rows.into_iter().map(|(key, sealed)| Ok((key.clone(), self.open_value(&key, sealed)?))).collect()
    }

    /// Opens a value that was read through [`Self::engine`].
    pub fn open_value<R: Record>(&self, key: &[u8], sealed: Bytes) -> Result<Stored<R>, IndexError> {
        let plain = self.sealer.open_row(R::TABLE, key, &sealed)?;
        let value = decode(&plain)
            .map_err(|what| Corrupt(format!("row {} of table {}: {what}", key.escape_ascii(), R::TABLE.name())))?;
        Ok(Stored { value, stamp: Stamp(sealed) })
    }

    /// Starts a batch.
    pub fn batch(&self) -> RowBatch<'_> {
        RowBatch { sealer: &self.sealer, batch: Batch::default() }
    }

    /// Applies a batch made by [`Self::batch`].
    pub async fn commit(&self, batch: RowBatch<'_>) -> Result<(), CommitError> {
        self.sealer.renew_if_due(&*self.index).await?;
        self.index.commit(batch.batch).await
    }
}

/// Changes of sealed rows that are applied together. A key occurs at most once among the writes.
#[expect(missing_debug_implementations, reason = "borrows secrets")]
pub struct RowBatch<'a> {
    sealer: &'a RowSealer,
    batch: Batch,
}

impl RowBatch<'_> {
    /// Inserts or replaces a record.
    pub fn put<R: Record>(&mut self, key: Vec<u8>, record: &R) {
        self.put_stamped(key, record);
    }

    /// As [`Self::put`]; returns the version that the row will have.
    pub fn put_stamped<R: Record>(&mut self, key: Vec<u8>, record: &R) -> Stamp {
        let sealed = self.sealer.seal(R::TABLE, &key, &encode(record));
        self.put_sealed(R::TABLE, key, sealed.clone());
        Stamp(sealed)
    }

    /// Inserts bytes that are sealed already ([`Table::Inline`], [`Table::Meta`]). The index may keep the very buffer
    /// in memory for a while: not a small slice of a large one.
    pub fn put_sealed(&mut self, table: Table, key: Vec<u8>, sealed: Bytes) {
        self.batch.writes.push(Write::Put(table, key, sealed));
    }

    /// Removes a row.
    pub fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.batch.writes.push(Write::Delete(table, key));
    }

    /// The batch is refused unless this holds: for rows that are no records ([`Table::Meta`]).
    pub fn expect(&mut self, precondition: Precondition) {
        self.batch.preconditions.push(precondition);
    }

    /// The batch is refused if the row exists.
    pub fn expect_absent(&mut self, table: Table, key: Vec<u8>) {
        self.batch.preconditions.push(Precondition::Absent(table, key));
    }

    /// The batch is refused if the row has changed since it was read.
    pub fn expect_unchanged(&mut self, table: Table, key: Vec<u8>, stamp: &Stamp) {
        self.batch.preconditions.push(Precondition::Is(table, key, stamp.0.clone()));
    }

    /// Appends a record to this gateway's log.
    pub fn append(&mut self, record: Vec<u8>) {
        self.batch.appends.push(record);
    }
}

pub(super) fn encode<R: Record>(record: &R) -> Vec<u8> {
    let mut plain = vec![R::VERSION];
    minicbor::encode(record, &mut plain).expect("encoding into memory does not fail");
    plain
}

pub(super) fn decode<R: Record>(plain: &[u8]) -> Result<R, String> {
    let Some((&version, body)) = plain.split_first() else { return Err("it is empty".to_owned()) };
    if version == 0 || version > R::VERSION {
        return Err(format!("version {version} is not one of 1 to {}", R::VERSION));
    }
    let mut decoder = minicbor::Decoder::new(body);
    let record = decoder.decode().map_err(|error| error.to_string())?;
    if decoder.position() != body.len() {
        return Err("bytes are left over behind the record".to_owned());
    }
    Ok(record)
}

#[cfg(test)]
mod tests;
