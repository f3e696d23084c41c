//! How long the queues are: for metrics and, where one grows and grows, the log.

use std::sync::Weak;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::objects::Queue;

/// Time between two counts.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);
/// Time between two counts while the queues are short.
const SHORT_COUNT_INTERVAL: Duration = Duration::from_secs(5);
/// Shorter than this a queue costs nothing to count.
const SHORT: usize = 1_000;
/// Entries that are counted at most: a count has to stay cheap beside the queue's work.
const COUNT_MAX: usize = 100_000;
/// From this length on the log tells of a queue, and again whenever it has doubled.
const TOLD_FROM: usize = 10_000;

/// The lengths as they were counted last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct QueueLengths {
    notifications: Gauge,
    replication: Gauge,
}

impl QueueLengths {
    /// What metrics show of it.
    pub fn register(&self, registry: &mut Registry) {
        let text = "Events that wait to be sent, counted each minute (short ones each 5 seconds) up to 100000";
        registry.register("notifications_waiting", text, self.notifications.clone());
        let text = "Versions that wait to be replicated, once for each destination, counted each minute (short ones each 5 seconds) up to 100000";
        registry.register("replication_waiting", text, self.replication.clone());
    }

    fn of(&self, queue: Queue) -> &Gauge {
        match queue {
            Queue::Notifications => &self.notifications,
            Queue::Replication => &self.replication,
        }
    }
}

/// Counts as long as the gateway lives.
pub(crate) async fn run(app: Weak<App>) {
    let mut told = [0; 2];
    while let Some(running) = app.upgrade() {
        let mut pause = SHORT_COUNT_INTERVAL;
        for (queue, told) in [Queue::Notifications, Queue::Replication].into_iter().zip(&mut told) {
            match running.objects.queue_length(queue, COUNT_MAX).await {
                Ok(length) => {
                    running.queue_lengths.of(queue).set(i64::try_from(length).unwrap_or(i64::MAX));
                    tell(queue, length, told);
                    if length >= SHORT {
                        pause = COUNT_INTERVAL;
                    }
                }
                Err(error) => tracing::error!(?error, ?queue, "a queue could not be counted; it is tried again"),
            }
        }
        drop(running);
        tokio::time::sleep(pause).await;
    }
}

fn tell(queue: Queue, length: usize, told: &mut usize) {
    if let Some(next) = next_told(length, *told) {
        *told = next;
        if next > 0 {
            tracing::warn!(?queue, length, "a queue is long: what waits in it takes room in the index");
        }
    }
}

/// What is to be remembered as told last, if that changes.
fn next_told(length: usize, told: usize) -> Option<usize> {
    match (length, told) {
        (_, 1..) if length < TOLD_FROM => Some(0),
        (_, 0) if length >= TOLD_FROM => Some(length),
        (_, 1..) if length >= told.saturating_mul(2) => Some(length),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_of_a_long_queue_and_each_time_it_doubles() {
        let mut told = 0;
        let mut lines = Vec::new();
        for length in [0, 9_999, 10_000, 10_001, 19_999, 20_000, 100_000, 100_000, 9_999, 9_000, 10_000] {
            if let Some(next) = next_told(length, told) {
                told = next;
                lines.push((length, next));
            }
        }
        assert_eq!(lines, [(10_000, 10_000), (20_000, 20_000), (100_000, 100_000), (9_999, 0), (10_000, 10_000)]);
    }
}
