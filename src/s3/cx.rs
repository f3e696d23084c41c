//! What a handler is given: a request that is authenticated, addressed and authorized.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::asked::RequestKeys;
use super::error::Error;
use super::owner::Owner;
use super::query::Query;
use super::table::Action;

use crate::app::App;
use crate::auth::{Access, Grant, Payload, Resource};
use crate::names::{AccountId, BucketName, ObjectKey, bucket_arn, object_arn};
use crate::objects::Bucket;
use crate::policy::{NoContext, Target};
use crate::wire::RequestId;

/// What stands before a bucket and its objects: their policy, when buckets have one.
pub(crate) fn before(_bucket: &Bucket) -> Target<'_> {
    Target::Bucket { policy: None }
}

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
    /// The row's action, for rows whose handler asks for each object.
    pub(crate) action: Action,
    /// The row's action on the target, allowed; none where it is asked for object by object.
    pub(crate) grant: Option<Grant>,
    pub(crate) head: http::request::Parts,
    pub(crate) query: Query,
    pub(crate) request_id: RequestId,
    pub(crate) addressed: Addressed,
    pub(crate) body: CxBody,
}

impl Cx {
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

    /// Asks for a second action on what the request is about.
    pub(crate) fn grant_object(&self, action: &'static str, bucket: &Bucket, key: &ObjectKey) -> Result<Grant, Error> {
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        let keys = RequestKeys { headers: &self.head.headers, query: &self.query };
        Ok(self.access.authorize(action, resource, &before(bucket), &keys)?)
    }

    /// Asks for an action on the source of a copy, which the request's headers do not speak of.
    pub(crate) fn grant_source(&self, action: &'static str, bucket: &Bucket, key: &ObjectKey) -> Result<Grant, Error> {
        let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
        Ok(self.access.authorize(action, resource, &before(bucket), &NoContext)?)
    }

    /// Asks for a second action on a bucket.
    pub(crate) fn grant_bucket(&self, action: &'static str, bucket: &Bucket) -> Result<Grant, Error> {
        let resource = Resource { arn: bucket_arn(&bucket.name), owner: bucket.owner.clone() };
        let keys = RequestKeys { headers: &self.head.headers, query: &self.query };
        Ok(self.access.authorize(action, resource, &before(bucket), &keys)?)
    }
}
