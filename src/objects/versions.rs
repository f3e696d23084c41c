//! One key's versions: what a write or a delete does to them, decided and committed in one place.
//!
//! `Object` holds the current version unless that is a delete marker; `Version` holds the others and all delete
//! markers, newest first; `NullVersion` points to the null version while it is in `Version`. Every commit here is
//! conditional on the rows that it was decided from, so it is right under any concurrency or not applied.

use std::time::Duration;

use super::follow::{self, Change};
use super::record::{
    BodyRecord, Content, Current, Garbage, Id, Layout, Noncurrent, NullPointer, ObjectRecord, RefCount, garbage_row,
    id_row, object_row, version_row,
};
use super::replicate::ReplicationState;
use super::{
    Attributes, BeganOver, Bucket, DeleteCondition, ObjectInfo, Objects, ObjectsError, VersionId, Versioning,
    WriteCondition,
};
use crate::auth::Access;
use crate::index::{CommitError, Direction, IndexError, KeyRange, RowBatch, Stamp, Stored, Table, Tuple, TupleReader};
use crate::names::ObjectKey;
use crate::rules::notification::EventName;

/// How often a write is decided anew when others change the same key at the same time.
pub(super) const COMMIT_TRIES: usize = 24;
/// How long the bytes of an overwritten or deleted object are kept for readers that have begun.
pub(super) const READER_GRACE: Duration = Duration::from_secs(15 * 60);

/// What is known of a key when a change is decided.
pub(super) struct KeyState {
    pub(super) current: Option<Stored<Current>>,
    /// The newest row of `Version`; read only where it matters.
    newest: Option<(Id, Stored<Noncurrent>)>,
    null: Option<Stored<NullPointer>>,
}

impl KeyState {
    /// The position of the newest version, delete markers included.
    pub(super) fn newest(&self) -> Option<Id> {
        let current = self.current.as_ref().map(|current| current.value.0.position);
        current.or_else(|| self.newest.as_ref().map(|(position, _)| *position))
    }
}

/// A version to be made current.
pub(super) struct NewVersion {
    /// Who makes it.
    pub(super) by: Access,
    /// How events call that.
    pub(super) event: EventName,
    pub(super) holder_id: Id,
    pub(super) attributes: Attributes,
    pub(super) body: BodyRecord,
}

/// Adds what belongs to the commit of a new version besides its row: its inline bytes, its layout, the end of its
/// upload.
pub(super) type Extra<'a> = &'a (dyn Fn(&mut RowBatch<'_>) + Send + Sync);

/// What a commit of a new version holds besides.
pub(super) enum Besides<'a> {
    /// Rows of its own.
    Rows(Extra<'a>),
    /// Nothing: its content has a holder already, and gets one more.
    Holder(&'a Retained),
}

impl Objects {
    /// Commits a new version as current, if `condition` holds for what it replaces.
    pub(super) async fn commit_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: NewVersion,
        condition: &WriteCondition,
        extra: Extra<'_>,
    ) -> Result<ObjectRecord, ObjectsError> {
        let mut bucket = bucket.clone();
        for attempt in 0..COMMIT_TRIES {
            match self.try_version(&bucket, key, &new, (condition, attempt), Besides::Rows(extra)).await? {
                Some(record) => return Ok(record),
                None => bucket = self.same_bucket(&bucket).await?,
            }
        }
        Err(ObjectsError::Contention)
    }

    /// One try of [`Self::commit_version`], `None` if it has to be decided anew: for callers that put more into the
    /// commit than can be decided once.
    pub(super) async fn try_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: &NewVersion,
        (condition, attempt): (&WriteCondition, usize),
        besides: Besides<'_>,
    ) -> Result<Option<ObjectRecord>, ObjectsError> {
        let following = self.following(bucket).await?;
        let state = self.key_state(bucket, key).await?;
        check_write_condition(condition, state.current.as_ref(), attempt)?;
        let mut record = ObjectRecord {
            position: self.next_position(&state),
            null: bucket.versioning != Versioning::Enabled,
            holder_id: new.holder_id,
            modified_ms: self.sources.now().0,
            body: Some(new.body.clone()),
            access: bucket.in_force(new.attributes.access.as_ref()).cloned(),
            replication: new.attributes.replica.then(|| ReplicationState::of_replica(None)),
            lock: self.lock_of_new(bucket, new.attributes.lock).await?,
        };
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, super::record::bucket_row(&bucket.name), &bucket.stamp);
        self.expect_state(&mut batch, bucket, key, &state);
        let replaced = self.make_room(&mut batch, bucket, key, &state, &record).await?;
        let (same, others): (Vec<_>, Vec<_>) =
            replaced.iter().filter_map(|r| r.body.as_ref()).partition(|b| b.content.id == new.body.content.id);
        for old in others {
            self.release(&mut batch, &old.content).await?;
        }
        if !new.attributes.replica {
            self.replicate_later(&mut batch, &following, (bucket, key), &mut record);
        }
        let change = Change { event: new.event, record: &record };
        self.tell(&mut batch, &following, (bucket, key), &new.by, &change);
        batch.put(object_row(&bucket.id, key), &Current(record.clone()));
        match besides {
            Besides::Rows(extra) => extra(&mut batch),
            Besides::Holder(retained) => {
                retained.expect_source(&mut batch);
                // What takes the place of a holder of the same content leaves their number as it is.
                if same.is_empty() {
                    retained.count(&mut batch);
                }
            }
        }
        match self.rows.commit(batch).await {
            Ok(()) => {
                self.followed(&following);
                Ok(Some(record))
            }
            Err(CommitError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Commits a delete marker; returns its version.
    pub(super) async fn commit_marker(
        &self,
        access: &Access,
        (bucket, key): (&Bucket, &ObjectKey),
        state: &KeyState,
        condition: &DeleteCondition,
    ) -> Result<Option<VersionId>, CommitOrError> {
        let following = self.following(bucket).await?;
        let mut record = ObjectRecord {
            position: self.next_position(state),
            null: bucket.versioning != Versioning::Enabled,
            holder_id: self.sources.random(),
            modified_ms: self.sources.now().0,
            body: None,
            access: None,
            lock: None,
            replication: condition.replica.then(|| ReplicationState::of_replica(None)),
        };
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, super::record::bucket_row(&bucket.name), &bucket.stamp);
        self.expect_state(&mut batch, bucket, key, state);
        condition.unchanged.guard(&mut batch);
        let replaced = self.make_room(&mut batch, bucket, key, state, &record).await?;
        for old in replaced.iter().filter_map(|r| r.body.as_ref()) {
            self.release(&mut batch, &old.content).await?;
        }
        if state.current.is_some() {
            batch.delete(Table::Object, object_row(&bucket.id, key));
        }
        // Markers that lifecycle rules make stay where they are made: the destination has rules of its own.
        if !follow::is_lifecycle(access) && !condition.replica {
            self.replicate_later(&mut batch, &following, (bucket, key), &mut record);
        }
        let change = Change { event: follow::marker(access), record: &record };
        self.tell(&mut batch, &following, (bucket, key), access, &change);
        batch.put(version_row(&bucket.id, key, &record.position), &Noncurrent(record.clone()));
        self.rows.commit(batch).await?;
        self.followed(&following);
        Ok(Some(record.version()))
    }

    /// Reads what a change of `key` is decided from.
    pub(super) async fn key_state(&self, bucket: &Bucket, key: &ObjectKey) -> Result<KeyState, ObjectsError> {
        let row = object_row(&bucket.id, key);
        let current = self.rows.load::<Current>(&row).await?;
        if bucket.versioning == Versioning::Never {
            return Ok(KeyState { current, newest: None, null: None });
        }
        let null = self.rows.load::<NullPointer>(&row).await?;
        let newest = match &current {
            Some(_) => None,
            None => self.versions_of(bucket, key, 1).await?.pop(),
        };
        Ok(KeyState { current, newest, null })
    }

    /// The newest rows of `Version` of one key.
    pub(super) async fn versions_of(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        limit: usize,
    ) -> Result<Vec<(Id, Stored<Noncurrent>)>, ObjectsError> {
        let range = KeyRange::prefix(&object_row(&bucket.id, key));
        let rows = self.rows.list::<Noncurrent>(&range, limit, Direction::Forward).await?;
        Ok(rows.into_iter().map(|(_, stored)| (stored.value.0.position, stored)).collect())
    }

    /// The bucket as it is now, if it is still the same one.
    pub(super) async fn same_bucket(&self, bucket: &Bucket) -> Result<Bucket, ObjectsError> {
        let now = self.bucket(&bucket.name).await?;
        if now.id == bucket.id { Ok(now) } else { Err(ObjectsError::NoSuchBucket) }
    }

    pub(super) fn expect_state(&self, batch: &mut RowBatch<'_>, bucket: &Bucket, key: &ObjectKey, state: &KeyState) {
        let row = object_row(&bucket.id, key);
        match &state.current {
            Some(current) => batch.expect_unchanged(Table::Object, row.clone(), &current.stamp),
            None => batch.expect_absent(Table::Object, row.clone()),
        }
        if let Some((position, newest)) = &state.newest {
            batch.expect_unchanged(Table::Version, version_row(&bucket.id, key, position), &newest.stamp);
        }
        match &state.null {
            Some(null) => batch.expect_unchanged(Table::NullVersion, row, &null.stamp),
            None if bucket.versioning == Versioning::Never => {}
            None => batch.expect_absent(Table::NullVersion, row),
        }
    }

    /// Moves or removes what stands where `new` will be the newest; returns the versions that are gone. Keeps the
    /// null pointer, `new` included.
    pub(super) async fn make_room(
        &self,
        batch: &mut RowBatch<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        state: &KeyState,
        new: &ObjectRecord,
    ) -> Result<Vec<ObjectRecord>, ObjectsError> {
        let mut gone = Vec::new();
        let mut pointer = state.null.as_ref().map(|p| p.value.position);
        if let Some(Stored { value: Current(old), .. }) = &state.current {
            if new.null && old.null {
                self.check_deletable(old, None).await?;
                gone.push(old.clone());
            } else {
                batch.put(version_row(&bucket.id, key, &old.position), &Noncurrent(old.clone()));
                if old.null {
                    pointer = Some(old.position);
                }
            }
        }
        if let Some(old) = pointer.filter(|_| new.null) {
            let row = version_row(&bucket.id, key, &old);
            if let Some(old) = self.rows.load::<Noncurrent>(&row).await? {
                batch.expect_unchanged(Table::Version, row.clone(), &old.stamp);
                self.check_deletable(&old.value.0, None).await?;
                gone.push(old.value.0);
            }
            batch.delete(Table::Version, row);
            pointer = None;
        }
        if new.null && new.body.is_none() {
            pointer = Some(new.position);
        }
        match (state.null.as_ref().map(|p| p.value.position), pointer) {
            (before, after) if before == after => {}
            (_, Some(position)) => batch.put(object_row(&bucket.id, key), &NullPointer { position }),
            (_, None) => batch.delete(Table::NullVersion, object_row(&bucket.id, key)),
        }
        Ok(gone)
    }

    /// A position newer than all that the key has.
    pub(super) fn next_position(&self, state: &KeyState) -> Id {
        let order = u64::MAX - self.next_in_sequence(state.newest().as_ref());
        let mut position = [0; 16];
        position[..8].copy_from_slice(&order.to_be_bytes());
        position[8..].copy_from_slice(&self.sources.random::<8>());
        position
    }

    /// Takes one holder off a content; its bytes become garbage with the last one.
    pub(super) async fn release(&self, batch: &mut RowBatch<'_>, content: &Content) -> Result<(), ObjectsError> {
        let row = id_row(&content.id);
        let counted = self.rows.load::<RefCount>(&row).await?;
        match counted {
            Some(count) => {
                batch.expect_unchanged(Table::RefCount, row.clone(), &count.stamp);
                match count.value.holders {
                    0..=2 => batch.delete(Table::RefCount, row),
                    n => batch.put(row, &RefCount { holders: n - 1 }),
                }
            }
            None => {
                batch.expect_absent(Table::RefCount, row);
                let due = self.sources.now().plus(READER_GRACE);
                batch.put(garbage_row(due, &content.id), &Garbage::Content(content.clone()));
            }
        }
        Ok(())
    }

    /// Prepares a further holder of the content of `source`. Fails with `SourceChanged` if `source` no longer holds it.
    pub(super) async fn retain(
        &self,
        bucket: &Bucket,
        source: &ObjectInfo,
        content: &Content,
    ) -> Result<Retained, ObjectsError> {
        let source = self.holder(bucket, source).await?.ok_or(ObjectsError::SourceChanged)?;
        let counted = self.rows.load::<RefCount>(&id_row(&content.id)).await?;
        Ok(Retained { id: content.id, counted, source })
    }

    /// The row of a version, if it is still the one that `info` tells of.
    async fn holder(
        &self,
        bucket: &Bucket,
        info: &ObjectInfo,
    ) -> Result<Option<(Table, Vec<u8>, Stamp)>, ObjectsError> {
        let row = object_row(&bucket.id, &info.key);
        let current = self.rows.load::<Current>(&row).await?;
        if let Some(current) = current.filter(|c| c.value.0.holder_id == info.holder_id) {
            return Ok(Some((Table::Object, row, current.stamp)));
        }
        let position = match info.version {
            VersionId::Named(position) => Some(position),
            VersionId::Null => self.rows.load::<NullPointer>(&row).await?.map(|p| p.value.position),
        };
        let Some(position) = position else { return Ok(None) };
        let row = version_row(&bucket.id, &info.key, &position);
        let stored = self.rows.load::<Noncurrent>(&row).await?.filter(|s| s.value.0.holder_id == info.holder_id);
        Ok(stored.map(|stored| (Table::Version, row, stored.stamp)))
    }

    /// The part table of a content of several streams.
    pub(super) async fn layout(&self, content: &Content) -> Result<Layout, ObjectsError> {
        let stored = self.rows.load::<Layout>(&id_row(&content.id)).await?;
        stored.map(|s| s.value).ok_or_else(|| ObjectsError::Internal("a part table is missing".to_owned()))
    }
}

/// A holder to be added in a commit.
pub(super) struct Retained {
    id: Id,
    counted: Option<Stored<RefCount>>,
    /// The row of a holder, which must still be there: were it the last and gone, the content would be garbage, and
    /// no count tells of that.
    source: (Table, Vec<u8>, Stamp),
}

impl Retained {
    pub(super) fn expect_source(&self, batch: &mut RowBatch<'_>) {
        let (table, row, stamp) = &self.source;
        batch.expect_unchanged(*table, row.clone(), stamp);
    }

    /// Puts the new number of holders into the batch.
    pub(super) fn count(&self, batch: &mut RowBatch<'_>) {
        let row = id_row(&self.id);
        match &self.counted {
            Some(count) => {
                batch.expect_unchanged(Table::RefCount, row.clone(), &count.stamp);
                batch.put(row, &RefCount { holders: count.value.holders + 1 });
            }
            None => {
                batch.expect_absent(Table::RefCount, row.clone());
                batch.put(row, &RefCount { holders: 2 });
            }
        }
    }
}

/// Either a commit was refused (perhaps to be decided anew) or something failed.
pub(super) enum CommitOrError {
    Commit(CommitError),
    Error(ObjectsError),
}

impl From<CommitError> for CommitOrError {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl From<IndexError> for CommitOrError {
    fn from(error: IndexError) -> Self {
        Self::Error(error.into())
    }
}

impl From<ObjectsError> for CommitOrError {
    fn from(error: ObjectsError) -> Self {
        Self::Error(error)
    }
}

/// Conditions of a write against the current version. After a lost race (`attempt` > 0) a condition that no longer
/// holds is a conflict, as AWS answers it.
pub(super) fn check_write_condition(
    condition: &WriteCondition,
    current: Option<&Stored<Current>>,
    attempt: usize,
) -> Result<(), ObjectsError> {
    if let (Some(owner), Some(held)) = (&condition.over_own_of, current)
        && held.value.0.access.as_ref().and_then(|access| access.owner.as_ref()) != Some(owner)
    {
        return Err(ObjectsError::NotOwned);
    }
    let failed = |name| match attempt {
        0 => ObjectsError::PreconditionFailed(name),
        _ => ObjectsError::ConditionalConflict(name),
    };
    if condition.if_absent {
        return match (current, condition.began_over) {
            (Some(_), _) => Err(failed("If-None-Match")),
            // It was there when the upload began, and has been deleted since.
            (None, Some(BeganOver(Some(_)))) => Err(ObjectsError::ConditionalConflict("If-None-Match")),
            (None, _) => Ok(()),
        };
    }
    let Some(wanted) = &condition.if_match else { return Ok(()) };
    let Some((position, body)) = current.and_then(|c| Some((c.value.0.position, c.value.0.body.as_ref()?))) else {
        return Err(ObjectsError::NoSuchKey { delete_marker: None });
    };
    if wanted != "*" && *wanted != body.etag {
        return Err(failed("If-Match"));
    }
    match condition.began_over {
        Some(BeganOver(then)) if then != Some(position) => Err(ObjectsError::ConditionalConflict("If-Match")),
        _ => Ok(()),
    }
}

/// The key of an `Object`, `Version` or `Upload` row, and the 16 bytes behind it where there are any.
pub(super) fn read_row(row: &[u8]) -> Option<(ObjectKey, Option<Id>)> {
    let mut reader = TupleReader::new(row);
    reader.id::<16>()?;
    let key = ObjectKey::parse(String::from_utf8(reader.bytes()?).ok()?).ok()?;
    Some((key, reader.id::<16>()))
}

/// All rows of a bucket whose key begins with `prefix`.
pub(super) fn prefix_range(bucket: &Bucket, prefix: &str) -> KeyRange {
    KeyRange::prefix(&Tuple::new().id(&bucket.id).open_bytes(prefix.as_bytes()).build())
}
