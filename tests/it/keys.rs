//! Seeded simulation of KMS keys: several callers and workers make, rotate, replicate, switch, schedule and use the
//! same keys while commits fail, lose their answers and the process dies. After each round every key is whole or
//! absent: what was acknowledged opens, the members of a set agree, and the trail, played back, is what there is. A
//! failing run prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use strongroom::auth::Grant;
use strongroom::index::Faults;
use strongroom::keyring::{
    Call, EncryptionContext, KeyMetadata, KeyState, KeyringError, NewKey, NewReplica, ResolvedKey,
};
use strongroom::names::Region;

use crate::simulate::Dice;
use crate::stack::{Stack, account, region};

const SEEDS: std::ops::Range<u64> = 0..24;
const ROUNDS: usize = 30;
const CALLERS: usize = 5;
const KEYS_MAX: usize = 6;
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy)]
enum Action {
    Use,
    RotateOnDemand,
    EnableRotation,
    Switch(bool),
    Schedule,
    Cancel,
    Replicate,
    Work,
}

/// What was acknowledged.
#[derive(Default)]
struct Known {
    /// Ids of keys, and whether they are multi-Region keys.
    keys: BTreeMap<String, bool>,
    /// Data keys that were handed out: key id, plaintext, ciphertext.
    sealed: Vec<(String, Vec<u8>, Vec<u8>)>,
}

fn elsewhere() -> Region {
    Region::parse("eu-west-1").unwrap()
}

#[tokio::test]
async fn every_key_is_whole_or_absent() {
    let mut seen = BTreeMap::<String, usize>::new();
    for seed in SEEDS {
        println!("seed {seed}");
        let stack = run(seed).await;
        for record in stack.audit.list(0, 100_000).await.unwrap() {
            let event: Value = serde_json::from_str(&record.json).unwrap();
            *seen.entry(event["eventName"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    // The dice came to everything.
    for name in
        ["CreateKey", "DeleteKey", "ReplicateKey", "RotateKey", "RotateKeyOnDemand", "SynchronizeMultiRegionKey"]
    {
        assert!(seen.get(name).is_some_and(|count| *count >= 10), "{name}: {seen:?}");
    }
}

async fn run(seed: u64) -> Stack {
    let mut dice = Dice::new(seed);
    let mut stack = Stack::new(seed).await;
    let mut known = Known::default();
    for _ in 0..ROUNDS {
        let soon = Some(1 + dice.roll(8));
        stack.index.set_faults(match dice.roll(5) {
            0 => Faults { fail_commit_in: soon, ..Faults::default() },
            1 => Faults { lose_answer_in: soon, ..Faults::default() },
            _ => Faults::default(),
        });
        if known.keys.len() < KEYS_MAX {
            create(&stack, &mut known, dice.roll(2) == 0).await;
        }
        let ids: Vec<String> = known.keys.keys().cloned().collect();
        let calls: Vec<_> = (0..CALLERS)
            .filter_map(|_| Some((ids.get(dice.roll(ids.len().max(1) as u64) as usize)?, action(&mut dice))))
            .collect();
        let made = join_all(calls.into_iter().map(|(id, action)| act(&stack, id, action))).await;
        known.sealed.extend(made.into_iter().flatten());
        stack.sources.advance(DAY * u32::try_from(dice.roll(40)).unwrap());
        stack.index.set_faults(Faults::default());
        if dice.roll(3) == 0 || stack.audit.record(&stack.event("Probe", Value::Null)).await.is_err() {
            // An index whose outcome is unknown takes nothing more until it is opened again.
            stack = stack.crash().await;
        }
        work(&stack).await.unwrap();
        check(&stack, &known, seed).await;
    }
    stack
}

fn action(dice: &mut Dice) -> Action {
    match dice.roll(12) {
        0..=3 => Action::Use,
        4 => Action::RotateOnDemand,
        5 => Action::EnableRotation,
        6 => Action::Switch(false),
        7 => Action::Switch(true),
        8 => Action::Schedule,
        9 => Action::Cancel,
        10 => Action::Replicate,
        _ => Action::Work,
    }
}

async fn create(stack: &Stack, known: &mut Known, multi_region: bool) {
    let grant = stack.grant("kms:CreateKey", "*".to_owned());
    let new = NewKey { multi_region, ..NewKey::default() };
    if let Ok(made) = stack.keyring.create_key(&grant, &Call::default(), new).await {
        known.keys.insert(made.key_id, multi_region);
    }
}

async fn find(stack: &Stack, id: &str, region: &Region) -> Result<ResolvedKey, KeyringError> {
    stack.keyring.resolve(&stack.access_in(region.clone()), &account(), region, id).await
}

/// Everything that is due, by three workers at once.
async fn work(stack: &Stack) -> Result<(), KeyringError> {
    let pass = || async {
        stack.keyring.destroy_due_keys().await?;
        stack.keyring.rotate_due_keys().await
    };
    let (one, two, three) = futures_util::join!(pass(), pass(), pass());
    one.and(two).and(three).map(drop)
}

/// Does it, in a Region where the key is; what a use handed out.
async fn act(stack: &Stack, id: &str, action: Action) -> Option<(String, Vec<u8>, Vec<u8>)> {
    let key = find(stack, id, &region()).await.ok()?;
    let grant = |action| stack.grant(action, key.metadata.arn.clone());
    let (ring, call) = (&stack.keyring, Call::default());
    match action {
        Action::Use => return use_key(stack, &key, &grant("kms:GenerateDataKey")).await,
        Action::RotateOnDemand => {
            let _ = ring.rotate_on_demand(&grant("kms:RotateKeyOnDemand"), &call, &key).await;
        }
        Action::EnableRotation => {
            let _ = ring.enable_rotation(&grant("kms:EnableKeyRotation"), &call, &key, Some(90)).await;
        }
        Action::Switch(true) => drop(ring.enable_key(&grant("kms:EnableKey"), &call, &key).await),
        Action::Switch(false) => drop(ring.disable_key(&grant("kms:DisableKey"), &call, &key).await),
        Action::Schedule => {
            let there = find(stack, id, &elsewhere()).await.ok();
            let _ = ring.schedule_deletion(&grant("kms:ScheduleKeyDeletion"), &call, &key, 7).await;
            if let Some(replica) = there {
                let grant = stack.grant("kms:ScheduleKeyDeletion", replica.metadata.arn.clone());
                let _ = ring.schedule_deletion(&grant, &call, &replica, 7).await;
            }
        }
        Action::Cancel => drop(ring.cancel_deletion(&grant("kms:CancelKeyDeletion"), &call, &key).await),
        Action::Replicate => {
            let create = stack.grant("kms:CreateKey", "*".to_owned());
            let (description, policy, tags) = (String::new(), None, Vec::new());
            let new = NewReplica { region: elsewhere(), description, policy, tags };
            let _ = ring.replicate_key(&grant("kms:ReplicateKey"), &create, &call, &key, new).await;
        }
        Action::Work => drop(work(stack).await),
    }
    None
}

async fn use_key(stack: &Stack, key: &ResolvedKey, grant: &Grant) -> Option<(String, Vec<u8>, Vec<u8>)> {
    let made = stack.keyring.generate_data_key(grant, key, 32, &EncryptionContext::new(), false).await.ok()?;
    Some((key.metadata.key_id.clone(), made.plaintext.expose().to_vec(), made.ciphertext))
}

/// What the trail says of a key.
#[derive(Default)]
struct Told {
    created: usize,
    deleted: usize,
    rotations: usize,
}

async fn check(stack: &Stack, known: &Known, seed: u64) {
    stack.audit.verify(None).await.unwrap().unwrap_or_else(|e| panic!("seed {seed}: the audit chain: {e:?}"));
    let mut told: BTreeMap<(String, String), Told> = BTreeMap::new();
    for record in stack.audit.list(0, 100_000).await.unwrap() {
        let event: Value = serde_json::from_str(&record.json).unwrap();
        let Some(arn) = event["resources"][0]["ARN"].as_str().filter(|_| event["errorCode"].is_null()) else {
            continue;
        };
        let (arn_region, id) = (arn.split(':').nth(3).unwrap(), arn.rsplit('/').next().unwrap());
        let told = told.entry((arn_region.to_owned(), id.to_owned())).or_default();
        match event["eventName"].as_str().unwrap() {
            "CreateKey" => told.created += 1,
            "DeleteKey" => told.deleted += 1,
            "RotateKey" | "RotateKeyOnDemand" => told.rotations += 1,
            _ => {}
        }
    }
    for ((place, id), told) in &told {
        let place = Region::parse(place).unwrap();
        let found = find(stack, id, &place).await;
        assert_eq!(found.is_ok(), told.created > told.deleted, "seed {seed}: {id} in {place}: {found:?}");
        assert!(told.created <= told.deleted + 1, "seed {seed}: {id} was made twice");
        if let Ok(key) = found {
            check_key(stack, &key.metadata, told, seed).await;
        }
    }
    for id in known.keys.keys() {
        assert!(told.contains_key(&("us-east-1".to_owned(), id.clone())), "seed {seed}: {id} has no record");
    }
    for (id, plain, ciphertext) in &known.sealed {
        for place in [region(), elsewhere()] {
            let Ok(key) = find(stack, id, &place).await else { continue };
            let grant = stack.grant("kms:Decrypt", key.metadata.arn.clone());
            let opened = stack.keyring.decrypt(&grant, &key, ciphertext, &EncryptionContext::new(), false).await;
            match opened {
                Ok(opened) => assert_eq!(opened.plaintext.expose(), plain, "seed {seed}: {id}"),
                Err(error) => {
                    let state = key.metadata.state;
                    assert_ne!(state, KeyState::Enabled, "seed {seed}: {id} in {place}: {error:?}");
                }
            }
        }
    }
}

/// One generation of material a rotation that was recorded, in each member of a set; and members know each other.
async fn check_key(stack: &Stack, key: &KeyMetadata, told: &Told, seed: u64) {
    let grant = stack.grant("kms:ListKeyRotations", key.arn.clone());
    let access = stack.access_in(key.region.clone());
    let resolved = stack.keyring.resolve(&access, &account(), &key.region, &key.arn).await.unwrap();
    let list = stack.keyring.list_rotations(&grant, &Call::default(), &resolved, true, (1000, None)).await.unwrap();
    let generations = list.items.len();
    let Some(set) = &key.multi_region else {
        assert_eq!(generations, told.rotations + 1, "seed {seed}: {}", key.key_id);
        return;
    };
    let mut ids = BTreeSet::new();
    for place in std::iter::once(&set.primary).chain(&set.replicas) {
        let member = find(stack, &key.key_id, place).await.unwrap().metadata;
        assert_eq!(member.multi_region.as_ref(), Some(set), "seed {seed}: {} in {place}", key.key_id);
        ids.insert(member.current_material_id);
    }
    assert_eq!(ids.len(), 1, "seed {seed}: members of {} have different material", key.key_id);
    if set.primary == key.region {
        assert_eq!(generations, told.rotations + 1, "seed {seed}: {}", key.key_id);
    }
}
