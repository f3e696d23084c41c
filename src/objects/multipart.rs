//! Multipart uploads.

use super::{Bucket, ChecksumKind, ObjectInfo, ObjectMeta, Objects, ObjectsError, UploadId, WriteCondition};
use crate::auth::{Grant, Payload};
use crate::crypto::{Checksum, ChecksumAlgorithm, ObjectKeys};
use crate::names::{BucketName, ObjectKey};
use crate::sources::Timestamp;
use crate::sse::{CustomerKey, Envelope, SealPlan};

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
        let _ = (grant, new);
        unimplemented!()
    }

    /// Looks an upload up: it must be of this bucket and key.
    pub async fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<Upload, ObjectsError> {
        let _ = (bucket, key, id);
        unimplemented!()
    }

    /// The keys of an upload for one of its parts. `customer` as for [`crate::sse::Sse::open`].
    pub async fn upload_keys(
        &self,
        grant: &Grant,
        upload: &Upload,
        customer: Option<&CustomerKey>,
    ) -> Result<ObjectKeys, ObjectsError> {
        let _ = (grant, upload, customer);
        unimplemented!()
    }

    /// Writes a part; replaces an earlier one of the same number. `grant`: `s3:PutObject`. A copied part comes as
    /// [`Payload::internal`].
    pub async fn put_part(
        &self,
        grant: &Grant,
        upload: &Upload,
        keys: ObjectKeys,
        part_number: u32,
        payload: Payload,
    ) -> Result<PartInfo, ObjectsError> {
        let _ = (grant, upload, keys, part_number, payload);
        unimplemented!()
    }

    /// Makes the object out of the parts, in one commit. `grant`: `s3:PutObject`.
    pub async fn complete_upload(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        upload: &Upload,
        complete: CompleteUpload,
    ) -> Result<ObjectInfo, ObjectsError> {
        let _ = (grant, bucket, upload, complete);
        unimplemented!()
    }

    /// Drops an upload and its parts. `grant`: `s3:AbortMultipartUpload`.
    pub async fn abort_upload(&self, grant: &Grant, upload: &Upload) -> Result<(), ObjectsError> {
        let _ = (grant, upload);
        unimplemented!()
    }

    /// Lists parts. `grant`: `s3:ListMultipartUploadParts`.
    pub async fn list_parts(
        &self,
        grant: &Grant,
        upload: &Upload,
        query: ListParts,
    ) -> Result<PartsPage, ObjectsError> {
        let _ = (grant, upload, query);
        unimplemented!()
    }

    /// Lists uploads. `grant`: `s3:ListBucketMultipartUploads`.
    pub async fn list_uploads(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        query: &ListUploads,
    ) -> Result<UploadsPage, ObjectsError> {
        let _ = (grant, bucket, query);
        unimplemented!()
    }
}
