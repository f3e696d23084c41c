//! Writes of S3 itself, on behalf of the bucket that a list is of.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::app::App;
use crate::app::before::Before;
use crate::auth::{Access, Payload, Resource, service};
use crate::names::{BucketName, ObjectKey, bucket_arn, object_arn};
use crate::objects::{Attributes, Bucket, ObjectMeta, ObjectsError, PutObject, WriteCondition};
use crate::policy::{Context, Key, Value};
use crate::rules::inventory::{Destination, Encryption};
use crate::sources::Timestamp;
use crate::sse::{Requested, SseError};

/// The service whose principal the destination's policy names.
const SERVICE: &str = "s3.amazonaws.com";

/// Why nothing can be written there.
#[derive(Debug)]
pub(super) enum Refused {
    /// There is no such bucket, or its name is none.
    NoSuchBucket,
    /// It is not the account's that the configuration names.
    OtherOwner,
    /// A key would be longer than keys can be.
    KeyTooLong,
    /// Its policy does not let S3 in.
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
            Self::Denied => f.write_str("the bucket's policy does not let s3.amazonaws.com write there"),
            Self::Encryption(error) => write!(f, "it cannot be encrypted there: {error:?}"),
            Self::Objects(error) => write!(f, "it cannot be written there: {error:?}"),
        }
    }
}

/// The way to a destination.
pub(super) struct Delivery<'a> {
    app: &'a App,
    to: Bucket,
    access: Access,
    encryption: Option<&'a Encryption>,
}

/// The condition keys of such a write: what AWS documents for the policy of the destination.
struct Keys<'a>(Option<&'a Encryption>);

impl Context for Keys<'_> {
    fn each(&self, key: Key, _: &str, each: &mut dyn FnMut(Value<'_>)) {
        match (key, self.0) {
            (Key::S3XAmzAcl, _) => each(Value::Text("bucket-owner-full-control")),
            (Key::S3XAmzServerSideEncryption, Some(Encryption::SseS3)) => each(Value::Text("AES256")),
            (Key::S3XAmzServerSideEncryption, Some(Encryption::SseKms(_))) => each(Value::Text("aws:kms")),
            (Key::S3XAmzServerSideEncryptionAwsKmsKeyId, Some(Encryption::SseKms(id))) => each(Value::Text(id)),
            _ => {}
        }
    }
}

impl<'a> Delivery<'a> {
    /// From a bucket to the destination that its configuration names.
    pub(super) async fn new(
        app: &'a App,
        source: &Bucket,
        destination: &'a Destination,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let name = BucketName::parse(&destination.bucket).map_err(|_| Refused::NoSuchBucket)?;
        let to = match app.objects.bucket(&name).await {
            Err(ObjectsError::NoSuchBucket) => return Err(Refused::NoSuchBucket),
            other => other.map_err(Refused::Objects)?,
        };
        if destination.account.as_deref().is_some_and(|account| account != to.owner.as_str()) {
            return Err(Refused::OtherOwner);
        }
        let behalf = (bucket_arn(&source.name), source.owner.clone());
        let access = service(SERVICE, behalf, to.region.clone(), now);
        Ok(Self { app, to, access, encryption: destination.encryption.as_ref() })
    }

    /// Writes one object. Leave is asked for each, by the policy as it is then.
    pub(super) async fn put(&self, key: &str, content_type: Option<&str>, body: Vec<u8>) -> Result<(), Refused> {
        let key = ObjectKey::parse(key).map_err(|_| Refused::KeyTooLong)?;
        let objects = &self.app.objects;
        let bucket = objects.bucket(&self.to.name).await.map_err(Refused::Objects)?;
        if bucket.id != self.to.id {
            return Err(Refused::NoSuchBucket);
        }
        let before = Before::of(self.app, &bucket).await.map_err(Refused::Objects)?;
        let target = before.policy_target(&self.access, &bucket);
        let resource = Resource { arn: object_arn(&bucket.name, &key), owner: bucket.owner.clone() };
        let grant = self.access.authorize("s3:PutObject", resource, &target, &before.keys(&Keys(self.encryption)));
        let grant = grant.map_err(|_| Refused::Denied)?;
        let requested = match self.encryption {
            None => Requested::Default { bucket_key: None },
            Some(Encryption::SseS3) => Requested::SseS3,
            Some(Encryption::SseKms(id)) => {
                Requested::Kms { double: false, key: Some(id.clone()), context: Default::default(), bucket_key: None }
            }
        };
        let place = (&bucket.name, &key);
        let plan = objects.sse().plan(&self.access, place, &bucket.owner, &bucket.encryption, requested).await;
        let plan = plan.map_err(Refused::Encryption)?;
        let meta = ObjectMeta { content_type: content_type.map(str::to_owned), ..ObjectMeta::default() };
        let (condition, attributes) = (WriteCondition::default(), Attributes::default());
        let put = PutObject { bucket: &bucket, key: &key, meta, plan, condition, attributes };
        let plain_len = body.len() as u64;
        let chunks = if body.is_empty() { None } else { Some(Ok(Bytes::from(body))) };
        let payload = Payload::internal(futures_util::stream::iter(chunks).boxed(), plain_len);
        match objects.put(&grant, put, payload).await {
            Ok(_) => Ok(()),
            Err(ObjectsError::Sse(error)) => Err(Refused::Encryption(error)),
            Err(error) => Err(Refused::Objects(error)),
        }
    }
}
