//! Records of S3's management calls: what was configured, by whom, and what was refused.

use serde_json::{Value, json};

use super::error::Error;
use super::table::Row;
use crate::app::App;
use crate::audit::{Event, EventKind, EventResource};
use crate::auth::Access;
use crate::names::{BucketName, bucket_arn};

/// Writes the record of a call before its answer goes out. A call that cannot be recorded is answered as an internal
/// error (fail closed), even if it was done.
pub(super) async fn record(
    app: &App,
    row: &'static Row,
    access: &Access,
    bucket: Option<&str>,
    refused: Option<&Error>,
) -> Result<(), Error> {
    // Nobody's account: what an anonymous caller was refused is in the access log.
    let Some(account) = access.caller().account() else { return Ok(()) };
    let mut request = serde_json::Map::new();
    request.insert("Host".to_owned(), json!(access.facts().host));
    if let Some(bucket) = bucket {
        request.insert("bucketName".to_owned(), json!(bucket));
    }
    let resources = bucket.and_then(|name| BucketName::parse(name).ok()).map(|name| EventResource {
        account: account.clone(),
        kind: "AWS::S3::Bucket",
        arn: bucket_arn(&name),
    });
    let event = Event {
        access: access.clone(),
        source: "s3.amazonaws.com",
        name: row.name,
        kind: EventKind::ApiCall,
        request: Value::Object(request),
        response: Value::Null,
        additional: Value::Null,
        error: refused.map(|error| (error.code().name().to_owned(), error.message().to_owned())),
        read_only: row.is_read_only(),
        management: true,
        resources: resources.into_iter().collect(),
        via_s3: false,
        recipient: account.clone(),
    };
    match app.audit.record(&event).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::internal(format!("the audit record of {} could not be written: {error}", row.name))),
    }
}
