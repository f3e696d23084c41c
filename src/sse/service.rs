//! Planning, sealing and opening.

use super::{BucketDefault, CustomerKey, Envelope, Mode, ObjectRef, Requested, SseError};
use crate::auth::Access;
use crate::crypto::ObjectKeys;
use crate::names::{AccountId, BucketName};

/// How one object or upload will be sealed: mode and key are settled and allowed.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct SealPlan {
    mode: Mode,
}

impl SealPlan {
    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The ETag is the MD5 of the data (SSE-S3 only).
    pub fn etag_is_md5(&self) -> bool {
        self.mode == Mode::SseS3
    }
}

/// The modes over the key module. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Sse {}

impl Sse {
    /// Settles what a write will be sealed with: the request, else the bucket's default. Resolves and authorizes the
    /// KMS key (`kms:GenerateDataKey` to the caller) and checks its state; makes no key yet.
    pub async fn plan(
        &self,
        access: &Access,
        bucket: &BucketName,
        owner: &AccountId,
        default: &BucketDefault,
        requested: Requested,
    ) -> Result<SealPlan, SseError> {
        let _ = (access, bucket, owner, default, requested);
        unimplemented!()
    }

    /// New object keys and their envelope.
    pub async fn new_keys(
        &self,
        access: &Access,
        plan: &SealPlan,
        object: ObjectRef<'_>,
    ) -> Result<(ObjectKeys, Envelope), SseError> {
        let _ = (access, plan, object);
        unimplemented!()
    }

    /// The keys of a stored object or upload. `customer` is required for SSE-C and refused for the others.
    pub async fn open(
        &self,
        access: &Access,
        object: ObjectRef<'_>,
        envelope: &Envelope,
        customer: Option<&CustomerKey>,
    ) -> Result<ObjectKeys, SseError> {
        let _ = (access, object, envelope, customer);
        unimplemented!()
    }

    /// Checks that a request's key fits an SSE-C object (or that none came for another) without opening anything:
    /// for HEAD.
    pub fn check_customer(&self, envelope: &Envelope, customer: Option<&CustomerKey>) -> Result<(), SseError> {
        let _ = (envelope, customer);
        unimplemented!()
    }
}
