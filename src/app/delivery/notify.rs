//! Events, sent to the targets that configurations name.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;

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
    delivered: AtomicU64,
    failed: AtomicU64,
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
        Ok(Self(Arc::new(Inner { targets, delivered: AtomicU64::new(0), failed: AtomicU64::new(0) })))
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

    /// Events that targets have taken since the start.
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    /// Times that sending one failed since the start.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    async fn deliver(&self, entry: &Queued<NotificationTask>) -> Result<(), String> {
        let (task, id) = (&entry.task, entry.id());
        let sent = match self.0.targets.get(&task.target) {
            // It stays in its lane: the target may come back to the settings.
            None => Err("the settings have no such target".to_owned()),
            Some(target) => target.send(&hex(&id), event_json::render(task, &id), DELIVERY_TIMEOUT).await,
        };
        let counter = if sent.is_ok() { &self.0.delivered } else { &self.0.failed };
        counter.fetch_add(1, Ordering::Relaxed);
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
