//! Seeded simulation: random operations by several clients against an object store whose index and blob store fail,
//! lose answers and crash; checked against a model. A failing run prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use strongroom::index::Faults;
use strongroom::names::{ObjectKey, bucket_arn};
use strongroom::objects::{ListQuery, ObjectsError, Versioning};
use strongroom::sse::Requested;
use strongroom::store::faulty::StoreFaults;

use crate::stack::{Stack, Way, key};

const SEEDS: std::ops::Range<u64> = 0..24;
const ROUNDS: usize = 60;
const CLIENTS: usize = 4;
const KEYS: usize = 6;
const BUCKETS: [(&str, Versioning); 2] =
    [("plain-bucket", Versioning::Never), ("versioned-bucket", Versioning::Enabled)];
const CANARY: &[u8] = b"STRONGROOM-CANARY-0123456789";

/// What a key may hold: after a failed or concurrent write more than one content is right. `None`: no object.
type Allowed = BTreeSet<Option<Arc<Vec<u8>>>>;
type Model = BTreeMap<(&'static str, String), Allowed>;

/// One operation of one client.
enum Operation {
    Put(Vec<u8>),
    Upload(Vec<u8>),
    Delete,
    CopyFrom(String),
    Get,
}

/// What came of it: the content that the key may hold now, and whether the client was told so.
struct Outcome {
    place: (&'static str, String),
    wrote: Option<Option<Arc<Vec<u8>>>>,
    acknowledged: bool,
    read: Option<Option<Arc<Vec<u8>>>>,
}

/// The dice of one run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9).wrapping_add(1))
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A content: sizes around the borders of inline values, segments and chunks.
    fn data(&mut self) -> Vec<u8> {
        const SIZES: [usize; 9] = [0, 1, 300, 32_768, 32_769, 65_536, 65_537, 524_288, 700_001];
        let size = SIZES[usize::try_from(self.roll(SIZES.len() as u64)).unwrap()];
        let stamp = self.roll(u64::MAX).to_le_bytes();
        [CANARY, &stamp].concat().into_iter().cycle().take(size).collect()
    }

    fn key(&mut self) -> String {
        format!("key/{}", self.roll(KEYS as u64))
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_faults_and_crashes() {
    for seed in SEEDS {
        println!("seed {seed}");
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut stack = Stack::new(seed).await;
    let mut model = Model::new();
    for (name, versioning) in BUCKETS {
        stack.create_bucket(name, versioning).await;
    }
    for _ in 0..ROUNDS {
        inject(&stack, &mut dice);
        let operations: Vec<_> = (0..CLIENTS).map(|_| operation(&mut dice)).collect();
        let outcomes = join_all(operations.into_iter().map(|(place, op)| perform(&stack, place, op))).await;
        apply(&mut model, outcomes);
        stack.index.set_faults(Faults::default());
        stack.store.set_faults(StoreFaults::default());
        match dice.roll(8) {
            0 => stack = stack.crash().await,
            1 => {
                stack.sources.advance(Duration::from_secs(3600));
                let _ = stack.objects.sweep(true).await;
            }
            _ => {}
        }
        if stack.put_probe().await.is_err() {
            // An index whose outcome is unknown takes nothing more until it is opened again.
            stack = stack.crash().await;
        }
    }
    let stack = stack.crash().await;
    check_all(&stack, &model, seed).await;
    check_canary(&stack, seed).await;
    check_leftovers(&stack, seed).await;
    stack.audit.verify(None).await.unwrap().unwrap_or_else(|e| panic!("seed {seed}: the audit chain: {e:?}"));
}

impl Stack {
    async fn put_probe(&self) -> Result<(), ObjectsError> {
        let bucket = self.bucket(BUCKETS[0].0).await;
        self.put(&bucket, &key("probe"), b"", Requested::SseS3).await.map(drop)
    }
}

pub(crate) fn inject(stack: &Stack, dice: &mut Dice) {
    let mut faults = Faults::default();
    let mut store = StoreFaults::default();
    let soon = Some(1 + dice.roll(6));
    match dice.roll(14) {
        0 => faults.fail_commit_in = soon,
        1 => faults.lose_answer_in = soon,
        2 => faults.full_in = soon,
        3 => store.fail_write_in = soon,
        4 => store.lose_write_answer_in = soon,
        5 => store.full_in = soon,
        6 => store.fail_read_in = soon,
        7 => store.cut_read_in = soon,
        8 => store.fail_delete_in = soon,
        _ => {}
    }
    stack.index.set_faults(faults);
    stack.store.set_faults(store);
}

fn operation(dice: &mut Dice) -> ((&'static str, String), Operation) {
    let bucket = BUCKETS[usize::try_from(dice.roll(BUCKETS.len() as u64)).unwrap()].0;
    let place = (bucket, dice.key());
    let operation = match dice.roll(10) {
        0..=3 => Operation::Put(dice.data()),
        4 => Operation::Upload(dice.data()),
        5 => Operation::Delete,
        6 => Operation::CopyFrom(dice.key()),
        _ => Operation::Get,
    };
    (place, operation)
}

async fn perform(stack: &Stack, place: (&'static str, String), operation: Operation) -> Outcome {
    let (bucket, object) = (stack.bucket(place.0).await, key(&place.1));
    let mut outcome = Outcome { place: place.clone(), wrote: None, acknowledged: false, read: None };
    match operation {
        Operation::Put(data) => {
            outcome.acknowledged = stack.put(&bucket, &object, &data, Requested::SseS3).await.is_ok();
            outcome.wrote = Some(Some(Arc::new(data)));
        }
        Operation::Upload(data) => {
            outcome.acknowledged = stack.upload(&bucket, &object, &[(3, &data)], Way::Owned).await.is_ok();
            outcome.wrote = Some(Some(Arc::new(data)));
        }
        Operation::Delete => {
            outcome.acknowledged = stack.delete(&bucket, &object).await.is_ok();
            outcome.wrote = Some(None);
        }
        Operation::CopyFrom(source) => match copy(stack, place.0, &key(&source), &object).await {
            Ok(Some(data)) => (outcome.wrote, outcome.acknowledged) = (Some(Some(data)), true),
            Ok(None) => {}
            Err(maybe) => outcome.wrote = maybe.map(Some),
        },
        Operation::Get => match stack.get(&bucket, &object, None, None).await {
            Ok(data) => outcome.read = Some(Some(Arc::new(data))),
            Err(ObjectsError::NoSuchKey { .. }) => outcome.read = Some(None),
            Err(ObjectsError::Internal(_) | ObjectsError::Full(_) | ObjectsError::Sse(_)) => {}
            Err(other) => panic!("a read answered {other:?}"),
        },
    }
    outcome
}

/// Copies within a bucket. `Ok(None)`: there was no source; `Err(Some(data))`: it failed, and may have been done.
async fn copy(
    stack: &Stack,
    bucket: &str,
    from: &ObjectKey,
    to: &ObjectKey,
) -> Result<Option<Arc<Vec<u8>>>, Option<Arc<Vec<u8>>>> {
    let bucket = stack.bucket(bucket).await;
    let Ok(source) = stack.head(&bucket, from).await else { return Ok(None) };
    let whole = strongroom::crypto::PlainRange { start: 0, end: source.plain_len };
    let Ok(data) = stack.read(&source, whole, None).await else { return Err(None) };
    let data = Arc::new(data);
    match stack.copy(&bucket, &source, to).await {
        Ok(_) => Ok(Some(data)),
        Err(_) => Err(Some(data)),
    }
}

/// Takes a round's outcomes into the model. Operations of a round ran at the same time, in an order not known.
fn apply(model: &mut Model, outcomes: Vec<Outcome>) {
    let mut written: BTreeMap<(&'static str, String), (Allowed, bool)> = BTreeMap::new();
    for outcome in &outcomes {
        if let Some(content) = &outcome.wrote {
            let entry = written.entry(outcome.place.clone()).or_default();
            entry.0.insert(content.clone());
            entry.1 |= outcome.acknowledged;
        }
    }
    for outcome in &outcomes {
        if let Some(read) = &outcome.read {
            let old = model.get(&outcome.place).map_or_else(|| read.is_none(), |allowed| allowed.contains(read));
            let new = written.get(&outcome.place).is_some_and(|(contents, _)| contents.contains(read));
            assert!(old || new, "{:?} read what nobody wrote", outcome.place);
        }
    }
    for (place, (mut contents, acknowledged)) in written {
        let allowed = model.entry(place).or_insert_with(|| Allowed::from([None]));
        if !acknowledged {
            contents.extend(allowed.iter().cloned());
        }
        *allowed = contents;
    }
}

async fn check_all(stack: &Stack, model: &Model, seed: u64) {
    for (name, _) in BUCKETS {
        let bucket = stack.bucket(name).await;
        let grant = stack.grant("s3:ListBucket", bucket_arn(&bucket.name));
        let query = ListQuery { prefix: "key/".to_owned(), limit: 1000, ..ListQuery::default() };
        let listed = stack.objects.list(&grant, &bucket, &query).await.unwrap();
        let listed: BTreeSet<String> = listed.objects.iter().map(|o| o.key.to_string()).collect();
        for object in (0..KEYS).map(|n| format!("key/{n}")) {
            let read = match stack.get(&bucket, &key(&object), None, None).await {
                Ok(data) => Some(Arc::new(data)),
                Err(ObjectsError::NoSuchKey { .. }) => None,
                Err(error) => panic!("seed {seed}: {name}/{object} cannot be read: {error:?}"),
            };
            assert_eq!(listed.contains(&object), read.is_some(), "seed {seed}: listing of {name}/{object}");
            let place = (name, object);
            let right = model.get(&place).map_or_else(|| read.is_none(), |allowed| allowed.contains(&read));
            assert!(right, "seed {seed}: {place:?} holds what it should not: {:?}", read.map(|r| r.len()));
        }
    }
}

/// Once all is swept that is due, scrub finds neither damage nor bytes that nobody holds.
async fn check_leftovers(stack: &Stack, seed: u64) {
    stack.sources.advance(Duration::from_secs(48 * 3600));
    stack.objects.sweep(true).await.unwrap();
    let report = stack.scrub().await.unwrap();
    assert_eq!((&report.damage, &report.orphans), (&Vec::new(), &Vec::new()), "seed {seed}");
}

async fn check_canary(stack: &Stack, seed: u64) {
    use futures_util::TryStreamExt as _;
    use object_store::{ObjectStore as _, ObjectStoreExt as _};
    let blobs: Vec<_> = stack.store.memory().list(None).try_collect().await.unwrap();
    for blob in blobs {
        let bytes = stack.store.memory().get(&blob.location).await.unwrap().bytes().await.unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY);
        assert!(!found, "seed {seed}: plaintext in blob {}", blob.location);
    }
}
