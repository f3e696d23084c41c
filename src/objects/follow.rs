//! What follows from a change of an object: entries of queues, committed with the change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minicbor::{Decode, Encode};

use super::queue::{Queue, lane_of};
use super::record::{Id, ObjectRecord};
use super::{Bucket, Objects, ObjectsError, VersionId, Versioning};
use crate::auth::{Access, CallerKind};
use crate::index::RowBatch;
use crate::names::ObjectKey;
use crate::rules::notification::{EventName, NotificationConfiguration};
use crate::rules::replication::ReplicationConfiguration;

/// The jobs whose changes are told as lifecycle's.
const LIFECYCLE_JOB: &str = "lifecycle";
/// Who S3 says did what it does by itself, and from where.
const S3_ITSELF: &str = "s3.amazonaws.com";

/// Something that happened to an object.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Happening {
    /// What.
    #[n(0)]
    pub event: EventName,
    /// When, in milliseconds.
    #[n(1)]
    pub time_ms: i64,
    /// The bucket's Region.
    #[n(2)]
    pub region: String,
    /// The bucket.
    #[n(3)]
    pub bucket: String,
    /// The account that owns it.
    #[n(4)]
    pub owner: String,
    /// The key.
    #[n(5)]
    pub key: String,
    /// Bytes of the plaintext; none of what is gone and of delete markers.
    #[n(6)]
    pub plain_len: Option<u64>,
    /// ETag without quotes.
    #[n(7)]
    pub etag: Option<String>,
    /// The version's id, where versioning is on.
    #[n(8)]
    pub version: Option<String>,
    /// Rises with every change of the key; none of what leaves the data as they are.
    #[n(9)]
    pub sequence: Option<u64>,
    /// Who did it: `AWS:` and the unique id of the principal.
    #[n(10)]
    pub principal: String,
    /// The account of who did it; none if nobody signed.
    #[n(11)]
    pub requester: Option<String>,
    /// From where.
    #[n(12)]
    pub source_ip: String,
    /// The id of the request; empty if there was none.
    #[n(13)]
    pub request_id: String,
    /// The class that a lifecycle rule has moved the object to.
    #[n(14)]
    pub class: Option<String>,
}

/// Whether there is a target of an ARN for a bucket; asked of each event that is dropped if there is none. It must not
/// wait for anything.
pub type Targets = Arc<dyn Fn(&str, &Bucket) -> bool + Send + Sync>;

/// An event for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NotificationTask {
    /// The ARN of the target.
    #[n(0)]
    pub target: String,
    /// Which destination of the configuration; none: the event bus.
    #[n(1)]
    pub configuration: Option<String>,
    /// What to tell.
    #[n(2)]
    pub happening: Happening,
}

/// The newest number that this process has given a change.
#[derive(Clone, Default)]
pub(super) struct Sequence(Arc<AtomicU64>);

/// What a bucket wants to follow from changes of its objects.
#[derive(Default)]
pub(super) struct Following {
    notifications: Option<Arc<NotificationConfiguration>>,
    pub(super) replication: Option<Arc<ReplicationConfiguration>>,
}

/// A change as events tell it.
pub(super) struct Change<'a> {
    pub(super) event: EventName,
    /// The version that it is about.
    pub(super) record: &'a ObjectRecord,
}

impl Following {
    /// Something may have been put into this queue.
    fn queues(&self) -> impl Iterator<Item = Queue> {
        let notifications = self.notifications.as_ref().map(|_| Queue::Notifications);
        notifications.into_iter().chain(self.replication.as_ref().map(|_| Queue::Replication))
    }
}

/// What an event is about deletes the version.
fn is_removal(event: EventName) -> bool {
    [EventName::REMOVED, EventName::EXPIRATION].iter().any(|group| group.covers(event))
}

/// The event of a version that was deleted.
pub(super) fn deletion(access: &Access) -> EventName {
    if is_lifecycle(access) { EventName::EXPIRATION_DELETE } else { EventName::REMOVED_DELETE }
}

/// The event of a delete marker that was made.
pub(super) fn marker(access: &Access) -> EventName {
    if is_lifecycle(access) { EventName::EXPIRATION_MARKER } else { EventName::REMOVED_MARKER }
}

pub(super) fn is_lifecycle(access: &Access) -> bool {
    *access.caller().kind() == CallerKind::System { job: LIFECYCLE_JOB }
}

impl Objects {
    /// What a bucket wants to follow. Reads nothing for one that wants nothing.
    pub(super) async fn following(&self, bucket: &Bucket) -> Result<Following, ObjectsError> {
        let notifications = self.configuration::<NotificationConfiguration>(bucket).await?;
        let replication = self.configuration::<ReplicationConfiguration>(bucket).await?;
        Ok(Following { notifications, replication })
    }

    /// Adds to the commit of a change what is told of it.
    pub(super) fn tell(
        &self,
        batch: &mut RowBatch<'_>,
        following: &Following,
        (bucket, key): (&Bucket, &ObjectKey),
        access: &Access,
        change: &Change<'_>,
    ) {
        let Some(configuration) = &following.notifications else { return };
        let is_kept = |arn: &str| !configuration.is_unvalidated(arn) || self.has_target(arn, bucket);
        let bus = configuration.event_bridge.then(|| event_bus(bucket)).filter(|bus| is_kept(bus));
        let told = configuration.told(change.event, key.as_str()).filter(|destination| is_kept(&destination.arn));
        let mut told = told.peekable();
        if told.peek().is_none() && bus.is_none() {
            return;
        }
        let happening = self.happening(bucket, key, access, change);
        let mut queue = |target: String, configuration: Option<String>| {
            let task = NotificationTask { target, configuration, happening: happening.clone() };
            self.enqueue(batch, Queue::Notifications, &lane_of(&task.target), &task);
        };
        for destination in told {
            queue(destination.arn.clone(), Some(destination.id.clone()));
        }
        if let Some(bus) = bus {
            queue(bus, None);
        }
    }

    /// Where to ask whether there is a target; the first one counts.
    pub fn ask_for_targets(&self, targets: Targets) {
        let _first_counts = self.targets.set(targets);
    }

    fn has_target(&self, arn: &str, bucket: &Bucket) -> bool {
        self.targets.get().is_none_or(|targets| targets(arn, bucket))
    }

    /// Wakes those who work on what was put into queues, once the commit is there.
    pub(super) fn followed(&self, following: &Following) {
        following.queues().for_each(|queue| self.wake(queue));
    }

    fn happening(&self, bucket: &Bucket, key: &ObjectKey, access: &Access, change: &Change<'_>) -> Happening {
        let Change { event, record } = *change;
        let facts = access.facts();
        let (principal, source_ip) = match access.caller().kind() {
            CallerKind::System { .. } | CallerKind::Service { .. } => (S3_ITSELF.to_owned(), S3_ITSELF.to_owned()),
            CallerKind::Anonymous => ("AWS:ANONYMOUS".to_owned(), facts.source_ip.to_string()),
            CallerKind::Root
            | CallerKind::User { .. }
            | CallerKind::Role { .. }
            | CallerKind::FederatedUser { .. }
            | CallerKind::WebIdentity { .. } => {
                (format!("AWS:{}", access.caller().principal().user_id()), facts.source_ip.to_string())
            }
        };
        let removal = is_removal(event);
        let body = record.body.as_ref().filter(|_| !removal);
        let made = EventName::CREATED.covers(event) || record.body.is_none();
        let version = record.version();
        Happening {
            event,
            time_ms: self.sources.now().0,
            region: bucket.region.to_string(),
            bucket: bucket.name.to_string(),
            owner: bucket.owner.to_string(),
            key: key.as_str().to_owned(),
            plain_len: body.map(|body| body.plain_len),
            etag: body.map(|body| body.etag.clone()),
            version: (bucket.versioning != Versioning::Never && version != VersionId::Null)
                .then(|| version.to_string()),
            sequence: match (made, removal) {
                // A version's place among the others is its number.
                (true, _) if event != EventName::REMOVED_DELETE && event != EventName::EXPIRATION_DELETE => {
                    Some(number_of(&record.position))
                }
                (_, true) => Some(self.next_in_sequence(Some(&record.position))),
                (_, false) => None,
            },
            principal,
            requester: access.caller().account().map(ToString::to_string),
            source_ip,
            request_id: facts.request_id.clone(),
            class: body.filter(|_| event == EventName::TRANSITION).and_then(|body| body.meta.storage_class.clone()),
        }
    }

    /// A number for a change, above all that changes of the key had: above those of this process, above the newest
    /// version that is there, and not below the time.
    pub(super) fn next_in_sequence(&self, newest: Option<&Id>) -> u64 {
        let now = u64::try_from(self.sources.now().0).unwrap_or(0) << 12;
        let least = newest.map_or(now, |position| now.max(number_of(position).saturating_add(1)));
        let step = |last: u64| Some(least.max(last.saturating_add(1)));
        let last = self.sequence.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap_or_default();
        least.max(last.saturating_add(1))
    }
}

/// The number of the change that made the version at this position: positions count down.
fn number_of(position: &Id) -> u64 {
    let mut order = [0; 8];
    order.copy_from_slice(&position[..8]);
    u64::MAX - u64::from_be_bytes(order)
}

/// The target of the settings that stands for the event bus of a bucket's owner.
pub fn event_bus(bucket: &Bucket) -> String {
    format!("arn:aws:events:{}:{}:event-bus/default", bucket.region, bucket.owner)
}
