//! Grants over an index in memory: what is found by whom, what goes with what, races and commits that fail.

use futures_util::future::join_all;

use super::*;
use crate::crypto::sha256;
use crate::index::{Direction, Index as _, KeyRange};
use crate::names::{KeyKind, KeySpec, KeyUsage};
use crate::policy::{KeyGrant, Subject, SubjectKind};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const BOB: &str = "arn:aws:iam::111122223333:user/bob";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const CAROL: &str = "arn:aws:iam::444455556666:user/carol";

fn user(arn: &str) -> Subject<'_> {
    let (account, name) = (arn.split(':').nth(4).unwrap(), arn.rsplit('/').next().unwrap());
    Subject { kind: SubjectKind::User { name }, account, canonical_id: "", arn, user_id: "" }
}

fn terms(grantee: &str, operations: &[GrantOperation]) -> GrantTerms {
    GrantTerms {
        grantee: Party::Principal(grantee.to_owned()),
        retiring: None,
        operations: operations.to_vec(),
        context: None,
        source_arn: None,
        name: None,
    }
}

fn decrypt(grantee: &str) -> GrantTerms {
    terms(grantee, &[GrantOperation::Decrypt])
}

impl Fixture {
    async fn make(&self, key: &ResolvedKey, terms: GrantTerms) -> Result<CreatedGrant, KeyringError> {
        self.make_by(key, terms, &Leave::Policy).await
    }

    async fn make_by(&self, key: &ResolvedKey, terms: GrantTerms, leave: &Leave) -> Result<CreatedGrant, KeyringError> {
        let new = NewGrant::new(terms)?;
        let grant = self.on("kms:CreateGrant", key);
        self.keyring.create_grant(&grant, &Call::default(), key, &new, leave, false).await
    }

    async fn revoke(&self, key: &ResolvedKey, id: &str) -> Result<(), KeyringError> {
        self.keyring.revoke_grant(&self.on("kms:RevokeGrant", key), &Call::default(), key, id, false).await
    }

    async fn retire(&self, key: &ResolvedKey, id: &str, by: &Retirer<'_>) -> Result<(), KeyringError> {
        self.keyring.retire_grant(&self.on("kms:RetireGrant", key), &Call::default(), key, id, by, false).await
    }

    async fn list(&self, key: &ResolvedKey, filter: &GrantFilter) -> Vec<String> {
        let (grant, mut ids, mut marker) = (self.on("kms:ListGrants", key), Vec::new(), None);
        loop {
            let paging = (2, marker.as_deref());
            let page = self.keyring.list_grants(&grant, &Call::default(), key, filter, paging).await.unwrap();
            assert!(page.items.len() <= 2 && page.items.iter().all(|entry| entry.key_arn == key.metadata.arn));
            ids.extend(page.items.into_iter().map(|entry| entry.id));
            marker = page.next_marker;
            if marker.is_none() {
                return ids;
            }
        }
    }

    /// Key and id of what a principal may retire.
    async fn retirable(&self, principal: &str) -> Vec<(String, String)> {
        let (grant, mut found, mut marker) = (self.grant("kms:ListRetirableGrants", principal), Vec::new(), None);
        let principal = Party::Principal(principal.to_owned());
        loop {
            let paging = (1, marker.as_deref());
            let page = self.keyring.list_retirable_grants(&grant, &Call::default(), &principal, paging).await.unwrap();
            found.extend(page.items.into_iter().map(|entry| (entry.key_arn, entry.id)));
            marker = page.next_marker;
            if marker.is_none() {
                return found;
            }
        }
    }

    /// The grants that a decision on what `arn` does with the key would see.
    async fn seen(&self, key: &ResolvedKey, subject: &Subject<'_>) -> Vec<String> {
        let grants = self.keyring.grants_of(key, subject).await.unwrap();
        let mut ids: Vec<_> = grants.iter().map(|grant| grant.id().to_owned()).collect();
        ids.sort();
        ids
    }

    async fn grant_rows(&self) -> usize {
        self.index.scan(Table::Grant, &KeyRange::prefix(&[]), 10_000, Direction::Forward).await.unwrap().len()
    }
}

fn sorted(ids: &[&CreatedGrant]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(|made| made.id.clone()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn grants_are_found_by_whom_they_name_on_their_key_at_once() {
    let t = Fixture::new(40).await;
    let (key, other) = (t.create().await, t.create().await);
    assert_eq!(t.seen(&key, &user(ALICE)).await, [""; 0]);
    let first = t.make(&key, decrypt(ALICE)).await.unwrap();
    assert_eq!(first.id.len(), 64);
    assert_eq!(t.seen(&key, &user(ALICE)).await, sorted(&[&first]));
    assert_eq!(t.seen(&key, &user(ALICE)).await, sorted(&[&first]), "from what is held");
    let account = t.make(&key, decrypt(ROOT)).await.unwrap();
    let bob = t.make(&key, decrypt(BOB)).await.unwrap();
    let carol = t.make(&key, decrypt(CAROL)).await.unwrap();
    assert_eq!(t.seen(&key, &user(ALICE)).await, sorted(&[&first, &account]));
    assert_eq!(t.seen(&key, &user(CAROL)).await, sorted(&[&carol]));
    assert_eq!(t.seen(&other, &user(ALICE)).await, [""; 0]);
    assert_eq!(t.seen(&key, &Subject::ANONYMOUS).await, [""; 0]);
    let all = GrantFilter::default();
    assert_eq!(t.list(&key, &all).await, sorted(&[&first, &account, &bob, &carol]));
    assert_eq!(t.list(&other, &all).await, [""; 0]);
    let of = |arn: &str| GrantFilter { id: None, grantee: Some(Party::Principal(arn.to_owned())) };
    assert_eq!(t.list(&key, &of(BOB)).await, sorted(&[&bob]));
    let both = |id: &str| GrantFilter { id: Some(id.to_owned()), ..of(BOB) };
    assert_eq!(t.list(&key, &both(&bob.id)).await, sorted(&[&bob]));
    assert_eq!(t.list(&key, &both(&first.id)).await, [""; 0]);
    assert_eq!(t.list(&other, &both(&bob.id)).await, [""; 0]);

    t.revoke(&key, &first.id).await.unwrap();
    assert_eq!(t.seen(&key, &user(ALICE)).await, sorted(&[&account]), "at once, whatever was held");
    let gone = KeyringError::NotFound(format!("Grant ID {} does not exist", first.id));
    assert_eq!(t.revoke(&key, &first.id).await, Err(gone));
    assert!(matches!(t.revoke(&other, &bob.id).await, Err(KeyringError::NotFound(_))), "a grant is one key's");
    assert_eq!(t.revoke(&key, "x").await, Err(KeyringError::InvalidGrantId));
    for made in [&account, &bob, &carol] {
        t.revoke(&key, &made.id).await.unwrap();
    }
    assert_eq!(t.grant_rows().await, 0, "nothing is left behind");
}

#[tokio::test]
async fn another_gateway_sees_every_change() {
    let t = Fixture::new(41).await;
    let key = t.create().await;
    let audit = t.audit.clone();
    let store_key = t.keyring.store_key().clone();
    let other = KeyRing::new(t.rows.clone(), audit, store_key, t.sources.clone(), t.region.clone());
    let alice = user(ALICE);
    for _ in 0..3 {
        assert_eq!(other.grants_of(&key, &alice).await.unwrap().len(), 0);
        let made = t.make(&key, decrypt(ALICE)).await.unwrap();
        assert_eq!(other.grants_of(&key, &alice).await.unwrap()[0].id(), made.id);
        assert_eq!(other.grant_of_token(&made.token), Ok((key.metadata.arn.clone(), made.id.clone())));
        t.revoke(&key, &made.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_repeated_request_with_a_name_makes_one_grant() {
    let t = Fixture::new(42).await;
    let (key, other) = (t.create().await, t.create().await);
    let named = |terms: GrantTerms| GrantTerms { name: Some("n".to_owned()), ..terms };
    let made = t.make(&key, named(decrypt(ALICE))).await.unwrap();
    let before = t.events().await.len();
    let again = t.make(&key, named(decrypt(ALICE))).await.unwrap();
    assert_eq!(again.id, made.id);
    assert_ne!(again.token, made.token);
    assert_eq!(t.keyring.grant_of_token(&again.token), t.keyring.grant_of_token(&made.token));
    assert_eq!(t.since(before).await, ["CreateGrant"]);
    assert_eq!(t.events().await[before]["responseElements"]["grantId"], made.id);
    let different = t.make(&key, named(decrypt(BOB))).await.unwrap();
    let elsewhere = t.make(&other, named(decrypt(ALICE))).await.unwrap();
    let unnamed = [t.make(&key, decrypt(ALICE)).await.unwrap(), t.make(&key, decrypt(ALICE)).await.unwrap()];
    let ids = sorted(&[&made, &different, &elsewhere, &unnamed[0], &unnamed[1]]);
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
    t.revoke(&key, &made.id).await.unwrap();
    let new = t.make(&key, named(decrypt(ALICE))).await.unwrap();
    assert_ne!(new.id, made.id, "an id never comes back");

    let all_at_once = (0..10).map(|_| t.make(&key, GrantTerms { name: Some("m".to_owned()), ..decrypt(BOB) }));
    let made: Vec<_> = join_all(all_at_once).await.into_iter().map(|made| made.unwrap().id).collect();
    assert!(made.iter().all(|id| *id == made[0]));
}

#[tokio::test]
async fn the_last_grant_that_fits_and_one_more() {
    let t = Fixture::new(43).await;
    let key = t.create().await;
    let named = GrantTerms { name: Some("n".to_owned()), ..decrypt(ALICE) };
    let made = t.make(&key, named.clone()).await.unwrap();
    super::super::grants::set_count(&t.keyring, &KeyPlace::of(&key.metadata), GRANTS_PER_KEY_MAX - 1).await;
    t.make(&key, decrypt(BOB)).await.unwrap();
    let before = t.events().await.len();
    assert!(matches!(t.make(&key, decrypt(BOB)).await, Err(KeyringError::LimitExceeded(_))));
    assert_eq!(t.since(before).await, ["CreateGrant LimitExceededException"]);
    assert_eq!(t.make(&key, named).await.unwrap().id, made.id, "which makes none");
    t.revoke(&key, &made.id).await.unwrap();
    t.make(&key, decrypt(BOB)).await.unwrap();
}

#[tokio::test]
async fn states_and_kinds_that_take_no_grant() {
    let t = Fixture::new(44).await;
    let hmac = KeyKind::new(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac).unwrap();
    let hmac = t.create_as(NewKey { kind: hmac, ..NewKey::default() }).await;
    assert!(matches!(t.make(&hmac, decrypt(ALICE)).await, Err(KeyringError::Validation(_))));
    t.make(&hmac, terms(ALICE, &[GrantOperation::GenerateMac])).await.unwrap();
    let key = t.create().await;
    let made = t.make(&key, decrypt(ALICE)).await.unwrap();
    t.disable(&key).await.unwrap();
    assert_eq!(t.make(&key, decrypt(ALICE)).await, Err(KeyringError::Disabled(key.metadata.arn.clone())));
    t.schedule(&key, 7).await.unwrap();
    assert_eq!(t.make(&key, decrypt(ALICE)).await, Err(KeyringError::PendingDeletion(key.metadata.arn.clone())));
    t.revoke(&key, &made.id).await.unwrap();
}

#[tokio::test]
async fn what_a_grant_passes_on() {
    use GrantOperation::{CreateGrant, Decrypt, Encrypt};
    let t = Fixture::new(45).await;
    let key = t.create().await;
    let parent = t.make(&key, terms(ALICE, &[Decrypt, CreateGrant])).await.unwrap();
    let other = t.make(&key, terms(ALICE, &[Encrypt, CreateGrant])).await.unwrap();
    let no_parent = t.make(&key, terms(ALICE, &[Decrypt])).await.unwrap();
    let by = |ids: &[&str]| {
        let grants = ids.iter().map(|id| KeyGrant::new(id, ALICE, ["CreateGrant"], None).expect("a grantee"));
        Leave::Grants(grants.collect())
    };
    let (parents, both) = (by(&[&parent.id]), by(&[&parent.id, &other.id]));
    let made = t.make_by(&key, decrypt(BOB), &parents).await;
    assert!(made.is_ok());
    assert!(t.make_by(&key, terms(BOB, &[Encrypt]), &both).await.is_ok());
    let before = t.events().await.len();
    let denied = |made: Result<CreatedGrant, KeyringError>| matches!(made, Err(KeyringError::Denied(_)));
    assert!(denied(t.make_by(&key, terms(BOB, &[Encrypt]), &parents).await));
    assert!(denied(t.make_by(&key, terms(BOB, &[Encrypt, Decrypt]), &both).await), "no sum of two");
    assert!(denied(t.make_by(&key, decrypt(BOB), &by(&[&no_parent.id])).await));
    assert!(denied(t.make_by(&key, decrypt(BOB), &by(&[])).await));
    t.revoke(&key, &parent.id).await.unwrap();
    assert!(denied(t.make_by(&key, decrypt(BOB), &parents).await), "which is gone");
    let mut refused = vec!["CreateGrant AccessDenied"; 4];
    refused.extend(["RevokeGrant", "CreateGrant AccessDenied"]);
    assert_eq!(t.since(before).await, refused);
}

#[tokio::test]
async fn grants_are_retired_by_whom_they_say() {
    let t = Fixture::new(46).await;
    let keys = [t.create().await, t.create().await];
    let retired_by = |arn: &str| GrantTerms { retiring: Some(Party::Principal(arn.to_owned())), ..decrypt(ALICE) };
    let made = [
        t.make(&keys[0], retired_by(BOB)).await.unwrap(),
        t.make(&keys[1], retired_by(BOB)).await.unwrap(),
        t.make(&keys[0], retired_by(ROOT)).await.unwrap(),
    ];
    let mut expected: Vec<_> =
        made[..2].iter().zip(&keys).map(|(made, key)| (key.metadata.arn.clone(), made.id.clone())).collect();
    expected.sort();
    assert_eq!(t.retirable(BOB).await, expected);
    assert_eq!(t.retirable(ROOT).await, [(keys[0].metadata.arn.clone(), made[2].id.clone())]);
    assert_eq!(t.retirable(ALICE).await, []);
    let by = |arn| Retirer { subject: user(arn), delegated: false };
    let before = t.events().await.len();
    let denied = |outcome| matches!(outcome, Err(KeyringError::Denied(_)));
    assert!(denied(t.retire(&keys[0], &made[0].id, &by(ALICE)).await), "the grantee has no RetireGrant");
    t.retire(&keys[0], &made[0].id, &by(BOB)).await.unwrap();
    assert!(denied(t.retire(&keys[0], &made[2].id, &by(BOB)).await), "the account did not pass it on");
    t.retire(&keys[0], &made[2].id, &Retirer { delegated: true, ..by(BOB) }).await.unwrap();
    let events = t.events().await;
    let outcomes =
        ["RetireGrant AccessDenied", "RetireGrant", "RetireGrant AccessDenied", "RetireGrant"].map(str::to_owned);
    assert_eq!(t.since(before).await, outcomes);
    assert_eq!(events[before + 1]["additionalEventData"]["grantId"], made[0].id);
    assert_eq!(events[before + 1]["responseElements"]["keyId"], keys[0].metadata.arn);
    assert_eq!(t.retirable(BOB).await.len(), 1);
}

#[tokio::test]
async fn dry_runs_change_nothing() {
    let t = Fixture::new(47).await;
    let key = t.create().await;
    let made = t.make(&key, GrantTerms { name: Some("n".to_owned()), ..decrypt(ALICE) }).await.unwrap();
    let rows = t.grant_rows().await;
    let call = &Call::default();
    for terms in [decrypt(BOB), GrantTerms { name: Some("n".to_owned()), ..decrypt(ALICE) }] {
        let (new, grant) = (NewGrant::new(terms).unwrap(), t.on("kms:CreateGrant", &key));
        let outcome = t.keyring.create_grant(&grant, call, &key, &new, &Leave::Policy, true).await;
        assert_eq!(outcome, Err(KeyringError::DryRun));
    }
    let revoked = t.keyring.revoke_grant(&t.on("kms:RevokeGrant", &key), call, &key, &made.id, true).await;
    assert_eq!(revoked, Err(KeyringError::DryRun));
    let absent = t.keyring.revoke_grant(&t.on("kms:RevokeGrant", &key), call, &key, &"0".repeat(64), true).await;
    assert!(matches!(absent, Err(KeyringError::NotFound(_))));
    let root = Subject { kind: SubjectKind::Root, arn: ROOT, ..user(ALICE) };
    for (subject, expected) in [(root, "DryRunOperationException"), (user(BOB), "AccessDeniedException")] {
        let (by, grant) = (Retirer { subject, delegated: false }, t.on("kms:RetireGrant", &key));
        let outcome = t.keyring.retire_grant(&grant, call, &key, &made.id, &by, true).await;
        assert_eq!(outcome.unwrap_err().code(), expected);
    }
    assert_eq!(t.grant_rows().await, rows);
}

#[tokio::test]
async fn grants_go_with_their_key() {
    let t = Fixture::new(48).await;
    let (key, kept) = (t.create().await, t.create().await);
    let full =
        GrantTerms { retiring: Some(Party::Principal(BOB.to_owned())), name: Some("n".to_owned()), ..decrypt(ALICE) };
    t.make(&kept, full.clone()).await.unwrap();
    let rows = t.grant_rows().await;
    assert_eq!(rows, 5, "a grant, three ways to find it, a count");
    for n in 0..3 {
        t.make(&key, GrantTerms { name: Some(format!("n{n}")), ..full.clone() }).await.unwrap();
    }
    t.schedule(&key, 7).await.unwrap();
    t.sources.advance(Duration::from_secs(7 * 86_400));
    t.index.set_faults(Faults { fail_commit_in: Some(2), ..Faults::default() });
    assert!(t.keyring.destroy_due_keys().await.is_err());
    assert_eq!(t.grant_rows().await, rows + 3 * 4 + 1, "whole, or gone with the key");
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(1));
    assert_eq!(t.grant_rows().await, rows);
    assert_eq!(t.retirable(BOB).await.len(), 1);
    assert_eq!(t.seen(&key, &user(ALICE)).await, [""; 0]);
}

#[tokio::test]
async fn a_change_whose_commit_fails_is_whole_or_absent() {
    let t = Fixture::new(49).await;
    let key = t.create().await;
    let named = GrantTerms { name: Some("n".to_owned()), ..decrypt(ALICE) };
    let fail = || t.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    fail();
    assert!(matches!(t.make(&key, named.clone()).await, Err(KeyringError::Internal(_))));
    assert_eq!((t.grant_rows().await, t.seen(&key, &user(ALICE)).await.len()), (0, 0));
    let made = t.make(&key, named).await.unwrap();
    let rows = t.grant_rows().await;
    fail();
    assert!(matches!(t.revoke(&key, &made.id).await, Err(KeyringError::Internal(_))));
    assert_eq!((t.grant_rows().await, t.seen(&key, &user(ALICE)).await.len()), (rows, 1));
    t.revoke(&key, &made.id).await.unwrap();
    let successes = t.events().await.iter().filter(|e| e["errorCode"].is_null()).count();
    assert_eq!(successes, 3, "CreateKey, CreateGrant, RevokeGrant: nothing is recorded that did not happen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_changes_of_one_keys_grants_all_happen() {
    let t = Arc::new(Fixture::new(50).await);
    let key = t.create().await;
    let change = |n: usize| {
        let (t, key) = (Arc::clone(&t), key.clone());
        tokio::spawn(async move {
            let made = t.make(&key, decrypt([ALICE, BOB][n % 2])).await.unwrap();
            if n.is_multiple_of(3) {
                t.revoke(&key, &made.id).await.unwrap();
                return None;
            }
            // Nobody waits for what is given at once.
            assert!(t.seen(&key, &user([ALICE, BOB][n % 2])).await.contains(&made.id));
            Some(made.id)
        })
    };
    let made = join_all((0..60).map(change)).await;
    let mut left: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
    left.sort();
    assert_eq!(left.len(), 40);
    assert_eq!(t.list(&key, &GrantFilter::default()).await, left);
    assert_eq!(t.grant_rows().await, 40 * 2 + 1);
    assert_eq!(super::super::grants::count(&t.keyring, &KeyPlace::of(&key.metadata)).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_those_who_end_a_grant_one_succeeds() {
    let t = Arc::new(Fixture::new(51).await);
    let key = t.create().await;
    let made = t.make(&key, GrantTerms { retiring: Some(Party::Principal(BOB.to_owned())), ..decrypt(ALICE) }).await;
    let made = made.unwrap();
    let end = |n: usize| {
        let (t, key, id) = (Arc::clone(&t), key.clone(), made.id.clone());
        tokio::spawn(async move {
            let by = Retirer { subject: user(BOB), delegated: false };
            if n.is_multiple_of(2) { t.revoke(&key, &id).await } else { t.retire(&key, &id, &by).await }
        })
    };
    let ended = join_all((0..8).map(end)).await;
    assert_eq!(ended.into_iter().filter(|outcome| outcome.as_ref().unwrap().is_ok()).count(), 1);
    assert_eq!(t.grant_rows().await, 0);
}

#[tokio::test]
async fn members_of_a_set_have_grants_of_their_own() {
    let t = Fixture::new(52).await;
    let primary = t.create_as(NewKey { multi_region: true, ..NewKey::default() }).await;
    let region = Region::parse("eu-west-1").unwrap();
    let new = NewReplica { region, description: String::new(), policy: None, tags: Vec::new() };
    let (grant, create) = (t.on("kms:ReplicateKey", &primary), t.grant("kms:CreateKey", "*"));
    let made = t.keyring.replicate_key(&grant, &create, &Call::default(), &primary, new).await.unwrap();
    let replica = t.keyring.find_key(KeyPlace::of(&made.metadata)).await.unwrap();
    let made = t.make(&primary, decrypt(ALICE)).await.unwrap();
    assert_eq!(t.seen(&replica, &user(ALICE)).await, [""; 0]);
    assert!(matches!(t.revoke(&replica, &made.id).await, Err(KeyringError::NotFound(_))));
    assert_eq!(t.seen(&primary, &user(ALICE)).await, sorted(&[&made]));
}

#[tokio::test]
async fn tokens_outlive_a_restart_and_a_new_store_key() {
    let (mut t, _) = root::tests::with_root(53).await;
    let key = t.create().await;
    let made = t.make(&key, decrypt(ALICE)).await.unwrap();
    let named = Ok((key.metadata.arn.clone(), made.id.clone()));
    t.keyring.rotate_store_key(root::tests::BY).await.unwrap();
    t.keyring.finish_rotation().await.unwrap();
    t.restart();
    assert_eq!(t.keyring.grant_of_token(&made.token), named);
    assert_eq!(t.seen(&key, &user(ALICE)).await, [made.id.as_str()]);
    let digest: String = sha256(made.token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    for no_token in ["", "x", &digest, &made.token[4..], &made.id] {
        assert_eq!(t.keyring.grant_of_token(no_token), Err(KeyringError::InvalidGrantToken), "{no_token}");
    }
}
