//! What stands before a bucket and its objects: the bucket's policy, and the public access blocks that limit it.

use std::sync::Arc;

use crate::app::App;
use crate::auth::Access;
use crate::objects::{Bucket, BucketPolicy, ObjectsError};
use crate::policy::{Key, PublicAccessBlock, Target};

/// As it is when the request comes: read once, asked for every action of the request.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    policy: Option<Arc<BucketPolicy>>,
    /// The bucket's block and its account's together.
    pub(crate) block: PublicAccessBlock,
}

impl Before {
    /// Before a bucket and its objects.
    pub(crate) async fn of(app: &App, bucket: &Bucket) -> Result<Self, ObjectsError> {
        let own = bucket.public_access_block.unwrap_or_default();
        let block = own.or(app.directory.public_access_block(&bucket.owner));
        Ok(Self { policy: app.objects.bucket_policy(bucket).await?, block })
    }

    /// Before what lies in no bucket.
    pub(crate) fn nothing() -> Self {
        Self { policy: None, block: PublicAccessBlock::default() }
    }

    /// For a decision on the caller. A bucket that a block closes to it lets it in by nothing.
    pub(crate) fn target(&self, access: &Access, bucket: &Bucket) -> Target<'_> {
        let public = self.policy.as_ref().is_some_and(|policy| policy.public);
        let closed = |subject| self.block.closes(public, bucket.owner.as_str(), &subject);
        let open = !access.subject().is_some_and(closed);
        Target::Bucket { policy: self.policy.as_ref().filter(|_| open).map(|policy| &policy.policy) }
    }

    /// The policy, for those who may read it.
    pub(crate) fn policy(&self) -> Option<&BucketPolicy> {
        self.policy.as_deref()
    }

    /// Whether a decision on the caller can follow from `key`: else its value need not be found out.
    pub(crate) fn names_key(&self, access: &Access, key: Key) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.policy.names_key(key)) || access.policies_name_key(key)
    }
}
