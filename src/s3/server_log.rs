//! What a request to a bucket with server access logging leaves there: the line is begun when the bucket is known, and
//! done when the answer has been sent (`Findings::at_end`).
//!
//! Requests to buckets without logging pay for none of it: the bucket's row says that there is none.

mod names;

use std::sync::{Arc, OnceLock};

use http::header::{AUTHORIZATION, HOST, REFERER, USER_AGENT};
use http::{HeaderValue, Version};

use super::address::{self, Address};
use super::error::Error;
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
use crate::wire::{Edge, Ended, Request, TlsInfo};
use names::name_of;

/// Bytes of a header's value that a line shows.
const SHOWN_BYTES: usize = 4096;

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

/// A key of DeleteObjects, and what became of it.
#[derive(Debug)]
pub(super) struct BatchDelete<'a> {
    pub(super) key: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) outcome: (u16, Option<&'static str>),
    /// Of what was deleted.
    pub(super) plain_len: Option<u64>,
    pub(super) acl_required: bool,
}

/// The line of what a copy reads: written when it is dropped, so that there is one however the copy ends.
#[derive(Debug)]
pub(super) struct SourceLine {
    line: Line,
    outcome: OnceLock<(u16, Option<&'static str>)>,
}

/// Whose request it is, and what it is about, where that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) access: Option<&'a Access>,
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
        let Some(line) = self.line_of(app, bucket, about).map(Arc::new) else {
            let _first_counts = self.log.set(None);
            return;
        };
        if self.log.set(Some(Arc::clone(&line))).is_ok() {
            self.findings.at_end(Box::new(move |ended| line.finish(ended)));
        }
    }

    /// A line of the request in the log of any bucket; none if that has no log.
    fn line_of(&self, app: &App, bucket: &Bucket, about: About<'_>) -> Option<Line> {
        bucket.has(ConfigurationKind::Logging).then(|| Line {
            logs: Arc::clone(&app.access_logs),
            bucket: (bucket.name.clone(), bucket.id),
            entry: self.entry(app, bucket, about),
            object_size: OnceLock::new(),
            acl_required: OnceLock::new(),
        })
    }

    /// Begins the line of what a copy reads, in the log of the bucket that it reads. It is written when it is dropped.
    pub(super) fn begin_source_line(
        &self,
        app: &App,
        bucket: &Bucket,
        access: &Access,
        (key, version): (&str, Option<&str>),
    ) -> Option<SourceLine> {
        let operation = self.findings.found().operation;
        let about = About { access: Some(access), operation, key: Some(key), website: false };
        let mut line = self.line_of(app, bucket, about)?;
        line.entry.operation.push_str("_GET");
        line.entry.version_id = version.unwrap_or_default().to_owned();
        Some(SourceLine { line, outcome: OnceLock::new() })
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
    /// Notes the size of the object that the request is about.
    pub(super) fn is_of(&self, plain_len: u64) {
        let _first_counts = self.object_size.set(plain_len);
    }

    /// Notes that the caller was let in by an ACL.
    pub(super) fn required_acl(&self) {
        let _first_counts = self.acl_required.set(());
    }

    /// Writes the line of a key of DeleteObjects.
    pub(super) fn add_delete(&self, delete: &BatchDelete<'_>) {
        let entry = Entry {
            operation: "BATCH.DELETE.OBJECT".to_owned(),
            key: delete.key.to_owned(),
            version_id: delete.version.unwrap_or_default().to_owned(),
            object_size: delete.plain_len,
            acl_required: delete.acl_required,
            ..self.part(delete.outcome)
        };
        self.logs.add((&self.bucket.0, self.bucket.1), &entry);
    }

    /// What all lines of parts of a request have: of AWS's, as they were seen, no more is told.
    fn part(&self, (status, error): (u16, Option<&'static str>)) -> Entry {
        Entry {
            target: String::new(),
            referer: String::new(),
            user_agent: String::new(),
            status: Some(status),
            error: error.unwrap_or_default(),
            ..self.entry.clone()
        }
    }

    fn finish(&self, ended: &Ended) {
        // That nothing has changed is no error.
        let error = ended.error.filter(|_| ended.status != 304);
        let object_size = self.object_size.get().copied().filter(|_| error.is_none());
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

impl SourceLine {
    /// Notes what was found.
    pub(super) fn found(&self, plain_len: u64, acl_required: bool) {
        self.line.is_of(plain_len);
        if acl_required {
            self.line.required_acl();
        }
    }

    /// Notes that a range of it is read.
    pub(super) fn is_partial(&self) {
        let _first_counts = self.outcome.set((206, None));
    }

    /// Notes why it cannot be read.
    pub(super) fn failed(&self, error: &Error) {
        let _first_counts = self.outcome.set((error.status().as_u16(), Some(error.code().name())));
    }
}

impl Drop for SourceLine {
    fn drop(&mut self) {
        let outcome = self.outcome.get().copied().unwrap_or((200, None));
        let entry = Entry {
            object_size: self.line.object_size.get().copied().filter(|_| outcome.1.is_none()),
            acl_required: self.line.acl_required.get().is_some(),
            ..self.line.part(outcome)
        };
        self.line.logs.add((&self.line.bucket.0, self.line.bucket.1), &entry);
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

#[cfg(test)]
mod tests {
    use super::names::NAMES;
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
}
