//! Seeded simulation of what keeps and what deletes versions: clients lock, tag, delete and bypass the same versions at
//! the same time, lifecycle passes delete what they may while the clock moves by days, events are taken from their queue
//! and versions replicated, and index and store fail, lose answers and crash. A failing run prints its seed.
//!
//! The model has the rules of object lock anew, on its own. Of the operations of a round it looks for an order in which
//! each would have got the answer that it got: what no order explains is a fault, and so is a version that is not as one
//! of these orders leaves it.

mod follow;
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use strongroom::index::{Faults, Index as _};
use strongroom::names::bucket_arn;
use strongroom::objects::{
    Attributes, DeleteCondition, ListQuery, ListVersions, ListedVersion, NotificationTask, ObjectInfo, ObjectsError,
    Queue, Queued, ReplicationStatus, VersionId, Versioning, lane_of,
};
use strongroom::rules::lifecycle::{Expiration, Lifecycle, NoncurrentExpiration, Rule};
use strongroom::rules::lock::{DefaultRetention, LockConfiguration, ObjectLock, Period, Retention, RetentionMode};
use strongroom::rules::notification::{Destination, DestinationKind, EventName, NotificationConfiguration};
use strongroom::rules::replication::{self, ReplicationConfiguration};
use strongroom::sources::Timestamp;
use strongroom::store::faulty::StoreFaults;

use self::follow::replicate_some;
use self::model::{Answer, Change, State, explained};
use crate::simulate::{Dice, inject};
use crate::stack::{Stack, Way, key};

const SEEDS: std::ops::Range<u64> = 0..40;
const ROUNDS: usize = 40;
const CLIENTS: usize = 4;
const KEYS: u64 = 3;
const HERE: &str = "locked-bucket";
const THERE: &str = "replica-bucket";
const TARGET: &str = "arn:aws:sqs:us-east-1:111122223333:q";
const DAY: Duration = Duration::from_secs(86_400);
const DAY_MS: i64 = 86_400_000;
/// What a current version expires after, and a noncurrent one.
const EXPIRE_DAYS: u32 = 20;
const NONCURRENT_DAYS: u32 = 5;

/// Key and version.
type Place = (String, [u8; 16]);

/// What is asked of the store.
#[derive(Debug, Clone)]
enum Operation {
    Put { key: String, data: Vec<u8>, lock: State },
    Mark(String),
    Change(Place, Change),
    Default(Option<(bool, u32)>),
    Lifecycle,
    Work,
    Replicate,
}

fn mode(compliance: bool) -> RetentionMode {
    if compliance { RetentionMode::Compliance } else { RetentionMode::Governance }
}

fn id(version: VersionId) -> [u8; 16] {
    match version {
        VersionId::Named(position) => position,
        VersionId::Null => panic!("the bucket was always versioned"),
    }
}

/// As events name it.
fn text(place: &Place) -> String {
    VersionId::Named(place.1).to_string()
}

/// What an operation was answered, and the version that it made.
type Answered = (Answer, Option<[u8; 16]>);

/// What is known.
#[derive(Default)]
struct Model {
    versions: BTreeMap<Place, (State, Vec<u8>, Timestamp)>,
    /// One of these is the default retention.
    defaults: Vec<Option<(bool, u32)>>,
    ever: BTreeSet<String>,
    deleted: BTreeSet<String>,
    markers: BTreeSet<String>,
}

/// What was told: event and version.
type Told = Arc<Mutex<BTreeSet<(EventName, String)>>>;

/// A write; its version if it was acknowledged.
struct Written {
    key: String,
    data: Vec<u8>,
    lock: State,
    version: Option<[u8; 16]>,
}

/// What is in the bucket.
struct Found {
    versions: BTreeMap<Place, ObjectInfo>,
    markers: BTreeSet<String>,
}

#[tokio::test]
async fn what_is_locked_stays_and_what_follows_from_changes_comes_through_faults_and_crashes() {
    let mut seen = BTreeMap::new();
    for seed in SEEDS {
        println!("seed {seed}");
        Box::pin(run(seed, &mut seen)).await;
    }
    println!("{seen:?}");
    for wanted in
        ["Delete Done", "Delete Locked", "Retain Done", "Retain Locked", "Hold Done", "Tag Done", "Expire Done"]
    {
        assert!(seen.get(wanted).is_some_and(|count| *count > 10), "{wanted} was hardly tried: {seen:?}");
    }
}

async fn run(seed: u64, seen: &mut BTreeMap<String, u64>) {
    let mut dice = Dice::new(seed);
    let mut stack = furnished(seed).await;
    let (mut model, told) = (Model { defaults: vec![None], ..Model::default() }, Told::default());
    for round in 0..ROUNDS {
        let what = format!("seed {seed}, round {round}");
        let now = stack.sources.now().0;
        let operations = operations(&mut dice, &model, now);
        inject(&stack, &mut dice);
        let performed = operations.into_iter().map(|operation| {
            let delay = dice.roll(12);
            let (stack, told) = (&stack, &told);
            async move {
                for _ in 0..delay {
                    tokio::task::yield_now().await;
                }
                let answer = perform(stack, &operation, told).await;
                (operation, answer)
            }
        });
        let done = join_all(performed.collect::<Vec<_>>()).await;
        stack.index.set_faults(Faults::default());
        stack.store.set_faults(StoreFaults::default());
        if dice.roll(6) == 0 || stack.index.failure().is_some() {
            stack = restart(&stack).await;
        }
        let found = look(&stack).await;
        compare(&mut model, &found, done, now, seen, &what);
        check_default(&stack, &mut model, &what).await;
        take_events(&stack, &told).await;
        if dice.roll(3) == 0 {
            let days = u32::try_from(1 + dice.roll(6)).unwrap();
            later(&stack, days).await;
        }
    }
    finish(stack, &mut model, &told, seed).await;
}

/// The process dies, and the next one begins as a gateway does.
async fn restart(stack: &Stack) -> Stack {
    let stack = stack.crash().await;
    stack.objects.end_leases().await.unwrap();
    stack.keyring.destroy_due_keys().await.unwrap();
    stack
}

/// Lets time pass, and the key module note that it did, as a pass of the gateway does.
async fn later(stack: &Stack, days: u32) {
    stack.sources.advance(DAY * days);
    stack.keyring.destroy_due_keys().await.unwrap();
}

async fn furnished(seed: u64) -> Stack {
    let stack = Stack::slow(seed).await;
    for name in [HERE, THERE] {
        stack.create_bucket(name, Versioning::Enabled).await;
        stack.configure(name, Some(LockConfiguration::default())).await.unwrap();
    }
    let all = Rule { id: "all".to_owned(), enabled: true, ..Rule::default() };
    let expire = Rule {
        expiration: Some(Expiration::Days(EXPIRE_DAYS)),
        noncurrent_expiration: Some(NoncurrentExpiration { days: NONCURRENT_DAYS, newer: None }),
        ..all.clone()
    };
    let markers = Rule { id: "markers".to_owned(), expiration: Some(Expiration::DeleteMarker(true)), ..all };
    let lifecycle = Lifecycle { rules: vec![expire, markers], minimum_size: Default::default() };
    stack.configure(HERE, Some(lifecycle)).await.unwrap();
    let destination = Destination {
        id: "all".to_owned(),
        kind: DestinationKind::Queue,
        arn: TARGET.to_owned(),
        events: EventName::ALL.to_vec(),
        prefix: None,
        suffix: None,
    };
    let told = NotificationConfiguration { destinations: vec![destination], event_bridge: false, unvalidated: None };
    stack.configure(HERE, Some(told)).await.unwrap();
    stack.configure(HERE, Some(replication_to(THERE))).await.unwrap();
    stack.keyring.destroy_due_keys().await.unwrap();
    stack
}

/// Everything goes to a bucket.
pub(crate) fn replication_to(bucket: &str) -> ReplicationConfiguration {
    let target = replication::Target {
        bucket: format!("arn:aws:s3:::{bucket}"),
        account: None,
        storage_class: None,
        owner_override: false,
        kms_key: None,
        time: None,
        metrics: None,
    };
    let filter = replication::RuleFilter { first_form: false, prefix: None, tags: Vec::new(), and: false };
    let rule = replication::Rule {
        id: "all".to_owned(),
        priority: Some(1),
        enabled: true,
        filter,
        target,
        delete_markers: Some(true),
        existing_objects: None,
        kms_objects: Some(true),
        replica_modifications: None,
    };
    ReplicationConfiguration { role: "arn:aws:iam::111122223333:role/r".to_owned(), rules: vec![rule] }
}

/// What the clients do at the same time: often to the same version.
fn operations(dice: &mut Dice, model: &Model, now: i64) -> Vec<Operation> {
    let places: Vec<&Place> = model.versions.keys().collect();
    let pick = |dice: &mut Dice| {
        let at = usize::try_from(dice.roll(places.len().max(1) as u64)).unwrap();
        places.get(at).map(|place| (*place).clone())
    };
    let focus = pick(dice);
    let mut out: Vec<Operation> = (0..CLIENTS)
        .map(|_| {
            let place = if dice.roll(10) < 6 { focus.clone() } else { pick(dice) };
            match (dice.roll(20), place) {
                (0, _) => Operation::Default((dice.roll(2) == 0).then(|| (dice.roll(2) == 0, 1 + roll_days(dice)))),
                (1, _) => Operation::Mark(key_name(dice)),
                (2..=6, _) | (_, None) => put(dice, now),
                (_, Some(place)) => Operation::Change(place, change(dice, now)),
            }
        })
        .collect();
    match dice.roll(6) {
        0 | 1 => out.push(Operation::Lifecycle),
        2 => out.push(Operation::Work),
        3 | 4 => out.push(Operation::Replicate),
        _ => {}
    }
    out
}

fn key_name(dice: &mut Dice) -> String {
    format!("key/{}", dice.roll(KEYS))
}

fn roll_days(dice: &mut Dice) -> u32 {
    u32::try_from(dice.roll(15)).unwrap()
}

fn retention(dice: &mut Dice, now: i64) -> (bool, i64) {
    (dice.roll(2) == 0, now + (1 + i64::from(roll_days(dice))) * DAY_MS)
}

fn put(dice: &mut Dice, now: i64) -> Operation {
    let kept = (dice.roll(3) == 0).then(|| retention(dice, now));
    let lock = State { retention: kept, hold: dice.roll(8) == 0, tags: 0 };
    let len = [10, 100, 40_000][usize::try_from(dice.roll(3)).unwrap()];
    let stamp = dice.roll(u64::MAX).to_le_bytes();
    Operation::Put { key: key_name(dice), data: stamp.into_iter().cycle().take(len).collect(), lock }
}

fn change(dice: &mut Dice, now: i64) -> Change {
    let bypass = dice.roll(2) == 0;
    match dice.roll(8) {
        0..=2 => Change::Delete { bypass },
        3 => Change::Hold(true),
        4 => Change::Hold(false),
        5 if bypass => Change::Look,
        5 => Change::Tag(1 + dice.roll(1_000_000)),
        6 => Change::Retain { new: Some(retention(dice, now)), bypass },
        _ => Change::Retain { new: (dice.roll(3) > 0).then(|| retention(dice, now)), bypass },
    }
}

fn answer<T>(result: Result<T, ObjectsError>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(ObjectsError::Locked { .. }) => Answer::Locked,
        Err(ObjectsError::NoSuchVersion) => Answer::Gone,
        Err(
            ObjectsError::Internal(_)
            | ObjectsError::Full(_)
            | ObjectsError::Sse(_)
            | ObjectsError::Contention
            | ObjectsError::SourceChanged,
        ) => Answer::Unknown,
        Err(other) => panic!("an operation was answered {other:?}"),
    }
}

async fn perform(stack: &Stack, operation: &Operation, told: &Told) -> Answered {
    let bucket = stack.bucket(HERE).await;
    let simply = |result| (answer::<()>(result), None);
    match operation {
        Operation::Put { key: name, data, lock } => {
            let Ok(now) = stack.objects.lock_time().await else { return (Answer::Unknown, None) };
            let kept = |(compliance, until)| Retention::new(mode(compliance), Timestamp(until), now);
            let asked = ObjectLock { retention: lock.retention.map(kept), legal_hold: lock.hold.then_some(true) };
            let lock = Some(asked).filter(|asked| *asked != ObjectLock::default());
            let attributes = Attributes { lock, ..Attributes::default() };
            let put = stack.put_with(&bucket, &key(name), data, Way::Owned.requested(), attributes).await;
            let version = put.as_ref().ok().map(|info| id(info.version));
            (answer(put), version)
        }
        Operation::Mark(name) => simply(stack.delete(&bucket, &key(name)).await.map(drop)),
        Operation::Change((name, version), change) => {
            simply(alter(stack, (name, VersionId::Named(*version)), *change).await)
        }
        Operation::Default(default) => {
            let period = |(strict, days)| DefaultRetention { mode: mode(strict), period: Period::Days(days) };
            simply(stack.configure(HERE, Some(LockConfiguration { default: default.map(period) })).await)
        }
        Operation::Lifecycle => simply(stack.objects.apply_lifecycles(stack.sources.now()).await.map(drop)),
        Operation::Work => {
            let entries = take_events(stack, told).await;
            simply(stack.objects.done(&entries, |_| ()).await.map(drop))
        }
        Operation::Replicate => simply(replicate_some(stack).await),
    }
}

async fn alter(stack: &Stack, (name, version): (&str, VersionId), change: Change) -> Result<(), ObjectsError> {
    let (bucket, name) = (stack.bucket(HERE).await, key(name));
    let grant = |action| stack.object_grant(action, &bucket, &name);
    let (place, none) = ((&bucket, &name), DeleteCondition::default());
    let leave = grant("s3:BypassGovernanceRetention");
    match change {
        Change::Delete { bypass: false } => {
            let delete = grant("s3:DeleteObjectVersion");
            stack.objects.delete(&delete, &bucket, &name, Some(version), &none).await.map(drop)
        }
        Change::Delete { bypass: true } => {
            let delete = grant("s3:DeleteObjectVersion");
            stack.objects.delete_bypassing(&delete, &leave, place, Some(version), &none).await.map(drop)
        }
        Change::Retain { new, bypass } => {
            let new = new.map(|(compliance, until)| (mode(compliance), Timestamp(until)));
            let leave = bypass.then_some(&leave);
            stack
                .objects
                .set_retention(&grant("s3:PutObjectRetention"), place, Some(version), new, leave)
                .await
                .map(drop)
        }
        Change::Hold(on) => {
            stack.objects.set_legal_hold(&grant("s3:PutObjectLegalHold"), place, Some(version), on).await.map(drop)
        }
        Change::Tag(number) => {
            let tags = vec![("n".to_owned(), number.to_string())];
            let grant = grant("s3:PutObjectTagging");
            stack.objects.set_tags(&grant, &bucket, &name, Some(version), tags).await.map(drop)
        }
        Change::Look => stack.get(&bucket, &name, Some(version), None).await.map(drop),
        Change::Expire => unreachable!("nobody asks for it"),
    }
}

/// What waits to be told; it is noted, and stays.
async fn take_events(stack: &Stack, told: &Told) -> Vec<Queued<NotificationTask>> {
    let entries: Vec<Queued<NotificationTask>> =
        stack.objects.due(Queue::Notifications, &lane_of(TARGET), usize::MAX).await.unwrap();
    let events = entries.iter().map(|entry| {
        let happening = &entry.task.happening;
        (happening.event, happening.version.clone().unwrap_or_default())
    });
    told.lock().unwrap().extend(events);
    entries
}

async fn look(stack: &Stack) -> Found {
    let bucket = stack.bucket(HERE).await;
    let query = ListVersions { query: ListQuery { limit: 1000, ..ListQuery::default() }, after_version: None };
    let grant = stack.grant("s3:ListBucketVersions", bucket_arn(&bucket.name));
    let page = stack.objects.list_versions(&grant, &bucket, &query).await.unwrap();
    let mut found = Found { versions: BTreeMap::new(), markers: BTreeSet::new() };
    for listed in page.versions {
        match listed {
            ListedVersion::Object { info, .. } => {
                found.versions.insert((info.key.to_string(), id(info.version)), *info);
            }
            ListedVersion::DeleteMarker { version, .. } => drop(found.markers.insert(version.to_string())),
        }
    }
    found
}

/// Compares what is there with what the operations of a round may have left, and takes it into the model.
fn compare(
    model: &mut Model,
    found: &Found,
    done: Vec<(Operation, Answered)>,
    now: i64,
    seen: &mut BTreeMap<String, u64>,
    what: &str,
) {
    let mut changes: BTreeMap<Place, Vec<(Change, Answer)>> = BTreeMap::new();
    let (mut defaults, mut puts, mut expires) = (model.defaults.clone(), Vec::new(), false);
    for (operation, (answer, version)) in done {
        match operation {
            Operation::Put { key, data, lock } => puts.push(Written { key, data, lock, version }),
            Operation::Change(place, change) => {
                let name = format!("{change:?}");
                let name = name.split([' ', '(']).next().unwrap_or_default();
                *seen.entry(format!("{name} {answer:?}")).or_default() += 1;
                changes.entry(place).or_default().push((change, answer));
            }
            Operation::Default(default) => defaults.push(default),
            Operation::Lifecycle => expires = true,
            Operation::Mark(_) | Operation::Work | Operation::Replicate => {}
        }
    }
    for (place, (state, _, made)) in &mut model.versions {
        let mut asked = changes.remove(place).unwrap_or_default();
        if expires && made.0 + i64::from(NONCURRENT_DAYS) * DAY_MS <= now {
            asked.push((Change::Expire, Answer::Unknown));
        }
        let mut allowed = BTreeSet::new();
        explained(Some(*state), &asked, now, &mut allowed);
        let is = found.versions.get(place).map(State::of);
        assert!(allowed.contains(&is), "{what}: {place:?} was {state:?}, is {is:?}, at {now} after {asked:?}");
        match is {
            Some(is) => *state = is,
            None => {
                if asked.len() == 1 && matches!(asked[0].0, Change::Expire) {
                    *seen.entry("Expire Done".to_owned()).or_default() += 1;
                }
                model.deleted.insert(text(place));
            }
        }
    }
    model.versions.retain(|place, _| found.versions.contains_key(place));
    model.markers.extend(found.markers.iter().cloned());
    take_new(model, found, puts, &defaults, now, what);
    model.defaults = defaults;
}

/// Versions that nobody knew of: one for each acknowledged write, and for those without an answer one or none.
fn take_new(
    model: &mut Model,
    found: &Found,
    mut puts: Vec<Written>,
    defaults: &[Option<(bool, u32)>],
    now: i64,
    what: &str,
) {
    for (place, info) in &found.versions {
        if model.versions.contains_key(place) {
            continue;
        }
        let is = State::of(info);
        let by_default = |(strict, days): (bool, u32)| (strict, now + i64::from(days) * DAY_MS);
        let fits = |put: &Written| {
            let asked = put.lock;
            let mut locks = defaults
                .iter()
                .map(|default| State { retention: asked.retention.or_else(|| default.map(by_default)), ..asked });
            put.key == place.0
                && put.version.is_none_or(|version| version == place.1)
                && info.etag == strongroom::names::hex(&strongroom::crypto::md5(&put.data))
                && locks.any(|lock| lock == is)
        };
        let at = puts.iter().position(fits);
        let at = at.unwrap_or_else(|| panic!("{what}: nobody wrote {place:?}, which is {is:?}"));
        let put = puts.remove(at);
        model.ever.insert(text(place));
        model.versions.insert(place.clone(), (is, put.data, info.modified));
    }
    let lost = puts.iter().find(|put| put.version.is_some());
    assert!(lost.is_none(), "{what}: an acknowledged version is not there");
}

async fn check_default(stack: &Stack, model: &mut Model, what: &str) {
    let bucket = stack.bucket(HERE).await;
    let is = stack.objects.configuration::<LockConfiguration>(&bucket).await.unwrap().expect("it is on");
    let is = is.default.map(|default| match default.period {
        Period::Days(days) => (default.mode == RetentionMode::Compliance, days),
        Period::Years(_) => panic!("{what}: nobody asked for years"),
    });
    assert!(model.defaults.contains(&is), "{what}: the default is {is:?}, of {:?}", model.defaults);
    model.defaults = vec![is];
}

/// Without faults all that is to follow follows, and rules delete all that is not on hold.
async fn finish(stack: Stack, model: &mut Model, told: &Told, seed: u64) {
    let stack = restart(&stack).await;
    while !stack.objects.lanes(Queue::Replication, None, 1).await.unwrap().is_empty() {
        replicate_some(&stack).await.unwrap();
    }
    check_contents(&stack, model, seed).await;
    stack.configure(HERE, Some(LockConfiguration::default())).await.unwrap();
    for _ in 0..4 {
        later(&stack, EXPIRE_DAYS).await;
        stack.objects.apply_lifecycles(stack.sources.now()).await.unwrap().expect("nobody else does it");
    }
    take_events(&stack, told).await;
    let left = look(&stack).await;
    let held = model.versions.iter().filter(|(_, version)| version.0.hold).map(|(place, _)| place);
    let (left, held): (BTreeSet<_>, BTreeSet<_>) = (left.versions.keys().collect(), held.collect());
    assert_eq!(left, held, "seed {seed}: what is on hold stays, and nothing else");
    let gone = model.versions.keys().filter(|place| !left.contains(place)).map(text);
    model.deleted.extend(gone);
    check_events(model, told, seed);
    stack.sources.advance(DAY);
    stack.objects.sweep(true).await.unwrap();
    let report = stack.scrub().await.unwrap();
    assert_eq!((&report.damage, &report.orphans), (&Vec::new(), &Vec::new()), "seed {seed}");
    stack.audit.verify(None).await.unwrap().unwrap_or_else(|e| panic!("seed {seed}: the audit chain: {e:?}"));
}

/// Each version reads as it was written, and so does its replica.
async fn check_contents(stack: &Stack, model: &Model, seed: u64) {
    let (here, there) = (stack.bucket(HERE).await, stack.bucket(THERE).await);
    for (place, (_, data, _)) in &model.versions {
        let (name, version) = (key(&place.0), Some(VersionId::Named(place.1)));
        let grant = stack.object_grant("s3:GetObject", &here, &name);
        let info = stack.objects.head(&grant, &here, &name, version).await.unwrap();
        assert_eq!(info.replication, Some(ReplicationStatus::Completed), "seed {seed}: {place:?}");
        for bucket in [&here, &there] {
            let read = stack.get(bucket, &name, version, None).await;
            assert!(read.as_ref() == Ok(data), "seed {seed}: {place:?} in {} reads as something else", bucket.name);
        }
    }
}

/// What came to be and what went was told, and nothing else.
fn check_events(model: &Model, told: &Told, seed: u64) {
    let told = told.lock().unwrap();
    let of = |events: &[EventName]| -> BTreeSet<String> {
        told.iter().filter(|(event, _)| events.contains(event)).map(|(_, version)| version.clone()).collect()
    };
    assert_eq!(of(&[EventName::CREATED_PUT]), model.ever, "seed {seed}: versions that came to be");
    let removed = of(&[EventName::REMOVED_DELETE, EventName::EXPIRATION_DELETE]);
    let removed: BTreeSet<_> = removed.intersection(&model.ever).cloned().collect();
    assert_eq!(removed, model.deleted, "seed {seed}: versions that are gone");
    let markers = of(&[EventName::REMOVED_MARKER, EventName::EXPIRATION_MARKER]);
    assert!(markers.is_superset(&model.markers), "seed {seed}: delete markers");
}
