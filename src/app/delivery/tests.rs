//! Lanes, rests and turns.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::app::tests::Gateway;
use crate::objects::lane_of;

#[test]
fn rests_grow_up_to_their_bound() {
    let sources = Sources::seeded(1, Timestamp(0));
    for (failures, longest) in [(0, 1), (1, 2), (5, 32), (6, 60), (40, 60), (u32::MAX, 60)] {
        let rest = rest_after(failures, LANE_REST_MAX, &sources);
        assert!(rest <= Duration::from_secs(longest) && rest >= Duration::from_secs(longest) * 3 / 4, "{rest:?}");
    }
}

/// Takes a while for each entry, and puts in another one for each: no lane is ever empty.
#[derive(Default)]
struct Endless {
    /// How often each lane had one done.
    done: Mutex<HashMap<u32, u32>>,
    /// How many are worked on at this moment, and at most.
    busy: Mutex<(usize, usize)>,
}

fn lane(number: u32) -> Lane {
    lane_of(&number.to_string())
}

async fn put(app: &App, number: u32) {
    app.objects.enqueue_for_tests(Queue::Notifications, &lane(number), &number).await;
}

impl Work for Endless {
    type Task = u32;
    const QUEUE: Queue = Queue::Notifications;
    const JOB: &'static str = "endless";

    fn work<'a>(&'a self, app: &'a App, entry: &'a mut Queued<u32>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            {
                let mut busy = self.busy.lock().unwrap();
                busy.0 += 1;
                busy.1 = busy.1.max(busy.0);
            }
            tokio::task::yield_now().await;
            app.sources.advance(TURN / 16);
            put(app, entry.task).await;
            *self.done.lock().unwrap().entry(entry.task).or_default() += 1;
            self.busy.lock().unwrap().0 -= 1;
            Ok(())
        })
    }
}

#[tokio::test]
async fn more_busy_lanes_than_are_worked_off_at_once_take_turns() {
    let gateway = Gateway::new(71, "").await;
    let lanes = LANES_MAX + 16;
    for number in 0..lanes {
        put(&gateway.app, u32::try_from(number).unwrap()).await;
    }
    let work = Arc::new(Endless::default());
    let mut office = Office::new(Arc::clone(&work));
    for _ in 0..4 * lanes {
        office.round(&gateway.app).await.unwrap();
        let ended = office.running.join_next().await.expect("something runs");
        office.note(&gateway.sources, ended);
    }
    let done = work.done.lock().unwrap().clone();
    let counts = (done.values().copied().min().unwrap(), done.values().copied().max().unwrap());
    assert!(done.len() == lanes && counts.0 * 4 > counts.1, "{} of {lanes} had a turn: {counts:?}", done.len());
    let most = work.busy.lock().unwrap().1;
    assert!(most > 16 && most <= LANES_MAX, "{most} at once");
    office.running.shutdown().await;
}

#[tokio::test]
async fn a_queue_of_more_lanes_than_a_round_looks_at_is_worked_off_all_the_same() {
    let gateway = Gateway::new(72, "").await;
    let lanes = u32::try_from(LANES_LOOKED_AT + 100).unwrap();
    for number in 0..lanes {
        put(&gateway.app, number).await;
    }
    let mut office = Office::new(Arc::new(Endless::default()));
    // All rest: none is begun, and all are seen.
    let rests_until = gateway.sources.monotonic_ns() + u64::try_from(LANE_REST_MAX.as_nanos()).unwrap();
    for number in 0..lanes {
        office.lanes.insert(lane(number), Standing { rests_until, ..Standing::default() });
    }
    let mut seen = std::collections::HashSet::new();
    for _ in 0..2 {
        let (looked, all) = office.look(&gateway.app).await.unwrap();
        assert_eq!((looked.len(), all), (LANES_LOOKED_AT, false));
        seen.extend(looked.into_iter().map(|(lane, _)| lane));
        assert!(office.round(&gateway.app).await.unwrap() <= NEXT_LANES_INTERVAL);
    }
    assert_eq!(seen.len(), LANES_LOOKED_AT + 100);
    assert_eq!(gateway.app.objects.queue_length(Queue::Notifications, 2000).await.unwrap(), LANES_LOOKED_AT + 100);
    assert_eq!(gateway.app.objects.queue_length(Queue::Notifications, 700).await.unwrap(), 700);
    assert_eq!(gateway.app.objects.queue_length(Queue::Replication, 700).await.unwrap(), 0);
}

#[tokio::test]
async fn lanes_that_are_gone_are_forgotten() {
    let gateway = Gateway::new(73, "").await;
    let mut office = Office::new(Arc::new(Endless::default()));
    let rests_until = gateway.sources.monotonic_ns() + 1;
    office.lanes.insert(lane(1), Standing { rests_until, failures: 3, running: None });
    office.round(&gateway.app).await.unwrap();
    assert_eq!(office.lanes.len(), 1);
    gateway.sources.advance(FAILURES_KEPT + Duration::from_secs(1));
    office.round(&gateway.app).await.unwrap();
    assert_eq!(office.lanes.len(), 0);
}
