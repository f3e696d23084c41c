//! Deleting objects and versions, and changing what may change of a version: its tags.

use super::follow::{self, Change, Following};
use super::lock::assert_bypass;
use super::record::{Current, Noncurrent, ObjectRecord, bucket_row, object_row, version_row};
use super::types::Unchanged;
use super::versions::{COMMIT_TRIES, CommitOrError, KeyState};
use super::{Bucket, DeleteCondition, Objects, ObjectsError, VersionId, Versioning};
use crate::auth::{Access, Grant};
use crate::index::{CommitError, RowBatch, Table};
use crate::names::{ObjectKey, object_arn};

/// What a delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The version that was deleted or, with `delete_marker`, made; none in buckets without versioning.
    pub version: Option<VersionId>,
    /// A delete marker was made, or the deleted version was one.
    pub delete_marker: bool,
    /// Bytes of what was deleted; none where nothing was, or a delete marker.
    pub plain_len: Option<u64>,
}

impl Objects {
    /// Deletes an object (in a versioned bucket: makes a delete marker) or, with `version`, that version, unless it is
    /// locked. Deleting what is absent is no error. `grant`: `s3:DeleteObject` or `s3:DeleteObjectVersion`.
    pub async fn delete(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        condition: &DeleteCondition,
    ) -> Result<Deleted, ObjectsError> {
        self.delete_with(grant, None, (bucket, key), version, condition).await
    }

    /// As [`Self::delete`], past a retention in governance mode. `bypass`: `s3:BypassGovernanceRetention`.
    pub async fn delete_bypassing(
        &self,
        grant: &Grant,
        bypass: &Grant,
        (bucket, key): (&Bucket, &ObjectKey),
        version: Option<VersionId>,
        condition: &DeleteCondition,
    ) -> Result<Deleted, ObjectsError> {
        self.delete_with(grant, Some(bypass), (bucket, key), version, condition).await
    }

    async fn delete_with(
        &self,
        grant: &Grant,
        bypass: Option<&Grant>,
        (bucket, key): (&Bucket, &ObjectKey),
        version: Option<VersionId>,
        condition: &DeleteCondition,
    ) -> Result<Deleted, ObjectsError> {
        assert_bypass(bypass, bucket, key);
        let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        grant.assert_covers(action, &object_arn(&bucket.name, key));
        let mut bucket = bucket.clone();
        for _ in 0..COMMIT_TRIES {
            let tried = match version {
                None => self.try_delete(grant.access(), &bucket, key, condition).await,
                Some(version) => {
                    self.try_delete_version(grant.access(), (&bucket, key), version, condition, bypass).await
                }
            };
            match tried {
                Ok(deleted) => return Ok(deleted),
                // What was judged by is not so any more, or may not be: that is judged again, not tried again.
                Err(CommitOrError::Commit(CommitError::Conflict)) if condition.unchanged != Unchanged::default() => {
                    return Err(ObjectsError::Contention);
                }
                Err(CommitOrError::Commit(CommitError::Conflict)) => bucket = self.same_bucket(&bucket).await?,
                Err(CommitOrError::Commit(error)) => return Err(error.into()),
                Err(CommitOrError::Error(error)) => return Err(error),
            }
        }
        Err(ObjectsError::Contention)
    }

    async fn try_delete(
        &self,
        access: &Access,
        bucket: &Bucket,
        key: &ObjectKey,
        condition: &DeleteCondition,
    ) -> Result<Deleted, CommitOrError> {
        let state = self.key_state(bucket, key).await?;
        check_delete_condition(condition, state.current.as_ref().map(|c| &c.value.0))?;
        if bucket.versioning != Versioning::Never {
            let version = self.commit_marker(access, (bucket, key), &state, condition).await?;
            return Ok(Deleted { version, delete_marker: true, plain_len: None });
        }
        let Some(current) = &state.current else {
            condition.unchanged.expect_gone()?;
            return Ok(Deleted::default());
        };
        self.check_deletable(&current.value.0, None).await?;
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
        self.expect_state(&mut batch, bucket, key, &state);
        condition.unchanged.guard(&mut batch);
        batch.delete(Table::Object, object_row(&bucket.id, key));
        if let Some(body) = &current.value.0.body {
            self.release(&mut batch, &body.content).await?;
        }
        let following = self.following(bucket).await?;
        self.tell_removal(&mut batch, &following, (bucket, key), access, &current.value.0);
        self.rows.commit(batch).await?;
        self.followed(&following);
        Ok(Deleted { plain_len: current.value.0.body.as_ref().map(|body| body.plain_len), ..Deleted::default() })
    }

    async fn try_delete_version(
        &self,
        access: &Access,
        (bucket, key): (&Bucket, &ObjectKey),
        version: VersionId,
        condition: &DeleteCondition,
        bypass: Option<&Grant>,
    ) -> Result<Deleted, CommitOrError> {
        let state = self.key_state(bucket, key).await?;
        let found = match self.version_record(bucket, key, Some(version)).await {
            Ok(record) => Some(record),
            Err(ObjectsError::NoSuchVersion) => None,
            Err(error) => return Err(error.into()),
        };
        check_delete_condition(condition, found.as_ref())?;
        let Some(record) = found else {
            condition.unchanged.expect_gone()?;
            return Ok(Deleted { version: Some(version), ..Deleted::default() });
        };
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
        self.expect_state(&mut batch, bucket, key, &state);
        condition.unchanged.guard(&mut batch);
        let record = self.as_committed(&mut batch, (bucket, key), &state, record).await?;
        self.check_deletable(&record, bypass).await?;
        self.remove(&mut batch, bucket, key, &state, &record).await?;
        if let Some(body) = &record.body {
            self.release(&mut batch, &body.content).await?;
        }
        let following = self.following(bucket).await?;
        self.tell_removal(&mut batch, &following, (bucket, key), access, &record);
        self.rows.commit(batch).await?;
        self.followed(&following);
        Ok(Deleted {
            version: Some(version),
            delete_marker: record.body.is_none(),
            plain_len: record.body.as_ref().map(|body| body.plain_len),
        })
    }

    /// The record of a version as its row has it, on which the commit is then conditional: a lock, tags or keys may have
    /// been set since it was found.
    async fn as_committed(
        &self,
        batch: &mut RowBatch<'_>,
        (bucket, key): (&Bucket, &ObjectKey),
        state: &KeyState,
        found: ObjectRecord,
    ) -> Result<ObjectRecord, CommitOrError> {
        // The row of the current version is among what the state expects.
        if let Some(current) = state.current.as_ref().filter(|c| c.value.0.position == found.position) {
            return Ok(current.value.0.clone());
        }
        let row = version_row(&bucket.id, key, &found.position);
        let Some(stored) = self.rows.load::<Noncurrent>(&row).await? else {
            return Err(CommitOrError::Commit(CommitError::Conflict));
        };
        batch.expect_unchanged(Table::Version, row, &stored.stamp);
        Ok(stored.value.0)
    }

    /// Adds to the commit of a deletion what is told of it.
    fn tell_removal(
        &self,
        batch: &mut RowBatch<'_>,
        following: &Following,
        place: (&Bucket, &ObjectKey),
        access: &Access,
        record: &ObjectRecord,
    ) {
        let change = Change { event: follow::deletion(access), record };
        self.tell(batch, following, place, access, &change);
    }

    /// Takes a version's row out; if it was the newest, the next one becomes current unless it is a delete marker.
    async fn remove(
        &self,
        batch: &mut RowBatch<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        state: &KeyState,
        record: &ObjectRecord,
    ) -> Result<(), ObjectsError> {
        let row = object_row(&bucket.id, key);
        let was_current = state.current.as_ref().is_some_and(|c| c.value.0.position == record.position);
        if !was_current {
            batch.delete(Table::Version, version_row(&bucket.id, key, &record.position));
        }
        let mut pointer_gone = !was_current && record.null;
        let next = if bucket.versioning == Versioning::Never {
            None
        } else {
            // With a current object only its own removal promotes another; without one, removing the newest marker.
            let newest = self.versions_of(bucket, key, 2).await?;
            let mut rest = newest.into_iter();
            match (&state.current, was_current) {
                (Some(_), true) => rest.next(),
                (Some(_), false) => None,
                (None, _) => match rest.next() {
                    Some((position, _)) if position == record.position => rest.next(),
                    _ => None,
                },
            }
        };
        match next.filter(|(_, next)| next.value.0.body.is_some()) {
            Some((position, next)) => {
                let next_row = version_row(&bucket.id, key, &position);
                batch.expect_unchanged(Table::Version, next_row.clone(), &next.stamp);
                batch.delete(Table::Version, next_row);
                pointer_gone |= next.value.0.null;
                batch.put(row.clone(), &Current(next.value.0));
            }
            None if was_current => batch.delete(Table::Object, row.clone()),
            None => {}
        }
        if pointer_gone {
            batch.delete(Table::NullVersion, row);
        }
        Ok(())
    }
}

fn check_delete_condition(condition: &DeleteCondition, record: Option<&ObjectRecord>) -> Result<(), ObjectsError> {
    if condition.if_match.is_none() && condition.if_modified_at.is_none() && condition.if_size.is_none() {
        return Ok(());
    }
    let Some((record, body)) = record.and_then(|r| Some((r, r.body.as_ref()?))) else {
        // The conditions on time and size hold for what is not there: so S3's model has it.
        return match condition.if_match {
            Some(_) => Err(ObjectsError::NoSuchKey { delete_marker: None }),
            None => Ok(()),
        };
    };
    let holds = |ok: bool, name| if ok { Ok(()) } else { Err(ObjectsError::PreconditionFailed(name)) };
    if let Some(wanted) = &condition.if_match {
        holds(wanted == "*" || *wanted == body.etag, "If-Match")?;
    }
    if let Some(wanted) = condition.if_modified_at {
        let same = wanted.seconds() == record.modified_ms.div_euclid(1000);
        holds(same, "x-amz-if-match-last-modified-time")?;
    }
    match condition.if_size {
        Some(wanted) => holds(wanted == body.plain_len, "x-amz-if-match-size"),
        None => Ok(()),
    }
}
