//! Queues of what is to be done because of a change: an entry is committed with the change that it follows from, so
//! that neither is there without the other, and it goes when it was done: at least once, in the order of time.
//!
//! A queue has a lane for each destination, and of replication for each pair of source bucket and destination, so that
//! one that is not there for a day, or whose bucket is configured wrongly, keeps nobody else waiting, and costs a look at
//! the head of its lane and not at what waits in it.

use std::sync::Arc;
use std::time::Duration;

use minicbor::{Decode, Encode};
use tokio::sync::Notify;

use super::record::Id;
use super::{Objects, ObjectsError};
use crate::crypto::sha256;
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

/// Entries that are counted at a time.
const COUNT_PAGE: usize = 500;

/// Which lane of a queue: follows from the names of what waits together.
pub type Lane = [u8; 16];

/// The lane of a destination.
pub fn lane_of(destination: &str) -> Lane {
    let mut lane = [0; 16];
    lane.copy_from_slice(&sha256(destination.as_bytes())[..16]);
    lane
}

/// The lane in which versions of a bucket wait for a destination: what one bucket's role or rules do not let happen
/// holds up no other bucket, and no other account.
pub fn replication_lane(bucket: &Id, destination: &str) -> Lane {
    let mut lane = [0; 16];
    lane.copy_from_slice(&sha256(&[&bucket[..], destination.as_bytes()].concat())[..16]);
    lane
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

/// `(queue, lane, due, id)`
pub(super) fn queue_row(queue: Queue, lane: &Lane, due: Timestamp, id: &Id) -> Vec<u8> {
    Tuple::new().id(&[queue as u8]).id(lane).u64(u64::try_from(due.0).unwrap_or(0)).id(id).build()
}

/// Lane, time and id of a row.
fn read_queue_row(row: &[u8]) -> Option<(Lane, Timestamp, Id)> {
    let mut reader = TupleReader::new(row);
    reader.id::<1>()?;
    Some((reader.id::<16>()?, Timestamp(i64::try_from(reader.u64()?).ok()?), reader.id::<16>()?))
}

/// Where the rows of a lane begin.
fn lane_prefix(queue: Queue, lane: &Lane) -> Vec<u8> {
    Tuple::new().id(&[queue as u8]).id(lane).build()
}

fn malformed_row() -> ObjectsError {
    ObjectsError::Internal("the row of a queue's entry is malformed".to_owned())
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

impl<T> Queued<T> {
    /// Its id: the same every time that it is tried.
    pub fn id(&self) -> [u8; 16] {
        read_queue_row(&self.row).map(|(_, _, id)| id).unwrap_or_default()
    }
}

impl Objects {
    /// Puts an entry into a lane by a batch, due at once. Whoever works on the queue is to be woken after the
    /// commit ([`Objects::wake`]).
    pub fn enqueue<T: Encode<()>>(&self, batch: &mut RowBatch<'_>, queue: Queue, lane: &Lane, task: &T) {
        let task = minicbor::to_vec(task).expect("encoding into memory does not fail");
        let id: Id = self.sources.random();
        let row = queue_row(queue, lane, self.sources.now(), &id);
        batch.put(row, &QueueRecord { task, failures: 0 });
    }

    /// Puts an entry into a lane.
    #[cfg(test)]
    pub(crate) async fn enqueue_for_tests<T: Encode<()>>(&self, queue: Queue, lane: &Lane, task: &T) {
        let mut batch = self.rows.batch();
        self.enqueue(&mut batch, queue, lane, task);
        self.rows.commit(batch).await.expect("an entry");
    }

    /// At most `limit` lanes in which anything waits, behind `after` in their order, each with the time at which its
    /// first entry is due.
    pub async fn lanes(
        &self,
        queue: Queue,
        after: Option<&Lane>,
        limit: usize,
    ) -> Result<Vec<(Lane, Timestamp)>, ObjectsError> {
        let mut range = KeyRange::prefix(&Tuple::new().id(&[queue as u8]).build());
        let mut lanes = Vec::new();
        let mut behind = after.copied();
        while lanes.len() < limit {
            if let Some(lane) = behind {
                let Some(start) = KeyRange::prefix(&lane_prefix(queue, &lane)).end else { return Ok(lanes) };
                range.start = start;
            }
            let rows = self.rows.engine().scan(Table::Queue, &range, 1, Direction::Forward).await?;
            let Some((row, _)) = rows.first() else { return Ok(lanes) };
            let (lane, due, _) = read_queue_row(row).ok_or_else(malformed_row)?;
            lanes.push((lane, due));
            behind = Some(lane);
        }
        Ok(lanes)
    }

    /// How many entries a queue has, counted up to `max`.
    pub async fn queue_length(&self, queue: Queue, max: usize) -> Result<usize, ObjectsError> {
        let mut range = KeyRange::prefix(&Tuple::new().id(&[queue as u8]).build());
        let mut count = 0;
        while count < max {
            let page = COUNT_PAGE.min(max - count);
            let rows = self.rows.engine().scan(Table::Queue, &range, page, Direction::Forward).await?;
            count += rows.len();
            let Some((last, _)) = rows.last().filter(|_| rows.len() == page) else { break };
            range.start = [&last[..], &[0]].concat();
        }
        Ok(count)
    }

    /// At most `limit` entries of a lane that are due, the oldest first.
    pub async fn due<T: for<'b> Decode<'b, ()>>(
        &self,
        queue: Queue,
        lane: &Lane,
        limit: usize,
    ) -> Result<Vec<Queued<T>>, ObjectsError> {
        let mut range = KeyRange::prefix(&lane_prefix(queue, lane));
        range.end = Some(queue_row(queue, lane, self.sources.now().plus(Duration::from_millis(1)), &[0; 16]));
        let rows = self.rows.list::<QueueRecord>(&range, limit, Direction::Forward).await?;
        let entries = rows.into_iter().map(|(row, stored)| {
            let record = stored.value;
            let task = minicbor::decode(&record.task)
                .map_err(|error| ObjectsError::Internal(format!("an entry of queue {queue:?} is damaged: {error}")))?;
            Ok(Queued { task, failures: record.failures, row: row.to_vec(), record, stamp: stored.stamp })
        });
        entries.collect()
    }

    /// Entries were done: they go. `besides` adds to the commit. `false` if somebody else has changed one of them, and
    /// nothing was committed.
    pub async fn done<T>(
        &self,
        entries: &[Queued<T>],
        besides: impl FnOnce(&mut RowBatch<'_>) + Send,
    ) -> Result<bool, ObjectsError> {
        let mut batch = self.rows.batch();
        for entry in entries {
            batch.expect_unchanged(Table::Queue, entry.row.clone(), &entry.stamp);
            batch.delete(Table::Queue, entry.row.clone());
        }
        besides(&mut batch);
        match self.rows.commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// An entry could not be done: it is due again at `due`, and lets those that are due before pass.
    pub async fn retry<T>(&self, queue: Queue, entry: &Queued<T>, due: Timestamp) -> Result<(), ObjectsError> {
        let (lane, _, id) = read_queue_row(&entry.row).ok_or_else(malformed_row)?;
        let later = queue_row(queue, &lane, due, &id);
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

    /// Notes with an entry how far it has got; `false` if somebody else has changed it.
    pub async fn amend<T: Encode<()>>(&self, entry: &mut Queued<T>) -> Result<bool, ObjectsError> {
        let task = minicbor::to_vec(&entry.task).expect("encoding into memory does not fail");
        let record = QueueRecord { task, ..entry.record.clone() };
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Queue, entry.row.clone(), &entry.stamp);
        let stamp = batch.put_stamped(entry.row.clone(), &record);
        match self.rows.commit(batch).await {
            Ok(()) => {
                (entry.record, entry.stamp) = (record, stamp);
                Ok(true)
            }
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells whoever works on a queue that something was put into it.
    pub fn wake(&self, queue: Queue) {
        self.bells.of(queue).notify_one();
    }

    /// What rings when something was put into a queue. It keeps nothing of this open.
    pub fn bell(&self, queue: Queue) -> Arc<Notify> {
        Arc::clone(self.bells.of(queue))
    }
}

/// What wakes those who work on the queues of this process.
#[derive(Clone, Default)]
pub(super) struct Bells {
    notifications: Arc<Notify>,
    replication: Arc<Notify>,
}

impl Bells {
    fn of(&self, queue: Queue) -> &Arc<Notify> {
        match queue {
            Queue::Notifications => &self.notifications,
            Queue::Replication => &self.replication,
        }
    }
}
