//! What a request to a bucket with server access logging leaves there: the line is begun when the bucket is known, and
//! done when the answer has been sent (`Findings::at_end`).
//!
//! Requests to buckets without logging pay for none of it: the bucket's row says that there is none.

use std::sync::{Arc, OnceLock};

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HOST, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Version};

use super::address::{self, Address};
use super::owner::Owner;
use super::query::Query;
use super::serve::Asked;
use super::table::{TABLE, Target};
use crate::app::{AccessLogs, App};
use crate::auth::{Access, CallerKind, SignatureKind};
use crate::names::BucketName;
use crate::objects::Bucket;
use crate::rules::ConfigurationKind;
use crate::rules::logging::line::Entry;
use crate::sources::Timestamp;
use crate::wire::{Edge, Ended, Request, Response, TlsInfo};

/// Bytes of a header's value that a line shows.
const SHOWN_BYTES: usize = 4096;
/// The length of a body that comes in signed chunks.
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";

/// What of a request its line needs, beside what [`Asked`] has. Header values are shared with the request.
#[derive(Debug, Default)]
pub(super) struct Sender {
    pub(super) received: Timestamp,
    source_ip: Option<std::net::IpAddr>,
    host: Option<HeaderValue>,
    tls: Option<TlsInfo>,
    version: Version,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
}

/// The line of a request; none once it is known that the bucket has no log.
pub(super) type Log = OnceLock<Option<Arc<Line>>>;

/// A line in the making.
#[derive(Debug)]
pub(super) struct Line {
    logs: Arc<AccessLogs>,
    bucket: (BucketName, [u8; 16]),
    entry: Entry,
    object_size: OnceLock<u64>,
    acl_required: OnceLock<()>,
}

/// Whose request it is, and what it is about, where that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) access: Option<&'a Access>,
    /// The head as it was signed, with what a presigned URL carries.
    pub(super) headers: Option<&'a HeaderMap>,
    /// The operation of the table.
    pub(super) operation: Option<&'static str>,
    pub(super) key: Option<&'a str>,
    /// A visit to the bucket's website.
    pub(super) website: bool,
}

impl Sender {
    pub(super) fn of(request: &Request) -> Self {
        let Edge { received, source_ip, tls, .. } = &request.edge;
        let header = |name| request.head.headers.get(name).cloned();
        Self {
            received: *received,
            source_ip: Some(*source_ip),
            host: header(HOST),
            tls: tls.clone(),
            version: request.head.version,
            referer: header(REFERER),
            user_agent: header(USER_AGENT),
            authorization: header(AUTHORIZATION),
        }
    }

    /// How a request says that it is signed; whether it is, nobody has found out.
    fn claims(&self, query: &Query) -> SignatureKind {
        let header = self.authorization.as_ref().map(HeaderValue::as_bytes);
        match header {
            Some(value) if value.starts_with(b"AWS4-") => SignatureKind::V4Header,
            Some(value) if value.starts_with(b"AWS ") => SignatureKind::V2Header,
            _ if query.has("X-Amz-Signature") => SignatureKind::V4Query,
            _ if query.has("Signature") => SignatureKind::V2Query,
            _ => SignatureKind::Anonymous,
        }
    }
}

impl Asked {
    /// Begins the line of a request whose bucket is found, the first time that it is.
    pub(super) fn begin_line(&self, app: &App, bucket: &Bucket, about: About<'_>) {
        if self.log.get().is_some() {
            return;
        }
        if !bucket.has(ConfigurationKind::Logging) {
            let _first_counts = self.log.set(None);
            return;
        }
        let line = Arc::new(Line {
            logs: Arc::clone(&app.access_logs),
            bucket: (bucket.name.clone(), bucket.id),
            entry: self.entry(app, bucket, about),
            object_size: OnceLock::new(),
            acl_required: OnceLock::new(),
        });
        if self.log.set(Some(Arc::clone(&line))).is_ok() {
            self.findings.at_end(Box::new(move |ended| line.finish(ended)));
        }
    }

    /// The line, if the bucket is known and has a log.
    pub(super) fn line(&self) -> Option<&Line> {
        self.log.get()?.as_deref()
    }

    /// Begins the line of a request that was answered before anybody looked its bucket up: its signature is wrong, or it
    /// is a preflight. `website`: the bucket that its host is the website of.
    pub(super) async fn begin_late_line(&self, app: &App, website: Option<&str>) {
        if self.log.get().is_some() {
            return;
        }
        let addressed = match website {
            Some(bucket) => Address { bucket: Some(bucket.to_owned()), key: None },
            None => match address::resolve(&self.host, self.uri.path(), &app.config.domains) {
                Ok(address) => address,
                Err(_) => return,
            },
        };
        let Some(name) = addressed.bucket.as_deref().and_then(|name| BucketName::parse(name).ok()) else { return };
        // A bucket that cannot be found has no log.
        let Ok(bucket) = app.objects.bucket(&name).await else { return };
        let operation = self.findings.found().operation;
        let key = addressed.key.as_deref();
        self.begin_line(app, &bucket, About { operation, key, website: website.is_some(), ..About::default() });
    }

    fn entry(&self, app: &App, bucket: &Bucket, about: About<'_>) -> Entry {
        let sender = &self.sender;
        let query = Query::parse(self.uri.query().unwrap_or_default()).unwrap_or_default();
        let signature = about.access.map_or_else(|| sender.claims(&query), |access| access.facts().signature);
        let (signature_version, authentication) = shown_signature(signature);
        let owner = Owner::of(&app.directory, &bucket.owner).id.to_owned();
        let requester = about.access.map(|access| requester(app, access)).unwrap_or_default();
        let tls = sender.tls.as_ref();
        Entry {
            bucket_owner: owner,
            bucket: bucket.name.to_string(),
            received: sender.received,
            remote_ip: sender.source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            requester,
            request_id: self.request_id.to_string(),
            operation: operation(self.method.as_str(), about),
            key: about.key.unwrap_or_default().to_owned(),
            method: self.method.to_string(),
            target: self.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            protocol: protocol(sender.version),
            object_size: about.headers.and_then(|headers| written_bytes(about.operation, headers)),
            referer: shown(sender.referer.as_ref()),
            user_agent: shown(sender.user_agent.as_ref()),
            version_id: query.value("versionId").unwrap_or_default().to_owned(),
            host_id: self.request_id.extended(),
            signature_version,
            cipher_suite: tls.map(|tls| tls.cipher_suite.clone()).unwrap_or_default(),
            authentication,
            host: match self.uri.authority() {
                Some(authority) => authority.to_string(),
                None => shown(sender.host.as_ref()),
            },
            tls_version: tls.map_or("", |tls| tls.version),
            ..Entry::default()
        }
    }
}

impl Line {
    /// Notes what the answer says of the object.
    pub(super) fn answered(&self, answer: &Response) {
        let read = self.entry.operation.ends_with(".GET.OBJECT") || self.entry.operation.ends_with(".HEAD.OBJECT");
        if read
            && answer.status().is_success()
            && let Some(bytes) = read_bytes(answer.headers())
        {
            let _first_counts = self.object_size.set(bytes);
        }
    }

    /// Notes that the caller was let in by an ACL.
    pub(super) fn required_acl(&self) {
        let _first_counts = self.acl_required.set(());
    }

    fn finish(&self, ended: &Ended) {
        // That nothing has changed is no error.
        let error = ended.error.filter(|_| ended.status != 304);
        let object_size =
            self.object_size.get().copied().or_else(|| self.entry.object_size.filter(|_| error.is_none()));
        let entry = Entry {
            status: Some(ended.status),
            error: error.unwrap_or_default(),
            bytes_sent: ended.sent_bytes,
            object_size,
            total_ms: Some(milliseconds(ended.total)),
            turn_around_ms: ended.turn_around.map(milliseconds),
            acl_required: self.acl_required.get().is_some(),
            ..self.entry.clone()
        };
        self.logs.add((&self.bucket.0, self.bucket.1), &entry);
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn shown(value: Option<&HeaderValue>) -> String {
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    text[..text.floor_char_boundary(SHOWN_BYTES)].to_owned()
}

/// The canonical id of a root, the ARN of whom else; empty for nobody.
fn requester(app: &App, access: &Access) -> String {
    let caller = access.caller();
    match (caller.kind(), caller.account()) {
        (CallerKind::Root, Some(account)) => Owner::of(&app.directory, account).id.to_owned(),
        (CallerKind::Anonymous, _) => String::new(),
        _ => caller.arn().to_owned(),
    }
}

fn shown_signature(signature: SignatureKind) -> (&'static str, &'static str) {
    match signature {
        SignatureKind::V4Header => ("SigV4", "AuthHeader"),
        SignatureKind::V4Query => ("SigV4", "QueryString"),
        SignatureKind::V4Form => ("SigV4", "HtmlForm"),
        SignatureKind::V2Header => ("SigV2", "AuthHeader"),
        SignatureKind::V2Query => ("SigV2", "QueryString"),
        SignatureKind::V2Form => ("SigV2", "HtmlForm"),
        SignatureKind::Anonymous => ("", ""),
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Bytes of the object or part that a request writes.
fn written_bytes(operation: Option<&str>, headers: &HeaderMap) -> Option<u64> {
    if !matches!(operation?, "PutObject" | "UploadPart") {
        return None;
    }
    let value = headers.get(DECODED_LENGTH).or_else(|| headers.get(CONTENT_LENGTH))?;
    value.to_str().ok()?.parse().ok()
}

/// Bytes of the whole object that an answer is of.
fn read_bytes(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match text(CONTENT_RANGE) {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => text(CONTENT_LENGTH)?.parse().ok(),
    }
}

/// `WEBSITE.` or `REST.`, the method, and what it is about.
fn operation(method: &str, about: About<'_>) -> String {
    if about.website {
        return format!("WEBSITE.{method}.OBJECT");
    }
    match about.operation.and_then(name_of) {
        Some(name) => name.to_owned(),
        None => format!("REST.{method}.{}", about.operation.map_or("UNKNOWN", resource_of)),
    }
}

/// What an operation without a name of its own is about.
fn resource_of(operation: &'static str) -> &'static str {
    match TABLE.iter().find(|row| row.name == operation).map(|row| row.target) {
        Some(Target::Service) => "SERVICE",
        Some(Target::Bucket) => "BUCKET",
        Some(Target::Object) => "OBJECT",
        None => "UNKNOWN",
    }
}

/// The name of an operation in AWS's logs. Not all of them are documented; those of configurations follow the name of
/// the sub-resource. `None`: the method and what the address names.
fn name_of(operation: &str) -> Option<&'static str> {
    NAMES.iter().find(|(name, _)| *name == operation).map(|(_, shown)| *shown)
}

const NAMES: &[(&str, &str)] = &[
    ("GetObject", "REST.GET.OBJECT"),
    ("HeadObject", "REST.HEAD.OBJECT"),
    ("PutObject", "REST.PUT.OBJECT"),
    ("PostObject", "REST.POST.OBJECT"),
    ("CopyObject", "REST.COPY.OBJECT"),
    ("DeleteObject", "REST.DELETE.OBJECT"),
    ("DeleteObjects", "REST.POST.MULTI_OBJECT_DELETE"),
    ("GetObjectAttributes", "REST.GET.OBJECT_ATTRIBUTES"),
    ("UploadPart", "REST.PUT.PART"),
    ("UploadPartCopy", "REST.COPY.PART"),
    ("CreateMultipartUpload", "REST.POST.UPLOADS"),
    ("CompleteMultipartUpload", "REST.POST.UPLOAD"),
    ("AbortMultipartUpload", "REST.DELETE.UPLOAD"),
    ("ListParts", "REST.GET.UPLOAD"),
    ("ListMultipartUploads", "REST.GET.UPLOADS"),
    ("ListObjects", "REST.GET.BUCKET"),
    ("ListObjectsV2", "REST.GET.BUCKET"),
    ("ListObjectVersions", "REST.GET.BUCKETVERSIONS"),
    ("HeadBucket", "REST.HEAD.BUCKET"),
    ("CreateBucket", "REST.PUT.BUCKET"),
    ("DeleteBucket", "REST.DELETE.BUCKET"),
    ("ListBuckets", "REST.GET.SERVICE"),
    ("GetObjectAcl", "REST.GET.ACL"),
    ("GetBucketAcl", "REST.GET.ACL"),
    ("PutObjectAcl", "REST.PUT.ACL"),
    ("PutBucketAcl", "REST.PUT.ACL"),
    ("GetObjectTagging", "REST.GET.OBJECT_TAGGING"),
    ("PutObjectTagging", "REST.PUT.OBJECT_TAGGING"),
    ("DeleteObjectTagging", "REST.DELETE.OBJECT_TAGGING"),
    ("GetBucketTagging", "REST.GET.TAGGING"),
    ("PutBucketTagging", "REST.PUT.TAGGING"),
    ("DeleteBucketTagging", "REST.DELETE.TAGGING"),
    ("GetObjectRetention", "REST.GET.OBJECT_LOCK_RETENTION"),
    ("PutObjectRetention", "REST.PUT.OBJECT_LOCK_RETENTION"),
    ("GetObjectLegalHold", "REST.GET.OBJECT_LOCK_LEGALHOLD"),
    ("PutObjectLegalHold", "REST.PUT.OBJECT_LOCK_LEGALHOLD"),
    ("GetObjectLockConfiguration", "REST.GET.OBJECT_LOCK_CONFIGURATION"),
    ("PutObjectLockConfiguration", "REST.PUT.OBJECT_LOCK_CONFIGURATION"),
    ("GetBucketLocation", "REST.GET.LOCATION"),
    ("GetBucketVersioning", "REST.GET.VERSIONING"),
    ("PutBucketVersioning", "REST.PUT.VERSIONING"),
    ("GetBucketLogging", "REST.GET.LOGGING_STATUS"),
    ("PutBucketLogging", "REST.PUT.LOGGING_STATUS"),
    ("GetBucketPolicy", "REST.GET.BUCKETPOLICY"),
    ("PutBucketPolicy", "REST.PUT.BUCKETPOLICY"),
    ("DeleteBucketPolicy", "REST.DELETE.BUCKETPOLICY"),
    ("GetBucketPolicyStatus", "REST.GET.POLICY_STATUS"),
    ("GetBucketEncryption", "REST.GET.ENCRYPTION"),
    ("PutBucketEncryption", "REST.PUT.ENCRYPTION"),
    ("DeleteBucketEncryption", "REST.DELETE.ENCRYPTION"),
    ("UpdateObjectEncryption", "REST.PUT.ENCRYPTION"),
    ("GetPublicAccessBlock", "REST.GET.PUBLIC_ACCESS_BLOCK"),
    ("PutPublicAccessBlock", "REST.PUT.PUBLIC_ACCESS_BLOCK"),
    ("DeletePublicAccessBlock", "REST.DELETE.PUBLIC_ACCESS_BLOCK"),
    ("GetBucketOwnershipControls", "REST.GET.OWNERSHIP_CONTROLS"),
    ("PutBucketOwnershipControls", "REST.PUT.OWNERSHIP_CONTROLS"),
    ("DeleteBucketOwnershipControls", "REST.DELETE.OWNERSHIP_CONTROLS"),
    ("GetBucketRequestPayment", "REST.GET.REQUEST_PAYMENT"),
    ("PutBucketRequestPayment", "REST.PUT.REQUEST_PAYMENT"),
    ("GetBucketCors", "REST.GET.CORS"),
    ("PutBucketCors", "REST.PUT.CORS"),
    ("DeleteBucketCors", "REST.DELETE.CORS"),
    ("OptionsBucket", "REST.OPTIONS.PREFLIGHT"),
    ("OptionsObject", "REST.OPTIONS.PREFLIGHT"),
    ("GetBucketLifecycleConfiguration", "REST.GET.LIFECYCLE"),
    ("PutBucketLifecycleConfiguration", "REST.PUT.LIFECYCLE"),
    ("DeleteBucketLifecycle", "REST.DELETE.LIFECYCLE"),
    ("GetBucketWebsite", "REST.GET.WEBSITE"),
    ("PutBucketWebsite", "REST.PUT.WEBSITE"),
    ("DeleteBucketWebsite", "REST.DELETE.WEBSITE"),
    ("GetBucketNotificationConfiguration", "REST.GET.NOTIFICATION"),
    ("PutBucketNotificationConfiguration", "REST.PUT.NOTIFICATION"),
    ("GetBucketReplication", "REST.GET.REPLICATION"),
    ("PutBucketReplication", "REST.PUT.REPLICATION"),
    ("DeleteBucketReplication", "REST.DELETE.REPLICATION"),
    ("RestoreObject", "REST.POST.RESTORE"),
    ("SelectObjectContent", "REST.POST.SELECT"),
    ("GetObjectTorrent", "REST.GET.TORRENT"),
    ("GetBucketAnalyticsConfiguration", "REST.GET.ANALYTICS"),
    ("PutBucketAnalyticsConfiguration", "REST.PUT.ANALYTICS"),
    ("DeleteBucketAnalyticsConfiguration", "REST.DELETE.ANALYTICS"),
    ("ListBucketAnalyticsConfigurations", "REST.GET.ANALYTICS"),
    ("GetBucketMetricsConfiguration", "REST.GET.METRICS"),
    ("PutBucketMetricsConfiguration", "REST.PUT.METRICS"),
    ("DeleteBucketMetricsConfiguration", "REST.DELETE.METRICS"),
    ("ListBucketMetricsConfigurations", "REST.GET.METRICS"),
    ("GetBucketIntelligentTieringConfiguration", "REST.GET.INTELLIGENT_TIERING"),
    ("PutBucketIntelligentTieringConfiguration", "REST.PUT.INTELLIGENT_TIERING"),
    ("DeleteBucketIntelligentTieringConfiguration", "REST.DELETE.INTELLIGENT_TIERING"),
    ("ListBucketIntelligentTieringConfigurations", "REST.GET.INTELLIGENT_TIERING"),
    ("GetBucketInventoryConfiguration", "REST.GET.INVENTORY"),
    ("PutBucketInventoryConfiguration", "REST.PUT.INVENTORY"),
    ("DeleteBucketInventoryConfiguration", "REST.DELETE.INVENTORY"),
    ("ListBucketInventoryConfigurations", "REST.GET.INVENTORY"),
    ("GetBucketAccelerateConfiguration", "REST.GET.ACCELERATE"),
    ("PutBucketAccelerateConfiguration", "REST.PUT.ACCELERATE"),
    ("GetBucketAbac", "REST.GET.ABAC"),
    ("PutBucketAbac", "REST.PUT.ABAC"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::table::Row;

    #[test]
    fn names_are_those_of_operations() {
        let unknown = |name: &str| !TABLE.iter().any(|row: &Row| row.name == name);
        let lost: Vec<_> = NAMES.iter().filter(|(name, _)| unknown(name)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        for row in TABLE.iter().filter(|row| row.handler.is_some()) {
            let about = About { operation: Some(row.name), ..About::default() };
            let shown = operation(row.method, about);
            assert!(name_of(row.name).is_some(), "{} is shown as {shown}", row.name);
            let method = shown.split('.').nth(1).unwrap();
            assert!(method == row.method || method == "COPY", "{}: {shown}", row.name);
        }
        assert_eq!(operation("PUT", About { operation: Some("RenameObject"), ..About::default() }), "REST.PUT.OBJECT");
        assert_eq!(operation("PATCH", About::default()), "REST.PATCH.UNKNOWN");
        assert_eq!(operation("GET", About { website: true, ..About::default() }), "WEBSITE.GET.OBJECT");
    }

    #[test]
    fn sizes_are_of_the_whole_object() {
        let of = |pairs: &[(http::HeaderName, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect::<HeaderMap>()
        };
        assert_eq!(read_bytes(&of(&[(CONTENT_LENGTH, "5")])), Some(5));
        assert_eq!(read_bytes(&of(&[(CONTENT_LENGTH, "5"), (CONTENT_RANGE, "bytes 0-4/100")])), Some(100));
        assert_eq!(read_bytes(&of(&[(CONTENT_RANGE, "bytes */x")])), None);
        let chunked = of(&[(CONTENT_LENGTH, "500"), (http::HeaderName::from_static(DECODED_LENGTH), "7")]);
        assert_eq!(written_bytes(Some("PutObject"), &chunked), Some(7));
        assert_eq!(written_bytes(Some("UploadPart"), &of(&[(CONTENT_LENGTH, "500")])), Some(500));
        assert_eq!(written_bytes(Some("PutBucketPolicy"), &of(&[(CONTENT_LENGTH, "500")])), None);
        assert_eq!(written_bytes(None, &chunked), None);
    }
}
