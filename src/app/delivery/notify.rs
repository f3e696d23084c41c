//! Events, sent to the targets that configurations name.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;

use super::target::{DELIVERY_TIMEOUT, Target};
use super::{Work, event_json};
use crate::app::{App, StartError};
use crate::config::NotificationTarget;
use crate::names::hex;
use crate::objects::{NotificationTask, Queue, Queued};
use crate::sources::Timestamp;

/// Sends events. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Notifier(Arc<Inner>);

struct Inner {
    /// By ARN.
    targets: HashMap<String, Target>,
    delivered: Counter,
    failed: Counter,
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
            Ok(open) => Ok((target.arn.clone(), open)),
            Err(error) => Err(StartError(format!("notification_targets {:?}: {error}", target.arn))),
        };
        let targets = targets.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Inner { targets, delivered: Counter::default(), failed: Counter::default() })))
    }

    /// Whether a configuration may name `arn`; queues and topics are sent a test event, functions are not, as with AWS.
    pub async fn check(&self, arn: &str, bucket: &str, now: Timestamp, request_id: &str) -> Result<(), Refused> {
        let target = self.0.targets.get(arn).ok_or(Refused::Unknown)?;
        if arn.split(':').nth(2) == Some("lambda") {
            return Ok(());
        }
        let event = event_json::test_event(bucket, now, request_id);
        target.send(request_id, event, DELIVERY_TIMEOUT).await.map_err(Refused::Unreachable)
    }

    /// What metrics show of it.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        let text = "Events that targets have taken";
        registry.register("notifications_delivered", text, self.0.delivered.clone());
        let text = "Attempts to send an event that failed";
        registry.register("notifications_failed", text, self.0.failed.clone());
    }

    async fn deliver(&self, entry: &Queued<NotificationTask>) -> Result<(), String> {
        let (task, id) = (&entry.task, entry.id());
        let sent = match self.0.targets.get(&task.target) {
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

    fn work<'a>(&'a self, _: &'a App, entry: &'a mut Queued<NotificationTask>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.deliver(entry))
    }
}
