//! Replication of versions to other buckets: what is noted with a write, and the replica that is made of it.
//!
//! A replica in a bucket of this gateway shares the sealed bytes of its source, so that parts, checksums and ETag are the
//! same and nothing is encrypted twice; only its keys are wrapped anew. It keeps the source's version id, which is the
//! time at which the source was written: replicas take their place among a key's versions by it, in whatever order they
//! come and however often. What is changed of it later: `change.rs`.

mod change;
mod state;

use std::sync::atomic::{AtomicBool, Ordering};

use minicbor::{Decode, Encode};

pub use change::ReplicaChange;
pub use state::{Arrived, Aspect, Changes, ReplicaPlace, ReplicationState, ReplicationStatus};

use super::change::Follows;
use super::follow::Change;
use super::queue::{Queue, replication_lane};
use super::record::{BodyRecord, Current, Noncurrent, ObjectRecord, bucket_row, object_row, version_row};
use super::versions::COMMIT_TRIES;
use super::{Bucket, ObjectAccess, ObjectInfo, ObjectOwner, Objects, ObjectsError, VersionId, Versioning};
use crate::auth::{Access, Grant};
use crate::index::{CommitError, RowBatch, Table};
use crate::names::{BucketName, ObjectKey, object_arn};
use crate::rules::notification::EventName;
use crate::sse::Envelope;

/// A version to be replicated to one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReplicationTask {
    /// The destination bucket's ARN.
    #[n(0)]
    pub destination: String,
    /// The source bucket.
    #[n(1)]
    pub bucket: String,
    /// Tells it from another one of the same name.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub bucket_id: [u8; 16],
    /// The key.
    #[n(3)]
    pub key: String,
    /// The version.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub position: [u8; 16],
    /// It is a delete marker.
    #[n(5)]
    pub marker: bool,
    /// The rule that asked for it.
    #[n(6)]
    pub rule: String,
    /// When it was written.
    #[n(7)]
    pub since_ms: i64,
    /// The upload at another endpoint that was begun for it.
    #[n(8)]
    pub upload: Option<String>,
}

/// A replica to be made in a bucket of this gateway.
#[derive(Debug)]
pub struct Replica<'a> {
    /// The source's bucket.
    pub source_bucket: &'a Bucket,
    /// The source, from [`Objects::head`] of its version.
    pub source: &'a ObjectInfo,
    /// The destination.
    pub bucket: &'a Bucket,
    /// The object's keys wrapped for the replica whose id this is; none: under a customer's key, which stay as they are.
    pub envelope: Option<(Envelope, [u8; 16])>,
    /// Another storage class than the source's.
    pub storage_class: Option<String>,
    /// The destination bucket's owner owns it.
    pub owner_override: bool,
    /// It has the source's tags.
    pub tags: bool,
}

impl Objects {
    /// Adds to the commit of a new version that it is to be replicated, if a rule is about it.
    pub(super) fn replicate_later(
        &self,
        batch: &mut RowBatch<'_>,
        following: &super::follow::Following,
        (bucket, key): (&Bucket, &ObjectKey),
        record: &mut ObjectRecord,
    ) {
        let Some(configuration) = &following.replication else { return };
        if record.null || bucket.versioning != Versioning::Enabled {
            return;
        }
        let candidate = change::candidate(key, record);
        let marker = candidate.marker;
        let rules = configuration.chosen(&candidate);
        if rules.is_empty() {
            return;
        }
        for rule in &rules {
            let lane = replication_lane(&bucket.id, &rule.target.bucket);
            let task = ReplicationTask {
                destination: rule.target.bucket.clone(),
                bucket: bucket.name.to_string(),
                bucket_id: bucket.id,
                key: key.as_str().to_owned(),
                position: record.position,
                marker,
                rule: rule.id.clone(),
                since_ms: record.modified_ms,
                upload: None,
            };
            self.enqueue(batch, Queue::Replication, &lane, &task);
        }
        if !marker {
            let waiting = rules.iter().map(|rule| rule.target.bucket.clone()).collect();
            record.replication = Some(ReplicationState::pending(waiting));
        }
    }

    /// Notes at the source that a destination has it as it was when it `arrived`, or (`None`) that it was given up; the
    /// latter is told. `false`: it has changed since, and the destination goes on waiting. A version that is gone needs
    /// no note.
    pub async fn conclude_replication(
        &self,
        access: &Access,
        bucket: &Bucket,
        task: &ReplicationTask,
        arrived: Option<&Arrived>,
    ) -> Result<bool, ObjectsError> {
        let Ok(key) = ObjectKey::parse(task.key.as_str()) else { return Ok(true) };
        let version = Some(VersionId::Named(task.position));
        let told = arrived.is_none().then_some((access, EventName::REPLICATION_FAILED));
        let concluded = AtomicBool::new(true);
        let noted = self.change_version(bucket, &key, version, Follows { told, aspect: None }, |record| {
            if let Some(state) = &mut record.replication {
                concluded.store(state.conclude(&task.destination, arrived), Ordering::Relaxed);
            }
        });
        match noted.await {
            Ok(_) => Ok(concluded.load(Ordering::Relaxed)),
            Err(ObjectsError::NoSuchVersion | ObjectsError::IsDeleteMarker { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Makes a replica, unless it is there already. `read`: `s3:GetObjectVersionForReplication` on the source, `write`:
    /// `s3:ReplicateObject` on the object's ARN in the destination.
    pub async fn replicate(&self, read: &Grant, write: &Grant, replica: Replica<'_>) -> Result<(), ObjectsError> {
        let Replica { source_bucket, source, bucket, envelope, storage_class, owner_override, tags } = replica;
        read.assert_covers("s3:GetObjectVersionForReplication", &object_arn(&source.bucket, &source.key));
        write.assert_covers("s3:ReplicateObject", &object_arn(&bucket.name, &source.key));
        let stored = self.version_record(source_bucket, &source.key, Some(source.version)).await?;
        let body = stored.body.clone().filter(|_| stored.holder_id == source.holder_id);
        let body = body.ok_or(ObjectsError::NoSuchVersion)?;
        let (envelope, holder_id) = match envelope {
            Some((envelope, id)) => (envelope, id),
            None => (kept_envelope(&body.envelope, source), self.sources.random()),
        };
        let mut meta = body.meta.clone();
        meta.storage_class = storage_class.or(meta.storage_class);
        if !tags {
            meta.tags.clear();
        }
        let record = ObjectRecord {
            position: stored.position,
            null: false,
            holder_id,
            modified_ms: stored.modified_ms,
            body: Some(BodyRecord { meta, envelope, upload: None, ..body }),
            access: replica_access(source_bucket, bucket, stored.access.as_ref(), owner_override),
            lock: stored.lock,
            replication: Some(ReplicationState::of_replica(stored.replication.and_then(|state| state.changes))),
        };
        self.put_in_place(write, bucket, &source.key, record, Some((source_bucket, source))).await
    }

    /// Replicates a delete marker, unless it is there already. `grant`: `s3:ReplicateDelete` on the object's ARN.
    pub async fn replicate_marker(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        task: &ReplicationTask,
    ) -> Result<(), ObjectsError> {
        grant.assert_covers("s3:ReplicateDelete", &object_arn(&bucket.name, key));
        let record = ObjectRecord {
            position: task.position,
            null: false,
            holder_id: self.sources.random(),
            modified_ms: task.since_ms,
            body: None,
            access: None,
            lock: None,
            replication: Some(ReplicationState::of_replica(None)),
        };
        self.put_in_place(grant, bucket, key, record, None).await
    }

    /// Commits a version or marker at its place in time. `source` holds its content.
    async fn put_in_place(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        record: ObjectRecord,
        source: Option<(&Bucket, &ObjectInfo)>,
    ) -> Result<(), ObjectsError> {
        let of_source = record.lock.filter(|lock| !lock.is_empty());
        for _ in 0..COMMIT_TRIES {
            let bucket = self.same_bucket(bucket).await?;
            if bucket.versioning != Versioning::Enabled {
                return Err(ObjectsError::ReplicaNotVersioned);
            }
            if of_source.is_some() && !bucket.has_object_lock() {
                return Err(ObjectsError::ReplicaNotLockable);
            }
            // A retention that the source has goes along; without one the destination's default counts, as with AWS.
            let lock = if record.body.is_some() { self.lock_of_new(&bucket, of_source).await? } else { None };
            let record = ObjectRecord { lock, ..record.clone() };
            match self.version_record(&bucket, key, Some(record.version())).await {
                Ok(_) => return Ok(()),
                Err(ObjectsError::NoSuchVersion) => {}
                Err(error) => return Err(error),
            }
            match self.try_in_place(grant, &bucket, key, &record, source).await {
                Ok(()) => return Ok(()),
                Err(super::versions::CommitOrError::Commit(CommitError::Conflict)) => {}
                Err(super::versions::CommitOrError::Commit(error)) => return Err(error.into()),
                Err(super::versions::CommitOrError::Error(error)) => return Err(error),
            }
        }
        Err(ObjectsError::Contention)
    }

    async fn try_in_place(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        record: &ObjectRecord,
        source: Option<(&Bucket, &ObjectInfo)>,
    ) -> Result<(), super::versions::CommitOrError> {
        let following = self.following(bucket).await?;
        let state = self.key_state(bucket, key).await?;
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
        self.expect_state(&mut batch, bucket, key, &state);
        let (current_row, row) = (object_row(&bucket.id, key), version_row(&bucket.id, key, &record.position));
        // Positions count down: what is newer has the smaller one.
        let newest = state.newest().is_none_or(|newest| record.position < newest);
        if newest {
            self.make_room(&mut batch, bucket, key, &state, record).await?;
        } else {
            batch.expect_absent(Table::Version, row.clone());
        }
        match (newest, record.body.is_some()) {
            (true, true) => batch.put(current_row, &Current(record.clone())),
            (true, false) => {
                if state.current.is_some() {
                    batch.delete(Table::Object, current_row);
                }
                batch.put(row, &Noncurrent(record.clone()));
            }
            (false, _) => batch.put(row, &Noncurrent(record.clone())),
        }
        if let (Some((source_bucket, info)), Some(body)) = (source, &record.body) {
            let retained = self.retain(source_bucket, info, &body.content).await?;
            retained.expect_source(&mut batch);
            retained.count(&mut batch);
        }
        let event = if record.body.is_some() { EventName::CREATED_PUT } else { EventName::REMOVED_MARKER };
        let change = Change { event, record };
        self.tell(&mut batch, &following, (bucket, key), grant.access(), &change);
        self.rows.commit(batch).await?;
        self.followed(&following);
        Ok(())
    }
}

/// What an SSE-C object's replica has: the same keys, wrapped as they are, and for whom they were.
fn kept_envelope(envelope: &Envelope, source: &ObjectInfo) -> Envelope {
    let first = crate::sse::WrappedFor {
        bucket: source.bucket.to_string(),
        key: source.key.as_str().to_owned(),
        id: source.holder_id,
    };
    Envelope { wrapped_for: envelope.wrapped_for.clone().or(Some(first)), ..envelope.clone() }
}

/// Owner and ACL of a replica: the source's, unless the destination's owner is to own it.
fn replica_access(
    source_bucket: &Bucket,
    bucket: &Bucket,
    access: Option<&ObjectAccess>,
    owner_override: bool,
) -> Option<ObjectAccess> {
    if owner_override || !bucket.acls_on() {
        return None;
    }
    let of_source = access.and_then(|access| access.owner.clone());
    let owner = of_source.unwrap_or_else(|| ObjectOwner::account(&source_bucket.owner));
    let owner = Some(owner).filter(|owner| *owner != ObjectOwner::account(&bucket.owner));
    ObjectAccess { owner, acl: access.and_then(|access| access.acl.clone()) }.kept()
}

/// The name in the ARN of a bucket.
pub fn bucket_of_arn(arn: &str) -> Option<BucketName> {
    BucketName::parse(arn.strip_prefix("arn:aws:s3:::")?).ok()
}

impl ReplicationTask {
    /// Whether `bucket` is the one that it is about.
    pub fn is_of(&self, bucket: &Bucket) -> bool {
        bucket.id == self.bucket_id
    }
}
