//! Writing an object: the body is sealed as it comes; the commit makes it visible.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::record::{BodyRecord, ChecksumRecord, Content, Id, Pending, Place, id_row};
use super::versions::{NewVersion, check_write_condition};
use super::{
    Attributes, Bucket, ChecksumKind, Creation, INLINE_MAX_BYTES, ObjectInfo, ObjectMeta, Objects, ObjectsError,
    PUT_MAX_BYTES, WriteCondition,
};
use crate::auth::{BodyVerified, Grant, Payload};
use crate::crypto::{ChecksumAlgorithm, ObjectKeys, SEGMENT_BYTES, SealingId, StreamSealer, crc64_nvme, sealed_len};
use crate::index::{RowBatch, Stamp, Table};
use crate::names::{ObjectKey, hex, object_arn};
use crate::rules::notification::EventName;
use crate::sse::{ObjectRef, SealPlan};
use crate::store::{BlobId, BlobWriter, Blobs, Buffer};

/// An object to be written.
#[expect(missing_debug_implementations, reason = "the plan may hold a secret")]
pub struct PutObject<'a> {
    /// Where.
    pub bucket: &'a Bucket,
    /// Under which key.
    pub key: &'a ObjectKey,
    /// Headers and metadata.
    pub meta: ObjectMeta,
    /// From [`crate::sse::Sse::plan`].
    pub plan: SealPlan,
    /// Conditions; checked before the body is read and again in the commit.
    pub condition: WriteCondition,
    /// What the object to be is given.
    pub attributes: Attributes,
}

/// Sealed bytes that are stored (a blob) or ready to be committed (inline), and what was learned on the way.
pub(super) struct Written {
    pub(super) id: Id,
    pub(super) place: Place,
    pub(super) sealed_crc: u64,
    pub(super) verified: BodyVerified,
    stored: Stored,
}

/// Where sealed bytes are until the commit.
enum Stored {
    /// To be committed with it.
    Inline(Bytes),
    /// In the store, announced.
    Blob(ActiveBlob),
}

impl Written {
    /// Adds to the commit what makes these bytes reachable.
    pub(super) fn apply(&self, batch: &mut RowBatch<'_>) {
        match &self.stored {
            Stored::Inline(bytes) => batch.put_sealed(Table::Inline, id_row(&self.id), bytes.clone()),
            Stored::Blob(announced) => {
                // Were the row gone, a sweeper of another gateway would have given the blob up.
                batch.expect_unchanged(Table::Pending, id_row(&self.id), &announced.pending);
                batch.delete(Table::Pending, id_row(&self.id));
            }
        }
    }
}

/// Ids of blobs that this process is writing.
pub(super) type ActiveBlobs = Arc<Mutex<std::collections::HashSet<BlobId>>>;

/// Marks a blob as being written and keeps this process's sweeper off it, until dropped.
struct ActiveBlob {
    id: BlobId,
    active: ActiveBlobs,
    /// Its row in `Pending`.
    pending: Stamp,
}

impl Drop for ActiveBlob {
    fn drop(&mut self) {
        self.active.lock().expect("no holder panics").remove(&self.id);
    }
}

impl Objects {
    /// Checks the conditions of a write against what is stored now: before the client is told to continue.
    pub async fn check_condition(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        condition: &WriteCondition,
    ) -> Result<(), ObjectsError> {
        if *condition == WriteCondition::default() {
            return Ok(());
        }
        let state = self.key_state(bucket, key).await?;
        check_write_condition(condition, state.current.as_ref(), 0)
    }

    /// Writes an object: seals the body as it comes, stores it, verifies it, commits. `grant`: `s3:PutObject` on the
    /// object's ARN. Computes CRC64NVME unless the client sent a checksum.
    pub async fn put(
        &self,
        grant: &Grant,
        put: PutObject<'_>,
        mut payload: Payload,
    ) -> Result<ObjectInfo, ObjectsError> {
        let PutObject { bucket, key, meta, plan, condition, attributes } = put;
        grant.assert_covers("s3:PutObject", &object_arn(&bucket.name, key));
        self.check_condition(bucket, key, &condition).await?;
        let holder_id: Id = self.sources.random();
        let object = ObjectRef { bucket: &bucket.name, key, id: holder_id };
        let (keys, envelope) = self.sse.new_keys(grant.access(), &plan, object).await?;
        let etag_is_md5 = plan.etag_is_md5();
        if etag_is_md5 {
            payload.want_md5();
        }
        if payload.client_checksum().is_none() {
            payload.want_checksum(ChecksumAlgorithm::Crc64Nvme);
        }
        let written = self.write_stream(&keys, &holder_id, 0, payload).await?;
        let body = BodyRecord {
            plain_len: written.verified.plain_len(),
            // The client's own Content-MD5 is checked in every mode, and shown in none but SSE-S3.
            etag: self.etag(written.verified.md5().filter(|_| etag_is_md5)),
            meta,
            checksum: written.verified.checksum().map(|c| ChecksumRecord::new(c, ChecksumKind::FullObject, None)),
            envelope,
            content: Content {
                id: written.id,
                place: written.place,
                sealing_id: holder_id,
                sealed_crc: written.sealed_crc,
            },
            parts: None,
            upload: None,
        };
        let event = match attributes.creation {
            Creation::Put => EventName::CREATED_PUT,
            Creation::Post => EventName::CREATED_POST,
            Creation::Copy => EventName::CREATED_COPY,
        };
        let new = NewVersion { by: grant.access().clone(), event, holder_id, attributes, body };
        let record = self.commit_version(bucket, key, new, &condition, &|batch| written.apply(batch)).await?;
        self.info_of(bucket, key, record)
    }

    /// An ETag: the MD5, or 16 random bytes where the mode wants no digest of the plaintext shown.
    pub(super) fn etag(&self, md5: Option<[u8; 16]>) -> String {
        hex(&md5.unwrap_or_else(|| self.sources.random()))
    }

    /// Seals and stores one stream: inline if it is small, else as a blob, which stays invisible until a commit
    /// refers to it.
    pub(super) async fn write_stream(
        &self,
        keys: &ObjectKeys,
        sealing_id: &SealingId,
        part_number: u32,
        payload: Payload,
    ) -> Result<Written, ObjectsError> {
        let plain_len = payload.plain_len();
        if plain_len > PUT_MAX_BYTES {
            return Err(ObjectsError::TooLarge { proposed: plain_len, limit: PUT_MAX_BYTES });
        }
        // The id is the salt too: it binds the bytes to the record that names them, and not only to object and part.
        let id: Id = self.sources.random();
        let (sealer, header) = StreamSealer::new(keys, sealing_id, part_number, id);
        if plain_len <= INLINE_MAX_BYTES {
            let capacity = usize::try_from(sealed_len(plain_len, keys.suite())).unwrap_or(0);
            let mut stream = Sealing::new(sealer, &header, Buffer::with_capacity(capacity));
            let verified = seal_all(&mut stream, payload, None).await?;
            let bytes = stream.buffer.freeze();
            let sealed_crc = crc64_nvme(0, &bytes);
            return Ok(Written { id, place: Place::Inline, sealed_crc, verified, stored: Stored::Inline(bytes) });
        }
        let announced = self.announce(id).await?;
        let mut writer = self.blobs.create(id, sealed_len(plain_len, keys.suite())).await?;
        if !payload.is_len_exact() {
            writer.may_end_early();
        }
        let mut stream = Sealing::new(sealer, &header, self.blobs.buffer());
        match seal_all(&mut stream, payload, Some((&self.blobs, &mut writer))).await {
            Ok(verified) => {
                stream.crc = crc64_nvme(stream.crc, &stream.buffer);
                writer.write(stream.buffer.freeze()).await?;
                writer.finish().await?;
                let sealed_crc = stream.crc;
                Ok(Written { id, place: Place::Blob, sealed_crc, verified, stored: Stored::Blob(announced) })
            }
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    /// Notes durably that a blob is being written, so that it is swept if its commit never comes.
    async fn announce(&self, id: BlobId) -> Result<ActiveBlob, ObjectsError> {
        self.active.lock().expect("no holder panics").insert(id);
        let mut announced = ActiveBlob { id, active: Arc::clone(&self.active), pending: Stamp::default() };
        let mut batch = self.rows.batch();
        announced.pending = batch.put_stamped(id_row(&id), &Pending { since_ms: self.sources.now().0 });
        self.rows.commit(batch).await?;
        Ok(announced)
    }

    pub(super) fn info_of(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        record: super::record::ObjectRecord,
    ) -> Result<ObjectInfo, ObjectsError> {
        let info = record.info(&bucket.name, key.clone());
        info.ok_or_else(|| ObjectsError::Internal("a delete marker where an object was expected".to_owned()))
    }
}

/// A stream on its way: plaintext goes in, sealed pieces come out. A whole segment is sealed from where it lies into the
/// buffer; of others each byte is copied once, into the buffer in which it is sealed.
struct Sealing {
    sealer: StreamSealer,
    buffer: Buffer,
    /// Where the open segment begins in `buffer`.
    open: usize,
    crc: u64,
}

impl Sealing {
    fn new(sealer: StreamSealer, header: &[u8], mut buffer: Buffer) -> Self {
        buffer.extend_from_slice(header);
        Self { sealer, open: buffer.len(), buffer, crc: 0 }
    }

    /// Room in the open segment.
    fn room(&self) -> usize {
        SEGMENT_BYTES - (self.buffer.len() - self.open)
    }

    fn close_segment(&mut self, last: bool) {
        self.sealer.seal(&mut self.buffer, self.open, last);
        self.open = self.buffer.len();
    }

    /// A whole segment that is not the last, without a copy of it into the buffer.
    fn seal_whole(&mut self, plain: &[u8]) {
        self.sealer.seal_onto(&mut self.buffer, plain, false);
        self.open = self.buffer.len();
    }

    /// Whether no segment is open and the buffer has no room for another whole one.
    fn is_full(&self) -> bool {
        self.open == self.buffer.len()
            && self.buffer.len() + SEGMENT_BYTES + self.sealer.overhead() > self.buffer.capacity()
    }

    /// Hands the segments that are closed to the store and goes on in a fresh buffer.
    async fn flush(&mut self, blobs: &Blobs, writer: &mut BlobWriter) -> Result<(), ObjectsError> {
        let piece = std::mem::replace(&mut self.buffer, blobs.buffer());
        self.open = 0;
        self.crc = crc64_nvme(self.crc, &piece);
        Ok(writer.write(piece.freeze()).await?)
    }
}

/// Reads the payload to its end and seals it. A full segment is closed only when more comes: the last one is marked.
async fn seal_all(
    stream: &mut Sealing,
    mut payload: Payload,
    mut to: Option<(&Blobs, &mut BlobWriter)>,
) -> Result<BodyVerified, ObjectsError> {
    while let Some(chunk) = payload.next().await? {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            if stream.room() == 0 {
                stream.close_segment(false);
            }
            if let Some((blobs, writer)) = to.as_mut().filter(|_| stream.is_full()) {
                stream.flush(blobs, writer).await?;
            }
            let (now, later) = rest.split_at(rest.len().min(stream.room()));
            if now.len() == SEGMENT_BYTES && !later.is_empty() {
                stream.seal_whole(now);
            } else {
                stream.buffer.extend_from_slice(now);
            }
            rest = later;
        }
    }
    stream.close_segment(true);
    Ok(payload.finish())
}
