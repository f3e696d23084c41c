//! Seeded simulation of what configures buckets: several clients make, configure, fill and delete the same buckets while
//! commits fail, lose their answers and the process dies. After each round the trail, played back, is the
//! configuration: no change without its record, no record without its change. A failing run prints its seed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::{Value, json};
use strongroom::index::Faults;
use strongroom::names::{BucketName, bucket_arn};
use strongroom::objects::{DeleteCondition, NewBucket, ObjectOwnership, ObjectsError};
use strongroom::sse::{NewDefault, Requested};

use crate::simulate::Dice;
use crate::stack::{Stack, account, key, region};

const SEEDS: std::ops::Range<u64> = 0..24;
const ROUNDS: usize = 40;
const CLIENTS: usize = 5;
const BUCKETS: [&str; 2] = ["bucket-a", "bucket-b"];
/// One key in each bucket: what a deletion that slips past a write would lose.
const OBJECT: &str = "kept";

#[derive(Clone, Copy)]
enum Change {
    Create,
    Configure { blocks_sse_c: bool },
    Delete,
}

/// What is known of the calls so far.
#[derive(Default)]
struct Known {
    /// Changes by their number: whether the client was told that it was made.
    asked: BTreeMap<u64, bool>,
    /// Buckets with an object that was acknowledged and that nobody tried to delete since.
    filled: BTreeSet<&'static str>,
}

#[tokio::test]
async fn the_trail_played_back_is_the_configuration() {
    for seed in SEEDS {
        println!("seed {seed}");
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut stack = Stack::new(seed).await;
    let mut known = Known::default();
    for _ in 0..ROUNDS {
        let soon = Some(1 + dice.roll(8));
        stack.index.set_faults(match dice.roll(6) {
            0 => Faults { fail_commit_in: soon, ..Faults::default() },
            1 => Faults { lose_answer_in: soon, ..Faults::default() },
            2 => Faults { full_in: soon, ..Faults::default() },
            _ => Faults::default(),
        });
        let changes: Vec<_> = (0..CLIENTS).map(|_| change(&mut dice)).collect();
        let first = known.asked.len() as u64;
        let calls = (first..).zip(changes).map(|(number, (name, change))| make(&stack, number, name, change));
        let answers = join_all(calls).await;
        known.asked.extend((first..).zip(answers.iter().map(Result::is_ok)));
        let place = BUCKETS[usize::from(dice.roll(2) == 1)];
        if dice.roll(2) == 0 {
            fill(&stack, &mut known, place).await
        } else {
            empty(&stack, &mut known, place).await
        }
        stack.index.set_faults(Faults::default());
        if dice.roll(3) == 0 || stack.audit.record(&event(&stack, 0, "Probe", &Value::Null)).await.is_err() {
            // An index whose outcome is unknown takes nothing more until it is opened again.
            stack = stack.crash().await;
        }
        // A deletion whose last commit failed may not have taken its mark back.
        stack.objects.reopen_buckets().await.unwrap();
        check(&stack, &known, seed).await;
    }
}

fn change(dice: &mut Dice) -> (&'static str, Change) {
    let change = match dice.roll(5) {
        0 | 1 => Change::Create,
        2 => Change::Configure { blocks_sse_c: dice.roll(2) == 1 },
        _ => Change::Delete,
    };
    (BUCKETS[usize::from(dice.roll(2) == 1)], change)
}

fn event(stack: &Stack, number: u64, name: &'static str, request: &Value) -> strongroom::audit::Event {
    stack.event(name, json!({ "number": number, "change": request }))
}

async fn make(stack: &Stack, number: u64, name: &str, change: Change) -> Result<(), ObjectsError> {
    let bucket = BucketName::parse(name).unwrap();
    let grant = |action| stack.grant(action, bucket_arn(&bucket));
    let event = |operation, request| event(stack, number, operation, &request);
    let recorded = match change {
        Change::Create => {
            let event = event("CreateBucket", json!({ "bucket": name }));
            let ownership = ObjectOwnership::BucketOwnerEnforced;
            let public_access_block = None;
            let new = NewBucket {
                name: bucket.clone(),
                owner: account(),
                region: region(),
                ownership,
                public_access_block,
                acl: None,
                tags: None,
                object_lock: false,
            };
            stack.objects.create_bucket(&grant("s3:CreateBucket"), new, &event).await
        }
        Change::Configure { blocks_sse_c } => {
            let event = event("PutBucketEncryption", json!({ "bucket": name, "blocks_sse_c": blocks_sse_c }));
            let new = NewDefault { blocks_sse_c: Some(blocks_sse_c), ..NewDefault::default() };
            stack.objects.set_encryption(&grant("s3:PutEncryptionConfiguration"), &bucket, &new, &event).await
        }
        Change::Delete => {
            let event = event("DeleteBucket", json!({ "bucket": name }));
            stack.objects.delete_bucket(&grant("s3:DeleteBucket"), &bucket, &event).await
        }
    };
    recorded.map(drop)
}

/// Deletes and puts the object again and again, while others try to delete the bucket: whoever is first, what was
/// acknowledged last stays.
async fn fill(stack: &Stack, known: &mut Known, name: &'static str) {
    const TRIES: u64 = 6;
    let first = known.asked.len() as u64;
    let numbers = |client: u64| first + client * TRIES..first + (client + 1) * TRIES;
    let deletes = (0..3).map(|client| async move {
        let mut answers = Vec::new();
        for number in numbers(client) {
            answers.push((number, make(stack, number, name, Change::Delete).await.is_ok()));
        }
        answers
    });
    let put = async {
        for _ in 0..TRIES {
            empty(stack, known, name).await;
            let Ok(bucket) = stack.objects.bucket(&BucketName::parse(name).unwrap()).await else { continue };
            if stack.put(&bucket, &key(OBJECT), b"data", Requested::SseS3).await.is_ok() {
                known.filled.insert(name);
            }
        }
    };
    let ((), answers) = futures_util::join!(put, join_all(deletes));
    known.asked.extend(answers.into_iter().flatten());
}

async fn empty(stack: &Stack, known: &mut Known, name: &'static str) {
    let Ok(bucket) = stack.objects.bucket(&BucketName::parse(name).unwrap()).await else { return };
    known.filled.remove(name);
    let object = key(OBJECT);
    let grant = stack.object_grant("s3:DeleteObject", &bucket, &object);
    // What came of it does not matter: nothing is claimed of the object from here on.
    let _ = stack.objects.delete(&grant, &bucket, &object, None, &DeleteCondition::default()).await;
}

/// Plays the trail back and compares.
async fn check(stack: &Stack, known: &Known, seed: u64) {
    stack.audit.verify(None).await.unwrap().unwrap_or_else(|e| panic!("seed {seed}: the audit chain: {e:?}"));
    let mut configured: BTreeMap<String, bool> = BTreeMap::new();
    let mut recorded = BTreeSet::new();
    for record in stack.audit.list(0, 100_000).await.unwrap() {
        let record: Value = serde_json::from_str(&record.json).unwrap();
        let (name, parameters) = (record["eventName"].as_str().unwrap(), &record["requestParameters"]);
        let change = &parameters["change"];
        let Some(bucket) = change["bucket"].as_str() else { continue };
        let number = parameters["number"].as_u64().unwrap();
        assert!(recorded.insert(number), "seed {seed}: change {number} has two records");
        match name {
            "CreateBucket" => assert_eq!(configured.insert(bucket.to_owned(), false), None, "seed {seed}"),
            "DeleteBucket" => assert!(configured.remove(bucket).is_some(), "seed {seed}"),
            "PutBucketEncryption" => {
                let blocks_sse_c = change["blocks_sse_c"].as_bool().unwrap();
                assert!(configured.insert(bucket.to_owned(), blocks_sse_c).is_some(), "seed {seed}");
            }
            other => panic!("seed {seed}: nobody called {other}"),
        }
    }
    for (number, acknowledged) in &known.asked {
        assert!(!acknowledged || recorded.contains(number), "seed {seed}: change {number} has no record");
    }
    for name in BUCKETS {
        let bucket = match stack.objects.bucket(&BucketName::parse(name).unwrap()).await {
            Ok(bucket) => Some(bucket),
            Err(ObjectsError::NoSuchBucket) => None,
            Err(error) => panic!("seed {seed}: {error:?}"),
        };
        let actual = bucket.as_ref().map(|bucket| bucket.encryption.blocks_sse_c);
        assert_eq!(actual, configured.get(name).copied(), "seed {seed}: {name} is not as the trail says");
        if known.filled.contains(name) {
            let bucket = bucket.unwrap_or_else(|| panic!("seed {seed}: {name} was deleted with an object in it"));
            let read = stack.get(&bucket, &key(OBJECT), None, None).await;
            assert_eq!(read, Ok(b"data".to_vec()), "seed {seed}: {name}");
        }
    }
}
