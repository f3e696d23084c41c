//! What is noted of inventories: which list was made last.

use minicbor::{Decode, Encode};

use super::lease::Lease;
use super::record::{Id, bucket_row};
use super::{Bucket, Objects, ObjectsError};
use crate::index::{CommitError, Direction, KeyRange, Record, Table, Tuple, TupleReader};
use crate::rules::inventory::Frequency;
use crate::sources::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A list that is being made, or was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct InventoryRun {
    /// When it was begun, in milliseconds since 1970.
    #[n(0)]
    pub started_ms: i64,
    /// What the names of its files follow from: begun again after a crash it writes over what it has written.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub seed: [u8; 16],
    /// It was made.
    #[n(2)]
    pub done: bool,
}

impl Record for InventoryRun {
    const TABLE: Table = Table::BucketConfig;
}

impl InventoryRun {
    /// When it was begun.
    pub fn started(&self) -> Timestamp {
        Timestamp(self.started_ms)
    }

    /// Whether it is the one that there has to be at `now`: of the same day or, from Sunday on, the same week.
    pub fn is_of(&self, frequency: Frequency, now: Timestamp) -> bool {
        period(frequency, self.started()) == period(frequency, now)
    }
}

/// Days since 1970, or weeks that begin with Sundays. (1970 began with a Thursday.)
fn period(frequency: Frequency, at: Timestamp) -> i64 {
    let day = at.0.div_euclid(DAY_MS);
    match frequency {
        Frequency::Daily => day,
        Frequency::Weekly => (day + 4).div_euclid(7),
    }
}

/// `(bucket id, number, id of the inventory)`: beside the configurations; never reuse the number.
pub(super) fn inventory_run_row(bucket: &Id, id: &str) -> Vec<u8> {
    const RUNS: u8 = 130;
    let row = Tuple::new().id(bucket).bytes(&[RUNS]);
    if id.is_empty() { row.build() } else { row.bytes(id.as_bytes()).build() }
}

impl Objects {
    /// The last run of an inventory.
    pub async fn inventory_run(&self, bucket: &Bucket, id: &str) -> Result<Option<InventoryRun>, ObjectsError> {
        let stored = self.rows.load::<InventoryRun>(&inventory_run_row(&bucket.id, id)).await?;
        Ok(stored.map(|stored| stored.value))
    }

    /// Notes a run; `false` if the lease is lost or the bucket is not as it was.
    pub async fn note_inventory_run(
        &self,
        lease: &Lease,
        bucket: &Bucket,
        id: &str,
        run: &InventoryRun,
    ) -> Result<bool, ObjectsError> {
        let mut batch = self.rows.batch();
        lease.guard(&mut batch);
        batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
        batch.put(inventory_run_row(&bucket.id, id), run);
        match self.rows.commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets the runs of inventories that the bucket does not have any more: one that is made anew under an old name
    /// is not taken for it.
    pub async fn forget_inventory_runs(&self, bucket: &Bucket, kept: &[String]) -> Result<(), ObjectsError> {
        let range = KeyRange::prefix(&inventory_run_row(&bucket.id, ""));
        let rows = self.rows.engine().scan(Table::BucketConfig, &range, usize::MAX, Direction::Forward).await?;
        let mut batch = self.rows.batch();
        let mut forgotten = false;
        for (row, _) in rows {
            let mut reader = TupleReader::new(&row);
            let _ = (reader.id::<16>(), reader.bytes());
            let id = reader.bytes().and_then(|id| String::from_utf8(id).ok());
            if !id.is_some_and(|id| kept.contains(&id)) {
                forgotten = true;
                batch.delete(Table::BucketConfig, row.to_vec());
            }
        }
        if forgotten {
            self.rows.commit(batch).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse_iso8601;

    #[test]
    fn a_list_is_of_its_day_or_of_its_week_from_sunday_on() {
        let time = |text: &str| parse_iso8601(text).unwrap();
        let run = |text: &str| InventoryRun { started_ms: time(text).0, seed: [0; 16], done: true };
        // 2026-11-22 is a Sunday.
        for (run_at, now, daily, weekly) in [
            ("2026-11-25T00:00:00Z", "2026-11-25T23:59:59Z", true, true),
            ("2026-11-25T23:59:59Z", "2026-11-26T00:00:00Z", false, true),
            ("2026-11-22T00:00:00Z", "2026-11-28T23:59:59Z", false, true),
            ("2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z", false, false),
            ("2026-11-25T00:00:00Z", "2026-12-02T00:00:00Z", false, false),
        ] {
            assert_eq!(run(run_at).is_of(Frequency::Daily, time(now)), daily, "{run_at} {now}");
            assert_eq!(run(run_at).is_of(Frequency::Weekly, time(now)), weekly, "{run_at} {now}");
        }
    }
}
