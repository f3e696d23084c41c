//! What stands before a bucket and its objects: the bucket's policy, ACLs, and the public access blocks that limit them.
//! For requests and for what the gateway does on its own, so that both are decided alike.

use std::sync::Arc;

use super::App;
use crate::auth::{Access, Grant};
use crate::objects::{Bucket, BucketPolicy, ObjectsError, Standing};
use crate::policy::{AclScope, Acls, Context, Key, PublicAccessBlock, Target, Value};
use crate::rules::ConfigurationKind;
use crate::rules::tagging::BucketTags;

/// As it is when the request comes: read once, asked for every action of the request.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    policy: Option<Arc<BucketPolicy>>,
    /// The bucket's tags, where they decide on access.
    tags: Option<Arc<BucketTags>>,
    /// The bucket's block and its account's together.
    pub(crate) block: PublicAccessBlock,
}

/// What of a bucket an action is about, as ACLs see it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    /// The bucket.
    Bucket,
    /// An object that is written or deleted.
    Write {
        /// Nothing is there that belongs to another account than the caller's.
        free: bool,
    },
    /// An upload that goes on or is dropped.
    Upload {
        /// The caller's account began it.
        own: bool,
    },
    /// An object as it is.
    Object(&'a Standing),
}

impl Before {
    /// Before a bucket and its objects.
    pub(crate) async fn of(app: &App, bucket: &Bucket) -> Result<Self, ObjectsError> {
        let own = bucket.public_access_block.unwrap_or_default();
        let block = own.or(app.directory.public_access_block(&bucket.owner));
        let abac = bucket.has(ConfigurationKind::Abac);
        let tags = if abac { app.objects.configuration::<BucketTags>(bucket).await? } else { None };
        Ok(Self { policy: app.objects.bucket_policy(bucket).await?, tags, block })
    }

    /// Before what lies in no bucket.
    pub(crate) fn nothing() -> Self {
        Self { policy: None, tags: None, block: PublicAccessBlock::default() }
    }

    /// For a decision on the caller. A bucket that a block closes to it lets it in by nothing.
    pub(crate) fn target<'a>(&'a self, access: &Access, bucket: &'a Bucket, view: View<'a>) -> Target<'a> {
        let public = self.policy.as_ref().is_some_and(|policy| policy.public);
        let closed = |subject| self.block.closes(public, bucket.owner.as_str(), &subject);
        if access.subject().is_some_and(closed) {
            return Target::Bucket { policy: None, acls: Acls::default() };
        }
        let acls = self.acls(bucket, view);
        Target::Bucket { policy: self.policy.as_ref().map(|policy| &policy.policy), acls }
    }

    /// For a decision that no ACL has a part in.
    pub(crate) fn policy_target<'a>(&'a self, access: &Access, bucket: &'a Bucket) -> Target<'a> {
        match self.target(access, bucket, View::Bucket) {
            Target::Bucket { policy, .. } => Target::Bucket { policy, acls: Acls::default() },
            other => other,
        }
    }

    fn acls<'a>(&self, bucket: &'a Bucket, view: View<'a>) -> Acls<'a> {
        let ignore_public = self.block.ignore_public_acls;
        if let View::Upload { own: true } = view {
            return Acls { scope: AclScope::OwnUpload, ..Acls::default() };
        }
        if !bucket.acls_on() {
            return Acls::default();
        }
        let of_bucket = |scope| Acls { acl: bucket.acl.as_ref(), scope, ignore_public, other_owner: None };
        match view {
            View::Bucket => of_bucket(AclScope::Bucket),
            View::Write { free } => of_bucket(AclScope::Write { free }),
            View::Upload { .. } => Acls::default(),
            // Who may list the bucket is told that there is no such object, and not that reading it is denied.
            View::Object(Standing::Absent) => of_bucket(AclScope::Object),
            View::Object(Standing::Object(access)) => Acls {
                acl: access.as_ref().and_then(|access| access.acl.as_ref()),
                scope: AclScope::Object,
                ignore_public,
                other_owner: access.as_ref().and_then(|access| Some(access.owner.as_ref()?.name())),
            },
        }
    }

    /// Whether what a grant is for would not be allowed without an ACL.
    pub(crate) fn needs_acl(
        &self,
        access: &Access,
        grant: &Grant,
        (bucket, view): (&Bucket, View<'_>),
        asked: &dyn Context,
    ) -> bool {
        if !bucket.acls_on() {
            return false;
        }
        let Target::Bucket { policy, acls } = self.target(access, bucket, view) else { return false };
        let without = Target::Bucket { policy, acls: Acls { acl: None, ..acls } };
        access.authorize(grant.action(), grant.resource().clone(), &without, &self.keys(asked)).is_err()
    }

    /// The condition keys of an action on the bucket or an object of it: what the request has, and the bucket's tags.
    pub(crate) fn keys<'a>(&'a self, asked: &'a dyn Context) -> BucketKeys<'a> {
        BucketKeys { asked, tags: self.tags.as_ref().map_or(&[], |tags| &tags.0) }
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

/// See [`Before::keys`].
pub(crate) struct BucketKeys<'a> {
    asked: &'a dyn Context,
    tags: &'a [(String, String)],
}

impl Context for BucketKeys<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        match key {
            Key::AwsResourceTag | Key::S3BucketTag => {
                let found = self.tags.iter().filter(|(name, _)| name.eq_ignore_ascii_case(parameter));
                found.for_each(|(_, value)| each(Value::Text(value)));
            }
            other => self.asked.each(other, parameter, each),
        }
    }
}
