//! Writes of S3 itself, on behalf of the bucket that a list is of.

pub(super) use crate::app::deliver::Refused;

use crate::app::App;
use crate::app::deliver::{Delivered, deliver};
use crate::auth::{Access, service};
use crate::names::{BucketName, bucket_arn};
use crate::objects::{Attributes, Bucket, ObjectsError};
use crate::policy::{Acls, Context, Key, Value};
use crate::rules::inventory::{Destination, Encryption};
use crate::sources::Timestamp;
use crate::sse::Requested;

/// The service whose principal the destination's policy names.
const SERVICE: &str = "s3.amazonaws.com";

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
        let bucket = self.app.objects.bucket(&self.to.name).await.map_err(Refused::Objects)?;
        if bucket.id != self.to.id {
            return Err(Refused::NoSuchBucket);
        }
        let requested = match self.encryption {
            None => Requested::Default { bucket_key: None },
            Some(Encryption::SseS3) => Requested::SseS3,
            Some(Encryption::SseKms(id)) => {
                Requested::Kms { double: false, key: Some(id.clone()), context: Default::default(), bucket_key: None }
            }
        };
        let attributes = Attributes::default();
        let delivered = Delivered { key, content_type, requested, attributes, body };
        // ACLs give nothing to this service.
        let leave = (Acls::default(), &Keys(self.encryption) as &(dyn Context + Sync));
        deliver(self.app, &self.access, &bucket, leave, delivered).await
    }
}
