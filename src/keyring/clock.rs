//! Time that the irreversible is measured by.
//!
//! A wall clock jumps: a battery dies, a time server lies, a snapshot of a machine is resumed. A clock one year ahead
//! must not destroy keys whose waiting period has just begun, and one that was wrong when a deletion was scheduled must
//! not end the period when it is set right. So deletion and rotation ask two clocks, and happen when both say so: the
//! wall clock, whose dates clients were told, and the **trusted clock**, which only counts time that has passed:
//!
//! - while a gateway runs, as much as its monotonic clock says;
//! - when one starts, as much as the wall clock moved on since the last note, but at most [`START_STEP_MAX`];
//! - it never goes back. A pass notes it in the index every few minutes, and of several gateways the furthest counts.
//!
//! What is scheduled is told its moment on both clocks. So one jump, forward or back, at whatever time, shortens a
//! waiting period by at most [`START_STEP_MAX`], of the seven days that the shortest has. The price: a gateway that was
//! off for longer counts only so much, and what was due meanwhile is done that much later, never earlier. Imported
//! material expires by the wall clock alone: its owner has it and can import it again.

use std::sync::Mutex;
use std::time::Duration;

use super::KeyringError;
use super::record::{ClockRecord, clock_row};
use super::service::KeyRing;
use crate::index::{CommitError, Table};
use crate::sources::{Sources, Timestamp};

/// Most that the trusted clock gains when a gateway starts.
const START_STEP_MAX: Duration = Duration::from_secs(3 * 86_400);
/// A start that loses more than this is worth a line in the log.
const START_LAG_TOLD: Duration = Duration::from_secs(3_600);

/// The trusted clock of a running gateway.
#[derive(Debug, Default)]
pub(super) struct TrustedClock(Mutex<Option<Running>>);

/// A moment on the trusted clock and when that was on the monotonic one.
#[derive(Debug, Clone, Copy)]
struct Running {
    trusted: Timestamp,
    first: Timestamp,
    monotonic_ns: u64,
}

impl Running {
    fn now(self, sources: &Sources) -> Timestamp {
        let passed = sources.monotonic_ns().saturating_sub(self.monotonic_ns);
        self.trusted.plus(Duration::from_nanos(passed))
    }
}

/// Where the trusted clock goes on at a start: the wall clock shows `wall`, and `noted` is the last note.
fn resume(noted: ClockRecord, wall: Timestamp) -> Timestamp {
    let moved = wall.since(Timestamp(noted.wall_ms));
    if moved > START_STEP_MAX + START_LAG_TOLD {
        tracing::warn!(
            days = moved.as_secs() / 86_400,
            "the clock is far ahead of where it was when this store was last in use; keys that wait for deletion or \
             rotation wait longer by what is over three days"
        );
    }
    Timestamp(noted.trusted_ms).plus(moved.min(START_STEP_MAX))
}

impl KeyRing {
    /// The trusted clock's time: for others than keys that must not be let go of before their time.
    pub async fn trusted_time(&self) -> Result<Timestamp, KeyringError> {
        self.trusted_now().await
    }

    /// The trusted clock's time, and the moment since which uses of keys are tracked.
    pub(super) async fn trusted_now(&self) -> Result<Timestamp, KeyringError> {
        Ok(self.running_clock().await?.now(self.sources()))
    }

    /// Since when uses of keys are tracked in this store.
    pub(super) async fn tracking_since(&self) -> Result<Timestamp, KeyringError> {
        Ok(self.running_clock().await?.first)
    }

    /// Notes how far the trusted clock has come. To be called every few minutes.
    pub(super) async fn note_time(&self) -> Result<(), KeyringError> {
        let running = self.running_clock().await?;
        let (trusted, wall) = (running.now(self.sources()), self.sources().now());
        let stored = self.rows().load::<ClockRecord>(&clock_row()).await?;
        let mut batch = self.rows().batch();
        match &stored {
            Some(noted) if noted.value.trusted_ms >= trusted.0 => return Ok(()),
            Some(noted) => batch.expect_unchanged(Table::Key, clock_row(), &noted.stamp),
            None => batch.expect_absent(Table::Key, clock_row()),
        }
        let first_ms = stored.map_or(running.first.0, |noted| noted.value.first_ms);
        batch.put(clock_row(), &ClockRecord { trusted_ms: trusted.0, wall_ms: wall.0, first_ms });
        match self.rows().commit(batch).await {
            // Another gateway was faster: its note is as good.
            Ok(()) | Err(CommitError::Conflict) => Ok(()),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    async fn running_clock(&self) -> Result<Running, KeyringError> {
        let held = || self.clock().0.lock().expect("no holder of this lock panics");
        if let Some(running) = *held() {
            return Ok(running);
        }
        let noted = self.rows().load::<ClockRecord>(&clock_row()).await?;
        let wall = self.sources().now();
        let (trusted, first) = match noted {
            Some(noted) => (resume(noted.value, wall), Timestamp(noted.value.first_ms)),
            None => (wall, wall),
        };
        let started = Running { trusted, first, monotonic_ns: self.sources().monotonic_ns() };
        Ok(*held().get_or_insert(started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_gains_no_more_than_its_bound_and_loses_nothing() {
        const DAY: i64 = 86_400_000;
        let noted = ClockRecord { trusted_ms: 100 * DAY, wall_ms: 110 * DAY, first_ms: 0 };
        for (wall_days, trusted_days) in [(109, 100), (110, 100), (111, 101), (113, 103), (114, 103), (5_000, 103)] {
            assert_eq!(resume(noted, Timestamp(wall_days * DAY)), Timestamp(trusted_days * DAY), "{wall_days}");
        }
    }
}
