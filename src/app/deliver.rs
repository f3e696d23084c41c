//! Writes of S3 itself into buckets: lists of inventories, server access logs.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::App;
use super::before::Before;
use crate::auth::{Access, Payload, Resource};
use crate::names::{ObjectKey, object_arn};
use crate::objects::{Attributes, Bucket, ObjectMeta, ObjectsError, PutObject, WriteCondition};
use crate::policy::{Acls, Context, Target};
use crate::sse::{Requested, SseError};

/// Why nothing can be written there.
#[derive(Debug)]
pub(super) enum Refused {
    /// There is no such bucket, or its name is none.
    NoSuchBucket,
    /// It is not the account's that the configuration names.
    OtherOwner,
    /// A key would be longer than keys can be.
    KeyTooLong,
    /// Nothing there lets the service in.
    Denied,
    /// The key that it is to be encrypted with cannot be used.
    Encryption(SseError),
    /// It was deleted, or could not take the write.
    Objects(ObjectsError),
}

/// For the log.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchBucket => f.write_str("there is no such bucket"),
            Self::OtherOwner => f.write_str("the bucket is not the account's that the configuration names"),
            Self::KeyTooLong => f.write_str("a key would be too long"),
            Self::Denied => f.write_str("the bucket's policy does not let the service of S3 write there"),
            Self::Encryption(error) => write!(f, "it cannot be encrypted there: {error:?}"),
            Self::Objects(error) => write!(f, "it cannot be written there: {error:?}"),
        }
    }
}

/// An object that a service writes.
pub(super) struct Delivered<'a> {
    pub(super) key: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) requested: Requested,
    pub(super) attributes: Attributes,
    pub(super) body: Vec<u8>,
}

/// Writes one object as the service whose access it is. Leave is asked for it, by the bucket's policy as it is now, the
/// ACLs that are given, and the condition keys of the request that it would be.
pub(super) async fn deliver(
    app: &App,
    access: &Access,
    bucket: &Bucket,
    (acls, keys): (Acls<'_>, &(dyn Context + Sync)),
    delivered: Delivered<'_>,
) -> Result<(), Refused> {
    let Delivered { key, content_type, requested, attributes, body } = delivered;
    let key = ObjectKey::parse(key).map_err(|_| Refused::KeyTooLong)?;
    let objects = &app.objects;
    let before = Before::of(app, bucket).await.map_err(Refused::Objects)?;
    let target = match before.policy_target(access, bucket) {
        Target::Bucket { policy, .. } => Target::Bucket { policy, acls },
        other => other,
    };
    let resource = Resource { arn: object_arn(&bucket.name, &key), owner: bucket.owner.clone() };
    let grant = access.authorize("s3:PutObject", resource, &target, &before.keys(keys));
    let grant = grant.map_err(|_| Refused::Denied)?;
    let place = (&bucket.name, &key);
    let plan = objects.sse().plan(access, place, &bucket.owner, &bucket.encryption, requested).await;
    let plan = plan.map_err(Refused::Encryption)?;
    let meta = ObjectMeta { content_type: content_type.map(str::to_owned), ..ObjectMeta::default() };
    let put = PutObject { bucket, key: &key, meta, plan, condition: WriteCondition::default(), attributes };
    let plain_len = body.len() as u64;
    let chunks = if body.is_empty() { None } else { Some(Ok(Bytes::from(body))) };
    let payload = Payload::internal(futures_util::stream::iter(chunks).boxed(), plain_len);
    match objects.put(&grant, put, payload).await {
        Ok(_) => Ok(()),
        Err(ObjectsError::Sse(error)) => Err(Refused::Encryption(error)),
        Err(error) => Err(Refused::Objects(error)),
    }
}
