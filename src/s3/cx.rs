//! What a handler is given: a request that is authenticated, addressed and authorized.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::asked::OtherKeys;
use super::error::Error;
use super::keep_alive::Early;
use super::known::Known;
use super::owner::Owner;
use super::query::Query;
use super::serve::Asked;
use super::standing::{self, Looked};
use super::table::{Action, Row};
use crate::app::before::{Before, View};

use crate::app::App;
use crate::auth::{Access, Grant, Payload, Resource};
use crate::names::{AccountId, BucketName, ObjectKey, bucket_arn, object_arn};
use crate::objects::{Bucket, ObjectAccess, ObjectInfo, ObjectOwner, Standing, VersionId};
use crate::policy::{Context, Key, Target};
use crate::wire::RequestId;

/// What the request is about.
#[derive(Debug)]
pub(crate) enum Addressed {
    /// The service.
    Service,
    /// A bucket that need not exist (CreateBucket).
    NewBucket(BucketName),
    /// A bucket.
    Bucket(Bucket),
    /// An object of a bucket; it need not exist.
    Object(Bucket, ObjectKey),
}

impl Addressed {
    /// The name of the bucket that it is about.
    pub(crate) fn bucket_name(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::NewBucket(name) => Some(name),
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(&bucket.name),
        }
    }
}

/// The request's body.
pub(crate) enum CxBody {
    /// Read whole and verified.
    Whole(Bytes),
    /// To be read by the handler. The lock is never taken: it makes the request `Sync`, which a payload is not, so that
    /// a handler may work on several parts of it at the same time.
    Stream(Box<Mutex<Payload>>),
}

/// A request, ready for its handler.
pub(crate) struct Cx {
    pub(crate) app: Arc<App>,
    pub(crate) access: Access,
    /// The operation.
    pub(crate) row: &'static Row,
    /// The row's action, for rows whose handler asks for each object.
    pub(crate) action: Action,
    /// The row's action on the target, allowed; none where it is asked for object by object.
    pub(crate) grant: Option<Grant>,
    pub(crate) head: http::request::Parts,
    pub(crate) query: Query,
    pub(crate) request_id: RequestId,
    /// The request as it came, and what its line in the bucket's server access log says.
    pub(super) asked: Arc<Asked>,
    pub(crate) addressed: Addressed,
    /// What stands before the bucket.
    pub(crate) before: Before,
    /// What of the request's condition keys had to be found out.
    pub(crate) known: Known,
    pub(crate) body: CxBody,
    /// For what may take long: what its answer says before it is done.
    pub(crate) early: Early,
}

/// What the tags of an object that is copied or described decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagsDecide {
    /// All that conditions say of them.
    All,
    /// What denies, and nothing that allows. AWS is seen not to look at the tags where it copies an object; so that no
    /// copy gets round a Deny either, leave is asked for without them and with them.
    Denials,
}

impl Cx {
    /// Notes for the bucket's server access log how large the object is that was read, written or deleted.
    pub(crate) fn note_object_size(&self, plain_len: u64) {
        if let Some(line) = self.asked.line() {
            line.is_of(plain_len);
        }
    }

    /// Proof that the row's action on its target is allowed, for rows that have it so.
    pub(crate) fn grant(&self) -> &Grant {
        match &self.grant {
            Some(grant) => grant,
            None => unreachable!("the row's action is asked for object by object"),
        }
    }

    /// The bucket, for rows whose target is an existing bucket or an object.
    pub(crate) fn bucket(&self) -> &Bucket {
        match &self.addressed {
            Addressed::Bucket(bucket) | Addressed::Object(bucket, _) => bucket,
            Addressed::Service | Addressed::NewBucket(_) => unreachable!("the row's target is no existing bucket"),
        }
    }

    /// The object key, for rows whose target is an object.
    pub(crate) fn key(&self) -> &ObjectKey {
        match &self.addressed {
            Addressed::Object(_, key) => key,
            _ => unreachable!("the row's target is no object"),
        }
    }

    /// The name of a bucket to be made.
    pub(crate) fn new_bucket(&self) -> &BucketName {
        match &self.addressed {
            Addressed::NewBucket(name) => name,
            _ => unreachable!("only CreateBucket addresses a new bucket"),
        }
    }

    /// How S3 shows an account as owner.
    pub(crate) fn owner<'a>(&'a self, account: &'a AccountId) -> Owner<'a> {
        Owner::of(&self.app.directory, account)
    }

    /// Who owns an object of the bucket, if not the bucket's owner.
    pub(crate) fn owner_of<'a>(&'a self, access: Option<&'a ObjectAccess>) -> Option<Owner<'a>> {
        let owner = self.bucket().in_force(access)?.owner.as_ref()?;
        Some(Owner::of_object(&self.app.directory, owner))
    }

    /// The body of a row with `Body::Small`.
    pub(crate) fn whole(&self) -> &Bytes {
        match &self.body {
            CxBody::Whole(bytes) => bytes,
            CxBody::Stream(_) => unreachable!("the row's body is a stream"),
        }
    }

    /// Takes the body of a row with `Body::Stream`; a second call finds it empty.
    pub(crate) fn take_payload(&mut self) -> Payload {
        match std::mem::replace(&mut self.body, CxBody::Whole(Bytes::new())) {
            CxBody::Stream(payload) => payload.into_inner().unwrap_or_else(PoisonError::into_inner),
            CxBody::Whole(_) => unreachable!("the row's body is no stream, or was taken"),
        }
    }

    /// Asks for a second action on the object that the request writes.
    pub(crate) fn grant_object(&self, action: &'static str, bucket: &Bucket, key: &ObjectKey) -> Result<Grant, Error> {
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        let keys = self.known.keys(&self.head, &self.query);
        let free = matches!(self.known.looked, Looked::Write { free: true });
        let target = self.before.target(&self.access, bucket, View::Write { free });
        Ok(self.access.authorize(action, resource, &target, &self.before.keys(&keys))?)
    }

    /// Whether the caller may do something on an object of the bucket besides what the request is about.
    pub(crate) fn may(&self, action: &'static str, (key, view): (&ObjectKey, View<'_>)) -> bool {
        let bucket = self.bucket();
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        let keys = self.known.keys(&self.head, &self.query);
        let target = self.before.target(&self.access, bucket, view);
        self.access.authorize(action, resource, &target, &self.before.keys(&keys)).is_ok()
    }

    /// Asks for leave to delete an object of the bucket, with condition keys of its own.
    pub(crate) async fn grant_item<C: Context + Sync>(
        &self,
        action: &'static str,
        key: &ObjectKey,
        keys: &C,
    ) -> Result<Grant, Error> {
        let bucket = self.bucket();
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        let free = standing::is_free(&self.app, &self.access, (bucket, key)).await?;
        let target = self.before.target(&self.access, bucket, View::Write { free });
        Ok(self.access.authorize(action, resource, &target, &self.before.keys(keys))?)
    }

    /// Whether leave that [`Self::grant_item`] gave would not be had without an ACL.
    pub(crate) async fn item_needs_acl<C: Context + Sync>(
        &self,
        grant: &Grant,
        key: &ObjectKey,
        keys: &C,
    ) -> Result<bool, Error> {
        let bucket = self.bucket();
        let free = standing::is_free(&self.app, &self.access, (bucket, key)).await?;
        Ok(self.before.needs_acl(&self.access, grant, (bucket, View::Write { free }), keys))
    }

    /// Asks once more for the row's action on an object of the bucket, now that it is found, where its ACL decides: it
    /// may be another one than when leave was asked for.
    pub(crate) fn confirm(&self, info: &ObjectInfo) -> Result<(), Error> {
        let keys = self.known.keys(&self.head, &self.query);
        self.confirm_as(self.grant(), (self.bucket(), &self.before), info, &keys)
    }

    /// As [`Self::confirm`], of any action on an object of any bucket.
    pub(crate) fn confirm_as(
        &self,
        grant: &Grant,
        (bucket, before): (&Bucket, &Before),
        info: &ObjectInfo,
        keys: &dyn Context,
    ) -> Result<(), Error> {
        if !bucket.acls_on() {
            return Ok(());
        }
        let standing = Standing::Object(info.access.clone());
        let target = before.target(&self.access, bucket, View::Object(&standing));
        self.access.authorize(grant.action(), grant.resource().clone(), &target, &before.keys(keys))?;
        Ok(())
    }

    /// Whose what is written over has to be when the write is done, if leave to write came from a grant to write alone.
    /// The body may be long in coming, and another's object may be there by then.
    pub(crate) fn over_own_of(&self) -> Option<ObjectOwner> {
        if !matches!(self.known.looked, Looked::Write { free: true }) || !self.bucket().acls_on() {
            return None;
        }
        let caller = self.access.caller().account();
        let owner = caller.map_or(ObjectOwner::Anonymous, ObjectOwner::account);
        let (grant, keys) = (self.grant(), self.known.keys(&self.head, &self.query));
        let target = self.before.target(&self.access, self.bucket(), View::Write { free: false });
        let keys = self.before.keys(&keys);
        let otherwise = self.access.authorize(grant.action(), grant.resource().clone(), &target, &keys);
        otherwise.is_err().then_some(owner)
    }

    /// Asks for an action on the current state of an object of any bucket: the source of a copy, or what a request that
    /// does something else reads too. The request's headers do not speak of it.
    pub(crate) async fn grant_existing(
        &self,
        action: &'static str,
        (bucket, before): (&Bucket, &Before),
        (key, version): (&ObjectKey, Option<VersionId>),
        decide: TagsDecide,
    ) -> Result<Grant, Error> {
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        let standing = standing::standing(&self.app, (bucket, key), version).await?;
        let target = before.target(&self.access, bucket, View::Object(&standing));
        let mut keys = OtherKeys { version: version.map(|version| version.to_string()), ..OtherKeys::default() };
        if before.names_key(&self.access, Key::S3ExistingObjectTag) {
            if decide == TagsDecide::Denials {
                self.access.authorize(action, resource.clone(), &target, &before.keys(&keys))?;
            }
            keys.existing_tags = self.app.objects.existing_tags(bucket, key, version).await?;
        }
        Ok(self.access.authorize(action, resource, &target, &before.keys(&keys))?)
    }

    /// Who has an object's ETag compared in `If-Match` must be allowed to read it (S3 user guide, "How to perform
    /// conditional deletes" and its like for writes). That there is an object at all, `*`, needs no more leave.
    pub(crate) async fn check_comparable(&self, key: &ObjectKey, if_match: Option<&str>) -> Result<(), Error> {
        if if_match.is_some_and(|etag| etag != "*") {
            let bucket = (self.bucket(), &self.before);
            self.grant_existing("s3:GetObject", bucket, (key, None), TagsDecide::All).await?;
        }
        Ok(())
    }

    /// Asks for a second action on a bucket to be made.
    pub(crate) fn grant_new_bucket(&self, action: &'static str, owner: AccountId) -> Result<Grant, Error> {
        let resource = Resource { arn: bucket_arn(self.new_bucket()), owner };
        let keys = self.known.keys(&self.head, &self.query);
        Ok(self.access.authorize(action, resource, &Target::Account, &keys)?)
    }

    /// Asks for an action on a bucket, besides what the request is about.
    pub(crate) fn grant_bucket(
        &self,
        action: &'static str,
        (bucket, before): (&Bucket, &Before),
    ) -> Result<Grant, Error> {
        let resource = Resource { arn: bucket_arn(&bucket.name), owner: bucket.owner.clone() };
        let keys = self.known.keys(&self.head, &self.query);
        let target = before.target(&self.access, bucket, View::Bucket);
        Ok(self.access.authorize(action, resource, &target, &before.keys(&keys))?)
    }
}
