//! Changes of versions that are replicated: what is noted with them, and what replicas of this gateway are given.

use super::{Aspect, ReplicationTask};
use crate::auth::Grant;
use crate::index::{CommitError, RowBatch, Table};
use crate::names::{ObjectKey, bucket_arn, object_arn};
use crate::objects::change::FoundVersion;
use crate::objects::follow::{Change, Following};
use crate::objects::queue::{Queue, replication_lane};
use crate::objects::record::{Id, ObjectRecord, bucket_row};
use crate::objects::versions::COMMIT_TRIES;
use crate::objects::{Bucket, ObjectAccess, Objects, ObjectsError};
use crate::policy::Acl;
use crate::rules::lock::{LockTime, ObjectLock};
use crate::rules::notification::EventName;
use crate::rules::replication::Candidate;
use crate::sse::Mode;

/// Leave to bypass governance mode.
const BYPASS: &str = "s3:BypassGovernanceRetention";

/// Changes of a version to be taken to its replica in a bucket of this gateway.
#[derive(Debug)]
pub struct ReplicaChange<'a> {
    /// The version's bucket.
    pub source_bucket: &'a Bucket,
    /// The replica's.
    pub bucket: &'a Bucket,
    /// The key.
    pub key: &'a ObjectKey,
    /// The version.
    pub position: [u8; 16],
    /// It gets the ACL: nobody else is to own it, and the destination has ACLs on.
    pub acl: bool,
    /// Also a public one.
    pub public_acls: bool,
    /// It gets the tags.
    pub tags: bool,
    /// Leave to end or shorten a retention in governance mode there.
    pub bypass: Option<&'a Grant>,
}

/// What of a record decides on its replication.
pub(super) fn candidate<'a>(key: &'a ObjectKey, record: &'a ObjectRecord) -> Candidate<'a> {
    let body = record.body.as_ref();
    Candidate {
        key: key.as_str(),
        tags: body.map(|body| &body.meta.tags[..]).unwrap_or_default(),
        marker: body.is_none(),
        kms: body.is_some_and(|body| matches!(body.envelope.mode, Mode::SseKms | Mode::DsseKms)),
    }
}

impl Objects {
    /// Adds to the commit of a change that it is to be replicated, if its version is. `changed` comes of `before`.
    pub(in crate::objects) fn replicate_change(
        &self,
        batch: &mut RowBatch<'_>,
        following: &Following,
        place: (&Bucket, &ObjectKey),
        before: &ObjectRecord,
        (changed, aspect): (&mut ObjectRecord, Aspect),
    ) {
        let Some(state) = &mut changed.replication else { return };
        let number = self.number_of_change(state.changes().newest());
        state.note_change(aspect, number);
        self.replicate_further(batch, following, place, before, changed, None);
    }

    /// Rises with time, so that of changes on two sides the later one is known. The random part tells those apart that
    /// two gateways make in the same millisecond.
    fn number_of_change(&self, newest: u64) -> u64 {
        let [high, low] = self.sources.random::<2>();
        let random = u64::from(u16::from_be_bytes([high, low]) & 0xfff);
        let now = u64::try_from(self.sources.now().0).unwrap_or(0) << 12 | random;
        now.max(newest.saturating_add(1))
    }

    /// Adds entries for those that are to get what was changed, but not for `from`, where the change comes from.
    fn replicate_further(
        &self,
        batch: &mut RowBatch<'_>,
        following: &Following,
        (bucket, key): (&Bucket, &ObjectKey),
        before: &ObjectRecord,
        changed: &mut ObjectRecord,
        from: Option<&str>,
    ) {
        let (Some(configuration), Some(state)) = (&following.replication, &mut changed.replication) else { return };
        let rules = state.followers(configuration, &candidate(key, before), from);
        for rule in &rules {
            let task = ReplicationTask {
                destination: rule.target.bucket.clone(),
                bucket: bucket.name.to_string(),
                bucket_id: bucket.id,
                key: key.as_str().to_owned(),
                position: changed.position,
                marker: false,
                rule: rule.id.clone(),
                since_ms: changed.modified_ms,
                upload: None,
            };
            self.enqueue(batch, Queue::Replication, &replication_lane(&bucket.id, &rule.target.bucket), &task);
        }
        state.wait_for(rules.iter().map(|rule| rule.target.bucket.clone()));
    }

    /// Gives a replica what was changed of its source later than of itself. Returns the number of the source's last
    /// change. A replica that is gone needs nothing; [`ObjectsError::NoSuchVersion`] if the source is gone. `read`:
    /// `s3:GetObjectVersionForReplication` on the source, `write`: `s3:ReplicateObject` on the replica.
    pub async fn replicate_changes(
        &self,
        read: &Grant,
        write: &Grant,
        change: &ReplicaChange<'_>,
    ) -> Result<u64, ObjectsError> {
        let ReplicaChange { source_bucket, bucket, key, position, .. } = *change;
        let replica_arn = object_arn(&bucket.name, key);
        read.assert_covers("s3:GetObjectVersionForReplication", &object_arn(&source_bucket.name, key));
        write.assert_covers("s3:ReplicateObject", &replica_arn);
        if let Some(bypass) = change.bypass {
            bypass.assert_covers(BYPASS, &replica_arn);
        }
        let state = self.replication_state(source_bucket, key, &position).await?;
        let newest = state.map_or(0, |state| state.changes().newest());
        let mut refused = None;
        for aspect in Aspect::ALL {
            match self.replicate_aspect(write, change, aspect).await {
                Ok(()) => {}
                // One that can't be had there keeps the others from nothing.
                Err(error @ (ObjectsError::Locked { .. } | ObjectsError::ReplicaNotLockable)) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(newest), Err)
    }

    async fn replicate_aspect(
        &self,
        write: &Grant,
        change: &ReplicaChange<'_>,
        aspect: Aspect,
    ) -> Result<(), ObjectsError> {
        let ReplicaChange { source_bucket, key, position, .. } = *change;
        for _ in 0..COMMIT_TRIES {
            let bucket = self.same_bucket(change.bucket).await?;
            let source = self.find_at(source_bucket, key, &position).await?.ok_or(ObjectsError::NoSuchVersion)?;
            let Some(replica) = self.find_at(&bucket, key, &position).await? else { return Ok(()) };
            if !is_later(aspect, &source.record, &replica.record, change, &bucket) {
                return Ok(());
            }
            if self.try_aspect(write, change, &bucket, (&source, &replica), aspect).await? {
                return Ok(());
            }
        }
        Err(ObjectsError::Contention)
    }

    /// `false`: something has changed meanwhile, and nothing was done.
    async fn try_aspect(
        &self,
        write: &Grant,
        change: &ReplicaChange<'_>,
        bucket: &Bucket,
        (source, replica): (&FoundVersion, &FoundVersion),
        aspect: Aspect,
    ) -> Result<bool, ObjectsError> {
        let following = self.following(bucket).await?;
        let now = self.lock_time().await?;
        let mut record = replica.record.clone();
        give(&mut record, &source.record, aspect, (bucket, now, change.bypass.is_some()))?;
        if let (Some(state), Some(of_source)) = (&mut record.replication, &source.record.replication) {
            state.note_change(aspect, of_source.changes().of(aspect));
        }
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
        source.expect(&mut batch);
        let (from, place) = (bucket_arn(&change.source_bucket.name), (bucket, change.key));
        self.replicate_further(&mut batch, &following, place, &replica.record, &mut record, Some(&from));
        if let Some(event) = event_of(aspect, &record) {
            self.tell(&mut batch, &following, place, write.access(), &Change { event, record: &record });
        }
        replica.replace(&mut batch, record);
        match self.rows.commit(batch).await {
            Ok(()) => {
                self.followed(&following);
                Ok(true)
            }
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// How the replication of a version stands; none if it is gone, or no rule was ever about it. Without a grant: it is
    /// for the gateway's own job.
    pub async fn replication_state(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        position: &Id,
    ) -> Result<Option<super::ReplicationState>, ObjectsError> {
        Ok(self.find_at(bucket, key, position).await?.and_then(|found| found.record.replication))
    }
}

/// Whether an aspect of the source was changed later than the replica's, and is to be given to it.
fn is_later(
    aspect: Aspect,
    source: &ObjectRecord,
    replica: &ObjectRecord,
    change: &ReplicaChange<'_>,
    to: &Bucket,
) -> bool {
    let of = |record: &ObjectRecord| record.replication.as_ref().map_or(0, |state| state.changes().of(aspect));
    let wanted = match aspect {
        Aspect::Tags => change.tags,
        Aspect::Acl => change.acl && to.acls_on() && (change.public_acls || !is_public(source)),
        Aspect::Retention | Aspect::LegalHold => true,
    };
    wanted && of(source) > of(replica)
}

fn is_public(record: &ObjectRecord) -> bool {
    record.access.as_ref().and_then(|access| access.acl.as_ref()).is_some_and(Acl::is_public)
}

fn give(
    replica: &mut ObjectRecord,
    source: &ObjectRecord,
    aspect: Aspect,
    (to, now, bypass): (&Bucket, LockTime, bool),
) -> Result<(), ObjectsError> {
    let of_source = source.lock.unwrap_or_default();
    match aspect {
        Aspect::Tags => {
            if let (Some(body), Some(from)) = (&mut replica.body, &source.body) {
                body.meta.tags.clone_from(&from.meta.tags);
            }
        }
        Aspect::Acl => {
            let owner = replica.access.take().and_then(|access| access.owner);
            let acl = source.access.as_ref().and_then(|access| access.acl.clone());
            replica.access = ObjectAccess { owner, acl }.kept();
        }
        Aspect::Retention | Aspect::LegalHold if !to.has_object_lock() => {
            let locks = match aspect {
                Aspect::Retention => of_source.retention.is_some(),
                Aspect::Tags | Aspect::Acl | Aspect::LegalHold => of_source.legal_hold == Some(true),
            };
            if locks {
                return Err(ObjectsError::ReplicaNotLockable);
            }
        }
        Aspect::Retention => {
            let lock = replica.lock.unwrap_or_default();
            replica.lock = Some(lock.with_copied_retention(of_source.retention, now, bypass)?);
        }
        Aspect::LegalHold => {
            replica.lock = Some(ObjectLock { legal_hold: of_source.legal_hold, ..replica.lock.unwrap_or_default() });
        }
    }
    Ok(())
}

/// As if the change had been made to the replica. Of legal holds S3 has no event.
fn event_of(aspect: Aspect, record: &ObjectRecord) -> Option<EventName> {
    let tagged = record.body.as_ref().is_some_and(|body| !body.meta.tags.is_empty());
    match aspect {
        Aspect::Tags if tagged => Some(EventName::TAGGING_PUT),
        Aspect::Tags => Some(EventName::TAGGING_DELETE),
        Aspect::Acl => Some(EventName::ACL_PUT),
        Aspect::Retention => Some(EventName::RETENTION_PUT),
        Aspect::LegalHold => None,
    }
}
