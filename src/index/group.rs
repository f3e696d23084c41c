//! The pure part of a commit: which of a group of batches apply, and what they write together.
//!
//! Batches are taken in order, each against the engine's state plus the writes of those before it. The group then
//! reaches the engine as one write with one sync.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::engine::{Batch, CommitError, IndexError, Precondition, Sequencer, Table, Write};

/// The last write of each key; `None` removes it.
type Writes = BTreeMap<Table, HashMap<Bytes, Option<Bytes>>>;

/// What a group of batches comes to.
#[derive(Debug, Default)]
pub(super) struct Group {
    writes: Writes,
    verdicts: Vec<Result<(), CommitError>>,
    appended: bool,
}

impl Group {
    /// Decides about the next batch: checks its preconditions with `read` below the writes staged so far, gives its
    /// records their rows, and stages what it writes. Only a batch that applies takes sequence numbers.
    pub(super) fn stage(
        &mut self,
        batch: Batch,
        read: impl Fn(Table, &[u8]) -> Result<Option<Bytes>, IndexError>,
        log: Option<&mut (dyn Sequencer + 'static)>,
    ) {
        let verdict = self.check(&batch, read).and_then(|()| self.admit(batch, log));
        self.verdicts.push(verdict);
    }

    /// Refuses the next batch without looking at it.
    pub(super) fn refuse(&mut self, error: IndexError) {
        self.verdicts.push(Err(CommitError::Engine(error)));
    }

    fn check(
        &self,
        batch: &Batch,
        read: impl Fn(Table, &[u8]) -> Result<Option<Bytes>, IndexError>,
    ) -> Result<(), CommitError> {
        for precondition in &batch.preconditions {
            let (Precondition::Absent(table, key) | Precondition::Is(table, key, _)) = precondition;
            let found = match self.writes.get(table).and_then(|rows| rows.get(key.as_slice())) {
                Some(staged) => staged.clone(),
                None => read(*table, key)?,
            };
            let holds = match precondition {
                Precondition::Absent(..) => found.is_none(),
                Precondition::Is(_, _, value) => found.as_ref() == Some(value),
            };
            if !holds {
                return Err(CommitError::Conflict);
            }
        }
        Ok(())
    }

    fn admit(&mut self, batch: Batch, log: Option<&mut (dyn Sequencer + 'static)>) -> Result<(), CommitError> {
        match log {
            Some(log) => {
                for record in &batch.appends {
                    let (table, key, value) = log.next(record);
                    self.write(table, key, Some(value));
                    self.appended = true;
                }
            }
            None if batch.appends.is_empty() => {}
            None => {
                return Err(CommitError::Engine(IndexError::Engine("the log was not started".to_owned())));
            }
        }
        for write in batch.writes {
            match write {
                Write::Put(table, key, value) => self.write(table, key, Some(value)),
                Write::Delete(table, key) => self.write(table, key, None),
            }
        }
        Ok(())
    }

    fn write(&mut self, table: Table, key: Vec<u8>, value: Option<Bytes>) {
        self.writes.entry(table).or_default().insert(Bytes::from(key), value);
    }

    /// Whether the sequencer handed out rows and waits for [`Sequencer::settle`].
    pub(super) fn appended(&self) -> bool {
        self.appended
    }

    /// Takes out what to write: each key once, with its last value.
    pub(super) fn take_writes(&mut self) -> impl Iterator<Item = (Table, Bytes, Option<Bytes>)> + use<> {
        std::mem::take(&mut self.writes)
            .into_iter()
            .flat_map(|(table, rows)| rows.into_iter().map(move |(key, value)| (table, key, value)))
    }

    /// The answer to each batch, in order, once the engine has answered for the whole group.
    pub(super) fn answers(self, engine: Result<(), IndexError>) -> impl Iterator<Item = Result<(), CommitError>> {
        self.verdicts.into_iter().map(move |verdict| verdict.and_then(|()| engine.clone().map_err(CommitError::Engine)))
    }
}

/// About how many bytes of memory a batch holds.
pub(super) fn batch_bytes(batch: &Batch) -> usize {
    let writes = batch.writes.iter().map(|write| match write {
        Write::Put(_, key, value) => key.len() + value.len(),
        Write::Delete(_, key) => key.len(),
    });
    let preconditions = batch.preconditions.iter().map(|precondition| match precondition {
        Precondition::Absent(_, key) => key.len(),
        Precondition::Is(_, key, value) => key.len() + value.len(),
    });
    writes.chain(preconditions).chain(batch.appends.iter().map(Vec::len)).sum()
}
