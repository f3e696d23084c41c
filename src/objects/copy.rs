//! Copying an object, without moving bytes where the sealing allows.

use futures_util::StreamExt as _;

use super::change::Follows;
use super::record::{BodyRecord, ChecksumRecord, Content, Id};
use super::versions::{Besides, NewVersion};
use super::{
    Attributes, Bucket, ChecksumKind, Creation, ObjectInfo, ObjectMeta, Objects, ObjectsError, PutObject,
    WriteCondition,
};
use crate::auth::{Grant, Payload, PayloadError};
use crate::crypto::{ChecksumAlgorithm, Digester, Md5, ObjectKeys, PlainRange};
use crate::names::{ObjectKey, object_arn};
use crate::rules::notification::EventName;
use crate::sse::{Envelope, Mode, ObjectRef, SealPlan};

/// A copy to be made.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct CopyObject<'a> {
    /// The source, from [`Objects::head`].
    pub source: &'a ObjectInfo,
    /// Allowed to read the source.
    pub source_grant: &'a Grant,
    /// Its keys, opened for the caller.
    pub source_keys: ObjectKeys,
    /// Destination bucket.
    pub bucket: &'a Bucket,
    /// Destination key.
    pub key: &'a ObjectKey,
    /// New headers and metadata; none: the source's.
    pub meta: Option<ObjectMeta>,
    /// How the copy is sealed.
    pub plan: SealPlan,
    /// Compute this checksum instead of keeping the source's.
    pub checksum: Option<ChecksumAlgorithm>,
    /// Conditions on the destination.
    pub condition: WriteCondition,
    /// What the object to be is given.
    pub attributes: Attributes,
}

/// Digests that a copy must show and the source's record does not tell.
#[derive(Default)]
struct Learned {
    md5: Option<[u8; 16]>,
    checksum: Option<ChecksumRecord>,
}

impl Objects {
    /// Copies; the copy shares the source's bytes where the sealing allows. `SourceChanged` if the source has gone
    /// meanwhile. `grant`: `s3:PutObject` on the destination's ARN.
    pub async fn copy(&self, grant: &Grant, copy: CopyObject<'_>) -> Result<ObjectInfo, ObjectsError> {
        grant.assert_covers("s3:PutObject", &object_arn(&copy.bucket.name, copy.key));
        self.check_condition(copy.bucket, copy.key, &copy.condition).await?;
        if copy.plan.suite() != copy.source_keys.suite() {
            return self.copy_bytes(grant, copy).await;
        }
        let CopyObject { source, source_grant, source_keys, bucket, key, meta, plan, checksum, condition, attributes } =
            copy;
        let holder_id: Id = self.sources.random();
        let object = ObjectRef { bucket: &bucket.name, key, id: holder_id };
        let envelope = self.sse.seal_keys(grant.access(), &plan, object, &source_keys).await?;
        let learned = self.learn(source_grant, source, source_keys, plan.etag_is_md5(), checksum).await?;
        let body = BodyRecord {
            plain_len: source.plain_len,
            etag: self.etag(learned.md5),
            meta: meta.unwrap_or_else(|| source.meta.clone()),
            checksum: learned.checksum,
            envelope,
            content: source.content.clone(),
            parts: None,
            upload: None,
        };
        let content = body.content.clone();
        let (by, event) = (grant.access().clone(), EventName::CREATED_COPY);
        let new = NewVersion { by, event, holder_id, attributes, body };
        let record = self.commit_shared(bucket, key, new, &condition, &content, source).await?;
        self.info_of(bucket, key, record)
    }

    /// Copies by moving the bytes, for another cipher, or from a source that has gone since it was looked at. `grant`:
    /// `s3:PutObject` on the destination's ARN.
    pub async fn copy_bytes(&self, grant: &Grant, copy: CopyObject<'_>) -> Result<ObjectInfo, ObjectsError> {
        let CopyObject { source, source_grant, source_keys, bucket, key, meta, plan, checksum, condition, attributes } =
            copy;
        let whole = PlainRange { start: 0, end: source.plain_len };
        let plain = self.read(source_grant, source, whole, source_keys).await?;
        let mut payload =
            Payload::internal(plain.map(|chunk| chunk.map_err(|_| PayloadError::Incomplete)).boxed(), source.plain_len);
        if let Some(algorithm) = checksum.or_else(|| kept_algorithm(source)) {
            payload.want_checksum(algorithm);
        }
        let meta = meta.unwrap_or_else(|| source.meta.clone());
        let attributes = Attributes { creation: Creation::Copy, ..attributes };
        self.put(grant, PutObject { bucket, key, meta, plan, condition, attributes }, payload).await
    }

    /// The digests of the copy: from the record where it tells them, else by one read pass.
    async fn learn(
        &self,
        grant: &Grant,
        source: &ObjectInfo,
        keys: ObjectKeys,
        wants_md5: bool,
        wanted: Option<ChecksumAlgorithm>,
    ) -> Result<Learned, ObjectsError> {
        let known_md5 = (source.envelope.mode == Mode::SseS3).then(|| parse_md5(&source.etag)).flatten();
        let kept = source.checksum.as_ref().filter(|c| {
            c.kind == ChecksumKind::FullObject && wanted.is_none_or(|wanted| wanted == c.checksum.algorithm)
        });
        let mut md5 = (wants_md5 && known_md5.is_none()).then(Md5::new);
        let algorithm = wanted.or_else(|| kept_algorithm(source)).unwrap_or(ChecksumAlgorithm::Crc64Nvme);
        let mut digester = kept.is_none().then(|| Digester::new(algorithm));
        if md5.is_some() || digester.is_some() {
            let whole = PlainRange { start: 0, end: source.plain_len };
            let mut plain = self.read(grant, source, whole, keys).await?;
            while let Some(chunk) = plain.next().await.transpose()? {
                md5.iter_mut().for_each(|m| m.update(&chunk));
                digester.iter_mut().for_each(|d| d.update(&chunk));
            }
        }
        let computed = digester.map(|d| ChecksumRecord::new(&d.finish(), ChecksumKind::FullObject, None));
        let kept = kept.map(|c| ChecksumRecord::new(&c.checksum, ChecksumKind::FullObject, None));
        Ok(Learned { md5: md5.map(Md5::finish).or(known_md5).filter(|_| wants_md5), checksum: kept.or(computed) })
    }

    /// Commits a version that shares its content with `source`, which must still hold it.
    async fn commit_shared(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: NewVersion,
        condition: &WriteCondition,
        content: &Content,
        source: &ObjectInfo,
    ) -> Result<super::record::ObjectRecord, ObjectsError> {
        for attempt in 0..super::versions::COMMIT_TRIES {
            let source_bucket = self.bucket(&source.bucket).await?;
            let bucket = self.same_bucket(bucket).await?;
            let retained = self.retain(&source_bucket, source, content).await?;
            let holder = Besides::Holder(&retained);
            if let Some(record) = self.try_version(&bucket, key, &new, (condition, attempt), holder).await? {
                return Ok(record);
            }
        }
        Err(ObjectsError::Contention)
    }

    /// UpdateObjectEncryption: re-wraps a version's keys in place; data, ETag, time and version stay. `grant`:
    /// `s3:UpdateObjectEncryption`. The cipher cannot change: DSSE in or out is refused by the caller.
    pub async fn update_encryption(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        info: &ObjectInfo,
        plan: &SealPlan,
        keys: &ObjectKeys,
    ) -> Result<(), ObjectsError> {
        grant.assert_covers("s3:UpdateObjectEncryption", &object_arn(&bucket.name, &info.key));
        let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
        let envelope: Envelope = self.sse.seal_keys(grant.access(), plan, object, keys).await?;
        self.change_version(bucket, &info.key, Some(info.version), Follows::default(), |record| {
            if let Some(body) = record.body.as_mut().filter(|_| record.holder_id == info.holder_id) {
                body.envelope = envelope.clone();
            }
        })
        .await?;
        Ok(())
    }
}

/// The algorithm that a copy keeps where a new value has to be computed.
fn kept_algorithm(source: &ObjectInfo) -> Option<ChecksumAlgorithm> {
    source.checksum.as_ref().map(|c| c.checksum.algorithm)
}

/// The MD5 of a single upload's ETag; a multipart ETag is none.
fn parse_md5(etag: &str) -> Option<[u8; 16]> {
    (etag.len() == 32).then(|| u128::from_str_radix(etag, 16).ok()).flatten().map(u128::to_be_bytes)
}
