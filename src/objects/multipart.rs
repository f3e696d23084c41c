//! Multipart uploads.

use super::cursor::{Cursor, rolled_up};
use super::list::{ListQuery, group_end, is_behind, malformed, start_range};
use super::record::{
    ChecksumRecord, Current, Garbage, Id, PartBytes, PartRecord, UploadRecord, algorithm_number, algorithm_of,
    bucket_row, garbage_row, object_row, part_row, upload_row,
};
use super::versions::{COMMIT_TRIES, READER_GRACE, prefix_range, read_row};
use super::{
    Attributes, BeganOver, Bucket, ChecksumKind, ObjectMeta, Objects, ObjectsError, PART_NUMBER_MAX, UploadId,
    WriteCondition,
};
use crate::auth::{Grant, Payload};
use crate::crypto::{Checksum, ChecksumAlgorithm, ObjectKeys};
use crate::index::{CommitError, Direction, KeyRange, RowBatch, Stamp, Stored, Table};
use crate::names::{BucketName, ObjectKey, bucket_arn, object_arn};
use crate::sources::Timestamp;
use crate::sse::{CustomerKey, Envelope, Mode, ObjectRef, SealPlan};

/// An upload to be started.
#[expect(missing_debug_implementations, reason = "the plan may hold a secret")]
pub struct NewUpload<'a> {
    /// Where.
    pub bucket: &'a Bucket,
    /// Under which key.
    pub key: &'a ObjectKey,
    /// Headers and metadata of the object to be.
    pub meta: ObjectMeta,
    /// How it will be sealed.
    pub plan: SealPlan,
    /// Algorithm and type of its checksum, if the client named one.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    /// What the object to be is given.
    pub attributes: Attributes,
    /// The ARN of who begins it, unless that is the root of the bucket's owner.
    pub initiator: Option<String>,
}

/// An upload under way.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Bucket.
    pub bucket: BucketName,
    /// Key.
    pub key: ObjectKey,
    /// When it was started.
    pub initiated: Timestamp,
    /// Headers and metadata of the object to be.
    pub meta: ObjectMeta,
    /// How its keys are kept.
    pub envelope: Envelope,
    /// Algorithm and type, if the client named one.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    /// What the object to be is given.
    pub attributes: Attributes,
    /// The ARN of who began it; none for the root of the bucket's owner, and where it is not known.
    pub initiator: Option<String>,
    /// Bound into the wrapping of its keys and into its streams.
    pub(crate) holder_id: [u8; 16],
    pub(crate) began_over: BeganOver,
    /// Its row, and the version of it that was read.
    pub(crate) row: Vec<u8>,
    pub(crate) stamp: Stamp,
}

/// A part of an upload.
#[derive(Debug, Clone)]
pub struct PartInfo {
    /// 1 to 10,000.
    pub part_number: u32,
    /// Size in bytes.
    pub plain_len: u64,
    /// Without quotes.
    pub etag: String,
    /// When it was written.
    pub modified: Timestamp,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

/// A part as Complete names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletePart {
    /// Its number.
    pub part_number: u32,
    /// Its ETag without quotes.
    pub etag: String,
    /// Its checksum, if named.
    pub checksum: Option<Checksum>,
}

/// Everything that Complete says.
#[derive(Debug, Clone, Default)]
pub struct CompleteUpload {
    /// It is a replica of what another gateway has.
    pub replica: bool,
    /// The parts in the order sent.
    pub parts: Vec<CompletePart>,
    /// Checksum of the object, if named.
    pub checksum: Option<Checksum>,
    /// `x-amz-checksum-type`, if named.
    pub checksum_kind: Option<ChecksumKind>,
    /// `x-amz-mp-object-size`, if named.
    pub declared_len: Option<u64>,
    /// Conditions on the object.
    pub condition: WriteCondition,
}

/// Which parts to list.
#[derive(Debug, Clone, Copy)]
pub struct ListParts {
    /// Numbers after this.
    pub after: u32,
    /// At most so many.
    pub limit: usize,
}

/// A page of parts.
#[derive(Debug, Clone, Default)]
pub struct PartsPage {
    /// In order of number.
    pub parts: Vec<PartInfo>,
    /// There are more, after this number.
    pub next: Option<u32>,
}

/// Which uploads to list.
#[derive(Debug, Clone, Default)]
pub struct ListUploads {
    /// Keys that begin so.
    pub prefix: String,
    /// As in [`super::ListQuery`].
    pub delimiter: String,
    /// Keys after this one…
    pub key_marker: String,
    /// …or uploads of that key after this one.
    pub upload_id_marker: Option<UploadId>,
    /// At most so many.
    pub limit: usize,
}

/// A page of uploads.
#[derive(Debug, Clone, Default)]
pub struct UploadsPage {
    /// In order of key, then of start.
    pub uploads: Vec<Upload>,
    /// Rolled-up prefixes.
    pub prefixes: Vec<String>,
    /// There are more: markers for the next page.
    pub next: Option<(String, Option<UploadId>)>,
}

impl Objects {
    /// Starts an upload. `grant`: `s3:PutObject`.
    pub async fn create_upload(&self, grant: &Grant, new: NewUpload<'_>) -> Result<Upload, ObjectsError> {
        let NewUpload { bucket, key, meta, plan, checksum, attributes, initiator } = new;
        grant.assert_covers("s3:PutObject", &object_arn(&bucket.name, key));
        let holder_id: Id = self.sources.random();
        let object = ObjectRef { bucket: &bucket.name, key, id: holder_id };
        // The keys are made once for all parts; each part unwraps them again.
        let (_keys, envelope) = self.sse.new_keys(grant.access(), &plan, object).await?;
        let now = self.sources.now();
        let upload_id = self.upload_ids.next(now, self.sources.random());
        let current = self.rows.load::<Current>(&object_row(&bucket.id, key)).await?;
        let record = UploadRecord {
            initiated_ms: now.0,
            meta,
            envelope,
            checksum: checksum.map(|(algorithm, kind)| (algorithm_number(algorithm), kind)),
            holder_id,
            began_over: current.map(|current| current.value.0.position),
            access: attributes.access,
            lock: attributes.lock,
            initiator,
        };
        let row = upload_row(&bucket.id, key, &upload_id.0);
        let mut bucket = bucket.clone();
        for _ in 0..COMMIT_TRIES {
            let mut batch = self.rows.batch();
            batch.expect_unchanged(Table::Bucket, bucket_row(&bucket.name), &bucket.stamp);
            batch.put(row.clone(), &record);
            match self.rows.commit(batch).await {
                Ok(()) => return self.upload(&bucket, key, upload_id).await,
                Err(CommitError::Conflict) => bucket = self.same_bucket(&bucket).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(ObjectsError::Contention)
    }

    /// Looks an upload up: it must be of this bucket and key.
    pub async fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<Upload, ObjectsError> {
        let row = upload_row(&bucket.id, key, &id.0);
        let stored = self.rows.load::<UploadRecord>(&row).await?.ok_or(ObjectsError::NoSuchUpload)?;
        upload_of(bucket, key.clone(), id, row, stored)
    }

    /// The keys of an upload for one of its parts. `customer` as for [`crate::sse::Sse::open`].
    pub async fn upload_keys(
        &self,
        grant: &Grant,
        upload: &Upload,
        customer: Option<&CustomerKey>,
    ) -> Result<ObjectKeys, ObjectsError> {
        let object = ObjectRef { bucket: &upload.bucket, key: &upload.key, id: upload.holder_id };
        Ok(self.sse.open(grant.access(), object, &upload.envelope, customer).await?)
    }

    /// Writes a part; replaces an earlier one of the same number. `grant`: `s3:PutObject`. A copied part comes as
    /// [`Payload::internal`].
    pub async fn put_part(
        &self,
        grant: &Grant,
        upload: &Upload,
        keys: ObjectKeys,
        part_number: u32,
        mut payload: Payload,
    ) -> Result<PartInfo, ObjectsError> {
        grant.assert_covers("s3:PutObject", &object_arn(&upload.bucket, &upload.key));
        let md5 = upload.envelope.mode == Mode::SseS3;
        if md5 {
            payload.want_md5();
        }
        payload.want_crc64_nvme();
        plan_part_checksum(upload, &mut payload)?;
        let written = self.write_stream(&keys, &upload.holder_id, part_number, payload).await?;
        let checksum = written.verified.checksum();
        let part = PartRecord {
            number: part_number,
            plain_len: written.verified.plain_len(),
            etag: self.etag(written.verified.md5().filter(|_| md5)),
            modified_ms: self.sources.now().0,
            bytes: PartBytes { id: written.id, place: written.place, sealed_crc: written.sealed_crc },
            checksum: checksum.map(|c| ChecksumRecord::new(c, ChecksumKind::FullObject, None)),
            md5: written.verified.md5().filter(|_| md5),
            plain_crc: written.verified.crc64_nvme().expect("it was asked for"),
        };
        let row = part_row(&upload.id.0, part_number);
        for _ in 0..COMMIT_TRIES {
            let old = self.rows.load::<PartRecord>(&row).await?;
            let mut batch = self.rows.batch();
            batch.expect_unchanged(Table::Upload, upload.row.clone(), &upload.stamp);
            match &old {
                Some(old) => {
                    batch.expect_unchanged(Table::Part, row.clone(), &old.stamp);
                    let bytes = old.value.bytes.clone();
                    let due = self.sources.now().plus(READER_GRACE);
                    batch.put(garbage_row(due, &bytes.id), &Garbage::Part(bytes));
                }
                None => batch.expect_absent(Table::Part, row.clone()),
            }
            batch.put(row.clone(), &part);
            written.apply(&mut batch);
            match self.rows.commit(batch).await {
                Ok(()) => return Ok(part_info(part)),
                Err(CommitError::Conflict) => {
                    let still = self.rows.load::<UploadRecord>(&upload.row).await?;
                    still.ok_or(ObjectsError::NoSuchUpload)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(ObjectsError::Contention)
    }

    /// Drops an upload and its parts. Of one that has become the key's current version nothing is left to drop, which
    /// is no fault (as AWS has it). `grant`: `s3:AbortMultipartUpload`.
    pub async fn abort_upload(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<(), ObjectsError> {
        grant.assert_covers("s3:AbortMultipartUpload", &object_arn(&bucket.name, key));
        let row = upload_row(&bucket.id, key, &id.0);
        let Some(stored) = self.rows.load::<UploadRecord>(&row).await? else {
            return self.made_of(bucket, key, id).await.map(|_| ());
        };
        match self.drop_upload_row(row, &stored).await {
            Err(ObjectsError::Contention) => Err(ObjectsError::NoSuchUpload),
            other => other,
        }
    }

    /// Removes an upload's row; its parts become garbage.
    async fn drop_upload_row(&self, row: Vec<u8>, stored: &Stored<UploadRecord>) -> Result<(), ObjectsError> {
        let (_, id) = read_row(&row).ok_or_else(malformed)?;
        let id = id.ok_or_else(malformed)?;
        let mut batch = self.rows.batch();
        batch.expect_unchanged(Table::Upload, row.clone(), &stored.stamp);
        self.drop_upload(&mut batch, row, &id);
        match self.rows.commit(batch).await {
            Err(CommitError::Conflict) => Err(ObjectsError::Contention),
            other => Ok(other?),
        }
    }

    /// An upload's row goes; its parts become garbage.
    pub(super) fn drop_upload(&self, batch: &mut RowBatch<'_>, row: Vec<u8>, id: &Id) {
        batch.delete(Table::Upload, row);
        batch.put(garbage_row(self.sources.now(), id), &Garbage::Upload(*id));
    }

    /// Lists parts. `grant`: `s3:ListMultipartUploadParts`.
    pub async fn list_parts(
        &self,
        grant: &Grant,
        upload: &Upload,
        query: ListParts,
    ) -> Result<PartsPage, ObjectsError> {
        grant.assert_covers("s3:ListMultipartUploadParts", &object_arn(&upload.bucket, &upload.key));
        let mut range = KeyRange::prefix(&upload.id.0);
        range.start = part_row(&upload.id.0, query.after.saturating_add(1));
        let rows = self.rows.list::<PartRecord>(&range, query.limit + 1, Direction::Forward).await?;
        let more = rows.len() > query.limit;
        let parts: Vec<PartInfo> =
            rows.into_iter().take(query.limit).map(|(_, stored)| part_info(stored.value)).collect();
        let next = parts.last().map(|p| p.part_number).filter(|_| more);
        Ok(PartsPage { parts, next })
    }

    /// All parts of an upload, in order of number.
    pub(super) async fn all_parts(&self, upload: &Id) -> Result<Vec<(Vec<u8>, Stored<PartRecord>)>, ObjectsError> {
        let limit = PART_NUMBER_MAX as usize + 1;
        let rows = self.rows.list::<PartRecord>(&KeyRange::prefix(upload), limit, Direction::Forward).await?;
        Ok(rows.into_iter().map(|(key, stored)| (key.to_vec(), stored)).collect())
    }

    /// Lists uploads. `grant`: `s3:ListBucketMultipartUploads`.
    pub async fn list_uploads(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        query: &ListUploads,
    ) -> Result<UploadsPage, ObjectsError> {
        grant.assert_covers("s3:ListBucketMultipartUploads", &bucket_arn(&bucket.name));
        let mut page = UploadsPage::default();
        if query.limit == 0 {
            return Ok(page);
        }
        let like = ListQuery {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone(),
            after: query.key_marker.clone(),
            limit: query.limit,
        };
        let mut range = start_range(bucket, &like);
        if let (Ok(key), Some(id)) = (ObjectKey::parse(query.key_marker.as_str()), query.upload_id_marker) {
            let behind = [&upload_row(&bucket.id, &key, &id.0)[..], &[0]].concat();
            range.start = behind.max(prefix_range(bucket, &query.prefix).start);
        }
        let mut cursor = Cursor::new(&self.rows, Table::Upload, range);
        let mut last = (String::new(), None);
        while let Some((row, sealed)) = cursor.next().await? {
            let (key, id) = read_row(&row).ok_or_else(malformed)?;
            let group = rolled_up(key.as_str(), &query.prefix, &query.delimiter).map(str::to_owned);
            let shown = group.as_ref().is_none_or(|group| is_behind(group, &like));
            if shown && page.uploads.len() + page.prefixes.len() == query.limit {
                page.next = Some(last);
                return Ok(page);
            }
            match group {
                Some(group) => {
                    cursor.seek(&group_end(bucket, &group));
                    if shown {
                        last = (group.clone(), None);
                        page.prefixes.push(group);
                    }
                }
                None => {
                    let id = UploadId(id.ok_or_else(malformed)?);
                    let stored = self.rows.open_value::<UploadRecord>(&row, sealed)?;
                    last = (key.to_string(), Some(id));
                    page.uploads.push(upload_of(bucket, key, id, row.to_vec(), stored)?);
                }
            }
        }
        Ok(page)
    }
}

/// A part's checksum is of the upload's algorithm; without one any algorithm goes, and CRC64NVME is the default
/// (but for SSE-C, whose uploads get none, as AWS does it).
fn plan_part_checksum(upload: &Upload, payload: &mut Payload) -> Result<(), ObjectsError> {
    match (upload.checksum, payload.client_checksum()) {
        (Some((expected, _)), Some(actual)) if expected != actual => {
            Err(ObjectsError::ChecksumAlgorithmMismatch { expected: Some(expected), actual: Some(actual) })
        }
        // Of those that a checksum is made of none is left to us, as with AWS: it would prove nothing.
        (Some((expected, ChecksumKind::Composite)), None) => {
            Err(ObjectsError::ChecksumAlgorithmMismatch { expected: Some(expected), actual: None })
        }
        (_, Some(_)) => Ok(()),
        (Some((expected, _)), None) => {
            payload.want_checksum(expected);
            Ok(())
        }
        (None, None) => {
            if upload.envelope.mode != Mode::SseC {
                payload.want_checksum(ChecksumAlgorithm::Crc64Nvme);
            }
            Ok(())
        }
    }
}

fn upload_of(
    bucket: &Bucket,
    key: ObjectKey,
    id: UploadId,
    row: Vec<u8>,
    stored: Stored<UploadRecord>,
) -> Result<Upload, ObjectsError> {
    let Stored { value, stamp } = stored;
    let checksum = match value.checksum {
        None => None,
        Some((number, kind)) => Some((algorithm_of(number).ok_or_else(malformed)?, kind)),
    };
    Ok(Upload {
        id,
        bucket: bucket.name.clone(),
        key,
        initiated: Timestamp(value.initiated_ms),
        meta: value.meta,
        envelope: value.envelope,
        checksum,
        attributes: Attributes { access: value.access, lock: value.lock, ..Attributes::default() },
        initiator: value.initiator,
        holder_id: value.holder_id,
        began_over: BeganOver(value.began_over),
        row,
        stamp,
    })
}

fn part_info(part: PartRecord) -> PartInfo {
    PartInfo {
        part_number: part.number,
        plain_len: part.plain_len,
        etag: part.etag,
        modified: Timestamp(part.modified_ms),
        checksum: part.checksum.as_ref().and_then(ChecksumRecord::checksum),
    }
}
