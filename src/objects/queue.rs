//! Queues of what is to be done because of a change: an entry is committed with the change that it follows from, so
//! that neither is there without the other, and it goes when it was done: at least once, in the order of time.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::record::Id;
use super::{Objects, ObjectsError};
use crate::index::{CommitError, Direction, KeyRange, Record, RowBatch, Stamp, Table, Tuple, TupleReader};
use crate::sources::Timestamp;

/// The queues. The number is part of the stored format: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Queue {
    /// Event notifications to be delivered.
    Notifications = 1,
    /// Versions to be replicated.
    Replication = 2,
}

/// An entry as it is stored.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct QueueRecord {
    /// What is to be done, as the queue's own type.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) task: Vec<u8>,
    /// How often it has failed.
    #[n(1)]
    pub(super) failures: u32,
}

impl Record for QueueRecord {
    const TABLE: Table = Table::Queue;
}

/// `(queue, due, id)`
pub(super) fn queue_row(queue: Queue, due: Timestamp, id: &Id) -> Vec<u8> {
    Tuple::new().id(&[queue as u8]).u64(u64::try_from(due.0).unwrap_or(0)).id(id).build()
}

/// An entry that is due.
#[derive(Debug, Clone)]
pub struct Queued<T> {
    /// What is to be done.
    pub task: T,
    /// How often it has failed.
    pub failures: u32,
    row: Vec<u8>,
    record: QueueRecord,
    stamp: Stamp,
}

impl Objects {
    /// Puts an entry into a batch, due at once.
    pub fn enqueue<T: Encode<()>>(&self, batch: &mut RowBatch<'_>, queue: Queue, task: &T) {
        let task = minicbor::to_vec(task).expect("encoding into memory does not fail");
        let id: Id = self.sources.random();
        batch.put(queue_row(queue, self.sources.now(), &id), &QueueRecord { task, failures: 0 });
    }

    /// At most `limit` entries that are due, the oldest first.
    pub async fn due<T: for<'b> Decode<'b, ()>>(
        &self,
        queue: Queue,
        limit: usize,
    ) -> Result<Vec<Queued<T>>, ObjectsError> {
        let mut range = KeyRange::prefix(&Tuple::new().id(&[queue as u8]).build());
        range.end = Some(queue_row(queue, self.sources.now().plus(Duration::from_millis(1)), &[0; 16]));
        let rows = self.rows.list::<QueueRecord>(&range, limit, Direction::Forward).await?;
        let entries = rows.into_iter().map(|(row, stored)| {
            let record = stored.value;
            let task = minicbor::decode(&record.task)
                .map_err(|error| ObjectsError::Internal(format!("an entry of queue {queue:?} is damaged: {error}")))?;
            Ok(Queued { task, failures: record.failures, row: row.to_vec(), record, stamp: stored.stamp })
        });
        entries.collect()
    }

    /// When the next entry of a queue is due; none if it is empty.
    pub async fn next_due(&self, queue: Queue) -> Result<Option<Timestamp>, ObjectsError> {
        let range = KeyRange::prefix(&Tuple::new().id(&[queue as u8]).build());
        let rows = self.rows.engine().scan(Table::Queue, &range, 1, Direction::Forward).await?;
        let due = rows.first().and_then(|(row, _)| {
            let mut reader = TupleReader::new(row);
            reader.id::<1>()?;
            i64::try_from(reader.u64()?).ok().map(Timestamp)
        });
        Ok(due)
    }

    /// An entry was done: it goes. `besides` adds to the commit. `false` if somebody else has changed the entry, and
    /// nothing was committed.
    pub async fn done<T>(
        &self,
        entry: &Queued<T>,
        besides: impl FnOnce(&mut RowBatch<'_>) + Send,
    ) -> Result<bool, ObjectsError> {
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Queue, entry.row.clone(), &entry.stamp);
        batch.delete(Table::Queue, entry.row.clone());
        besides(&mut batch);
        match self.rows.commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// An entry could not be done: it is due again at `due`.
    pub async fn retry<T>(&self, entry: &Queued<T>, due: Timestamp) -> Result<(), ObjectsError> {
        let mut reader = TupleReader::new(&entry.row);
        let (queue, _, id) = (reader.id::<1>(), reader.u64(), reader.id::<16>());
        let (Some([queue]), Some(id)) = (queue, id) else {
            return Err(ObjectsError::Internal("the row of a queue's entry is malformed".to_owned()));
        };
        let later = Tuple::new().id(&[queue]).u64(u64::try_from(due.0).unwrap_or(0)).id(&id).build();
        let record = QueueRecord { failures: entry.failures.saturating_add(1), ..entry.record.clone() };
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Queue, entry.row.clone(), &entry.stamp);
        if later != entry.row {
            batch.delete(Table::Queue, entry.row.clone());
        }
        batch.put(later, &record);
        match self.rows.commit(batch).await {
            Ok(()) | Err(CommitError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
