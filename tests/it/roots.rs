//! Rotation of the store key under load, with faults and crashes at every commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use strongroom::index::{Faults, Index as _, Table};
use strongroom::keyring::{
    Call, DataKeySize, EncryptionContext, NewKey, ResolvedKey, RootChange, RotationStep, Sealing, Use,
};
use strongroom::objects::Versioning;
use strongroom::sse::Requested;

use crate::simulate::Dice;
use crate::stack::{Stack, account, key, region};

const BY: RootChange = RootChange { uid: 0 };
const KEYS: usize = 5;

/// What was acknowledged and has to stay readable.
struct Kept {
    keys: Vec<(ResolvedKey, Vec<u8>, Vec<u8>)>,
    objects: Vec<(String, Vec<u8>)>,
}

async fn new_key(stack: &Stack) -> Option<(ResolvedKey, Vec<u8>, Vec<u8>)> {
    let grant = stack.grant("kms:CreateKey", "*".to_owned());
    let metadata = stack.keyring.create_key(&grant, &Call::default(), NewKey::default()).await.ok()?;
    let key = stack.keyring.resolve(&stack.access(), &account(), &region(), &metadata.arn).await.ok()?;
    let (context, grant) = (EncryptionContext::new(), stack.grant("kms:GenerateDataKey", key.metadata.arn.clone()));
    let usage = Use { grant: &grant, key: &key, call: Call::default(), dry_run: false };
    let made = stack.keyring.generate(&usage, &context, DataKeySize::Aes256).await.ok()?;
    let (plaintext, ciphertext) = (made.plaintext.expose().to_vec(), made.ciphertext);
    Some((key, plaintext, ciphertext))
}

async fn put(stack: &Stack, name: &str) -> Option<(String, Vec<u8>)> {
    let bucket = stack.bucket("bucket").await;
    let data = name.as_bytes().repeat(100);
    stack.put(&bucket, &key(name), &data, Requested::SseS3).await.ok()?;
    Some((name.to_owned(), data))
}

async fn check(stack: &Stack, kept: &Kept, what: &str) {
    let context = EncryptionContext::new();
    for (key, plaintext, ciphertext) in &kept.keys {
        let grant = stack.grant("kms:Decrypt", key.metadata.arn.clone());
        let usage = Use { grant: &grant, key, call: Call::default(), dry_run: false };
        let mut opened = stack.keyring.open(&usage, Sealing::symmetric(&context), ciphertext).await;
        if opened.is_err() {
            // The fault of this round, which comes once, may have hit the record of this use instead of the rotation.
            opened = stack.keyring.open(&usage, Sealing::symmetric(&context), ciphertext).await;
        }
        let opened = opened.unwrap_or_else(|error| panic!("{what}: key {}: {error:?}", key.metadata.key_id));
        assert_eq!(opened.plaintext.expose(), plaintext, "{what}");
    }
    let bucket = stack.bucket("bucket").await;
    for (name, data) in &kept.objects {
        let read = stack.get(&bucket, &key(name), None, None).await;
        assert_eq!(read.as_ref().ok(), Some(data), "{what}: object {name}: {read:?}");
    }
}

async fn filled(seed: u64) -> (Stack, Kept) {
    let stack = Stack::new(seed).await;
    stack.create_bucket("bucket", Versioning::Never).await;
    let mut kept = Kept { keys: Vec::new(), objects: Vec::new() };
    for at in 0..KEYS {
        kept.keys.push(new_key(&stack).await.unwrap());
        kept.objects.push(put(&stack, &format!("before-{at}")).await.unwrap());
    }
    (stack, kept)
}

/// The process dies at each commit of a rotation in turn, before or after the commit counts; the next one goes on.
#[tokio::test]
async fn a_rotation_that_is_killed_at_any_commit_goes_on() {
    for lost in [false, true] {
        for at in 1.. {
            let what = format!("killed at commit {at}, {}", if lost { "applied" } else { "not applied" });
            let (stack, kept) = filled(at).await;
            let before = stack.keyring.generations();
            let fault = Some(at);
            stack.index.set_faults(match lost {
                true => Faults { lose_answer_in: fault, ..Faults::default() },
                false => Faults { fail_commit_in: fault, ..Faults::default() },
            });
            let rotated = async {
                stack.keyring.rotate_store_key(BY).await?;
                stack.keyring.finish_rotation().await
            };
            let survived = rotated.await.is_ok();
            let stack = stack.crash().await;
            check(&stack, &kept, &what).await;
            if stack.keyring.generations().len() == 1 && stack.keyring.generations() == before {
                // It died before it had begun.
                stack.keyring.rotate_store_key(BY).await.unwrap();
                stack.keyring.finish_rotation().await.unwrap();
            } else {
                // The next process has never sealed under the old generation, so it need not wait.
                assert_ne!(stack.keyring.continue_rotation().await, Ok(RotationStep::Rewrapped), "{what}");
            }
            assert_eq!(stack.keyring.generations().len(), 1, "{what}");
            assert_ne!(stack.keyring.generations(), before, "{what}");
            let stack = stack.crash().await;
            check(&stack, &kept, &what).await;
            stack.audit.verify(None).await.unwrap().unwrap_or_else(|error| panic!("{what}: the trail: {error:?}"));
            if survived {
                assert!(at > 3, "a rotation has more commits than {at}");
                break;
            }
        }
    }
}

/// Keys are made and objects written and read while rotations run one after the other, with crashes by the dice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_becomes_unreadable_under_load() {
    for seed in 0..6 {
        let (mut stack, mut kept) = filled(seed).await;
        let mut dice = Dice::new(seed);
        for round in 0..4 {
            let what = format!("seed {seed}, round {round}");
            if dice.roll(3) > 0 {
                stack.index.set_faults(Faults { fail_commit_in: Some(1 + dice.roll(12)), ..Faults::default() });
            }
            let rotating = Arc::new(AtomicBool::new(true));
            let rotation = async {
                let outcome = stack.keyring.rotate_store_key(BY).await;
                rotating.store(false, Ordering::SeqCst);
                outcome
            };
            let load = async {
                let mut made = Kept { keys: Vec::new(), objects: Vec::new() };
                for at in 0.. {
                    made.keys.extend(new_key(&stack).await);
                    made.objects.extend(put(&stack, &format!("during-{round}-{at}")).await);
                    check(&stack, &made, &what).await;
                    if !rotating.load(Ordering::SeqCst) {
                        break;
                    }
                }
                made
            };
            let (_, made) = tokio::join!(rotation, load);
            kept.keys.extend(made.keys);
            kept.objects.extend(made.objects);
            stack.index.set_faults(Faults::default());
            stack = stack.crash().await;
            check(&stack, &kept, &what).await;
            stack.keyring.continue_rotation().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&stack, &kept, &what).await;
        }
    }
}

/// Every epoch key and every generation of material is under the new generation: none of the Boxes names the old one.
#[tokio::test]
async fn no_box_names_a_retired_generation() {
    let (stack, kept) = filled(1).await;
    let old = stack.keyring.generations();
    stack.keyring.rotate_store_key(BY).await.unwrap();
    stack.keyring.finish_rotation().await.unwrap();
    let everything = strongroom::index::KeyRange::prefix(&[]);
    let rows = stack.index.scan(Table::Meta, &everything, 1_000, strongroom::index::Direction::Forward).await.unwrap();
    let tag: Vec<u8> = (0..32).step_by(2).map(|at| u8::from_str_radix(&old[0][at..at + 2], 16).unwrap()).collect();
    assert!(rows.len() >= 2, "the list of roots and an epoch");
    for (row, value) in rows {
        assert!(!value.windows(16).any(|window| window == tag), "{}", row.escape_ascii());
    }
    check(&stack, &kept, "after the rotation").await;
    let names: Vec<Value> = stack
        .audit
        .list(0, 10_000)
        .await
        .unwrap()
        .iter()
        .map(|record| serde_json::from_str::<Value>(&record.json).unwrap()["eventName"].clone())
        .collect();
    for name in ["RotateStoreKey", "RetireStoreKey"] {
        assert_eq!(names.iter().filter(|found| *found == name).count(), 1, "{name}");
    }
}
