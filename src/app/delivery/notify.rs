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

/// How long an event is kept for a target that the settings do not have, so that the operator can put it back.
const KEPT_WITHOUT_TARGET: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
        let text = "Events that were given up, since the settings had no such target for days";
        registry.register("notifications_dropped", text, self.0.dropped.clone());
    }

    async fn deliver(&self, entry: &Queued<NotificationTask>, now: Timestamp) -> Result<(), String> {
        let (task, id) = (&entry.task, entry.id());
        let happening = &task.happening;
        let sent = match self.target(&task.target, &happening.owner) {
            None if now.since(Timestamp(happening.time_ms)) > KEPT_WITHOUT_TARGET => {
                let (arn, bucket, key) = (&task.target, &happening.bucket, &happening.key);
                tracing::warn!(
                    arn,
                    bucket,
                    key,
                    "an event is dropped: the settings have no such target for the bucket"
                );
                self.0.dropped.inc();
                return Ok(());
            }
            // It stays in its lane: the target may come back to the settings.
            None => Err("the settings have no such target".to_owned()),
            Some(target) => target.send(&hex(&id), event_json::render(task, &id), DELIVERY_TIMEOUT).await,
        };
        let counter = if sent.is_ok() { &self.0.delivered } else { &self.0.failed };
        counter.inc();
        sent.map_err(|error| format!("an event for {} was not taken: {error}", task.target))
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
