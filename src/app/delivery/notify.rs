//! Events, sent to the targets that configurations name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;

use super::target::{DELIVERY_TIMEOUT, Target};
use super::{Work, event_json};
use crate::app::{App, StartError};
use crate::config::NotificationTarget;
use crate::names::{AccountId, hex};
use crate::objects::{Bucket, NotificationTask, Queue, Queued};
use crate::sources::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an event is kept for a target that the settings do not have, so that the operator can put it back.
const KEPT_WITHOUT_TARGET: Duration = DAY.saturating_mul(7);
/// How long an event is kept for a target that does not take it: as long as a queue of SQS keeps a message at most. What
/// waits for a target that never comes back is bound by it.
const KEPT_FOR_TARGET: Duration = DAY.saturating_mul(14);

/// Sends events. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Notifier(Arc<Inner>);

struct Inner {
    /// By ARN, each with what the settings say of it.
    targets: HashMap<String, (NotificationTarget, Target)>,
    delivered: Counter,
    failed: Counter,
    dropped: Counter,
}

/// Why a target can't be named by a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The settings have none of this ARN.
    Unknown,
    /// It did not take the test event; the text is for the log.
    Unreachable(String),
}

impl Notifier {
    /// With the targets of the settings.
    pub(crate) fn open(targets: &[NotificationTarget]) -> Result<Self, StartError> {
        let open = |target: &NotificationTarget| match Target::open(target) {
            Ok(open) => Ok((target.arn.clone(), (target.clone(), open))),
            Err(error) => Err(StartError(format!("notification_targets {:?}: {error}", target.arn))),
        };
        let targets = targets.iter().map(open).collect::<Result<_, _>>()?;
        let (delivered, failed, dropped) = Default::default();
        Ok(Self(Arc::new(Inner { targets, delivered, failed, dropped })))
    }

    /// Whether the settings have a target of this ARN that buckets of this account may name.
    pub fn knows(&self, arn: &str, owner: &AccountId) -> bool {
        self.target(arn, owner.as_str()).is_some()
    }

    fn target(&self, arn: &str, owner: &str) -> Option<&Target> {
        let (settings, target) = self.0.targets.get(arn)?;
        settings.is_open_to(owner).then_some(target)
    }

    /// Whether a configuration of this bucket may name `arn`; queues and topics are sent a test event, functions are
    /// not, as with AWS.
    pub async fn check(&self, arn: &str, bucket: &Bucket, now: Timestamp, request_id: &str) -> Result<(), Refused> {
        let target = self.target(arn, bucket.owner.as_str()).ok_or(Refused::Unknown)?;
        if arn.split(':').nth(2) == Some("lambda") {
            return Ok(());
        }
        let event = event_json::test_event(bucket.name.as_str(), now, request_id);
        target.send(request_id, event, DELIVERY_TIMEOUT).await.map_err(Refused::Unreachable)
    }

    /// What metrics show of it.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        let text = "Events that targets have taken";
        registry.register("notifications_delivered", text, self.0.delivered.clone());
        let text = "Attempts to send an event that failed";
        registry.register("notifications_failed", text, self.0.failed.clone());
        let text = "Events that were given up: there was no such target, or it did not take them for days";
        registry.register("notifications_dropped", text, self.0.dropped.clone());
    }

    /// Whether an event is for a target of the settings. One that is for none is lost, which is counted: as AWS takes a
    /// configuration whose validation was skipped, and tells nobody anything of it.
    pub(crate) fn has(&self, arn: &str, bucket: &Bucket) -> bool {
        let has = self.knows(arn, &bucket.owner);
        if !has {
            self.0.dropped.inc();
            tracing::debug!(arn, bucket = bucket.name.as_str(), "an event is for a target that there has never been");
        }
        has
    }

    async fn deliver(&self, entry: &Queued<NotificationTask>, now: Timestamp) -> Result<(), String> {
        let (task, id) = (&entry.task, entry.id());
        let happening = &task.happening;
        let age = now.since(Timestamp(happening.time_ms));
        let (kept, sent) = match self.target(&task.target, &happening.owner) {
            // It stays in its lane: the target may come back to the settings.
            None => (KEPT_WITHOUT_TARGET, Err("the settings have no such target for the bucket".to_owned())),
            Some(target) => {
                let message = event_json::render(task, &id);
                (KEPT_FOR_TARGET, target.send(&hex(&id), message, DELIVERY_TIMEOUT).await)
            }
        };
        match sent {
            Ok(()) => {
                self.0.delivered.inc();
                Ok(())
            }
            Err(reason) if age > kept => {
                let (arn, bucket, key) = (&task.target, &happening.bucket, &happening.key);
                tracing::warn!(arn, bucket, key, reason, "an event is dropped: it could not be delivered for days");
                self.0.dropped.inc();
                Ok(())
            }
            Err(reason) => {
                self.0.failed.inc();
                Err(format!("an event for {} was not taken: {reason}", task.target))
            }
        }
    }
}

impl Work for Notifier {
    type Task = NotificationTask;
    const QUEUE: Queue = Queue::Notifications;
    const JOB: &'static str = "notifications";

    fn work<'a>(&'a self, app: &'a App, entry: &'a mut Queued<NotificationTask>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.deliver(entry, app.sources.now()))
    }
}
