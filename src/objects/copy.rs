//! Copying an object, without moving bytes where the sealing allows.

use super::{Bucket, ObjectInfo, ObjectMeta, Objects, ObjectsError, WriteCondition};
use crate::auth::Grant;
use crate::crypto::{ChecksumAlgorithm, ObjectKeys};
use crate::names::ObjectKey;
use crate::sse::{CustomerKey, Requested, SealPlan};

/// A copy to be made.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct CopyObject<'a> {
    /// The source, from [`Objects::head`].
    pub source: &'a ObjectInfo,
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
}

impl Objects {
    /// Copies. `grant`: `s3:PutObject` on the destination's ARN.
    pub async fn copy(&self, grant: &Grant, copy: CopyObject<'_>) -> Result<ObjectInfo, ObjectsError> {
        let _ = (grant, copy);
        unimplemented!()
    }

    /// UpdateObjectEncryption: re-wraps a version's keys in place; data, ETag, time and version stay. `grant`:
    /// `s3:UpdateObjectEncryption`.
    pub async fn update_encryption(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        info: &ObjectInfo,
        requested: Requested,
        customer: Option<&CustomerKey>,
    ) -> Result<(), ObjectsError> {
        let _ = (grant, bucket, info, requested, customer);
        unimplemented!()
    }
}
