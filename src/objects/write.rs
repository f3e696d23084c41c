//! Writing an object.

use super::{Bucket, ObjectInfo, ObjectMeta, Objects, ObjectsError, WriteCondition};
use crate::auth::{Grant, Payload};
use crate::names::ObjectKey;
use crate::sse::SealPlan;

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
}

impl Objects {
    /// Checks the conditions of a write against what is stored now: before the client is told to continue.
    pub async fn check_condition(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        condition: &WriteCondition,
    ) -> Result<(), ObjectsError> {
        let _ = (bucket, key, condition);
        unimplemented!()
    }

    /// Writes an object: seals the body as it comes, stores it, verifies it, commits. `grant`: `s3:PutObject` on the
    /// object's ARN. Computes CRC64NVME unless the client sent a checksum.
    pub async fn put(&self, grant: &Grant, put: PutObject<'_>, payload: Payload) -> Result<ObjectInfo, ObjectsError> {
        let _ = (grant, put, payload, &self.blobs);
        unimplemented!()
    }
}
