//! Records of S3's management calls: what was configured, by whom, and what was refused; and of calls on objects that
//! policies did not allow.
//!
//! A call that changes something commits its record with the change ([`super::table::Handler::Change`]); all others,
//! those that only tell and those that were refused, are recorded here before their answer leaves.

use serde_json::{Value, json};

use super::address::Address;
use super::code::Code;
use super::cx::Cx;
use super::error::Error;
use super::table::Row;
use crate::app::App;
use crate::audit::{AuditError, Event, EventKind, EventResource, Recorded};
use crate::auth::Access;
use crate::index::{CommitError, IndexError};
use crate::names::{AccountId, BucketName, ObjectKey, bucket_arn, object_arn};

/// The event of a change that was authorized and is about to be made.
pub(super) fn change(row: &'static Row, cx: &Cx) -> Event {
    let owner = &cx.grant().resource().owner;
    let recipient = cx.access.caller().account().unwrap_or(owner);
    event(row, &cx.access, cx.addressed.bucket_name().map(BucketName::as_str), Some(owner), recipient)
}

/// Writes the record of a call that changed nothing before its answer goes out. A call that cannot be recorded is
/// answered as an internal error, or as a full disk if that is why (fail closed).
pub(super) async fn record(
    app: &App,
    row: &'static Row,
    access: &Access,
    address: &Address,
    refused: Option<&Error>,
) -> Result<(), Error> {
    let bucket = address.bucket.as_deref();
    // What nobody signed is the bucket's owner's to see; what reached no bucket is in the access log alone.
    let owner = owner_of(app, bucket).await;
    let Some(account) = access.caller().account().or(owner.as_ref()) else { return Ok(()) };
    // Whose another account's bucket is, is not for its trail.
    let owner = owner.as_ref().filter(|owner| *owner == account);
    let error = refused.map(|error| (error.code().name().to_owned(), error.message().to_owned()));
    let event = event(row, access, bucket, owner, account);
    let event = if row.is_management() { event } else { on_object(event, address) };
    append(app, &Event { error, ..event }).await?;
    Ok(())
}

/// Writes the record of a call on objects that was denied, before it is told so.
pub(super) async fn record_denial(
    app: &App,
    row: &'static Row,
    access: &Access,
    address: &Address,
    error: &Error,
) -> Result<(), Error> {
    if error.code() != Code::AccessDenied {
        return Ok(());
    }
    record(app, row, access, address, Some(error)).await
}

/// Of the event of a bucket that of an object: a data event.
fn on_object(mut event: Event, address: &Address) -> Event {
    event.management = false;
    let (Some(bucket), Some(key)) = (&address.bucket, &address.key) else { return event };
    event.request["key"] = json!(key);
    if let (Ok(bucket), Ok(key), Some(of_bucket)) =
        (BucketName::parse(bucket), ObjectKey::parse(key), event.resources.first())
    {
        let object = EventResource {
            account: of_bucket.account.clone(),
            kind: "AWS::S3::Object",
            arn: object_arn(&bucket, &key),
        };
        event.resources.insert(0, object);
    }
    event
}

async fn owner_of(app: &App, bucket: Option<&str>) -> Option<AccountId> {
    let name = BucketName::parse(bucket?).ok()?;
    app.objects.bucket(&name).await.ok().map(|bucket| bucket.owner)
}

/// Records a call by itself.
pub(super) async fn append(app: &App, event: &Event) -> Result<Recorded, Error> {
    app.audit.record(event).await.map_err(|AuditError(error)| {
        let detail = format!("the audit record of {} could not be written: {error}", event.name);
        match error {
            CommitError::Engine(IndexError::Full(_)) => Error::full(detail),
            CommitError::Engine(_) | CommitError::Conflict => Error::internal(detail),
        }
    })
}

/// CloudTrail's name of an operation, where it is not the operation's own (S3 user guide, "Amazon S3 bucket-level
/// actions that are tracked by CloudTrail").
fn event_name(operation: &'static str) -> &'static str {
    match operation {
        "GetBucketAccelerateConfiguration" => "GetAccelerateConfiguration",
        "PutBucketAccelerateConfiguration" => "PutAccelerateConfiguration",
        "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
        "DeletePublicAccessBlock" => "DeleteBucketPublicAccessBlock",
        "GetBucketNotificationConfiguration" => "GetBucketNotification",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutBucketNotificationConfiguration" => "PutBucketNotification",
        "PutPublicAccessBlock" => "PutBucketPublicAccessBlock",
        other => other,
    }
}

/// The event of a call that succeeded; `owner` is the bucket's, as far as it is known.
fn event(
    row: &'static Row,
    access: &Access,
    bucket: Option<&str>,
    owner: Option<&AccountId>,
    recipient: &AccountId,
) -> Event {
    let mut request = serde_json::Map::new();
    request.insert("Host".to_owned(), json!(access.facts().host));
    if let Some(bucket) = bucket {
        request.insert("bucketName".to_owned(), json!(bucket));
    }
    let resource =
        |name: BucketName| EventResource { account: owner.cloned(), kind: "AWS::S3::Bucket", arn: bucket_arn(&name) };
    Event {
        access: access.clone(),
        source: "s3.amazonaws.com",
        name: event_name(row.name),
        kind: EventKind::ApiCall,
        request: Value::Object(request),
        response: Value::Null,
        additional: Value::Null,
        error: None,
        read_only: row.is_read_only(),
        management: true,
        resources: bucket.and_then(|name| BucketName::parse(name).ok()).map(resource).into_iter().collect(),
        via_s3: false,
        recipient: recipient.clone(),
    }
}

#[cfg(test)]
mod tests;
