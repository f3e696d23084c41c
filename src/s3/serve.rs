//! The path of an S3 request: address, row, caller, bucket, grant, handler; and back.

use std::sync::Arc;

use super::address::{self, Address};
use super::code::Code;
use super::cx::{Addressed, Cx, CxBody, header_text};
use super::error::Error;
use super::query::Query;
use super::route;
use super::table::{Body, Row, Target};
use crate::app::App;
use crate::auth::{Access, Authenticated, Grant, Resource, authenticate};
use crate::names::{AccountId, BucketName, InvalidObjectKey, KEY_MAX_BYTES, ObjectKey, bucket_arn, object_arn};
use crate::objects::Bucket;
use crate::wire::{OperationName, Request, Response};

/// Bytes of body that a request without one may carry: it is read, verified and dropped.
const IGNORED_BODY_BYTES: usize = 64 * 1024;

/// Answers one S3 request.
pub async fn serve(app: &Arc<App>, request: Request) -> Response {
    let request_id = request.edge.request_id.clone();
    let resource = request.head.uri.path().to_owned();
    let head = request.head.method == http::Method::HEAD;
    let mut operation = "Unknown";
    let mut answer = match answer(app, request, &mut operation).await {
        Ok(answer) => answer,
        Err(error) => {
            if let Some(detail) = error.detail() {
                tracing::error!(request_id = request_id.as_str(), operation, code = error.code().name(), detail);
            }
            error.render(&resource, &request_id, head)
        }
    };
    answer.extensions_mut().insert(OperationName(operation));
    answer
}

async fn answer(app: &Arc<App>, request: Request, operation: &mut &'static str) -> Result<Response, Error> {
    let address = address::resolve(&request.edge.host, request.head.uri.path(), &app.config.domains)?;
    let query = Query::parse(request.head.uri.query().unwrap_or_default())?;
    let target = match &address {
        Address { bucket: None, .. } => Target::Service,
        Address { key: None, .. } => Target::Bucket,
        Address { .. } => Target::Object,
    };
    let row = route::resolve(request.head.method.as_str(), target, &query, &request.head.headers)?;
    *operation = row.name;
    let request_id = request.edge.request_id.clone();
    let Authenticated { access, payload, head } = authenticate(request, "s3", &app.directory, &app.auth)?;
    let addressed = resolve_target(app, row, &address, &access, &head).await?;
    let grant = authorize(row, &addressed, &access, &query)?;
    let Some(handler) = row.handler else { return Err(not_implemented(row)) };
    let body = match row.body {
        Body::Stream => CxBody::Stream(payload),
        Body::None => collect(payload, IGNORED_BODY_BYTES).await?,
        Body::Small(limit) => collect(payload, limit).await?,
    };
    handler(Cx { app: Arc::clone(app), access, grant, row, head, query, request_id, addressed, body }).await
}

fn not_implemented(row: &Row) -> Error {
    Error::with_message(Code::NotImplemented, format!("{} is not implemented by this server.", row.name))
}

async fn collect(payload: crate::auth::Payload, limit: usize) -> Result<CxBody, Error> {
    match payload.collect(limit).await? {
        Some((bytes, _verified)) => Ok(CxBody::Whole(bytes)),
        None => Err(Error::new(Code::MaxMessageLengthExceeded).and("MaxMessageLengthBytes", limit.to_string())),
    }
}

async fn resolve_target(
    app: &App,
    row: &Row,
    address: &Address,
    access: &Access,
    head: &http::request::Parts,
) -> Result<Addressed, Error> {
    let Some(bucket) = &address.bucket else { return Ok(Addressed::Service) };
    let invalid = || Error::new(Code::InvalidBucketName).and("BucketName", bucket.as_str());
    let name = BucketName::parse(bucket).map_err(|_| invalid())?;
    if row.name == "CreateBucket" {
        return Ok(Addressed::NewBucket(name));
    }
    let bucket = app.objects.bucket(&name).await.map_err(|e| Error::from(e).and("BucketName", name.as_str()))?;
    check_expected_owner(&bucket, header_text(&head.headers, "x-amz-expected-bucket-owner")?)?;
    check_region(&bucket, access)?;
    match &address.key {
        None => Ok(Addressed::Bucket(bucket)),
        Some(key) => Ok(Addressed::Object(bucket, parse_key(key)?)),
    }
}

/// An object key from a request.
pub(super) fn parse_key(key: &str) -> Result<ObjectKey, Error> {
    ObjectKey::parse(key).map_err(|invalid| match invalid {
        InvalidObjectKey::Empty => Error::new(Code::NoSuchKey),
        InvalidObjectKey::TooLong(size) => Error::new(Code::KeyTooLongError)
            .and("Size", size.to_string())
            .and("MaxSizeAllowed", KEY_MAX_BYTES.to_string()),
    })
}

/// `x-amz-expected-bucket-owner` and its source twin.
pub(super) fn check_expected_owner(bucket: &Bucket, expected: Option<&str>) -> Result<(), Error> {
    let Some(expected) = expected else { return Ok(()) };
    let account = AccountId::parse(expected).map_err(|_| {
        Error::with_message(
            Code::InvalidBucketOwnerAWSAccountID,
            format!("The value of the expected bucket owner parameter must be an AWS Account ID... [{expected}]"),
        )
    })?;
    if account == bucket.owner { Ok(()) } else { Err(Error::new(Code::AccessDenied)) }
}

/// A bucket is served under its own Region's name only.
fn check_region(bucket: &Bucket, access: &Access) -> Result<(), Error> {
    let facts = access.facts();
    let signed_v4 =
        matches!(facts.signature, crate::auth::SignatureKind::V4Header | crate::auth::SignatureKind::V4Query);
    if !signed_v4 || facts.region == bucket.region {
        return Ok(());
    }
    let message = format!(
        "The authorization header is malformed; the region '{}' is wrong; expecting '{}'",
        facts.region, bucket.region
    );
    Err(Error::with_message(Code::AuthorizationHeaderMalformed, message)
        .and("Region", bucket.region.as_str())
        .header("x-amz-bucket-region", bucket.region.as_str()))
}

fn authorize(row: &Row, addressed: &Addressed, access: &Access, query: &Query) -> Result<Grant, Error> {
    let action = if query.has("versionId") { row.action.versioned } else { row.action.plain };
    let own_account = || access.caller().account().cloned().ok_or_else(|| Error::new(Code::AccessDenied));
    let resource = match addressed {
        Addressed::Service => Resource { arn: "*".to_owned(), owner: own_account()? },
        Addressed::NewBucket(name) => Resource { arn: bucket_arn(name), owner: own_account()? },
        Addressed::Bucket(bucket) => Resource { arn: bucket_arn(&bucket.name), owner: bucket.owner.clone() },
        Addressed::Object(bucket, key) => Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() },
    };
    Ok(access.authorize(action, resource)?)
}
