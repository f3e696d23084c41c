//! Object lock: what keeps a version from being deleted (S3 User Guide, "Locking objects with Object Lock").

use minicbor::{Decode, Encode};

use crate::sources::Timestamp;

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

/// Until when a version is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Retention {
    /// How strictly.
    #[n(0)]
    pub mode: RetentionMode,
    /// Milliseconds since 1970.
    #[n(1)]
    pub until_ms: i64,
}

impl Retention {
    /// Until when.
    pub fn until(&self) -> Timestamp {
        Timestamp(self.until_ms)
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
