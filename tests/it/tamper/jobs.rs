//! Changed, exchanged and repeated rows of what the program does by itself: configurations, queues, leases, and the notes
//! of lifecycle passes and inventories. Whoever can write to the disk can keep a job from being done; he can't have
//! another one done.

use std::time::Duration;

use bytes::Bytes;
use strongroom::index::Table;
use strongroom::names::BucketName;
use strongroom::objects::{
    Bucket, InventoryRun, NotificationTask, ObjectsError, Queue, Queued, ReplicationTask, Versioning, lane_of,
    replication_lane,
};
use strongroom::rules::BucketConfiguration;
use strongroom::rules::cors::{Cors, CorsMethod, CorsRule};
use strongroom::rules::lifecycle::{Expiration, Filter, Lifecycle, Rule};
use strongroom::rules::lock::{DefaultRetention, LockConfiguration, Period, RetentionMode};
use strongroom::rules::notification::{Destination, DestinationKind, EventName, NotificationConfiguration};
use strongroom::rules::replication::ReplicationConfiguration;
use strongroom::rules::tagging::BucketTags;

use super::assert_reported;
use crate::simulate_locks::replication_to;
use crate::stack::{RawRow, Stack, Way, key};

const BUCKET: &str = "bucket";
const OTHER: &str = "other";
const DAY: Duration = Duration::from_secs(86_400);
const KEYS: [&str; 4] = ["old/1", "old/2", "kept", "replicated"];
const QUEUES: [&str; 2] = ["arn:aws:sqs:us-east-1:111122223333:q", "arn:aws:sqs:us-east-1:111122223333:r"];

fn lifecycle(prefix: &str) -> Lifecycle {
    let filter = Filter { prefix: Some(prefix.to_owned()), ..Filter::default() };
    let expiration = Some(Expiration::Days(1));
    let rule = Rule { id: "r".to_owned(), enabled: true, filter, expiration, ..Rule::default() };
    Lifecycle { rules: vec![rule], minimum_size: Default::default() }
}

fn cors(origin: &str) -> Cors {
    let rule = CorsRule {
        id: None,
        origins: vec![origin.to_owned()],
        methods: vec![CorsMethod::Get],
        headers: Vec::new(),
        expose: Vec::new(),
        max_age_seconds: None,
    };
    Cors(vec![rule])
}

fn lock(days: u32) -> LockConfiguration {
    let default = DefaultRetention { mode: RetentionMode::Compliance, period: Period::Days(days) };
    LockConfiguration { default: Some(default) }
}

fn notifications(arns: &[&str]) -> NotificationConfiguration {
    let of = |arn: &&str| Destination {
        id: (*arn).to_owned(),
        kind: DestinationKind::Queue,
        arn: (*arn).to_owned(),
        events: EventName::ALL.to_vec(),
        prefix: None,
        suffix: None,
    };
    NotificationConfiguration { destinations: arns.iter().map(of).collect(), event_bridge: false, unvalidated: None }
}

fn tags(value: &str) -> BucketTags {
    BucketTags(vec![("k".to_owned(), value.to_owned())])
}

async fn rows_of(stack: &Stack, table: Table) -> Vec<RawRow> {
    stack.rows().await.into_iter().filter(|row| row.table == table).collect()
}

/// What the last configuration of a bucket wrote.
async fn configuration_rows(stack: &Stack) -> Vec<RawRow> {
    rows_of(stack, Table::BucketConfig).await
}

async fn read<T: BucketConfiguration>(stack: &Stack, bucket: &str) -> Result<(), ObjectsError> {
    let bucket = stack.objects.bucket(&BucketName::parse(bucket).unwrap()).await?;
    stack.objects.configuration::<T>(&bucket).await.map(|found| assert!(found.is_some(), "it is taken for none"))
}

async fn assert_lost<T: BucketConfiguration>(stack: &Stack, bucket: &str, what: &str) {
    let lost = read::<T>(stack, bucket).await;
    assert!(matches!(lost, Err(ObjectsError::Internal(_))), "{what}: {:?} of {bucket}: {lost:?}", T::KIND);
}

/// `later` is in force, and `earlier`, once acknowledged and authentic, is put back in its place.
async fn earlier_is_refused<T: BucketConfiguration>(earlier: T, later: T) {
    let stack = Stack::new(21).await;
    stack.create_bucket(BUCKET, Versioning::Enabled).await;
    stack.configure(BUCKET, Some(earlier)).await.unwrap();
    let before = configuration_rows(&stack).await;
    stack.configure(BUCKET, Some(later)).await.unwrap();
    assert_eq!(before.len(), 1);
    stack.overwrite_row(&before[0]).await;
    let stack = stack.crash().await;
    assert_lost::<T>(&stack, BUCKET, "an earlier one").await;
    assert_reported(&stack, "an earlier configuration").await;
    // What was taken away does not come back with its row, which nothing names.
    stack.configure::<T>(BUCKET, None).await.unwrap();
    stack.overwrite_row(&before[0]).await;
    let stack = stack.crash().await;
    let bucket = stack.bucket(BUCKET).await;
    assert!(stack.objects.configuration::<T>(&bucket).await.unwrap().is_none());
}

#[tokio::test]
async fn an_earlier_configuration_is_not_obeyed_and_is_reported() {
    earlier_is_refused(lifecycle(""), lifecycle("old/")).await;
    earlier_is_refused(cors("*"), cors("https://example.com")).await;
    earlier_is_refused(LockConfiguration::default(), lock(1)).await;
    earlier_is_refused(notifications(&QUEUES), notifications(&QUEUES[..1])).await;
    earlier_is_refused(replication_to("thief"), replication_to(OTHER)).await;
    earlier_is_refused(tags("1"), tags("2")).await;
}

/// What no rule of this bucket is about, but that of the other one.
fn kept_in(bucket: &str) -> String {
    format!("kept in {bucket}")
}

/// A bucket of which everything is configured, with an object that no rule of its own will delete.
async fn busy(stack: &Stack, name: &str) -> Bucket {
    stack.create_bucket(name, Versioning::Enabled).await;
    stack.configure(name, Some(notifications(&QUEUES))).await.unwrap();
    stack.configure(name, Some(cors("https://example.com"))).await.unwrap();
    stack.configure(name, Some(tags(name))).await.unwrap();
    let put = async |key_name: &str| {
        let bucket = stack.bucket(name).await;
        stack.put(&bucket, &key(key_name), b"kept", Way::Owned.requested()).await.unwrap();
    };
    for key_name in &KEYS[..2] {
        put(key_name).await;
    }
    put(&kept_in(name)).await;
    // What waits for its replication no rule deletes: the others are written before.
    stack.configure(name, Some(replication_to("replicas"))).await.unwrap();
    put(KEYS[3]).await;
    stack.configure(name, Some(lock(1))).await.unwrap();
    let others = kept_in(if name == BUCKET { OTHER } else { BUCKET });
    stack.configure(name, Some(lifecycle(&others))).await.unwrap();
    stack.bucket(name).await
}

/// After whatever was done to the rows: no job deletes what no rule is about, and no write comes about without the lock,
/// the events and the replication that are configured. Tells whether anything was refused.
async fn obeys_nothing_else(stack: &Stack, bucket: &str, what: &str) -> bool {
    let name = BucketName::parse(bucket).unwrap();
    let Ok(found) = stack.objects.bucket(&name).await else { return true };
    let pass = stack.objects.apply_lifecycles(stack.sources.now().plus(DAY * 30)).await;
    let kept = stack.get(&found, &key(&kept_in(bucket)), None, None).await;
    assert_eq!(kept.as_deref(), Ok(&b"kept"[..]), "{what}");
    let arns = [lane_of(QUEUES[0]), lane_of(QUEUES[1])];
    let waiting = async |lane| -> Result<usize, ObjectsError> {
        let due: Vec<Queued<NotificationTask>> = stack.objects.due(Queue::Notifications, lane, 10_000).await?;
        Ok(due.len())
    };
    let before = (waiting(&arns[0]).await, waiting(&arns[1]).await);
    let put = stack.put(&found, &key("new"), b"new", Way::Owned.requested()).await;
    if let Ok(info) = &put {
        assert!(info.lock.is_some_and(|lock| lock.retention.is_some()), "{what}: written without the default lock");
        assert!(info.replication.is_some(), "{what}: written without replication");
        for (lane, before) in arns.iter().zip([&before.0, &before.1]) {
            if let (Ok(before), Ok(after)) = (before, waiting(lane).await) {
                assert_eq!(after, before + 1, "{what}: written without its event");
            }
        }
    }
    let looked = [
        read::<Cors>(stack, bucket).await.is_err(),
        read::<BucketTags>(stack, bucket).await.is_err(),
        read::<ReplicationConfiguration>(stack, bucket).await.is_err(),
        before.0.is_err() || before.1.is_err(),
    ];
    pass.map_or(true, |pass| pass.is_none_or(|pass| pass.failed > 0)) || put.is_err() || looked.contains(&true)
}

#[tokio::test]
async fn configurations_and_notes_of_two_buckets_can_not_be_exchanged() {
    let stack = Stack::new(22).await;
    for name in [BUCKET, OTHER] {
        busy(&stack, name).await;
    }
    stack.objects.apply_lifecycles(stack.sources.now()).await.unwrap().expect("nobody else does it");
    let rows = configuration_rows(&stack).await;
    let half = rows.len() / 2;
    assert_eq!(rows.len(), 2 * half, "both have the same rows");
    for (one, other) in rows[..half].iter().zip(&rows[half..]) {
        let what = format!("{} and {} exchanged", one.key.escape_ascii(), other.key.escape_ascii());
        assert_eq!(one.key[16..], other.key[16..], "the same kind, in the order of buckets");
        stack.overwrite_row(&RawRow { value: other.value.clone(), ..one.clone() }).await;
        stack.overwrite_row(&RawRow { value: one.value.clone(), ..other.clone() }).await;
        let opened = stack.open_rows(&stack.rows().await).await.unwrap();
        for name in [BUCKET, OTHER] {
            assert!(obeys_nothing_else(&opened, name, &what).await, "{what}: nothing was refused in {name}");
        }
        assert_reported(&opened, &what).await;
        stack.overwrite_row(one).await;
        stack.overwrite_row(other).await;
    }
}

#[tokio::test]
async fn what_a_job_goes_by_is_not_believed_when_it_was_changed() {
    const JOBS: [Table; 3] = [Table::BucketConfig, Table::Queue, Table::Lease];
    let stack = Stack::new(23).await;
    busy(&stack, BUCKET).await;
    stack.objects.apply_lifecycles(stack.sources.now()).await.unwrap().expect("nobody else does it");
    let rows: Vec<_> = stack.rows().await.into_iter().filter(|row| JOBS.contains(&row.table)).collect();
    for table in JOBS {
        assert!(rows.iter().any(|row| row.table == table), "{}", table.name());
    }
    for row in &rows {
        let mut flipped = row.value.to_vec();
        flipped[row.value.len() / 2] ^= 4;
        let same = rows.iter().find(|other| other.table == row.table && other.key != row.key);
        let forged = [Some(Bytes::from(flipped)), Some(row.value.slice(..9)), same.map(|other| other.value.clone())];
        for value in forged.into_iter().flatten() {
            let what = format!("row {} of {}", row.key.escape_ascii(), row.table.name());
            stack.overwrite_row(&RawRow { value, ..row.clone() }).await;
            let opened = stack.open_rows(&stack.rows().await).await.unwrap();
            assert_reported(&opened, &what).await;
            let refused = obeys_nothing_else(&opened, BUCKET, &what).await;
            // An entry of replication is not looked at here.
            assert!(refused || row.table == Table::Queue, "{what}: nothing was refused");
            stack.overwrite_row(row).await;
        }
    }
}

#[tokio::test]
async fn an_earlier_note_of_a_lifecycle_pass_deletes_nothing_that_is_not_due() {
    let stack = Stack::new(24).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
    for name in ["old/1", "old/2", "kept"] {
        stack.put(&bucket, &key(name), b"kept", Way::Owned.requested()).await.unwrap();
    }
    stack.configure(BUCKET, Some(lifecycle("old/"))).await.unwrap();
    let bucket = stack.bucket(BUCKET).await;
    let notes = async || -> Vec<RawRow> {
        let rows = configuration_rows(&stack).await;
        rows.into_iter().filter(|row| row.key[16..].contains(&129)).collect()
    };
    let now = stack.sources.now();
    let pass = async |days| stack.objects.apply_lifecycles(now.plus(DAY * days)).await.unwrap().unwrap();
    assert_eq!(pass(0).await.expired, 0);
    let first = notes().await;
    assert_eq!(first.len(), 1);
    assert_eq!(pass(3).await.expired, 2);
    let done = notes().await;
    stack.overwrite_row(&first[0]).await;
    assert_eq!(pass(3).await.expired, 0, "it looks again and finds nothing");
    stack.put(&bucket, &key("old/3"), b"new", Way::Owned.requested()).await.unwrap();
    stack.overwrite_row(&done[0]).await;
    // The worst: a pass that is taken for done is not made. The next day's is.
    assert_eq!(pass(3).await.expired, 0);
    assert_eq!(pass(4).await.expired, 1);
    assert_eq!(stack.get(&bucket, &key("kept"), None, None).await.unwrap(), b"kept");
}

#[tokio::test]
async fn an_earlier_lease_makes_no_two_holders() {
    let stack = Stack::new(25).await;
    let (one, two) = (stack.neighbour(), stack.neighbour());
    let length = Duration::from_secs(60);
    let mut first = one.take_lease("job", length).await.unwrap().expect("it is free");
    let row = rows_of(&stack, Table::Lease).await.remove(0);
    stack.sources.advance(length * 2);
    let mut second = two.take_lease("job", length).await.unwrap().expect("it is over");
    assert!(!one.renew_lease(&mut first, length).await.unwrap());
    stack.overwrite_row(&row).await;
    assert!(!two.renew_lease(&mut second, length).await.unwrap(), "its row is not there");
    let mut batch = stack.rows_of_index().batch();
    second.guard(&mut batch);
    assert!(stack.rows_of_index().commit(batch).await.is_err(), "what it does is not committed");
    assert!(one.renew_lease(&mut first, length).await.unwrap(), "there is the one whose row it is");
}

/// An entry that was done and is put back is done once more, as after a crash: under the id that it had.
#[tokio::test]
async fn an_entry_that_is_put_back_is_the_same_entry() {
    let stack = Stack::new(26).await;
    busy(&stack, BUCKET).await;
    let look = async || -> Vec<Queued<NotificationTask>> {
        stack.objects.due(Queue::Notifications, &lane_of(QUEUES[0]), 100).await.unwrap()
    };
    let before = rows_of(&stack, Table::Queue).await;
    let entries = look().await;
    assert_eq!(entries.len(), KEYS.len());
    assert!(stack.objects.done(&entries, |_| ()).await.unwrap());
    assert!(look().await.is_empty());
    for row in &before {
        stack.overwrite_row(row).await;
    }
    let again = look().await;
    let named = |entries: &[Queued<NotificationTask>]| -> Vec<_> {
        entries.iter().map(|entry| (entry.id(), entry.task.happening.clone())).collect()
    };
    assert_eq!(named(&again), named(&entries));
}

/// One damaged entry stops its lane, and says so; the others go on.
#[tokio::test]
async fn a_damaged_entry_is_an_error_in_its_lane_alone() {
    let stack = Stack::new(27).await;
    let bucket = busy(&stack, BUCKET).await;
    let lanes = stack.objects.lanes(Queue::Notifications, None, 100).await.unwrap();
    assert_eq!(lanes.len(), 2);
    for row in rows_of(&stack, Table::Queue).await {
        let mut value = row.value.to_vec();
        *value.last_mut().unwrap() ^= 1;
        stack.overwrite_row(&RawRow { value: value.into(), ..row.clone() }).await;
        let mut failed = 0;
        for (lane, _) in &lanes {
            let due: Result<Vec<Queued<NotificationTask>>, _> =
                stack.objects.due(Queue::Notifications, lane, 100).await;
            match due {
                Ok(entries) => assert_eq!(entries.len(), KEYS.len()),
                Err(_) => failed += 1,
            }
        }
        let lane = replication_lane(&bucket.id, "arn:aws:s3:::replicas");
        let due: Result<Vec<Queued<ReplicationTask>>, _> = stack.objects.due(Queue::Replication, &lane, 100).await;
        failed += u32::from(due.is_err());
        assert_eq!(failed, 1, "{}", row.key.escape_ascii());
        stack.overwrite_row(&row).await;
    }
}

#[tokio::test]
async fn notes_of_inventories_stay_with_their_inventory() {
    let stack = Stack::new(28).await;
    let buckets =
        [stack.create_bucket(BUCKET, Versioning::Never).await, stack.create_bucket(OTHER, Versioning::Never).await];
    let lease = stack.objects.take_lease("inventory", DAY).await.unwrap().expect("it is free");
    for (at, bucket) in buckets.iter().enumerate() {
        for (id, done) in [("a", true), ("b", false)] {
            let run = InventoryRun { started_ms: stack.sources.now().0, seed: [u8::try_from(at).unwrap(); 16], done };
            assert!(stack.objects.note_inventory_run(&lease, bucket, id, &run).await.unwrap());
        }
    }
    let rows = configuration_rows(&stack).await;
    assert_eq!(rows.len(), 4);
    let readable = async || {
        let mut count = 0;
        for (bucket, id) in buckets.iter().flat_map(|bucket| [(bucket, "a"), (bucket, "b")]) {
            count += usize::from(stack.objects.inventory_run(bucket, id).await.is_ok());
        }
        count
    };
    for (row, from) in rows.iter().flat_map(|row| rows.iter().map(move |from| (row, from))) {
        stack.overwrite_row(&RawRow { value: from.value.clone(), ..row.clone() }).await;
        assert_eq!(readable().await, if from == row { 4 } else { 3 });
        stack.overwrite_row(row).await;
    }
}
