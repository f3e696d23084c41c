//! The path of an S3 request: address, row, caller, bucket, grant, handler; and back.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::ORIGIN;

use super::address::{self, Address};
use super::asked::RequestKeys;
use super::code::Code;
use super::cors::{self, Crossing};
use super::cx::{Addressed, Cx, CxBody};
use super::error::Error;
use super::fields;
use super::keep_alive::{self, Early};
use super::known::{Asking, Known};
use super::payer;
use super::post_form::{self, Posted};
use super::query::Query;
use super::refusals;
use super::route;
use super::server_log::{About, Log, Sender};
use super::sse_headers;
use super::table::{self, Body, Handler, On, Row, SEALING_OPERATIONS};
use super::trail;
use super::website;
use crate::app::App;
use crate::app::before::{Before, View};
use crate::audit::Recorded;
use crate::auth::{Access, Authenticated, Grant, Payload, Resource, authenticate};
use crate::names::{
    ALL_BUCKETS, AccountId, BucketName, InvalidObjectKey, KEY_MAX_BYTES, ObjectKey, bucket_arn, object_arn,
};
use crate::objects::Bucket;
use crate::policy::Target;
use crate::wire::{EncryptionLabel, ErrorCode, Findings, Request, RequestId, Response};

/// Bytes of body that a request without one may carry: it is read, verified and dropped.
const IGNORED_BODY_BYTES: usize = 64 * 1024;
/// The operation whose request is an upload form.
const POST_OBJECT: &str = "PostObject";

/// Answers one S3 request.
pub async fn serve(app: &Arc<App>, request: Request) -> Response {
    let asked = Arc::new(Asked::of(&request));
    let website = website::bucket_of(&request.edge.host, &app.config).map(str::to_owned);
    let named = || address::resolve(&asked.host, asked.uri.path(), &app.config.domains).ok()?.bucket;
    let crossing = match request.head.headers.contains_key(ORIGIN) {
        true => Crossing::of(&request.head, website.clone().or_else(named)),
        false => None,
    };
    let on_website = website.clone();
    let outcome = match website {
        Some(bucket) => Ok(website::serve(app, request, &asked, bucket).await),
        None => answer(app, request, &asked).await,
    };
    let mut answer = asked.conclude(outcome, &app.config.domains);
    asked.begin_late_line(app, on_website.as_deref()).await;
    if let Some(crossing) = crossing {
        crossing.permit(app, &mut answer).await;
    }
    answer
}

/// The mode that an answer names.
fn encryption_label(headers: &http::HeaderMap) -> &'static str {
    let mode = headers.get("x-amz-server-side-encryption").map(http::HeaderValue::as_bytes);
    match mode {
        Some(b"AES256") => "sse-s3",
        Some(b"aws:kms") => "sse-kms",
        Some(b"aws:kms:dsse") => "dsse-kms",
        _ if headers.contains_key("x-amz-server-side-encryption-customer-algorithm") => "sse-c",
        _ => "",
    }
}

/// Tells the log what the client is not told.
pub(super) fn log(error: &Error, request_id: &str, operation: Option<&str>) {
    let Some(detail) = error.detail() else { return };
    let code = error.code().name();
    if error.status().is_server_error() {
        tracing::error!(request_id, operation, code, detail);
    } else {
        tracing::info!(request_id, operation, code, detail);
    }
}

/// What was asked for: kept for the elements that AWS adds to errors, and for the log.
pub(super) struct Asked {
    pub(super) method: http::Method,
    pub(super) uri: http::Uri,
    pub(super) host: String,
    pub(super) request_id: RequestId,
    pub(super) findings: Findings,
    /// For the bucket's server access log.
    pub(super) sender: Sender,
    pub(super) log: Log,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Self {
            method: request.head.method.clone(),
            uri: request.head.uri.clone(),
            host: request.edge.host.clone(),
            request_id: request.edge.request_id.clone(),
            findings: request.edge.findings.clone(),
            sender: Sender::of(request),
            log: Log::default(),
        }
    }

    /// The answer that an outcome is told with.
    fn conclude(&self, outcome: Result<Response, Error>, domains: &[String]) -> Response {
        let mut answer = outcome.unwrap_or_else(|mut error| {
            self.complete(&mut error, domains);
            log(&error, self.request_id.as_str(), self.findings.found().operation);
            let mut answer = error.render(&self.request_id, self.method == http::Method::HEAD);
            answer.extensions_mut().insert(ErrorCode(error.code().name()));
            answer
        });
        let encryption = encryption_label(answer.headers());
        answer.extensions_mut().insert(EncryptionLabel(encryption));
        answer
    }

    /// Adds the elements that AWS's errors of this code name and that stand in the request, unless the operation named
    /// them itself (a copy's source).
    fn complete(&self, error: &mut Error, domains: &[String]) {
        let address = || address::resolve(&self.host, self.uri.path(), domains).ok();
        let bucket = || address()?.bucket;
        let key = || address()?.key;
        let query = |name: &str| Query::parse(self.uri.query()?).ok()?.value(name).map(str::to_owned);
        match error.code() {
            Code::NoSuchBucket
            | Code::BucketAlreadyExists
            | Code::BucketAlreadyOwnedByYou
            | Code::BucketNotEmpty
            | Code::InvalidBucketName
            | Code::NoSuchBucketPolicy
            | Code::NoSuchTagSet
            | Code::NoSuchLifecycleConfiguration
            | Code::NoSuchCORSConfiguration
            | Code::NoSuchWebsiteConfiguration
            | Code::NoSuchPublicAccessBlockConfiguration
            | Code::ObjectLockConfigurationNotFoundError
            | Code::OwnershipControlsNotFoundError
            | Code::ReplicationConfigurationNotFoundError => error.supply("BucketName", bucket),
            Code::NoSuchKey | Code::ConditionalRequestConflict => error.supply("Key", key),
            Code::NoSuchVersion => {
                error.supply("Key", key);
                error.supply("VersionId", || query("versionId"));
            }
            Code::NoSuchUpload | Code::InvalidPart | Code::InvalidPartOrder => {
                error.supply("UploadId", || query("uploadId"));
            }
            Code::MethodNotAllowed => error.supply("Method", || Some(self.method.to_string())),
            _ => {}
        }
    }
}

async fn answer(app: &Arc<App>, request: Request, asked: &Arc<Asked>) -> Result<Response, Error> {
    let findings = &asked.findings;
    let address = address::resolve(&request.edge.host, request.head.uri.path(), &app.config.domains)?;
    if let Some(bucket) = &address.bucket {
        findings.bucket(bucket);
    }
    let query = Query::parse(request.head.uri.query().unwrap_or_default())?;
    let target = match &address {
        Address { bucket: None, .. } => table::Target::Service,
        Address { key: None, .. } => table::Target::Bucket,
        Address { .. } => table::Target::Object,
    };
    // For the log alone: what is answered follows from the request as it was signed.
    let row = route::resolve(request.head.method.as_str(), target, &query, &request.head.headers);
    if let Ok(row) = row {
        findings.operation(row.name);
    }
    if let (Some(bucket), &http::Method::OPTIONS) = (&address.bucket, &request.head.method) {
        return cors::preflight(app, &request.head.headers, (bucket, address.key.as_deref())).await;
    }
    if let (Some(bucket), Ok(row)) = (&address.bucket, row)
        && row.name == POST_OBJECT
    {
        let Posted { access, payload, head, address } = post_form::receive(app, row, request, bucket).await?;
        findings.access_key_id(access.caller().access_key_id());
        let signed = Signed { access, payload, head, query, address, asked: Arc::clone(asked) };
        return perform_on_data(app, row, signed).await;
    }
    let Authenticated { access, payload, head } = authenticate(request, "s3", &app.directory, &app.auth).await?;
    findings.access_key_id(access.caller().access_key_id());
    // A presigned URL may carry headers in its query, which are headers now: a copy must not be taken for a PUT.
    let row = route::resolve(head.method.as_str(), target, &query, &head.headers)?;
    findings.operation(row.name);
    if access.facts().signature.is_v2() {
        route::refuse_unsigned_by_v2(row)?;
    }
    let signed = Signed { access, payload, head, query, address, asked: Arc::clone(asked) };
    if !row.is_management() {
        return perform_on_data(app, row, signed).await;
    }
    // A task of its own: a management call that has begun comes to its end and to its record even if its caller hangs
    // up and this future is dropped. DeleteBucket would leave its mark on the bucket else.
    let managed = tokio::spawn(manage(Arc::clone(app), row, signed));
    managed.await.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => Err(Error::internal(format!("{} was cut off: {cancelled}", row.name))),
    })
}

/// A call on data: what was not allowed is in the trail when this returns.
pub(super) async fn perform_on_data(app: &Arc<App>, row: &'static Row, signed: Signed) -> Result<Response, Error> {
    let (access, address) = (signed.access.clone(), signed.address.clone());
    let outcome = perform(app, row, signed).await;
    if let Err(error) = &outcome {
        trail::record_denial(app, row, &access, &address, error).await?;
    }
    outcome.map(|(answer, _)| answer)
}

/// A management call: when this returns its one record is durable.
async fn manage(app: Arc<App>, row: &'static Row, signed: Signed) -> Result<Response, Error> {
    let (access, address) = (signed.access.clone(), signed.address.clone());
    let outcome = match perform(&app, row, signed).await {
        Ok((answer, Some(_recorded))) => return Ok(answer),
        Ok((answer, None)) => Ok(answer),
        Err(error) => Err(error),
    };
    trail::record(&app, row, &access, &address, outcome.as_ref().err()).await?;
    outcome
}

/// A request whose sender is known.
pub(super) struct Signed {
    pub(super) access: Access,
    pub(super) payload: Payload,
    pub(super) head: http::request::Parts,
    pub(super) query: Query,
    pub(super) address: Address,
    pub(super) asked: Arc<Asked>,
}

/// Bucket, grant, body, handler. Beside the answer: the proof that the call is in the trail already, if it is.
pub(super) async fn perform(
    app: &Arc<App>,
    row: &'static Row,
    signed: Signed,
) -> Result<(Response, Option<Recorded>), Error> {
    let Signed { access, payload, head, query, address, asked } = signed;
    let addressed = resolve_target(app, row, (&address, &asked), &access, &head).await?;
    let before = match &addressed {
        Addressed::Service | Addressed::NewBucket(_) => Before::nothing(),
        Addressed::Bucket(bucket) | Addressed::Object(bucket, _) => Before::of(app, bucket).await?,
    };
    let asking = Asking { app, access: &access, before: &before, row };
    let mut body = Unread::Payload(Box::new(payload));
    if asking.needs_body() {
        body = Unread::Whole(body.whole(row).await?);
    }
    let known = Known::gather(asking, &addressed, &head, &query, body.bytes()).await?;
    let grant = authorize(row, &addressed, &before, &access, &known.keys(&head, &query))?;
    if let (Some(line), Some(grant)) = (asked.line(), &grant)
        && needs_acl(grant, &addressed, &before, &access, &known.keys(&head, &query))
    {
        line.required_acl();
    }
    refuse_headers(row, &head.headers)?;
    refuse_version(row, &query)?;
    let Some(handler) = row.handler else { return Err(refusals::error(row)) };
    let body = match (row.body, body) {
        (Body::Stream, Unread::Payload(payload)) => CxBody::Stream(Box::new(Mutex::new(*payload))),
        (_, body) => CxBody::Whole(body.whole(row).await?),
    };
    let (action, request_id) = (row.action, asked.request_id.clone());
    let charged = match &addressed {
        Addressed::Bucket(bucket) | Addressed::Object(bucket, _) => {
            payer::is_charged(row) && payer::is_requester(bucket, &access)
        }
        Addressed::Service | Addressed::NewBucket(_) => false,
    };
    let cx = Cx {
        app: Arc::clone(app),
        access,
        row,
        action,
        grant,
        head,
        query,
        request_id,
        asked: Arc::clone(&asked),
        addressed,
        before,
        known,
        body,
        early: Early::default(),
    };
    match handler {
        Handler::Answer(run) => Ok((payer::tell(charged, run(cx).await?), None)),
        Handler::Long(run) => {
            let app = Arc::clone(app);
            let conclude = move |outcome| asked.conclude(outcome, &app.config.domains);
            let early = cx.early.clone();
            Ok((payer::tell(charged, keep_alive::answer(run(cx), &early, conclude).await?), None))
        }
        // Never asked here: it was answered before.
        Handler::Preflight => Err(route::not_allowed(row.method, row.target)),
        Handler::Change(run) => {
            let event = trail::change(row, &cx);
            let (answer, recorded) = run(cx, event).await?;
            Ok((answer, Some(recorded)))
        }
    }
}

/// A request's body, which is read before leave is asked for only where a policy's condition is about it.
enum Unread {
    Payload(Box<Payload>),
    Whole(Bytes),
}

impl Unread {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Payload(_) => None,
            Self::Whole(bytes) => Some(bytes),
        }
    }

    /// Read, verified, and at most as long as the row takes it.
    async fn whole(self, row: &Row) -> Result<Bytes, Error> {
        let payload = match self {
            Self::Payload(payload) => payload,
            Self::Whole(bytes) => return Ok(bytes),
        };
        match row.body {
            Body::None | Body::Stream => collect(*payload, IGNORED_BODY_BYTES).await,
            Body::Checked(_) if !payload.is_digest_named() => Err(digest_missing()),
            Body::Small(limit) | Body::Checked(limit) => collect(*payload, limit).await,
        }
    }
}

/// Refuses headers that would be ignored: encryption on an operation that seals nothing (as AWS does), and MFA delete,
/// which is not implemented.
fn refuse_headers(row: &Row, headers: &http::HeaderMap) -> Result<(), Error> {
    if headers.contains_key("x-amz-mfa") {
        return Err(Error::header_not_implemented("x-amz-mfa"));
    }
    sse_headers::refuse_unknown(headers)?;
    if row.handler.is_none() || SEALING_OPERATIONS.contains(&row.name) {
        return Ok(());
    }
    sse_headers::refuse_choice(headers)
}

/// Refuses a version id where it would be ignored: a PUT to a version would make another one.
fn refuse_version(row: &Row, query: &Query) -> Result<(), Error> {
    match query.value("versionId") {
        Some(version) if row.handler.is_some() && !row.takes_version() => {
            Err(Error::invalid_argument("This operation does not accept a version-id.", "versionId", version))
        }
        _ => Ok(()),
    }
}

/// Older answers of AWS name Content-MD5 alone.
fn digest_missing() -> Error {
    Error::invalid_request("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

async fn collect(payload: Payload, limit: usize) -> Result<Bytes, Error> {
    match payload.collect(limit).await? {
        Some((bytes, _verified)) => Ok(bytes),
        None => Err(Error::new(Code::MaxMessageLengthExceeded).and("MaxMessageLengthBytes", limit.to_string())),
    }
}

async fn resolve_target(
    app: &App,
    row: &Row,
    (address, asked): (&Address, &Asked),
    access: &Access,
    head: &http::request::Parts,
) -> Result<Addressed, Error> {
    let Some(bucket) = &address.bucket else { return Ok(Addressed::Service) };
    let name = BucketName::parse(bucket)?;
    if row.name == "CreateBucket" {
        return Ok(Addressed::NewBucket(name));
    }
    let bucket = app.objects.bucket(&name).await?;
    let about = About { access: Some(access), operation: Some(row.name), key: address.key.as_deref(), website: false };
    asked.begin_line(app, &bucket, about);
    check_expected_owner(&bucket, fields::single(&head.headers, "x-amz-expected-bucket-owner")?)?;
    check_region(row, &bucket, access)?;
    if payer::is_charged(row) {
        payer::check(&bucket, access, &head.headers)?;
    }
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

/// A bucket is served under its own Region's name only; where it is, programs ask that don't know it yet.
fn check_region(row: &Row, bucket: &Bucket, access: &Access) -> Result<(), Error> {
    let facts = access.facts();
    if !facts.signature.is_v4() || facts.region == bucket.region || row.name == "GetBucketLocation" {
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

fn authorize(
    row: &Row,
    addressed: &Addressed,
    before: &Before,
    access: &Access,
    keys: &RequestKeys<'_>,
) -> Result<Option<Grant>, Error> {
    if row.action.on == On::EachObject {
        return Ok(None);
    }
    let action = row.action.of(keys.query.has("versionId"));
    let (resource, target) = target_of(addressed, before, access, keys)?;
    Ok(Some(access.authorize(action, resource, &target, &before.keys(keys))?))
}

/// Whether what was allowed would not be without an ACL.
fn needs_acl(grant: &Grant, addressed: &Addressed, before: &Before, access: &Access, keys: &RequestKeys<'_>) -> bool {
    match addressed {
        Addressed::Service | Addressed::NewBucket(_) => false,
        Addressed::Bucket(bucket) => before.needs_acl(access, grant, (bucket, View::Bucket), keys),
        Addressed::Object(bucket, _) => before.needs_acl(access, grant, (bucket, keys.known.looked.view()), keys),
    }
}

/// What a request is about, and what stands before it.
fn target_of<'a>(
    addressed: &'a Addressed,
    before: &'a Before,
    access: &Access,
    keys: &RequestKeys<'a>,
) -> Result<(Resource, Target<'a>), Error> {
    let own_account = || access.caller().account().cloned().ok_or_else(|| Error::new(Code::AccessDenied));
    Ok(match addressed {
        Addressed::Service => (Resource { arn: ALL_BUCKETS.to_owned(), owner: own_account()? }, Target::Account),
        Addressed::NewBucket(name) => (Resource { arn: bucket_arn(name), owner: own_account()? }, Target::Account),
        Addressed::Bucket(bucket) => (
            Resource { arn: bucket_arn(&bucket.name), owner: bucket.owner.clone() },
            before.target(access, bucket, View::Bucket),
        ),
        Addressed::Object(bucket, key) => (
            Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() },
            before.target(access, bucket, keys.known.looked.view()),
        ),
    })
}

#[cfg(test)]
mod tests;
