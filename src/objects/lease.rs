//! Leases: a job of which only one gateway at a time may do is done by whoever holds its lease.
//!
//! A lease is a row that says who holds it and until when. Its token rises with every holder; what the job commits is
//! conditional on the row ([`Lease::guard`]), so that a holder that was stopped for longer than its lease and goes on
//! changes nothing any more.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::record::Id;
use super::{Objects, ObjectsError};
use crate::index::{CommitError, Direction, KeyRange, Record, RowBatch, Stamp, Table, Tuple};
use crate::sources::Timestamp;

/// Who does a job.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct LeaseRecord {
    /// The process that holds it.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) holder: Id,
    /// Rises with every holder.
    #[n(1)]
    pub(super) token: u64,
    #[n(2)]
    pub(super) until_ms: i64,
}

impl Record for LeaseRecord {
    const TABLE: Table = Table::Lease;
}

/// `(job)`
pub(super) fn lease_row(job: &str) -> Vec<u8> {
    Tuple::new().bytes(job.as_bytes()).build()
}

/// A job that this process does until the lease is over, is given up, or was taken by another after it was over.
#[derive(Debug)]
pub struct Lease {
    job: &'static str,
    record: LeaseRecord,
    stamp: Stamp,
}

impl Lease {
    /// The batch is refused unless this lease is still held as it was taken or last renewed.
    pub fn guard(&self, batch: &mut RowBatch<'_>) {
        batch.expect_unchanged(Table::Lease, lease_row(self.job), &self.stamp);
    }

    /// The row that must be as it is, for conditions that are handed over.
    pub(super) fn held(&self) -> (Table, Vec<u8>, Stamp) {
        (Table::Lease, lease_row(self.job), self.stamp.clone())
    }

    /// Until when it is held.
    pub fn until(&self) -> Timestamp {
        Timestamp(self.record.until_ms)
    }
}

impl Objects {
    /// Takes the lease of `job` for `length`; none while another process holds it.
    pub async fn take_lease(&self, job: &'static str, length: Duration) -> Result<Option<Lease>, ObjectsError> {
        let row = lease_row(job);
        let stored = self.rows.load::<LeaseRecord>(&row).await?;
        let now = self.sources.now();
        let mut batch = self.rows.batch();
        let token = match &stored {
            Some(held) if held.value.holder != self.process && held.value.until_ms > now.0 => return Ok(None),
            Some(held) => {
                batch.expect_unchanged(Table::Lease, row.clone(), &held.stamp);
                held.value.token + u64::from(held.value.holder != self.process)
            }
            None => {
                batch.expect_absent(Table::Lease, row.clone());
                1
            }
        };
        let record = LeaseRecord { holder: self.process, token, until_ms: now.plus(length).0 };
        let stamp = batch.put_stamped(row, &record);
        match self.rows.commit(batch).await {
            Ok(()) => Ok(Some(Lease { job, record, stamp })),
            Err(CommitError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Holds a lease for `length` from now; `false` if it was lost.
    pub async fn renew_lease(&self, lease: &mut Lease, length: Duration) -> Result<bool, ObjectsError> {
        let mut batch = self.rows.batch();
        lease.guard(&mut batch);
        let record = LeaseRecord { until_ms: self.sources.now().plus(length).0, ..lease.record.clone() };
        let stamp = batch.put_stamped(lease_row(lease.job), &record);
        match self.rows.commit(batch).await {
            Ok(()) => {
                (lease.record, lease.stamp) = (record, stamp);
                Ok(true)
            }
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends all leases: for a process that knows that it is alone, as one that has locked its data directory. What the
    /// process before it held when it was stopped is not waited for.
    pub async fn end_leases(&self) -> Result<(), ObjectsError> {
        let everything = KeyRange { start: Vec::new(), end: None };
        let held = self.rows.list::<LeaseRecord>(&everything, usize::MAX, Direction::Forward).await?;
        if held.is_empty() {
            return Ok(());
        }
        let mut batch = self.rows.batch();
        for (row, stored) in held {
            batch.put(row.to_vec(), &LeaseRecord { until_ms: 0, ..stored.value });
        }
        Ok(self.rows.commit(batch).await?)
    }

    /// Gives a lease up, so that another process need not wait for its end. One that was lost is not there to give up.
    pub async fn give_up_lease(&self, lease: Lease) -> Result<(), ObjectsError> {
        let mut batch = self.rows.batch();
        lease.guard(&mut batch);
        batch.put(lease_row(lease.job), &LeaseRecord { until_ms: 0, ..lease.record });
        match self.rows.commit(batch).await {
            Ok(()) | Err(CommitError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
