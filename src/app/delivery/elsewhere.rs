//! A bucket at another S3 endpoint, as replication sees it: objects go there as their clients would send them, parts as
//! parts, with the checksums that they have, so that the other side checks what arrives.

mod changes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::replicate::{Errand, Failure};
use crate::auth::Grant;
use crate::client::{Answer, Endpoint};
use crate::config::ReplicationTarget;
use crate::crypto::{Checksum, ObjectKeys, PlainRange, SecretBytes};
use crate::keyring::read_private;
use crate::names::AccountId;
use crate::objects::{Arrived, ChecksumKind, ObjectInfo, ObjectMeta, PartSpan, Queued, ReplicationTask};
use crate::sigv4::{SignedParts, Signer, UNSIGNED_PAYLOAD, sign_headers};
use crate::sources::Timestamp;
use crate::sse::{Mode, ObjectRef};
use crate::wire::encode_uri;
use crate::wire::xml::{self, Writer};

/// Time for an exchange without the time for its bytes.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes a second that a transfer has to reach, or else it is broken off.
const RATE_MIN: u64 = 32 * 1024;
/// How long versioning that was seen to be on is taken to be on.
const VERSIONED_FOR: Duration = Duration::from_secs(30);
/// What is left of a refusal in the log, in characters.
const REFUSAL_MAX_CHARS: usize = 300;

/// The bucket.
pub(super) struct Elsewhere {
    endpoint: Endpoint,
    bucket: String,
    /// Whose buckets replicate there.
    accounts: Vec<String>,
    region: String,
    access_key_id: String,
    secret: SecretBytes,
    /// When its versioning was last seen to be on, on the monotonic clock in nanoseconds; 0: not yet.
    versioned_at: AtomicU64,
}

/// A request to it.
struct Call<'a> {
    method: Method,
    /// Empty: about the bucket.
    key: &'a str,
    query: String,
    headers: HeaderMap,
}

type Pieces = BoxStream<'static, Result<Bytes, String>>;

impl Elsewhere {
    /// Of the settings; the error names what is wrong.
    pub(super) fn open(target: &ReplicationTarget) -> Result<Self, String> {
        let secret = read_private(&target.secret_access_key_file).map_err(|error| error.to_string())?;
        let secret = SecretBytes::new(secret.expose().trim_ascii().to_vec());
        if HeaderValue::from_str(&target.access_key_id).is_err() {
            return Err("access_key_id is no text for a header".to_owned());
        }
        let bucket = target.bucket.strip_prefix("arn:aws:s3:::").unwrap_or_default().to_owned();
        let endpoint = Endpoint::parse(&target.endpoint, target.ca_file.as_deref())?;
        let (region, access_key_id) = (target.region.clone(), target.access_key_id.clone());
        let versioned_at = AtomicU64::new(0);
        Ok(Self { endpoint, bucket, accounts: target.accounts.clone(), region, access_key_id, secret, versioned_at })
    }

    /// Whether the operator lets buckets of this account replicate there.
    pub(super) fn is_open_to(&self, owner: &AccountId) -> bool {
        self.accounts.iter().any(|account| account == owner.as_str())
    }

    /// Takes a version, a delete marker, or what was changed of a version there.
    pub(super) async fn take(
        &self,
        errand: &Errand<'_>,
        entry: &mut Queued<ReplicationTask>,
    ) -> Result<Arrived, Failure> {
        let key = errand.key.as_str();
        self.check(errand)?;
        if entry.task.marker {
            errand.leave_elsewhere("s3:ReplicateDelete", &entry.task.destination)?;
            self.check_versioned(errand.now()).await?;
            let call = Call { method: Method::DELETE, key, query: String::new(), headers: changes::as_replica() };
            self.send(call, Bytes::new(), errand.now()).await?;
            return Ok(Arrived::default());
        }
        let Some((read, info)) = errand.source(&entry.task).await? else { return Ok(Arrived::default()) };
        errand.leave_elsewhere("s3:ReplicateObject", &entry.task.destination)?;
        let seen = errand.changes().newest();
        if let Some(place) = errand.place(&entry.task.destination).filter(|place| place.taken) {
            self.change(errand, &info, place).await?;
            return Ok(Arrived { seen, version: None });
        }
        if !errand.is_to_be_made(&entry.task.destination) {
            return Ok(Arrived { seen, version: None });
        }
        if info.envelope.mode == Mode::SseC {
            let reason = "an object under a customer's key can't be read for an endpoint elsewhere";
            return Err(Failure::Never(reason.to_owned()));
        }
        self.check_versioned_of_late(errand).await?;
        let version = self.make(errand, (&read, &info), entry).await?;
        Ok(Arrived { seen, version })
    }

    /// Makes a version there; returns its id, if it is told.
    async fn make(
        &self,
        errand: &Errand<'_>,
        (read, info): (&Grant, &ObjectInfo),
        entry: &mut Queued<ReplicationTask>,
    ) -> Result<Option<String>, Failure> {
        let (key, now) = (errand.key.as_str(), || errand.now());
        let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
        let keys = || errand.app.objects.sse().open(&errand.access, object, &info.envelope, None);
        let mut headers = changes::as_replica();
        describe(&mut headers, &info.meta, errand.rule.target.storage_class.as_deref());
        // As to a bucket of this gateway: without leave for the tags the object goes without them.
        if !info.meta.tags.is_empty() && self.may_tag(errand, info).await {
            tag(&mut headers, &info.meta.tags);
        }
        encrypt(&mut headers, info.envelope.mode, errand.rule.target.kms_key.as_deref());
        let locked = changes::lock(&mut headers, info, now());
        let parts = errand.app.objects.parts(info).await?;
        if parts.is_empty() {
            if let Some(checksum) = info.checksum.as_ref().filter(|c| c.kind == ChecksumKind::FullObject) {
                insert(&mut headers, &checksum_header(&checksum.checksum), &BASE64.encode(&checksum.checksum.value));
            }
            let whole = PlainRange { start: 0, end: info.plain_len };
            let pieces = read_range(errand, read, info, whole, keys().await?).await?;
            let call = Call { method: Method::PUT, key, query: String::new(), headers };
            let answer = self.send_pieces(call, pieces, info.plain_len, now()).await?;
            return Ok(changes::version_of(&answer));
        }
        self.abort_earlier(errand, entry).await?;
        let upload = self.begin(key, headers, info, &parts, now()).await?;
        entry.task.upload = Some(upload.clone());
        if !errand.app.objects.amend(entry).await? {
            self.abort(key, &upload, now()).await?;
            return Err(Failure::Passing("another gateway works on it".to_owned()));
        }
        let mut done = Vec::with_capacity(parts.len());
        for part in &parts {
            let pieces = read_range(errand, read, info, part.range, keys().await?).await?;
            let mut headers = HeaderMap::new();
            // Parts of what is locked have to come with one, also of uploads that have none.
            let own = part.checksum.as_ref();
            if let Some(checksum) = own.or_else(|| locked.then_some(&part.whole_crc)) {
                insert(&mut headers, &checksum_header(checksum), &BASE64.encode(&checksum.value));
            }
            let query = format!("partNumber={}&uploadId={}", part.part_number, encode_uri(&upload));
            let call = Call { method: Method::PUT, key, query, headers };
            let answer = self.send_pieces(call, pieces, part.range.end - part.range.start, now()).await?;
            let etag = answer.headers.get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default();
            done.push((part, etag.to_owned()));
        }
        self.complete(key, &upload, &done, now()).await
    }

    /// The role's leave for tags, here and there.
    async fn may_tag(&self, errand: &Errand<'_>, info: &ObjectInfo) -> bool {
        errand.leave_at_source("s3:GetObjectVersionTagging", Some(info)).await.is_ok()
            && errand.leave_elsewhere("s3:ReplicateTags", &self.arn()).is_ok()
    }

    fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.bucket)
    }

    /// Whether this gateway may send it at all.
    fn check(&self, errand: &Errand<'_>) -> Result<(), Failure> {
        // Asked again for each: the settings may be others than when the rule was made.
        if !self.is_open_to(&errand.bucket.owner) {
            let reason = format!("the settings do not let account {} replicate there", errand.bucket.owner);
            return Err(Failure::Configured(reason));
        }
        // Whatever stands on the way may take such a path for another bucket's.
        if errand.key.as_str().split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(Failure::Never("a key with . or .. between slashes can't be sent elsewhere".to_owned()));
        }
        Ok(())
    }

    /// Without versioning there a replica would take the place of what is there. Looked at every now and then.
    async fn check_versioned_of_late(&self, errand: &Errand<'_>) -> Result<(), Failure> {
        let ticks = errand.app.sources.monotonic_ns();
        let looked = self.versioned_at.load(Ordering::Relaxed);
        if looked != 0 && Duration::from_nanos(ticks.saturating_sub(looked)) < VERSIONED_FOR {
            return Ok(());
        }
        self.check_versioned(errand.now()).await?;
        self.versioned_at.store(ticks.max(1), Ordering::Relaxed);
        Ok(())
    }

    /// A delete marker is made there by DELETE, which without versioning would take the object itself: so it is looked
    /// at just before.
    async fn check_versioned(&self, now: Timestamp) -> Result<(), Failure> {
        let call = Call { method: Method::GET, key: "", query: "versioning=".to_owned(), headers: HeaderMap::new() };
        let answer = self.send(call, Bytes::new(), now).await?;
        let root = xml::parse(answer.body.expose());
        let root = root.map_err(|_| Failure::Passing("the answer to GetBucketVersioning is no XML".to_owned()))?;
        if root.child_text("Status") == Some("Enabled") {
            return Ok(());
        }
        Err(Failure::Configured(format!("the versioning of bucket {} elsewhere is not on", self.bucket)))
    }

    /// What an attempt that was cut off has left there goes before the next one.
    async fn abort_earlier(&self, errand: &Errand<'_>, entry: &mut Queued<ReplicationTask>) -> Result<(), Failure> {
        let Some(earlier) = entry.task.upload.take() else { return Ok(()) };
        self.abort(errand.key.as_str(), &earlier, errand.app.sources.now()).await
    }

    async fn abort(&self, key: &str, upload: &str, now: Timestamp) -> Result<(), Failure> {
        let query = format!("uploadId={}", encode_uri(upload));
        let call = Call { method: Method::DELETE, key, query, headers: HeaderMap::new() };
        match self.exchange(call, Bytes::new(), now).await?.status {
            // It is gone: aborted before, or completed.
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            status => Err(Failure::Passing(format!("an unfinished upload could not be aborted: {status}"))),
        }
    }

    async fn begin(
        &self,
        key: &str,
        mut headers: HeaderMap,
        info: &ObjectInfo,
        parts: &[PartSpan],
        now: Timestamp,
    ) -> Result<String, Failure> {
        let of_all = |checksum: &Checksum| {
            parts.iter().all(|part| part.checksum.as_ref().is_some_and(|c| c.algorithm == checksum.algorithm))
        };
        if let Some(checksum) = info.checksum.as_ref().filter(|checksum| of_all(&checksum.checksum)) {
            let kind = if checksum.kind == ChecksumKind::Composite { "COMPOSITE" } else { "FULL_OBJECT" };
            insert(&mut headers, "x-amz-checksum-algorithm", checksum.checksum.algorithm.name());
            insert(&mut headers, "x-amz-checksum-type", kind);
        }
        let call = Call { method: Method::POST, key, query: "uploads=".to_owned(), headers };
        let answer = self.send(call, Bytes::new(), now).await?;
        let root = xml::parse(answer.body.expose()).ok();
        let upload = root.and_then(|root| root.child_text("UploadId").map(str::to_owned));
        upload.ok_or_else(|| Failure::Passing("the answer to CreateMultipartUpload has no UploadId".to_owned()))
    }

    async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[(&PartSpan, String)],
        now: Timestamp,
    ) -> Result<Option<String>, Failure> {
        let mut w = Writer::document();
        w.root("CompleteMultipartUpload", |w| {
            for (part, etag) in parts {
                w.node("Part", |w| {
                    w.number("PartNumber", part.part_number.into()).leaf("ETag", etag);
                    if let Some(checksum) = &part.checksum {
                        let name = format!("Checksum{}", checksum.algorithm.name());
                        w.leaf(&name, &BASE64.encode(&checksum.value));
                    }
                });
            }
        });
        let query = format!("uploadId={}", encode_uri(upload));
        let call = Call { method: Method::POST, key, query, headers: changes::as_replica() };
        let answer = self.send(call, Bytes::from(w.finish()), now).await?;
        // It may begin with 200 before its outcome is known.
        match xml::parse(answer.body.expose()) {
            Ok(root) if root.name == "CompleteMultipartUploadResult" => Ok(changes::version_of(&answer)),
            _ => Err(refused("CompleteMultipartUpload", &answer)),
        }
    }

    async fn send(&self, call: Call<'_>, body: Bytes, now: Timestamp) -> Result<Answer, Failure> {
        let method = call.method.clone();
        let answer = self.exchange(call, body, now).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refused(method.as_str(), &answer)) }
    }

    async fn exchange(&self, call: Call<'_>, body: Bytes, now: Timestamp) -> Result<Answer, Failure> {
        let (method, target, headers) = self.signed(call, now);
        let answer = self.endpoint.send(method, &target, headers, body, CALL_TIMEOUT).await;
        answer.map_err(|error| Failure::Passing(error.to_string()))
    }

    async fn send_pieces(
        &self,
        mut call: Call<'_>,
        pieces: Pieces,
        plain_len: u64,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        call.headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(plain_len));
        let (method, target, headers) = self.signed(call, now);
        let limit = CALL_TIMEOUT + Duration::from_secs(plain_len / RATE_MIN);
        let answer = self.endpoint.send_stream(method, &target, headers, pieces, limit).await;
        let answer = answer.map_err(|error| Failure::Passing(error.to_string()))?;
        if answer.status.is_success() { Ok(answer) } else { Err(refused("PUT", &answer)) }
    }

    /// The body is not part of the signature: TLS, or the machine that it does not leave, keeps it whole.
    fn signed(&self, call: Call<'_>, now: Timestamp) -> (Method, String, HeaderMap) {
        let Call { method, key, query, headers } = call;
        let segments: Vec<String> = key.split('/').map(encode_uri).collect();
        let path = match key {
            "" => format!("/{}", self.bucket),
            _ => format!("/{}/{}", self.bucket, segments.join("/")),
        };
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            region: &self.region,
            service: "s3",
            now,
        };
        let parts = SignedParts {
            method: method.as_str(),
            path: &path,
            query: &query,
            headers: &headers,
            host: self.endpoint.host_header(),
        };
        let (headers, _) = sign_headers(&signer, &parts, UNSIGNED_PAYLOAD);
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        (method, target, headers)
    }
}

/// What was answered in place of what was asked for. What the other side will not take another time either is a matter
/// of what is configured.
fn refused(what: &str, answer: &Answer) -> Failure {
    let text: String = String::from_utf8_lossy(answer.body.expose()).chars().take(REFUSAL_MAX_CHARS).collect();
    let text = format!("{what} was answered with {}: {text}", answer.status);
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS, StatusCode::CONFLICT];
    let passing = !answer.status.is_client_error() || again.contains(&answer.status);
    if passing { Failure::Passing(text) } else { Failure::Configured(text) }
}

async fn read_range(
    errand: &Errand<'_>,
    read: &Grant,
    info: &ObjectInfo,
    range: PlainRange,
    keys: ObjectKeys,
) -> Result<Pieces, Failure> {
    let plain = errand.app.objects.read(read, info, range, keys).await?;
    Ok(plain.map(|piece| piece.map_err(|error| format!("{error:?}"))).boxed())
}

/// Stored headers and metadata.
fn describe(headers: &mut HeaderMap, meta: &ObjectMeta, storage_class: Option<&str>) {
    for (name, value) in [
        ("content-type", meta.content_type.as_deref()),
        ("cache-control", meta.cache_control.as_deref()),
        ("content-disposition", meta.content_disposition.as_deref()),
        ("content-encoding", meta.content_encoding.as_deref()),
        ("content-language", meta.content_language.as_deref()),
        ("expires", meta.expires.as_deref()),
        ("x-amz-website-redirect-location", meta.website_redirect.as_deref()),
        ("x-amz-storage-class", storage_class.or(meta.storage_class.as_deref())),
    ] {
        if let Some(value) = value {
            insert(headers, name, value);
        }
    }
    for (name, value) in &meta.user {
        insert(headers, &format!("x-amz-meta-{name}"), value);
    }
}

fn tag(headers: &mut HeaderMap, tags: &[(String, String)]) {
    let pairs = tags.iter().map(|(key, value)| format!("{}={}", encode_uri(key), encode_uri(value)));
    insert(headers, "x-amz-tagging", &pairs.collect::<Vec<_>>().join("&"));
}

/// The same mode there; with KMS the rule's key.
fn encrypt(headers: &mut HeaderMap, mode: Mode, kms_key: Option<&str>) {
    let name = "x-amz-server-side-encryption";
    insert(headers, name, mode.header().unwrap_or("AES256"));
    if let Some(key) = kms_key.filter(|_| matches!(mode, Mode::SseKms | Mode::DsseKms)) {
        insert(headers, "x-amz-server-side-encryption-aws-kms-key-id", key);
    }
}

fn checksum_header(checksum: &Checksum) -> String {
    format!("x-amz-checksum-{}", checksum.algorithm.name().to_ascii_lowercase())
}

/// A value that no header can have is left out: nothing stored has such, since it came as a header's value.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
        headers.insert(name, value);
    }
}
