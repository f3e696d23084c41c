//! Working off the queues of the index: what follows from changes of objects, at least once, each destination in a lane
//! of its own.
//!
//! A lane is worked off by one task until it is empty or something fails. After a failure the lane rests, longer each
//! time until something succeeds, and the entry that failed waits longer than that, so that those behind it pass: one
//! message that nobody takes does not stop the others.
//!
//! So many lanes are worked off at the same time; where more have something due, they take turns: those that had one wait
//! until the others have had theirs.

mod elsewhere;
pub(super) mod event_json;
pub(super) mod lengths;
mod notify;
mod replicate;
pub(super) mod target;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use minicbor::Decode;
use tokio::task::{Id, JoinSet};

pub use notify::{Notifier, Refused};
pub use replicate::Replicator;

use super::App;
use crate::objects::{Lane, Lease, ObjectsError, Queue, Queued};
use crate::sources::{Sources, Timestamp};

/// Entries of a lane that are read at a time; those that were done go in one commit.
const BATCH: usize = 32;
/// Lanes that are worked off at the same time.
const LANES_MAX: usize = 64;
/// Lanes that are looked at in a round: what a round costs, in time and memory, is bound by it.
const LANES_LOOKED_AT: usize = 1024;
/// Time between two rounds where a queue has more lanes than are looked at in one.
const NEXT_LANES_INTERVAL: Duration = Duration::from_millis(100);
/// How long a lane is worked off before it lets others pass that wait; what it has begun then, it ends.
const TURN: Duration = Duration::from_secs(1);
/// How long it is kept in mind that a lane has failed, behind its rest.
const FAILURES_KEPT: Duration = Duration::from_secs(2 * 60);
/// The shortest rest after a failure.
const REST_MIN: Duration = Duration::from_secs(1);
/// The longest rest of a lane: so long at most it takes to see that a destination is back.
const LANE_REST_MAX: Duration = Duration::from_secs(60);
/// The longest rest of an entry.
const ENTRY_REST_MAX: Duration = Duration::from_secs(15 * 60);
/// Time between two looks at a queue that nobody rang for.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How long a gateway is the one that works on a queue, unless it goes on: after a crash its successor waits so long.
const LEASE: Duration = Duration::from_secs(6);
/// Time between two looks while another gateway works on a queue, or this one does.
const LEASE_LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What is done with the entries of a queue.
pub(super) trait Work: Send + Sync + 'static {
    /// What an entry says.
    type Task: for<'b> Decode<'b, ()> + Send + Sync + 'static;
    /// Which queue.
    const QUEUE: Queue;
    /// The name of its lease.
    const JOB: &'static str;

    /// Does what an entry says; the error is for the operator, and it is tried again.
    fn work<'a>(&'a self, app: &'a App, entry: &'a mut Queued<Self::Task>) -> BoxFuture<'a, Result<(), String>>;
}

/// Works a queue off as long as the gateway lives.
pub(super) async fn run<W: Work>(app: Weak<App>, work: Arc<W>) {
    let Some(bell) = app.upgrade().map(|app| app.objects.bell(W::QUEUE)) else { return };
    let mut office = Office::new(work);
    loop {
        let Some(running) = app.upgrade() else { return };
        let pause = office.round(&running).await.unwrap_or_else(|error| {
            tracing::error!(?error, queue = ?W::QUEUE, "a queue could not be looked at; it is tried again");
            LOOK_INTERVAL
        });
        let sources = running.sources.clone();
        drop(running);
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep(pause) => {}
            Some(ended) = office.running.join_next() => office.note(&sources, ended),
        }
    }
}

/// How a lane stands.
#[derive(Default)]
struct Standing {
    /// The task that works on it.
    running: Option<Id>,
    /// Failures since something succeeded.
    failures: u32,
    /// On the monotonic clock, in nanoseconds.
    rests_until: u64,
}

/// How working on a lane has ended.
struct Ended {
    lane: Lane,
    failed: bool,
    /// Something was done before it ended.
    progressed: bool,
}

/// Who looks after the lanes of one queue.
struct Office<W> {
    work: Arc<W>,
    /// Those that are worked on or rest.
    lanes: HashMap<Lane, Standing>,
    running: JoinSet<Ended>,
    lease: Option<Lease>,
    /// The lane that was looked at last: the next one is first in the next round.
    last: Option<Lane>,
    /// There are lanes in which something is due and for which there was no room.
    crowded: Arc<AtomicBool>,
}

/// When a lane has to let others pass.
struct Turn {
    crowded: Arc<AtomicBool>,
    /// On the monotonic clock, in nanoseconds.
    until: u64,
}

impl Turn {
    fn is_over(&self, sources: &Sources) -> bool {
        self.crowded.load(Ordering::Relaxed) && sources.monotonic_ns() >= self.until
    }
}

impl<W: Work> Office<W> {
    fn new(work: Arc<W>) -> Self {
        Self {
            work,
            lanes: HashMap::new(),
            running: JoinSet::new(),
            lease: None,
            last: None,
            crowded: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Begins to work on the lanes in which something is due; tells when to look again.
    async fn round(&mut self, app: &Arc<App>) -> Result<Duration, ObjectsError> {
        let (now, ticks) = (app.sources.now(), app.sources.monotonic_ns());
        let kept = u64::try_from(FAILURES_KEPT.as_nanos()).unwrap_or(u64::MAX / 2);
        self.lanes.retain(|_, standing| standing.running.is_some() || ticks < standing.rests_until + kept);
        let (lanes, all) = self.look(app).await?;
        if lanes.is_empty() {
            if let Some(lease) = self.lease.take().filter(|_| self.running.is_empty()) {
                app.objects.give_up_lease(lease).await?;
            }
            return Ok(LOOK_INTERVAL);
        }
        if !self.hold_lease(app).await? {
            return Ok(LEASE_LOOK_INTERVAL);
        }
        let mut pause = if all { LOOK_INTERVAL } else { NEXT_LANES_INTERVAL };
        let mut crowded = false;
        for (lane, due) in lanes {
            let standing = self.lanes.get(&lane);
            let rest = Duration::from_nanos(standing.map_or(0, |standing| standing.rests_until).saturating_sub(ticks));
            let rest = rest.max(due.since(now));
            if standing.is_some_and(|standing| standing.running.is_some()) {
                // Whoever works on it sees what comes.
            } else if !rest.is_zero() {
                pause = pause.min(rest.max(Duration::from_millis(10)));
            } else if self.running.len() < LANES_MAX {
                self.begin(app, lane, ticks);
            } else {
                // It is the first of the next round, which begins when one of those that run has ended.
                crowded = true;
                break;
            }
            self.last = Some(lane);
        }
        self.crowded.store(crowded, Ordering::Relaxed);
        Ok(if self.running.is_empty() { pause } else { pause.min(LEASE_LOOK_INTERVAL) })
    }

    /// The lanes in which anything waits, those behind the last one first, and whether these are all.
    async fn look(&self, app: &App) -> Result<(Vec<(Lane, Timestamp)>, bool), ObjectsError> {
        let mut lanes = app.objects.lanes(W::QUEUE, self.last.as_ref(), LANES_LOOKED_AT).await?;
        if let Some(last) = self.last.filter(|_| lanes.len() < LANES_LOOKED_AT) {
            let first = app.objects.lanes(W::QUEUE, None, LANES_LOOKED_AT - lanes.len()).await?;
            lanes.extend(first.into_iter().take_while(|(lane, _)| *lane <= last));
        }
        let all = lanes.len() < LANES_LOOKED_AT;
        Ok((lanes, all))
    }

    fn begin(&mut self, app: &Arc<App>, lane: Lane, ticks: u64) {
        let until = ticks.saturating_add(u64::try_from(TURN.as_nanos()).unwrap_or(u64::MAX / 2));
        let turn = Turn { crowded: Arc::clone(&self.crowded), until };
        let task = self.running.spawn(work_off(Arc::clone(app), Arc::clone(&self.work), lane, turn));
        self.lanes.entry(lane).or_default().running = Some(task.id());
    }

    async fn hold_lease(&mut self, app: &App) -> Result<bool, ObjectsError> {
        let half = app.sources.now().plus(LEASE / 2);
        if let Some(lease) = &mut self.lease
            && (lease.until() > half || app.objects.renew_lease(lease, LEASE).await?)
        {
            return Ok(true);
        }
        self.lease = app.objects.take_lease(W::JOB, LEASE).await?;
        Ok(self.lease.is_some())
    }

    fn note(&mut self, sources: &Sources, ended: Result<Ended, tokio::task::JoinError>) {
        let Ended { lane, failed, progressed } = match ended {
            Ok(ended) => ended,
            Err(panicked) => {
                let lane = self.lanes.iter().find(|(_, standing)| standing.running == Some(panicked.id()));
                let Some((lane, _)) = lane else { return };
                Ended { lane: *lane, failed: true, progressed: false }
            }
        };
        let standing = self.lanes.entry(lane).or_default();
        standing.running = None;
        standing.failures = if progressed { 0 } else { standing.failures };
        if !failed {
            self.lanes.remove(&lane);
            return;
        }
        let rest = rest_after(standing.failures, LANE_REST_MAX, sources);
        standing.failures = standing.failures.saturating_add(1);
        standing.rests_until = sources.monotonic_ns() + u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX / 2);
    }
}

/// Works on a lane until nothing in it is due, something fails, or its turn is over.
async fn work_off<W: Work>(app: Arc<App>, work: Arc<W>, lane: Lane, turn: Turn) -> Ended {
    let mut ended = Ended { lane, failed: false, progressed: false };
    loop {
        match work_off_some(&app, &*work, &lane, &turn).await {
            Ok(Done { more, failed, progressed }) => {
                ended.progressed |= progressed;
                ended.failed = failed;
                if failed || !more {
                    return ended;
                }
            }
            Err(error) => {
                tracing::error!(?error, queue = ?W::QUEUE, "a queue could not be worked off; it is tried again");
                return Ended { failed: true, ..ended };
            }
        }
    }
}

struct Done {
    more: bool,
    failed: bool,
    progressed: bool,
}

async fn work_off_some<W: Work>(app: &App, work: &W, lane: &Lane, turn: &Turn) -> Result<Done, ObjectsError> {
    let mut entries = app.objects.due::<W::Task>(W::QUEUE, lane, BATCH).await?;
    let mut more = entries.len() == BATCH;
    let mut done = 0;
    let mut failure = None;
    for entry in &mut entries {
        if done > 0 && turn.is_over(&app.sources) {
            more = false;
            break;
        }
        if let Err(reason) = work.work(app, entry).await {
            failure = Some(reason);
            break;
        }
        done += 1;
    }
    let failed = failure.map(|reason| (entries.swap_remove(done), reason));
    entries.truncate(done);
    if !entries.is_empty() {
        // What somebody else has done meanwhile is done twice, and goes with the next look.
        app.objects.done(&entries, |_| ()).await?;
    }
    if let Some((entry, reason)) = &failed {
        let rest = rest_after(entry.failures, ENTRY_REST_MAX, &app.sources);
        tracing::warn!(queue = ?W::QUEUE, failures = entry.failures + 1, retry_s = rest.as_secs(), reason);
        app.objects.retry(W::QUEUE, entry, app.sources.now().plus(rest)).await?;
    }
    Ok(Done { more, failed: failed.is_some(), progressed: done > 0 })
}

/// Once, what is due in both queues, lane by lane; for tests of the protocol, in which no job runs.
#[cfg(test)]
pub(crate) async fn pass(app: &Arc<App>) {
    async fn of<W: Work>(app: &App, work: &W) {
        let turn = Turn { crowded: Arc::default(), until: u64::MAX };
        for (lane, _) in app.objects.lanes(W::QUEUE, None, usize::MAX).await.expect("lanes") {
            work_off_some(app, work, &lane, &turn).await.expect("a lane");
        }
    }
    of(app, &app.replicator).await;
    of(app, &app.notifier).await;
}

/// Twice as long with every failure, up to `max`, and by up to a quarter shorter, so that lanes that fell together do
/// not get up together.
fn rest_after(failures: u32, max: Duration, sources: &Sources) -> Duration {
    let rest = REST_MIN.saturating_mul(1 << failures.min(16)).min(max);
    rest.mul_f64(1.0 - f64::from(sources.random::<1>()[0]) / 1024.0)
}

#[cfg(test)]
mod tests;
