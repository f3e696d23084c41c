//! Object lock: the one place that says whether a version may be destroyed, and what changes a version's lock.
//!
//! Whatever removes a version's record, by its id, by a write over a null version or by a rule, asks
//! [`Objects::check_deletable`] about the record that its commit is conditional on: a retention that is set while a
//! delete runs makes that commit fail, and the delete is decided anew.

use super::change::Follows;
use super::record::ObjectRecord;
use super::replicate::Aspect;
use super::{Bucket, Objects, ObjectsError, VersionId};
use crate::auth::Grant;
use crate::names::{ObjectKey, object_arn};
use crate::rules::ConfigurationKind;
use crate::rules::lock::{LockConfiguration, LockTime, Locked, ObjectLock, RetentionMode};
use crate::rules::notification::EventName;
use crate::sources::Timestamp;

/// Leave to bypass governance mode.
const BYPASS: &str = "s3:BypassGovernanceRetention";

impl From<Locked> for ObjectsError {
    fn from(locked: Locked) -> Self {
        Self::Locked { bypass_helps: locked.bypass_helps }
    }
}

impl Bucket {
    /// Versions can be locked here: what was ever turned on stays so.
    pub fn has_object_lock(&self) -> bool {
        self.has(ConfigurationKind::ObjectLock)
    }
}

impl Objects {
    /// What the clocks show by which locks are judged.
    pub async fn lock_time(&self) -> Result<LockTime, ObjectsError> {
        Ok(LockTime { wall: self.sources.now(), trusted: self.sse.trusted_time().await? })
    }

    /// Refuses to let go of a version that is locked. `bypass`: leave to bypass governance mode on this object.
    pub(super) async fn check_deletable(
        &self,
        record: &ObjectRecord,
        bypass: Option<&Grant>,
    ) -> Result<(), ObjectsError> {
        let Some(lock) = record.lock.filter(|lock| !lock.is_empty()) else { return Ok(()) };
        Ok(lock.check_delete(self.lock_time().await?, bypass.is_some())?)
    }

    /// The lock of a version that is created now: what its write asks for, else what is the bucket's default.
    pub(super) async fn lock_of_new(
        &self,
        bucket: &Bucket,
        asked: Option<ObjectLock>,
    ) -> Result<Option<ObjectLock>, ObjectsError> {
        // If this is another one than the bucket's row names, the commit fails, being conditional on that row.
        let Some(configuration) = self.configuration::<LockConfiguration>(bucket).await? else { return Ok(asked) };
        Ok(configuration.lock_of_new(asked, self.lock_time().await?))
    }

    /// Sets a version's retention, or removes it. `grant`: `s3:PutObjectRetention`; `bypass`:
    /// `s3:BypassGovernanceRetention` on the same object.
    pub async fn set_retention(
        &self,
        grant: &Grant,
        (bucket, key): (&Bucket, &ObjectKey),
        version: Option<VersionId>,
        retention: Option<(RetentionMode, Timestamp)>,
        bypass: Option<&Grant>,
    ) -> Result<VersionId, ObjectsError> {
        grant.assert_covers("s3:PutObjectRetention", &object_arn(&bucket.name, key));
        assert_bypass(bypass, bucket, key);
        let now = self.lock_time().await?;
        let told = Some((grant.access(), EventName::RETENTION_PUT));
        let follows = Follows { told, aspect: Some(Aspect::Retention) };
        self.try_change_version(bucket, key, version, follows, |record| {
            record.lock = Some(record.lock.unwrap_or_default().with_retention(retention, now, bypass.is_some())?);
            Ok(())
        })
        .await
    }

    /// Puts a legal hold on a version, or takes it off. `grant`: `s3:PutObjectLegalHold`.
    pub async fn set_legal_hold(
        &self,
        grant: &Grant,
        (bucket, key): (&Bucket, &ObjectKey),
        version: Option<VersionId>,
        on: bool,
    ) -> Result<VersionId, ObjectsError> {
        grant.assert_covers("s3:PutObjectLegalHold", &object_arn(&bucket.name, key));
        let follows = Follows { told: None, aspect: Some(Aspect::LegalHold) };
        self.change_version(bucket, key, version, follows, |record| {
            record.lock = Some(ObjectLock { legal_hold: Some(on), ..record.lock.unwrap_or_default() });
        })
        .await
    }
}

/// Panics if leave to bypass is for something else: a bug, never a client's doing.
pub(super) fn assert_bypass(bypass: Option<&Grant>, bucket: &Bucket, key: &ObjectKey) {
    if let Some(bypass) = bypass {
        bypass.assert_covers(BYPASS, &object_arn(&bucket.name, key));
    }
}
