//! Changes of a version that stays where it is: of its tags, ACL, lock, keys, and of what is noted of it.

use super::follow::{Change, Following};
use super::record::{Current, Noncurrent, ObjectRecord, object_row, version_row};
use super::replicate::Aspect;
use super::versions::{COMMIT_TRIES, CommitOrError};
use super::{Bucket, Objects, ObjectsError, VersionId};
use crate::auth::{Access, Grant};
use crate::index::{CommitError, RowBatch, Stamp, Table};
use crate::names::{ObjectKey, object_arn};
use crate::rules::notification::EventName;

/// What follows from a change.
#[derive(Clone, Copy, Default)]
pub(super) struct Follows<'a> {
    /// Who makes it, and how events call it; none: events don't tell it.
    pub(super) told: Option<(&'a Access, EventName)>,
    /// What replicas have of it; none: nothing.
    pub(super) aspect: Option<Aspect>,
}

/// A version where it lies.
pub(super) struct FoundVersion {
    pub(super) record: ObjectRecord,
    table: Table,
    row: Vec<u8>,
    stamp: Stamp,
}

impl FoundVersion {
    /// The commit only happens if it is as it was found.
    pub(super) fn expect(&self, batch: &mut RowBatch<'_>) {
        batch.expect_unchanged(self.table, self.row.clone(), &self.stamp);
    }

    /// Puts `record` in its place, if it is as it was found.
    pub(super) fn replace(&self, batch: &mut RowBatch<'_>, record: ObjectRecord) {
        self.expect(batch);
        match self.table {
            Table::Object => batch.put(self.row.clone(), &Current(record)),
            _ => batch.put(self.row.clone(), &Noncurrent(record)),
        }
    }
}

impl Objects {
    /// Replaces the tags of a version; returns its id. `grant`: `s3:PutObjectTagging` or `s3:DeleteObjectTagging`
    /// (or their `Version` forms).
    pub async fn set_tags(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        tags: Vec<(String, String)>,
    ) -> Result<VersionId, ObjectsError> {
        assert_eq!(grant.resource().arn, object_arn(&bucket.name, key), "the grant is for another object");
        let removes = grant.action().starts_with("s3:Delete");
        let event = if removes { EventName::TAGGING_DELETE } else { EventName::TAGGING_PUT };
        let follows = Follows { told: Some((grant.access(), event)), aspect: Some(Aspect::Tags) };
        self.change_version(bucket, key, version, follows, |record| {
            if let Some(body) = &mut record.body {
                body.meta.tags.clone_from(&tags);
            }
        })
        .await
    }

    /// Changes a version's record in place, wherever it lies; returns its id.
    pub(super) async fn change_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        follows: Follows<'_>,
        change: impl Fn(&mut ObjectRecord),
    ) -> Result<VersionId, ObjectsError> {
        self.try_change_version(bucket, key, version, follows, |record| {
            change(record);
            Ok(())
        })
        .await
    }

    /// As [`Self::change_version`]. What `change` refuses of the record as it is then is left as it is.
    pub(super) async fn try_change_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        follows: Follows<'_>,
        change: impl Fn(&mut ObjectRecord) -> Result<(), ObjectsError>,
    ) -> Result<VersionId, ObjectsError> {
        let following = match follows {
            Follows { told: None, aspect: None } => Following::default(),
            Follows { .. } => self.following(bucket).await?,
        };
        for _ in 0..COMMIT_TRIES {
            let record = self.version_record(bucket, key, version).await?;
            if record.body.is_none() {
                let modified = crate::sources::Timestamp(record.modified_ms);
                return Err(match version {
                    None => ObjectsError::NoSuchKey { delete_marker: Some(record.version()) },
                    Some(_) => ObjectsError::IsDeleteMarker { modified },
                });
            }
            // It is found again under its own stamp.
            let Some(found) = self.find_at(bucket, key, &record.position).await? else { continue };
            match self.rewrite((bucket, key), &found, &following, follows, &change).await {
                Ok(()) => {
                    self.followed(&following);
                    return Ok(record.version());
                }
                Err(CommitOrError::Commit(CommitError::Conflict)) => {}
                Err(CommitOrError::Commit(error)) => return Err(error.into()),
                Err(CommitOrError::Error(error)) => return Err(error),
            }
        }
        Err(ObjectsError::Contention)
    }

    /// One try of [`Self::try_change_version`]: the change and what follows from it in one commit.
    async fn rewrite(
        &self,
        (bucket, key): (&Bucket, &ObjectKey),
        found: &FoundVersion,
        following: &Following,
        follows: Follows<'_>,
        change: &impl Fn(&mut ObjectRecord) -> Result<(), ObjectsError>,
    ) -> Result<(), CommitOrError> {
        let mut changed = found.record.clone();
        change(&mut changed)?;
        let mut batch = self.rows.batch();
        if let Some(aspect) = follows.aspect {
            self.replicate_change(&mut batch, following, (bucket, key), &found.record, (&mut changed, aspect));
        }
        if let Some((access, event)) = follows.told {
            self.tell(&mut batch, following, (bucket, key), access, &Change { event, record: &changed });
        }
        found.replace(&mut batch, changed);
        Ok(self.rows.commit(batch).await?)
    }

    /// The version or delete marker at a position, current or not.
    pub(super) async fn find_at(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        position: &super::record::Id,
    ) -> Result<Option<FoundVersion>, ObjectsError> {
        let (row, noncurrent) = (object_row(&bucket.id, key), version_row(&bucket.id, key, position));
        let mut missed = None;
        for _ in 0..COMMIT_TRIES {
            let current = self.rows.load::<Current>(&row).await?;
            let of_current = current.as_ref().map(|current| current.stamp.clone());
            if let Some(current) = current.filter(|current| current.value.0.position == *position) {
                let record = current.value.0;
                return Ok(Some(FoundVersion { record, table: Table::Object, row, stamp: current.stamp }));
            }
            if let Some(stored) = self.rows.load::<Noncurrent>(&noncurrent).await? {
                let (record, stamp) = (stored.value.0, stored.stamp);
                return Ok(Some(FoundVersion { record, table: Table::Version, row: noncurrent, stamp }));
            }
            // It becomes current, or ceases to be, from one read to the next: it is gone only if nothing has moved
            // meanwhile.
            if missed.replace(of_current.clone()) == Some(of_current) {
                return Ok(None);
            }
        }
        Err(ObjectsError::Contention)
    }
}
