//! Rotation, deletion and expiry by time: clocks that jump, workers that race, commits that fail.

use futures_util::future::join_all;

use super::*;
use crate::keyring::record::LastUseRecord;
use crate::names::KeyKind;

const DAY: Duration = Duration::from_secs(86_400);
const YEAR_MS: i64 = 365 * 86_400_000;

impl Fixture {
    async fn rotating(&self, days: u32) -> ResolvedKey {
        let key = self.create().await;
        let grant = self.on("kms:EnableKeyRotation", &key);
        self.keyring.enable_rotation(&grant, &Call::default(), &key, Some(days)).await.unwrap();
        key
    }

    async fn generations(&self, key: &ResolvedKey) -> usize {
        self.record(key).await.materials.len()
    }

    async fn exists(&self, key: &ResolvedKey) -> bool {
        self.find(&key.metadata.key_id).await.is_ok()
    }

    /// Days pass, and the worker comes by on each of them.
    async fn days(&self, days: u32) {
        for _ in 0..days {
            self.sources.advance(DAY);
            self.keyring.destroy_due_keys().await.unwrap();
            self.keyring.rotate_due_keys().await.unwrap();
        }
    }

    async fn count(&self, name: &str) -> usize {
        self.events().await.iter().filter(|event| event["eventName"] == name).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_happens_once_under_many_triggers() {
    let t = Arc::new(Fixture::new(20).await);
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(t.rotating(90).await);
    }
    t.sources.advance(90 * DAY);
    let passes = (0..8).map(|_| {
        let t = Arc::clone(&t);
        tokio::spawn(async move { t.keyring.rotate_due_keys().await })
    });
    let rotated: usize = join_all(passes).await.into_iter().map(|pass| pass.unwrap().unwrap()).sum();
    assert_eq!(rotated, keys.len());
    assert_eq!(t.count("RotateKey").await, keys.len());
    for key in &keys {
        assert_eq!(t.generations(key).await, 2);
    }
    assert_eq!(t.keyring.rotate_due_keys().await, Ok(0));
}

#[tokio::test]
async fn a_rotation_whose_commit_fails_is_whole_or_absent() {
    let t = Fixture::new(21).await;
    let key = t.rotating(90).await;
    let made = t.data_key(&key).await.ok().unwrap();
    t.sources.advance(90 * DAY);
    t.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    assert!(t.keyring.rotate_due_keys().await.is_err());
    assert_eq!((t.generations(&key).await, t.count("RotateKey").await), (1, 0));
    assert_eq!(t.keyring.rotate_due_keys().await, Ok(1));
    assert_eq!((t.generations(&key).await, t.count("RotateKey").await), (2, 1));
    assert!(t.open(&key, &made.ciphertext).await.is_ok());
}

#[tokio::test]
async fn a_key_that_fails_holds_up_no_other() {
    let t = Fixture::new(29).await;
    let keys = [t.create().await, t.create().await];
    for key in &keys {
        t.schedule(key, 7).await.unwrap();
    }
    t.sources.advance(7 * DAY);
    t.index.set_faults(Faults { fail_commit_in: Some(2), ..Faults::default() });
    // The first commit is the clock's.
    assert!(t.keyring.destroy_due_keys().await.is_err());
    assert_eq!(t.count("DeleteKey").await, 1);
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(1));
}

#[tokio::test]
async fn more_keys_than_a_page_that_wait_do_not_hold_up_others() {
    let t = Fixture::new(22).await;
    // Their deletion is scheduled under a clock that is a year slow: they stand at the head of the queue.
    let mut waiting = Vec::new();
    for _ in 0..130 {
        waiting.push(t.create().await);
    }
    t.sources.jump(-YEAR_MS);
    for key in &waiting {
        t.schedule(key, 7).await.unwrap();
    }
    t.sources.jump(YEAR_MS);
    let due = t.create().await;
    t.schedule(&due, 7).await.unwrap();
    // By the wall clock 130 are long over, by the trusted one none is.
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(0));
    t.sources.advance(7 * DAY);
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(131));
}

#[tokio::test]
async fn a_clock_that_jumps_hurries_nothing() {
    // While the gateway runs: forward, at once.
    let t = Fixture::new(23).await;
    let (key, rotating) = (t.create().await, t.rotating(90).await);
    t.schedule(&key, 7).await.unwrap();
    t.sources.jump(10 * YEAR_MS);
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(0));
    assert_eq!(t.keyring.rotate_due_keys().await, Ok(0));
    t.days(6).await;
    assert!(t.exists(&key).await);
    t.days(1).await;
    assert!(!t.exists(&key).await, "seven days have passed");
    assert_eq!(t.generations(&rotating).await, 1);
    t.days(83).await;
    assert_eq!(t.generations(&rotating).await, 2);
    // It was wrong when the deletion was scheduled, and is set right.
    let key = t.create().await;
    t.sources.jump(-20 * YEAR_MS);
    t.schedule(&key, 7).await.unwrap();
    t.sources.jump(20 * YEAR_MS);
    t.days(6).await;
    assert!(t.exists(&key).await);
    t.days(1).await;
    assert!(!t.exists(&key).await);
    // Back: nothing goes before its date on the wall clock.
    let key = t.create().await;
    t.schedule(&key, 7).await.unwrap();
    t.sources.jump(-YEAR_MS);
    t.days(30).await;
    assert!(t.exists(&key).await);
    t.sources.jump(YEAR_MS);
    t.days(1).await;
    assert!(!t.exists(&key).await);
}

#[tokio::test]
async fn a_start_trusts_three_days_of_what_the_clock_says() {
    let mut t = Fixture::new(24).await;
    let key = t.create().await;
    t.schedule(&key, 7).await.unwrap();
    t.keyring.destroy_due_keys().await.unwrap();
    // Switched off for a day, and the clock is a year ahead afterwards; each later start sees a clock that stands.
    t.sources.jump(YEAR_MS);
    for _ in 0..5 {
        t.restart();
        t.keyring.destroy_due_keys().await.unwrap();
        assert!(t.exists(&key).await);
    }
    t.days(3).await;
    assert!(t.exists(&key).await, "six of the seven days");
    t.days(1).await;
    assert!(!t.exists(&key).await);
}

#[tokio::test]
async fn nights_that_a_gateway_is_off_count() {
    let mut t = Fixture::new(25).await;
    let key = t.create().await;
    t.schedule(&key, 7).await.unwrap();
    for _ in 0..7 {
        assert!(t.exists(&key).await);
        t.keyring.destroy_due_keys().await.unwrap();
        t.sources.jump(86_400_000);
        t.restart();
    }
    t.keyring.destroy_due_keys().await.unwrap();
    assert!(!t.exists(&key).await);
}

#[tokio::test]
async fn a_use_and_its_note_are_one_commit_and_uses_do_not_wait_for_each_other() {
    let t = Fixture::new(26).await;
    let key = t.create().await;
    let row = record::last_use_row(&key.metadata.arn);
    t.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    assert!(t.data_key(&key).await.is_err());
    assert!(t.rows.load::<LastUseRecord>(&row).await.unwrap().is_none());
    let uses = join_all((0..20).map(|_| t.data_key(&key))).await;
    assert!(uses.iter().all(Result::is_ok));
    let noted = t.rows.load::<LastUseRecord>(&row).await.unwrap().unwrap().value;
    let last = t.events().await.pop().unwrap();
    assert_eq!(last["eventID"], noted.event_id, "the last in the trail");
    assert_eq!(last["requestID"], noted.request_id);
}

#[tokio::test]
async fn material_expires_at_its_time_whether_the_worker_comes_by_or_not() {
    let t = Fixture::new(28).await;
    let key = t.create_as(NewKey { origin: KeyOrigin::External, ..NewKey::default() }).await;
    let made = t.import_parameters(&key).await;
    t.import(&key, &made, &[5; 32], ImportType::New, Some(START.plus(DAY))).await.unwrap();
    let sealed = t.data_key(&key).await.ok().unwrap();
    t.sources.advance(DAY - Duration::from_millis(1));
    assert!(t.open(&key, &sealed.ciphertext).await.is_ok());
    t.sources.advance(Duration::from_millis(1));
    let uses = join_all((0..8).map(|_| t.open(&key, &sealed.ciphertext))).await;
    let pending = KeyringError::InvalidState(format!("{} is pending import.", key.metadata.arn));
    for refused in uses {
        assert_eq!(refused.err(), Some(pending.clone()));
    }
    assert_eq!(t.keyring.expire_due_material().await, Ok(0));
    assert_eq!(t.count("DeleteExpiredKeyMaterial").await, 1);
    let record = t.record(&key).await;
    assert!(record.state == KeyState::PendingImport && record.materials[0].wrapped.is_empty());
}

#[tokio::test]
async fn a_destroyed_id_is_never_used_again() {
    let t = Fixture::new(27).await;
    let key = t.create().await;
    t.schedule(&key, 7).await.unwrap();
    t.sources.advance(7 * DAY);
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(1));
    let place = KeyPlace::of(&key.metadata);
    let mut batch = t.rows.batch();
    let record = t.keyring.new_record(&place, String::new(), KeyKind::SYMMETRIC, None);
    manage::put_new_key(&mut batch, &place, &record);
    assert!(t.rows.commit(batch).await.is_err());
}
