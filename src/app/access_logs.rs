//! Server access logs: lines are collected in memory and delivered as objects into the target buckets.
//!
//! As with AWS this is best effort: no request waits for its line, and lines that are not delivered yet are lost with
//! the process unless it ends in order. What is delivered is written by the service `logging.s3.amazonaws.com` and not
//! by a request: it leaves no line of its own, so that a log whose target is its own bucket does not feed itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use super::App;
use super::deliver::{Delivered, Refused, deliver};
use crate::auth::service;
use crate::names::{BucketName, bucket_arn};
use crate::objects::{Attributes, Bucket, ObjectAccess, ObjectsError, RuleDone};
use crate::policy::{Acl, AclGrant, AclScope, Acls, Grantee, Group, NoContext, Permission};
use crate::rules::logging::line::{Entry, Source, day_of, object_key};
use crate::rules::logging::{BucketLogging, LOG_SERVICE, LogGrant, LogGrantee, LogKeyFormat, LogPermission};
use crate::sources::Timestamp;
use crate::sse::Requested;

/// Bytes of lines that wait for their delivery, of all buckets; further ones are lost, and counted.
const KEPT_BYTES: usize = 16 << 20;
/// Bytes of waiting lines at which they are delivered before their time.
const SOON_BYTES: usize = KEPT_BYTES / 4;
/// How soon that is: a store that takes nothing must not be tried again with every request.
const SOON_PAUSE: Duration = Duration::from_secs(1);
/// What a line takes besides its text, and the first line of a bucket and day.
const OVERHEAD_BYTES: usize = 128;
/// How long the last delivery may hold up the end of the process.
const LAST_DELIVERY: Duration = Duration::from_secs(10);

/// Whose requests on which day: a log object holds one bucket's of one day.
type Place = (BucketName, [u8; 16], i64);

/// The lines that wait.
#[derive(Debug)]
pub struct AccessLogs {
    kept: Mutex<Kept>,
    /// Rung when there is much to deliver.
    much: Notify,
    /// One delivery at a time: the last one waits for that which is under way.
    delivering: Semaphore,
}

#[derive(Debug, Default)]
struct Kept {
    lines: BTreeMap<Place, String>,
    bytes: usize,
    lost: u64,
}

impl Default for AccessLogs {
    fn default() -> Self {
        Self { kept: Mutex::default(), much: Notify::new(), delivering: Semaphore::new(1) }
    }
}

impl Kept {
    /// Adds lines, unless there is no room. Whether it is time to deliver.
    fn add(&mut self, place: Place, lines: &str) -> bool {
        let bytes = lines.len() + OVERHEAD_BYTES;
        if self.bytes + bytes > KEPT_BYTES {
            self.lost += lines.lines().count() as u64;
            return true;
        }
        self.bytes += bytes;
        self.lines.entry(place).or_default().push_str(lines);
        self.bytes >= SOON_BYTES
    }
}

impl AccessLogs {
    /// Takes the line of a request to a bucket. Waits for nothing.
    pub fn add(&self, (name, id): (&BucketName, [u8; 16]), entry: &Entry) {
        let place = (name.clone(), id, day_of(entry.received));
        let line = entry.line();
        if self.with(|kept| kept.add(place, &line)) {
            self.much.notify_one();
        }
    }

    fn with<T>(&self, with: impl FnOnce(&mut Kept) -> T) -> T {
        // Texts and counts: a holder that panicked left at worst a line too many in the count.
        with(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Delivers again and again.
pub(super) async fn run(app: Weak<App>) {
    while let Some(running) = app.upgrade() {
        let (logs, pause) = (Arc::clone(&running.access_logs), running.config.access_log_interval);
        drop(running);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = logs.much.notified() => tokio::time::sleep(SOON_PAUSE).await,
        }
        let Some(running) = app.upgrade() else { return };
        running.deliver_access_logs().await;
    }
}

impl App {
    /// The last delivery, when no request can come any more.
    pub async fn deliver_last_access_logs(&self) {
        if tokio::time::timeout(LAST_DELIVERY, self.deliver_access_logs()).await.is_err() {
            tracing::warn!("the last server access logs could not be delivered in time and are lost");
        }
    }

    /// Delivers all lines that are there.
    pub(crate) async fn deliver_access_logs(&self) {
        let Ok(_turn) = self.access_logs.delivering.acquire().await else { return };
        let Kept { lines, lost, .. } = self.access_logs.with(std::mem::take);
        if lost > 0 {
            tracing::warn!(lines = lost, "lines of server access logs were lost: more came than are kept in memory");
        }
        for ((name, id, day), text) in lines {
            match self.deliver_log((&name, id, day), &text).await {
                Ok(()) => {}
                // The store or the index may be back by the next time.
                Err(Refused::Objects(error)) => {
                    tracing::error!(
                        bucket = name.as_str(),
                        ?error,
                        "a server access log is kept for the next delivery"
                    );
                    self.access_logs.with(|kept| kept.add((name, id, day), &text));
                }
                Err(refused) => {
                    let (bucket, lines) = (name.as_str(), text.lines().count());
                    tracing::warn!(bucket, lines, reason = %refused, "a server access log cannot be delivered");
                }
            }
        }
    }

    async fn deliver_log(&self, (name, id, day): (&BucketName, [u8; 16], i64), text: &str) -> Result<(), Refused> {
        let Some(source) = self.existing(name).await?.filter(|bucket| bucket.id == id) else { return Ok(()) };
        let logging = self.objects.configuration::<BucketLogging>(&source).await.map_err(Refused::Objects)?;
        // Switched off since: what came before is not wanted either.
        let Some(logging) = logging else { return Ok(()) };
        let target = BucketName::parse(&logging.target_bucket).map_err(|_| Refused::NoSuchBucket)?;
        let target = self.existing(&target).await?.ok_or(Refused::NoSuchBucket)?;
        if target.owner != source.owner || target.region != source.region {
            return Err(Refused::OtherOwner);
        }
        let now = self.sources.now();
        let key = self.log_key(&logging, &source, (day, now));
        let access = service(LOG_SERVICE, (bucket_arn(name), source.owner.clone()), target.region.clone(), now);
        let on = target.acls_on();
        let acl = target.acl.as_ref().filter(|_| on);
        let acls = Acls { acl, scope: AclScope::Write { free: true }, ..Acls::default() };
        let granted = (on && !logging.grants.is_empty()).then(|| self.acl_of(&target, &logging.grants));
        let attributes = Attributes {
            access: granted.and_then(|acl| ObjectAccess { owner: None, acl: Some(acl) }.kept()),
            ..Attributes::default()
        };
        let delivered = Delivered {
            key: &key,
            content_type: Some("text/plain"),
            requested: Requested::Default { bucket_key: None },
            attributes,
            body: text.as_bytes().to_vec(),
        };
        deliver(self, &access, &target, (acls, &NoContext), delivered).await
    }

    async fn existing(&self, name: &BucketName) -> Result<Option<Bucket>, Refused> {
        match self.objects.bucket(name).await {
            Ok(bucket) => Ok(Some(bucket)),
            Err(ObjectsError::NoSuchBucket) => Ok(None),
            Err(error) => Err(Refused::Objects(error)),
        }
    }

    fn log_key(&self, logging: &BucketLogging, source: &Bucket, (day, now): (i64, Timestamp)) -> String {
        let format = logging.key_format.unwrap_or(LogKeyFormat::Simple);
        let of =
            Source { account: source.owner.as_str(), region: source.region.as_str(), bucket: source.name.as_str() };
        object_key((&logging.target_prefix, format), of, (day, now), self.sources.random())
    }

    /// The ACL of a log object: all to its owner, and what the configuration grants.
    fn acl_of(&self, target: &Bucket, grants: &[LogGrant]) -> Acl {
        let owner = self.directory.account(&target.owner).map(|account| AclGrant {
            grantee: Grantee::Account(account.canonical_id.to_string()),
            permission: Permission::FullControl,
        });
        let grants = grants.iter().filter_map(|grant| {
            let grantee = match &grant.grantee {
                LogGrantee::Account(id) => Grantee::Account(id.clone()),
                LogGrantee::Group(uri) => Grantee::Group(Group::parse(uri)?),
            };
            let permission = match grant.permission {
                LogPermission::FullControl => Permission::FullControl,
                LogPermission::Read => Permission::Read,
                LogPermission::Write => Permission::Write,
            };
            Some(AclGrant { grantee, permission })
        });
        Acl { grants: owner.into_iter().chain(grants).collect() }
    }

    /// The line of what a lifecycle rule has done.
    pub(super) fn lifecycle_entry(
        sources: &crate::sources::Sources,
        owner: String,
        (bucket, done): (&Bucket, &RuleDone<'_>),
    ) -> Entry {
        let mut request_id = String::with_capacity(16);
        sources.random::<8>().iter().for_each(|byte| {
            let _ = write!(request_id, "{byte:02X}"); // a String takes all
        });
        Entry {
            bucket_owner: owner,
            bucket: bucket.name.to_string(),
            received: sources.now(),
            requester: "AmazonS3".to_owned(),
            request_id,
            operation: done.operation.to_owned(),
            key: done.key.to_string(),
            version_id: done.version.map(|version| version.to_string()).unwrap_or_default(),
            object_size: done.plain_len,
            ..Entry::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(day: i64) -> Place {
        (BucketName::parse("shelf").unwrap(), [7; 16], day)
    }

    #[test]
    fn memory_is_bounded_and_what_is_lost_is_counted() {
        let mut kept = Kept::default();
        let line = format!("{}\n", "x".repeat(1023));
        let room = KEPT_BYTES / (line.len() + OVERHEAD_BYTES);
        let soon = (1..=room).filter(|_| kept.add(place(1), &line)).count();
        assert!(soon > 0 && soon < room, "{soon} of {room}");
        assert_eq!((kept.lost, kept.lines[&place(1)].len()), (0, room * line.len()));
        assert!(kept.add(place(2), &line.repeat(2)), "what is full is delivered");
        assert_eq!((kept.lost, kept.lines.len()), (2, 1));
        assert!(kept.bytes <= KEPT_BYTES);
    }

    #[test]
    fn lines_lie_by_bucket_and_day() {
        let logs = AccessLogs::default();
        let name = BucketName::parse("shelf").unwrap();
        for (id, received) in [([1; 16], 0), ([1; 16], 86_399_999), ([1; 16], 86_400_000), ([2; 16], 0)] {
            logs.add((&name, id), &Entry { received: Timestamp(received), ..Entry::default() });
        }
        let kept = logs.with(std::mem::take);
        let counts: Vec<usize> = kept.lines.values().map(|text| text.lines().count()).collect();
        assert_eq!(counts, [2, 1, 1]);
        assert!(logs.with(|kept| kept.lines.is_empty() && kept.bytes == 0));
    }
}
