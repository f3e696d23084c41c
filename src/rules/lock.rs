//! Object lock: what keeps a version from being deleted (S3 User Guide, "Locking objects with Object Lock").
//!
//! A retention is over when two clocks say so: the wall clock, on which its date was chosen, and the trusted clock of
//! the key module, which counts time that has passed (`keyring/clock.rs`). So nobody ends one by setting a clock.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};
use crate::sources::Timestamp;

/// Days of a default retention, at most.
pub const RETENTION_MAX_DAYS: u32 = 36_500;
/// Years of a default retention, at most.
pub const RETENTION_MAX_YEARS: u32 = 100;

const DAY: Duration = Duration::from_secs(86_400);

/// How strictly a retention holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum RetentionMode {
    /// Who may bypass it can shorten or end it.
    #[n(0)]
    Governance,
    /// Nobody can shorten or end it.
    #[n(1)]
    Compliance,
}

impl RetentionMode {
    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance].into_iter().find(|mode| mode.name() == name)
    }
}

/// What the two clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockTime {
    /// The wall clock.
    pub wall: Timestamp,
    /// The trusted clock.
    pub trusted: Timestamp,
}

impl LockTime {
    /// The moment on the trusted clock that is as far away as `until` is on the wall clock.
    fn trusted_until(&self, until: Timestamp) -> Timestamp {
        self.trusted.plus(until.since(self.wall))
    }
}

/// Until when a version is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Retention {
    /// How strictly.
    #[n(0)]
    pub mode: RetentionMode,
    /// The date that clients are told, in milliseconds since 1970.
    #[n(1)]
    pub until_ms: i64,
    /// The same moment on the trusted clock, as it was when the retention was set.
    #[n(2)]
    pub until_trusted_ms: i64,
}

impl Retention {
    /// One that is set now.
    pub fn new(mode: RetentionMode, until: Timestamp, now: LockTime) -> Self {
        Self { mode, until_ms: until.0, until_trusted_ms: now.trusted_until(until).0 }
    }

    /// Until when, as clients are told.
    pub fn until(&self) -> Timestamp {
        Timestamp(self.until_ms)
    }

    /// Whether it still keeps the version.
    pub fn holds(&self, now: LockTime) -> bool {
        now.wall.0 <= self.until_ms || now.trusted.0 <= self.until_trusted_ms
    }

    /// Whether `new` in its place keeps the version for less long, or less strictly.
    fn is_reduced_by(&self, new: Option<(RetentionMode, Timestamp)>) -> bool {
        let Some((mode, until)) = new else { return true };
        let weaker = self.mode == RetentionMode::Compliance && mode == RetentionMode::Governance;
        weaker || until.0 < self.until_ms
    }
}

/// What is set on a version of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct ObjectLock {
    /// Its retention, over or not; none if it never had one.
    #[n(0)]
    pub retention: Option<Retention>,
    /// Legal hold; none if it was never set.
    #[n(1)]
    pub legal_hold: Option<bool>,
}

/// A lock forbids what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// It is a retention in governance mode alone: who may bypass that may do it.
    pub bypass_helps: bool,
}

impl ObjectLock {
    /// Whether the version can never have been or be locked by this: nothing has to be asked of any clock.
    pub fn is_empty(&self) -> bool {
        self.retention.is_none() && self.legal_hold != Some(true)
    }

    /// Whether the version may be deleted. `bypass`: governance mode is bypassed.
    pub fn check_delete(&self, now: LockTime, bypass: bool) -> Result<(), Locked> {
        if self.legal_hold == Some(true) {
            return Err(Locked { bypass_helps: false });
        }
        match self.retention.filter(|retention| retention.holds(now)) {
            None => Ok(()),
            Some(Retention { mode: RetentionMode::Governance, .. }) if bypass => Ok(()),
            Some(Retention { mode, .. }) => Err(Locked { bypass_helps: mode == RetentionMode::Governance }),
        }
    }

    /// The lock with another retention, or without one. One that holds is only ever extended or made stricter, but by
    /// who may bypass governance mode.
    pub fn with_retention(
        self,
        new: Option<(RetentionMode, Timestamp)>,
        now: LockTime,
        bypass: bool,
    ) -> Result<Self, Locked> {
        let old = self.retention.filter(|retention| retention.holds(now));
        let reduced = old.filter(|old| old.is_reduced_by(new));
        match reduced.map(|old| old.mode) {
            None => {}
            Some(RetentionMode::Governance) if bypass => {}
            Some(mode) => return Err(Locked { bypass_helps: mode == RetentionMode::Governance }),
        }
        let retention = new.map(|(mode, until)| {
            let mut retention = Retention::new(mode, until, now);
            // A wall clock that has been set far ahead makes an extension of what is a short time away by it.
            if let Some(old) = old.filter(|_| reduced.is_none()) {
                retention.until_trusted_ms = retention.until_trusted_ms.max(old.until_trusted_ms);
            }
            retention
        });
        Ok(Self { retention, ..self })
    }

    /// The lock of a replica whose source has been given this retention, or none. What is refused of the replica is as
    /// in [`Self::with_retention`].
    pub fn with_copied_retention(
        self,
        of_source: Option<Retention>,
        now: LockTime,
        bypass: bool,
    ) -> Result<Self, Locked> {
        let new = of_source.map(|retention| (retention.mode, retention.until()));
        let mut lock = self.with_retention(new, now, bypass)?;
        // It is no shorter by the trusted clock than at the source, however late it comes.
        if let (Some(retention), Some(of_source)) = (&mut lock.retention, of_source) {
            retention.until_trusted_ms = retention.until_trusted_ms.max(of_source.until_trusted_ms);
        }
        Ok(lock)
    }
}

/// For how long new versions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Period {
    /// Days of 24 hours: 1 to [`RETENTION_MAX_DAYS`].
    #[n(0)]
    Days(#[n(0)] u32),
    /// Years of the calendar: 1 to [`RETENTION_MAX_YEARS`].
    #[n(1)]
    Years(#[n(0)] u32),
}

impl Period {
    /// The moment that is so much later than `from`. Of 29 February the day after, where there is none.
    pub fn after(self, from: Timestamp) -> Timestamp {
        match self {
            Self::Days(days) => from.plus(DAY * days),
            Self::Years(years) => from.plus(DAY * days_of_years(from, years)),
        }
    }
}

/// Days from the date of `from` to the same date so many years later.
fn days_of_years(from: Timestamp, years: u32) -> u32 {
    // The longest that so many years can be, if the date is none that a calendar knows.
    let at_most = years * 366;
    let Ok(date) = time::OffsetDateTime::from_unix_timestamp(from.seconds()).map(time::OffsetDateTime::date) else {
        return at_most;
    };
    let year = date.year().saturating_add(i32::try_from(years).unwrap_or(i32::MAX));
    let later = date.replace_year(year).or_else(|_| time::Date::from_calendar_date(year, time::Month::March, 1));
    later.ok().and_then(|later| u32::try_from((later - date).whole_days()).ok()).unwrap_or(at_most)
}

/// The retention of new versions that are written without one of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct DefaultRetention {
    /// How strictly.
    #[n(0)]
    pub mode: RetentionMode,
    /// For how long from their creation.
    #[n(1)]
    pub period: Period,
}

/// Object lock of a bucket, which is there if it is on: it cannot be turned off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct LockConfiguration {
    /// The default of new versions.
    #[n(0)]
    pub default: Option<DefaultRetention>,
}

impl LockConfiguration {
    /// The lock of a version that is created now: what was asked for, else by the bucket's default.
    pub fn lock_of_new(&self, asked: Option<ObjectLock>, now: LockTime) -> Option<ObjectLock> {
        let Some(default) = self.default.filter(|_| asked.is_none_or(|lock| lock.retention.is_none())) else {
            return asked;
        };
        let retention = Retention::new(default.mode, default.period.after(now.wall), now);
        Some(ObjectLock { retention: Some(retention), ..asked.unwrap_or_default() })
    }
}

impl BucketConfiguration for LockConfiguration {
    const KIND: ConfigurationKind = ConfigurationKind::ObjectLock;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketObjectLockConfiguration"];
}

#[cfg(test)]
mod tests;
