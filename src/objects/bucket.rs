//! Buckets.
//!
//! What changes a bucket takes the event that the trail gets of it and commits both together; what it returns then is
//! the proof. Calls that fail leave no record here: their error is recorded by who answers the caller.

use super::record::{
    BucketRecord, Current, Garbage, Id, Noncurrent, OwnedBucket, OwnershipRecord, UploadRecord, bucket_row,
    garbage_row, owner_row, policy_row,
};
use super::{Bucket, ObjectOwnership, Objects, ObjectsError, Versioning};
use crate::audit::{Event, Recorded};
use crate::auth::Grant;
use crate::index::{CommitError, Direction, KeyRange, RowBatch, Stored, Table, Tuple, TupleReader};
use crate::names::{ALL_BUCKETS, AccountId, BucketName, Region, bucket_arn};
use crate::policy::{Acl, PublicAccessBlock};
use crate::rules::ConfigurationKind;
use crate::rules::lock::LockConfiguration;
use crate::rules::tagging::BucketTags;
use crate::sse::{BucketDefault, NewDefault};

/// Tries of a read-modify-write of a bucket's row before the client hears that there is too much contention.
pub(super) const BUCKET_TRIES: usize = 8;

/// A bucket to be made.
#[derive(Debug, Clone)]
pub struct NewBucket {
    /// Its name.
    pub name: BucketName,
    /// Its owner.
    pub owner: AccountId,
    /// Its Region.
    pub region: Region,
    /// Its object ownership.
    pub ownership: ObjectOwnership,
    /// Its public access block.
    pub public_access_block: Option<PublicAccessBlock>,
    /// Its ACL; none: private.
    pub acl: Option<Acl>,
    /// Its tags; none: it has none.
    pub tags: Option<BucketTags>,
    /// Versioning and object lock are on.
    pub object_lock: bool,
}

/// Which buckets to list.
#[derive(Debug, Clone)]
pub struct ListBuckets {
    /// Whose.
    pub owner: AccountId,
    /// Names that begin so.
    pub prefix: String,
    /// Of this Region only.
    pub region: Option<Region>,
    /// Names after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A page of buckets.
#[derive(Debug, Clone)]
pub struct BucketPage {
    /// In order of their names.
    pub buckets: Vec<Bucket>,
    /// There are more, after this name.
    pub next: Option<String>,
}

impl Objects {
    /// Makes a bucket. `grant`: `s3:CreateBucket` on its ARN.
    pub async fn create_bucket(&self, grant: &Grant, new: NewBucket, event: &Event) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:CreateBucket", &bucket_arn(&new.name));
        let mut record = BucketRecord {
            id: self.sources.random(),
            owner: new.owner.to_string(),
            region: new.region.to_string(),
            created_ms: self.sources.now().0,
            versioning: if new.object_lock { Versioning::Enabled } else { Versioning::Never },
            encryption: BucketDefault::default(),
            closing: false,
            ownership: Some(OwnershipRecord::Controls(new.ownership)),
            policy: None,
            public_access_block: new.public_access_block,
            acl: new.acl,
            requester_pays: None,
            configurations: None,
        };
        let row = bucket_row(&new.name);
        let mut batch = self.rows.batch();
        batch.expect_absent(Table::Bucket, row.clone());
        if let Some(tags) = new.tags {
            self.configure_new(&mut batch, &mut record, tags);
        }
        if new.object_lock {
            self.configure_new(&mut batch, &mut record, LockConfiguration::default());
        }
        batch.put(row, &record);
        batch.put(owner_row(&new.owner, new.name.as_str()), &OwnedBucket { region: record.region.clone() });
        match self.audit.commit(batch, event).await {
            Ok(recorded) => Ok(recorded),
            Err(CommitError::Conflict) => match self.bucket(&new.name).await {
                Ok(bucket) if bucket.owner == new.owner => Err(ObjectsError::BucketAlreadyOwnedByYou),
                Ok(_) => Err(ObjectsError::BucketAlreadyExists),
                Err(ObjectsError::NoSuchBucket) => Err(ObjectsError::Contention),
                Err(error) => Err(error),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Looks a bucket up.
    pub async fn bucket(&self, name: &BucketName) -> Result<Bucket, ObjectsError> {
        let stored = self.bucket_record(name).await?;
        if stored.value.closing {
            return Err(ObjectsError::NoSuchBucket);
        }
        bucket_of(name, stored)
    }

    /// Lists buckets of an account. `grant`: `s3:ListAllMyBuckets` on `*`.
    pub async fn list_buckets(&self, grant: &Grant, query: &ListBuckets) -> Result<BucketPage, ObjectsError> {
        grant.assert_covers("s3:ListAllMyBuckets", ALL_BUCKETS);
        let owner = Tuple::new().bytes(query.owner.as_str().as_bytes()).build();
        let mut range = KeyRange::prefix(&join(&owner, &Tuple::new().open_bytes(query.prefix.as_bytes()).build()));
        if let Some(after) = &query.after {
            let mut start = owner_row(&query.owner, after);
            start.push(0);
            range.start = range.start.max(start);
        }
        let mut page = BucketPage { buckets: Vec::new(), next: None };
        loop {
            let wanted = query.limit + 1 - page.buckets.len();
            let rows = self.rows.list::<OwnedBucket>(&range, wanted, Direction::Forward).await?;
            let (found, exhausted) = (rows.last().map(|(key, _)| key.clone()), rows.len() < wanted);
            for (key, owned) in rows {
                let foreign = query.region.as_ref().is_some_and(|r| r.as_str() != owned.value.region);
                let Some(name) = bucket_name(&key).filter(|_| !foreign) else { continue };
                match self.bucket(&name).await {
                    Ok(bucket) => page.buckets.push(bucket),
                    Err(ObjectsError::NoSuchBucket) => {}
                    Err(error) => return Err(error),
                }
            }
            if page.buckets.len() > query.limit {
                page.buckets.truncate(query.limit);
                page.next = page.buckets.last().map(|b| b.name.to_string());
                return Ok(page);
            }
            let Some(last) = found.filter(|_| !exhausted) else { return Ok(page) };
            range.start = [&last[..], &[0]].concat();
        }
    }

    /// Deletes an empty bucket. `grant`: `s3:DeleteBucket`. Unfinished uploads do not keep it, as with AWS (not in its
    /// documentation, seen by those who tried): they go with it, and the sweeper has what is left of them.
    ///
    /// A bucket that is not empty is refused at once. Else the row is marked, so that every write that began before
    /// fails its precondition (and nobody finds the bucket while the mark stands); then emptiness is judged again;
    /// then the row goes, with the record of it, or the mark is taken back. Dropped between its commits it
    /// leaves the mark, as a crash does, until [`Objects::reopen_buckets`]: a caller's hanging up must not drop it.
    pub async fn delete_bucket(
        &self,
        grant: &Grant,
        name: &BucketName,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:DeleteBucket", &bucket_arn(name));
        let bucket = bucket_of(name, self.bucket_record(name).await?)?;
        if bucket.owner != grant.resource().owner {
            return Err(ObjectsError::NoSuchBucket);
        }
        self.check_empty(&bucket).await?;
        let mut outcome = Err(ObjectsError::Contention);
        for _ in 0..BUCKET_TRIES {
            outcome = self.close_and_delete(grant, name, event).await;
            if !matches!(outcome, Err(ObjectsError::Contention)) {
                break;
            }
        }
        if outcome.is_err() {
            // Should this fail too, e.g. since the disk is full, `reopen_buckets` does it later.
            let _ = self.mark_closing(name, false).await;
        }
        outcome
    }

    /// One try. The row goes as it was when emptiness was judged, or not at all: had another deletion taken the mark
    /// back since, a write may have come in.
    async fn close_and_delete(
        &self,
        grant: &Grant,
        name: &BucketName,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        let row = bucket_row(name);
        self.mark_closing(name, true).await?;
        let stored = self.bucket_record(name).await?;
        let bucket = bucket_of(name, stored.clone())?;
        if bucket.owner != grant.resource().owner {
            return Err(ObjectsError::NoSuchBucket);
        }
        if !stored.value.closing {
            return Err(ObjectsError::Contention);
        }
        self.check_empty(&bucket).await?;
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, row.clone(), &stored.stamp);
        batch.delete(Table::Bucket, row);
        batch.delete(Table::BucketOwner, owner_row(&bucket.owner, name.as_str()));
        batch.delete(Table::BucketConfig, policy_row(&bucket.id));
        // None can begin while the mark stands. However many there are, the deletion is this one commit.
        if self.is_configured(&bucket).await? || self.has_uploads(&bucket).await? {
            batch.put(garbage_row(self.sources.now(), &bucket.id), &Garbage::Bucket(bucket.id));
        }
        Ok(self.audit.commit(batch, event).await?)
    }

    /// Switches versioning, which a bucket with object lock keeps on. `grant`: `s3:PutBucketVersioning`.
    pub async fn set_versioning(
        &self,
        grant: &Grant,
        name: &BucketName,
        versioning: Versioning,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutBucketVersioning", &bucket_arn(name));
        self.reconfigure(grant, name, event, |record| {
            let has = |kind| record.configurations.as_ref().is_some_and(|c| c.get(kind).is_some());
            if versioning != Versioning::Enabled && has(ConfigurationKind::ObjectLock) {
                return Err(ObjectsError::LockNeedsVersioning);
            }
            if versioning != Versioning::Enabled && has(ConfigurationKind::Replication) {
                return Err(ObjectsError::ReplicationNeedsVersioning);
            }
            record.versioning = versioning;
            Ok(())
        })
        .await
    }

    /// Changes the default encryption. `grant`: `s3:PutEncryptionConfiguration`.
    pub async fn set_encryption(
        &self,
        grant: &Grant,
        name: &BucketName,
        new: &NewDefault,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutEncryptionConfiguration", &bucket_arn(name));
        self.reconfigure(grant, name, event, |record| {
            record.encryption = new.over(&record.encryption);
            Ok(())
        })
        .await
    }

    /// Takes the mark off buckets whose deletion was cut off by a crash or could not take it back itself: they are as
    /// before it. To be called at the start and now and then. A deletion that is under way meanwhile begins anew.
    pub async fn reopen_buckets(&self) -> Result<(), ObjectsError> {
        const PAGE: usize = 256;
        let mut range = KeyRange { start: Vec::new(), end: None };
        loop {
            let rows = self.rows.list::<BucketRecord>(&range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            range.start = [&last[..], &[0]].concat();
            for (row, _) in rows.iter().filter(|(_, stored)| stored.value.closing) {
                let name = TupleReader::new(row).bytes().and_then(|name| String::from_utf8(name).ok());
                if let Some(name) = name.and_then(|name| BucketName::parse(&name).ok()) {
                    self.mark_closing(&name, false).await?;
                }
            }
        }
    }

    async fn bucket_record(&self, name: &BucketName) -> Result<Stored<BucketRecord>, ObjectsError> {
        self.rows.load::<BucketRecord>(&bucket_row(name)).await?.ok_or(ObjectsError::NoSuchBucket)
    }

    /// The bucket's row for a change. One that is being deleted, or that is not the one any more that the grant was
    /// given for, is not there.
    pub(super) async fn bucket_to_change(
        &self,
        grant: &Grant,
        name: &BucketName,
    ) -> Result<Stored<BucketRecord>, ObjectsError> {
        let stored = self.bucket_record(name).await?;
        if stored.value.closing || stored.value.owner != grant.resource().owner.as_str() {
            return Err(ObjectsError::NoSuchBucket);
        }
        Ok(stored)
    }

    /// Read, change, commit with the record of it; again if somebody else was faster. What
    /// `change` refuses leaves it as it is.
    pub(super) async fn reconfigure(
        &self,
        grant: &Grant,
        name: &BucketName,
        event: &Event,
        change: impl Fn(&mut BucketRecord) -> Result<(), ObjectsError>,
    ) -> Result<Recorded, ObjectsError> {
        self.reconfigure_with(grant, name, event, change, |_, _| ()).await
    }

    /// As [`Self::reconfigure`]; `others` adds rows to the commit.
    pub(super) async fn reconfigure_with(
        &self,
        grant: &Grant,
        name: &BucketName,
        event: &Event,
        change: impl Fn(&mut BucketRecord) -> Result<(), ObjectsError>,
        others: impl Fn(&Id, &mut RowBatch<'_>),
    ) -> Result<Recorded, ObjectsError> {
        for _ in 0..BUCKET_TRIES {
            let mut stored = self.bucket_to_change(grant, name).await?;
            change(&mut stored.value)?;
            let mut batch = self.replacing(name, &stored);
            others(&stored.value.id, &mut batch);
            match self.audit.commit(batch, event).await {
                Ok(recorded) => return Ok(recorded),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ObjectsError::Contention)
    }

    /// Sets or takes back the mark of a deletion. That is no change of the bucket yet, so it has no record.
    async fn mark_closing(&self, name: &BucketName, closing: bool) -> Result<(), ObjectsError> {
        for _ in 0..BUCKET_TRIES {
            let mut stored = self.bucket_record(name).await?;
            if stored.value.closing == closing {
                return Ok(());
            }
            stored.value.closing = closing;
            match self.rows.commit(self.replacing(name, &stored)).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ObjectsError::Contention)
    }

    /// Puts a changed record in the place of the one that was read.
    pub(super) fn replacing(&self, name: &BucketName, changed: &Stored<BucketRecord>) -> RowBatch<'_> {
        let row = bucket_row(name);
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Bucket, row.clone(), &changed.stamp);
        batch.put(row, &changed.value);
        batch
    }

    async fn check_empty(&self, bucket: &Bucket) -> Result<(), ObjectsError> {
        let range = KeyRange::prefix(&bucket.id);
        let versions = bucket.versioning != Versioning::Never;
        let current = self.rows.list::<Current>(&range, 1, Direction::Forward).await?;
        let noncurrent = self.rows.list::<Noncurrent>(&range, 1, Direction::Forward).await?;
        if current.is_empty() && noncurrent.is_empty() {
            Ok(())
        } else {
            Err(ObjectsError::BucketNotEmpty { versions })
        }
    }

    /// Whether it has rows beside its own: configurations, and what jobs have noted of it.
    async fn is_configured(&self, bucket: &Bucket) -> Result<bool, ObjectsError> {
        let range = KeyRange::prefix(&bucket.id);
        let rows = self.rows.engine().scan(Table::BucketConfig, &range, 2, Direction::Forward).await?;
        let policy = policy_row(&bucket.id);
        Ok(rows.iter().any(|(row, _)| row[..] != policy[..]))
    }

    async fn has_uploads(&self, bucket: &Bucket) -> Result<bool, ObjectsError> {
        let range = KeyRange::prefix(&bucket.id);
        Ok(!self.rows.list::<UploadRecord>(&range, 1, Direction::Forward).await?.is_empty())
    }
}

pub(super) fn bucket_of(name: &BucketName, stored: Stored<BucketRecord>) -> Result<Bucket, ObjectsError> {
    let Stored { value, stamp } = stored;
    value
        .bucket(name.clone(), stamp)
        .ok_or_else(|| ObjectsError::Internal(format!("the record of bucket {name} holds invalid names")))
}

fn bucket_name(owner_row: &[u8]) -> Option<BucketName> {
    let mut reader = TupleReader::new(owner_row);
    reader.bytes()?;
    BucketName::parse(std::str::from_utf8(&reader.bytes()?).ok()?).ok()
}

fn join(a: &[u8], b: &[u8]) -> Vec<u8> {
    [a, b].concat()
}
