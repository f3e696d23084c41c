//! What lifecycle rules do to an object: one function for each, through the same commits as a client's request.
//!
//! S3 names them so in server access logs and in events: `S3.EXPIRE.OBJECT` (`s3:LifecycleExpiration:Delete`),
//! `S3.CREATE.DELETEMARKER` (`s3:LifecycleExpiration:DeleteMarkerCreated`), `S3.TRANSITION_….OBJECT`
//! (`s3:LifecycleTransition`), `S3.DELETE.UPLOAD`.

use std::sync::Arc;

use crate::auth::{Grant, Resource, system};
use crate::index::{RowBatch, Stamp, Table};
use crate::names::{ObjectKey, object_arn};
use crate::objects::follow::Change;
use crate::objects::lease::Lease;
use crate::objects::record::{Current, Noncurrent, ObjectRecord, bucket_row};
use crate::objects::types::Unchanged;
use crate::objects::{Bucket, DeleteCondition, Objects, ObjectsError, UploadId, VersionId};
use crate::policy::{NoContext, Target};
use crate::rules::ConfigurationKind;
use crate::rules::lifecycle::{Step, StorageClass};
use crate::rules::notification::EventName;

/// Hears of what rules do in a bucket. It must not wait for anything.
pub type Told = Arc<dyn Fn(&Bucket, &RuleDone<'_>) + Send + Sync>;

/// What a rule has done.
#[derive(Debug, Clone, Copy)]
pub struct RuleDone<'a> {
    /// As logs name it.
    pub operation: &'static str,
    /// To which key.
    pub key: &'a ObjectKey,
    /// To which version, where it was not simply the current one.
    pub version: Option<VersionId>,
    /// Bytes of the object, where it was about one.
    pub plain_len: Option<u64>,
}

/// Something that is due, and the row that it was judged by.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) key: ObjectKey,
    pub(super) table: Table,
    pub(super) row: Vec<u8>,
    pub(super) stamp: Stamp,
    pub(super) act: Act,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Act {
    /// The current object expires.
    Expire,
    /// A noncurrent version is deleted.
    Delete(VersionId),
    /// A delete marker that is all that is left of its key is removed.
    RemoveMarker(VersionId),
    /// A version changes its class.
    Transition { record: Box<ObjectRecord>, class: StorageClass },
    /// An upload is aborted.
    Abort(UploadId),
}

impl Act {
    pub(super) fn of_current(step: Step, record: ObjectRecord) -> Self {
        match step {
            Step::Expire => Self::Expire,
            Step::Transition(class) => Self::Transition { record: Box::new(record), class },
        }
    }

    pub(super) fn of_noncurrent(step: Step, record: ObjectRecord) -> Self {
        match step {
            Step::Expire => Self::Delete(record.version()),
            Step::Transition(class) => Self::Transition { record: Box::new(record), class },
        }
    }
}

impl<'a> RuleDone<'a> {
    fn of(operation: &'static str, judged: &'a Judged) -> Self {
        Self { operation, key: &judged.key, version: None, plain_len: None }
    }
}

impl Judged {
    /// All that must be as it was.
    fn unchanged(&self, lease: &Lease) -> Unchanged {
        Unchanged(vec![(self.table, self.row.clone(), self.stamp.clone()), lease.held()])
    }
}

impl Objects {
    /// Does it, if nothing has changed since it was judged; else `Contention`.
    pub(super) async fn act(&self, bucket: &Bucket, lease: &Lease, judged: &Judged) -> Result<(), ObjectsError> {
        match &judged.act {
            Act::Expire => self.expire(bucket, lease, judged).await,
            Act::Delete(version) | Act::RemoveMarker(version) => {
                self.expire_version(bucket, lease, judged, *version).await
            }
            Act::Transition { record, class } => self.transition(bucket, lease, judged, (record, *class)).await,
            Act::Abort(upload) => self.expire_upload(bucket, lease, judged, *upload).await,
        }
    }

    /// The current object is deleted or, in a bucket with versions, gets a delete marker over it.
    async fn expire(&self, bucket: &Bucket, lease: &Lease, judged: &Judged) -> Result<(), ObjectsError> {
        let grant = self.lifecycle_grant("s3:DeleteObject", bucket, &judged.key);
        let condition = DeleteCondition { unchanged: judged.unchanged(lease), ..DeleteCondition::default() };
        let deleted = self.delete(&grant, bucket, &judged.key, None, &condition).await?;
        let operation = if deleted.delete_marker { "S3.CREATE.DELETEMARKER" } else { "S3.EXPIRE.OBJECT" };
        self.tell_of_rule(bucket, RuleDone { plain_len: deleted.plain_len, ..RuleDone::of(operation, judged) });
        Ok(())
    }

    /// A version or a delete marker goes for good.
    async fn expire_version(
        &self,
        bucket: &Bucket,
        lease: &Lease,
        judged: &Judged,
        version: VersionId,
    ) -> Result<(), ObjectsError> {
        let grant = self.lifecycle_grant("s3:DeleteObjectVersion", bucket, &judged.key);
        let condition = DeleteCondition { unchanged: judged.unchanged(lease), ..DeleteCondition::default() };
        let deleted = self.delete(&grant, bucket, &judged.key, Some(version), &condition).await?;
        let done = RuleDone::of("S3.EXPIRE.OBJECT", judged);
        self.tell_of_rule(bucket, RuleDone { version: Some(version), plain_len: deleted.plain_len, ..done });
        Ok(())
    }

    /// A version changes its class, which is a label: its bytes stay where they are, and its date what it was.
    async fn transition(
        &self,
        bucket: &Bucket,
        lease: &Lease,
        judged: &Judged,
        (record, class): (&ObjectRecord, StorageClass),
    ) -> Result<(), ObjectsError> {
        let mut changed = record.clone();
        if let Some(body) = &mut changed.body {
            body.meta.storage_class = Some(class.name().to_owned());
        }
        let mut batch = self.judged_batch(bucket, lease, judged);
        let following = self.following(bucket).await?;
        let change = Change { event: EventName::TRANSITION, record: &changed };
        let access = system("lifecycle", bucket.region.clone(), self.sources.now());
        self.tell(&mut batch, &following, (bucket, &judged.key), &access, &change);
        if judged.table == Table::Object {
            batch.put(judged.row.clone(), &Current(changed));
        } else {
            batch.put(judged.row.clone(), &Noncurrent(changed));
        }
        self.rows.commit(batch).await?;
        let operation = match class {
            StorageClass::StandardIa => "S3.TRANSITION_SIA.OBJECT",
            StorageClass::IntelligentTiering => "S3.TRANSITION_INT.OBJECT",
            StorageClass::OneZoneIa => "S3.TRANSITION_ZIA.OBJECT",
            StorageClass::GlacierIr => "S3.TRANSITION_GIR.OBJECT",
        };
        self.tell_of_rule(
            bucket,
            RuleDone {
                version: (judged.table == Table::Version).then(|| record.version()),
                plain_len: record.body.as_ref().map(|body| body.plain_len),
                ..RuleDone::of(operation, judged)
            },
        );
        self.followed(&following);
        Ok(())
    }

    /// An upload is aborted; the sweeper has its parts.
    async fn expire_upload(
        &self,
        bucket: &Bucket,
        lease: &Lease,
        judged: &Judged,
        upload: UploadId,
    ) -> Result<(), ObjectsError> {
        let mut batch = self.judged_batch(bucket, lease, judged);
        self.drop_upload(&mut batch, judged.row.clone(), &upload.0);
        self.rows.commit(batch).await?;
        self.tell_of_rule(bucket, RuleDone::of("S3.DELETE.UPLOAD", judged));
        Ok(())
    }

    fn judged_batch(&self, bucket: &Bucket, lease: &Lease, judged: &Judged) -> RowBatch<'_> {
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
        judged.unchanged(lease).guard(&mut batch);
        batch
    }

    fn lifecycle_grant(&self, action: &'static str, bucket: &Bucket, key: &ObjectKey) -> Grant {
        let access = system("lifecycle", bucket.region.clone(), self.sources.now());
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        let granted = access.authorize(action, resource, &Target::Account, &NoContext);
        granted.expect("the program's own jobs may do all")
    }
}

impl Objects {
    /// Where to tell what lifecycle rules do in buckets that have server access logs; the first one counts.
    pub fn tell_lifecycle(&self, told: Told) {
        let _first_counts = self.told.set(told);
    }

    fn tell_of_rule(&self, bucket: &Bucket, done: RuleDone<'_>) {
        let (operation, key) = (done.operation, done.key.as_str());
        tracing::debug!(operation, bucket = bucket.name.as_str(), key, "by a lifecycle rule");
        if let Some(told) = self.told.get().filter(|_| bucket.has(ConfigurationKind::Logging)) {
            told(bucket, &done);
        }
    }
}
