use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::change::seal_to;
use super::open::{STORE_KEY_LABEL, parse_generations, render_generations};
use super::record::{GenerationTag, RootList, roots_row, single_root_row};
use super::*;
use crate::crypto::{BoxHeader, Context, Generation, SealBox, SecretBytes, SecretKey, StoreKey, seal_box};
use crate::index::{Batch, Index as _, MemoryIndex, Table, Write};
use crate::keyring::tests::Fixture;
use crate::sources::{Sources, Timestamp};

pub(in crate::keyring) const BY: RootChange = RootChange { uid: 1000 };

struct Store {
    _dir: TempDir,
    root: KeyFile,
    index: MemoryIndex,
    sources: Sources,
}

fn store(seed: u64) -> Store {
    let dir = TempDir::new().unwrap();
    let root = KeyFile { path: dir.path().join("root.key") };
    Store { _dir: dir, root, index: MemoryIndex::default(), sources: Sources::seeded(seed, Timestamp(0)) }
}

impl Store {
    async fn open(&self) -> Result<StoreKey, RootError> {
        open_store_key(&self.index, &self.root, &self.sources).await
    }

    async fn fault(&self) -> RootError {
        self.open().await.err().expect("this must fail")
    }
}

/// What makes two store keys the same.
fn exposed(store_key: &StoreKey) -> Vec<(Generation, [u8; 32])> {
    store_key.generations().iter().map(|one| (one.generation(), *one.key().expose())).collect()
}

#[tokio::test]
async fn made_once_and_found_again() {
    let store = store(1);
    let first = exposed(&store.open().await.unwrap());
    let mode = fs::metadata(&store.root.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(fs::read_dir(store.root.path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    let text = fs::read_to_string(&store.root.path).unwrap();
    assert_eq!(exposed(&store.open().await.unwrap()), first);
    assert_eq!(fs::read_to_string(&store.root.path).unwrap(), text);
    assert!(text.starts_with("strongroom-root-key v1 "), "{text}");
}

#[tokio::test]
async fn an_existing_root_file_serves_an_empty_store() {
    let (one, two) = (store(1), store(2));
    one.open().await.unwrap();
    fs::copy(&one.root.path, &two.root.path).unwrap();
    two.open().await.unwrap();
    assert_eq!(fs::read(&one.root.path).unwrap(), fs::read(&two.root.path).unwrap());
}

#[tokio::test]
async fn the_name_that_a_crash_has_left_goes_and_nothing_else() {
    let store = store(1);
    store.open().await.unwrap();
    let path = |name: &str| store.root.path.with_file_name(name);
    fs::hard_link(&store.root.path, path("root.new-0011223344556677")).unwrap();
    // A name that somebody gave it, a copy, another key, and what only looks like one.
    fs::hard_link(&store.root.path, path("backup.key")).unwrap();
    fs::copy(&store.root.path, path("root.new-8899aabbccddeeff")).unwrap();
    std::os::unix::fs::symlink(&store.root.path, path("root.new-link")).unwrap();
    fs::create_dir(path("root.new-directory")).unwrap();
    store.open().await.unwrap();
    let names = fs::read_dir(path("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["backup.key", "root.key", "root.new-8899aabbccddeeff", "root.new-directory", "root.new-link"]);
}

#[tokio::test]
async fn a_missing_root_is_never_replaced() {
    let store = store(1);
    store.open().await.unwrap();
    fs::remove_file(&store.root.path).unwrap();
    assert!(matches!(store.fault().await, RootError::Missing(_)));
    assert!(!store.root.path.exists());
}

#[tokio::test]
async fn a_wrong_root_is_told_apart_from_damage() {
    let (one, two) = (store(1), store(2));
    one.open().await.unwrap();
    two.open().await.unwrap();
    let right = fs::read_to_string(&one.root.path).unwrap();
    fs::copy(&two.root.path, &one.root.path).unwrap();
    let wrong = one.fault().await;
    assert!(matches!(&wrong, RootError::WrongRoot(text) if text.contains(&right[23..55])), "{wrong}");
    let changed = right.replacen(&right[60..61], if &right[60..61] == "A" { "B" } else { "A" }, 1);
    for bad in [&changed, &right[..40], "", "hello\nworld\n", &right.replace("v1", "v2"), &right[..right.len() - 9]] {
        fs::write(&one.root.path, bad).unwrap();
        assert!(matches!(one.fault().await, RootError::Malformed(_)), "{bad}");
    }
    fs::write(&one.root.path, &right).unwrap();
    assert!(one.open().await.is_ok());
}

#[tokio::test]
async fn loose_permissions_are_refused() {
    let store = store(1);
    store.open().await.unwrap();
    for mode in [0o640, 0o604, 0o660, 0o610] {
        fs::set_permissions(&store.root.path, fs::Permissions::from_mode(mode)).unwrap();
        let fault = store.fault().await;
        assert!(matches!(&fault, RootError::Permissions(text) if text.contains("chmod 600")), "{fault}");
    }
}

#[tokio::test]
async fn a_damaged_or_lost_list_is_no_empty_store() {
    let store = store(1);
    store.open().await.unwrap();
    let stored = store.index.get(Table::Meta, &roots_row()).await.unwrap().unwrap();
    let put = |writes| Batch { writes, ..Batch::default() };
    for at in (0..stored.len()).step_by(13).chain([stored.len() - 1]) {
        let mut changed = stored.to_vec();
        changed[at] ^= 1;
        store.index.commit(put(vec![Write::Put(Table::Meta, roots_row(), changed.into())])).await.unwrap();
        // A changed id makes the right file look like another store's.
        assert!(matches!(store.fault().await, RootError::Damaged(_) | RootError::WrongRoot(_)), "byte {at}");
    }
    for end in [0, 4, 5, 31, 40, stored.len() - 1] {
        let cut = stored.slice(..end);
        store.index.commit(put(vec![Write::Put(Table::Meta, roots_row(), cut)])).await.unwrap();
        assert!(matches!(store.fault().await, RootError::Damaged(_)), "cut at {end}");
    }
    let lose =
        vec![Write::Delete(Table::Meta, roots_row()), Write::Put(Table::Bucket, b"b".to_vec(), b"x".to_vec().into())];
    store.index.commit(put(lose)).await.unwrap();
    assert!(matches!(store.fault().await, RootError::Damaged(_)));
}

/// Who can write the index must not be able to have the next generation sealed to a root of his own.
#[tokio::test]
async fn a_public_half_that_was_exchanged_is_noticed() {
    let store = store(1);
    let store_key = store.open().await.unwrap();
    let stored = store.index.get(Table::Meta, &roots_row()).await.unwrap().unwrap();
    let mut list = RootList::parse(&stored).unwrap();
    list.roots[0].recipient = RootSecret::generate(&store.sources).recipient().public().as_bytes().to_vec();
    let other = StoreKey::for_tests(&store.sources);
    for (by, noticed) in [(&other, true), (&store_key, false)] {
        let write = Write::Put(Table::Meta, roots_row(), list.render(by).into());
        store.index.commit(Batch { writes: vec![write], ..Batch::default() }).await.unwrap();
        assert_eq!(store.open().await.is_err(), noticed);
    }
}

#[tokio::test]
async fn a_store_of_one_root_becomes_a_list_when_it_is_opened() {
    let store = store(1);
    let secret = RootSecret::generate(&store.sources);
    store.root.make(&secret, &store.sources).unwrap();
    let header = BoxHeader { key_id: secret.id().0.to_vec(), generation: Generation::default() };
    let seal = SealBox { key: secret.key(), label: STORE_KEY_LABEL, header: &header, context: &Context::new() };
    let sealed = seal_box(&seal, &[[7; 16].as_slice(), &[8; 32]].concat(), &store.sources);
    let writes = vec![Write::Put(Table::Meta, single_root_row(), sealed.into())];
    store.index.commit(Batch { writes, ..Batch::default() }).await.unwrap();

    let roots = Roots::load(&store.index).await.unwrap().unwrap();
    assert_eq!(roots.list()[0].id(), secret.id());
    let wrong = roots.open(&RootSecret::generate(&store.sources), "what was given");
    assert!(matches!(wrong, Err(RootError::WrongRoot(_))));
    for _ in 0..2 {
        assert_eq!(exposed(&store.open().await.unwrap()), [([7; 16], [8; 32])]);
        assert_eq!(store.index.get(Table::Meta, &single_root_row()).await.unwrap(), None);
    }
}

/// A key module whose store has one root, `first`, which opens it by itself.
pub(in crate::keyring) async fn with_root(seed: u64) -> (Fixture, RootSecret) {
    let fixture = Fixture::new(seed).await;
    let secret = RootSecret::generate(&fixture.sources);
    let store_key = fixture.keyring.store_key();
    let root = seal_to(&NewRoot::of(&secret, "first", Method::KeyFile), store_key, &fixture.sources).unwrap();
    let generations = store_key.generations().iter().map(|one| GenerationTag(one.generation())).collect();
    let list = RootList { roots: vec![root], generations };
    let writes = vec![Write::Put(Table::Meta, roots_row(), list.render(store_key).into())];
    fixture.index.commit(Batch { writes, ..Batch::default() }).await.unwrap();
    (fixture, secret)
}

async fn opened(fixture: &Fixture, secret: &RootSecret) -> Result<Vec<(Generation, [u8; 32])>, RootError> {
    Roots::load(&*fixture.index).await?.expect("there are roots").open(secret, "test").map(|key| exposed(&key))
}

fn new_root(fixture: &Fixture, name: &str, method: Method) -> (RootSecret, NewRoot) {
    let secret = RootSecret::generate(&fixture.sources);
    let root = NewRoot::of(&secret, name, method);
    (secret, root)
}

#[tokio::test]
async fn every_root_opens_the_store_until_it_is_removed() {
    let (fixture, first) = with_root(1).await;
    let (second, root) = new_root(&fixture, "second", Method::Shares { threshold: 2, count: 3 });
    assert!(matches!(opened(&fixture, &second).await, Err(RootError::WrongRoot(_))));
    fixture.keyring.add_root(&root, BY).await.unwrap();
    let key = exposed(fixture.keyring.store_key());
    for secret in [&first, &second] {
        assert_eq!(opened(&fixture, secret).await.as_ref(), Ok(&key));
    }
    fixture.keyring.remove_root("first", &[first.id()], BY).await.unwrap();
    assert!(matches!(opened(&fixture, &first).await, Err(RootError::WrongRoot(_))));
    assert_eq!(opened(&fixture, &second).await, Ok(key));

    let events = fixture.events().await;
    let told: Vec<_> = events.iter().map(|e| (&e["eventName"], &e["serviceEventDetails"]["rootName"])).collect();
    assert_eq!(told, [(&"AddRoot".into(), &"second".into()), (&"RemoveRoot".into(), &"first".into())]);
    assert_eq!(events[0]["serviceEventDetails"]["uid"], 1000);
}

#[tokio::test]
async fn refused_changes_change_nothing_and_leave_no_record() {
    let (fixture, first) = with_root(1).await;
    let keyring = &fixture.keyring;
    let (_, file) = new_root(&fixture, "file", Method::KeyFile);
    keyring.add_root(&file, BY).await.unwrap();
    let before = keyring.roots().await.unwrap();

    for (root, reason) in [
        (NewRoot::of(&first, "again", Method::KeyFile), "this is root first already"),
        (new_root(&fixture, "file", Method::KeyFile).1, "there is a root file already"),
        (new_root(&fixture, "", Method::KeyFile).1, "is none for a root"),
        (new_root(&fixture, "a b", Method::KeyFile).1, "is none for a root"),
        (new_root(&fixture, &"n".repeat(ROOT_NAME_MAX_CHARS + 1), Method::KeyFile).1, "is none for a root"),
    ] {
        let refusal = keyring.add_root(&root, BY).await.expect_err("refused").to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
    // Its file is not there, so it does not count: `first` is the last one that opens the store.
    for (name, usable, reason) in [
        ("first", vec![first.id()], "the last usable root"),
        ("first", vec![], "the last usable root"),
        ("third", vec![first.id()], "there is no root third; there is: first, file"),
    ] {
        let refusal = keyring.remove_root(name, &usable, BY).await.expect_err("refused").to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
    assert_eq!(keyring.roots().await.unwrap(), before);
    assert_eq!(fixture.events().await.len(), 1);

    for n in before.len()..ROOTS_MAX {
        keyring.add_root(&new_root(&fixture, &format!("r{n}"), Method::Credential).1, BY).await.unwrap();
    }
    let refusal = keyring.add_root(&new_root(&fixture, "more", Method::Credential).1, BY).await;
    assert!(matches!(refusal, Err(RootError::Refused(text)) if text.contains("at most 16")));
}

#[tokio::test]
async fn a_rotation_reaches_roots_whose_secret_is_not_there() {
    let (fixture, first) = with_root(1).await;
    let (second, root) = new_root(&fixture, "second", Method::Shares { threshold: 2, count: 3 });
    fixture.keyring.add_root(&root, BY).await.unwrap();
    let old = exposed(fixture.keyring.store_key());
    assert_eq!(fixture.keyring.rotate_store_key(BY).await, Ok(RotationStep::Rewrapped));
    let both = exposed(fixture.keyring.store_key());
    assert_eq!((both.len(), both[0]), (2, old[0]));
    assert_eq!(opened(&fixture, &second).await, Ok(both.clone()));
    // The process that began it waits; asked again it begins no second one.
    assert_eq!(fixture.keyring.continue_rotation().await, Ok(RotationStep::Rewrapped));
    assert_eq!(fixture.keyring.rotate_store_key(BY).await, Ok(RotationStep::Rewrapped));
    assert_eq!(exposed(fixture.keyring.store_key()), both);

    assert_eq!(fixture.keyring.finish_rotation().await, Ok(RotationStep::Retired));
    for secret in [&first, &second] {
        assert_eq!(opened(&fixture, secret).await.as_deref(), Ok(&both[1..]));
    }
    assert_eq!(fixture.keyring.continue_rotation().await, Ok(RotationStep::None));
    let names: Vec<_> = fixture.events().await.iter().map(|e| e["eventName"].clone()).collect();
    assert_eq!(names, ["AddRoot", "RotateStoreKey", "RetireStoreKey"]);
}

fn text(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

#[test]
fn shares_are_read_as_people_type_them_and_slips_are_told() {
    let sources = Sources::seeded(1, Timestamp(0));
    let (secret, other) = (RootSecret::generate(&sources), RootSecret::generate(&sources));
    let printed = |secret| -> Vec<String> {
        let shares = split(secret, 2, 3, &sources).unwrap();
        shares.iter().map(|share| String::from_utf8(share.expose().to_vec()).unwrap()).collect()
    };
    let (shares, others) = (printed(&secret), printed(&other));
    let combined = |typed: &[&str]| {
        let parsed = typed.iter().map(|share| parse_share(&text(share))).collect::<Result<Vec<_>, _>>();
        parsed.and_then(combine).map(|secret| secret.id()).map_err(|error| error.to_string())
    };
    assert_eq!(combined(&[&shares[0], &shares[2]]), Ok(secret.id()));
    assert_eq!(
        combined(&[&shares[1].to_uppercase().replace('-', "  "), &format!(" {}\r\n", shares[0])]),
        Ok(secret.id())
    );
    assert_eq!(combined(&[&shares[0], &shares[1], &shares[2]]), Ok(secret.id()));
    let slip = shares[0].replacen('1', "7", 1);
    for (typed, reason) in [
        (vec![&*shares[0]], "2 shares are needed, and 1 were given"),
        (vec![&*shares[0], &*shares[0]], "one share was given twice"),
        (vec![&*shares[0], &*others[1]], "these shares are of different roots"),
        (vec![], "no share was given"),
        (vec![&*slip, &*shares[1]], "a digit is wrong"),
        (vec![&shares[0][1..]], "it has 93 digits instead of 94"),
        (vec!["hello"], "it has other signs than 0-9, a-f"),
        (vec!["é"], "it has other signs than 0-9, a-f"),
    ] {
        let refusal = combined(&typed).expect_err("refused");
        assert!(refusal.contains(reason), "{refusal}");
    }
}

/// What the first version wrote; it must be read for ever.
#[test]
fn golden() {
    let fixture = include_str!("../../../fixtures/roots/list-1.txt");
    let field = |name: &str| {
        let line = fixture.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.unwrap_or_else(|| panic!("the fixture has {name}"))
    };
    let bytes = |name: &str| -> Vec<u8> {
        let digits = field(name);
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    let secret = RootSecret::of_key(SecretKey::from_slice(&bytes("root")).unwrap());
    assert_eq!(secret.id().to_string(), field("root-id"));
    let list = RootList::parse(&bytes("stored")).unwrap();
    let described: Vec<_> = list.roots.iter().map(|root| format!("{} {}", root.name, root.method.name())).collect();
    assert_eq!(described.join(", "), field("roots"));
    for root in &list.roots {
        let plain = secret.recipient().open(STORE_KEY_LABEL, &Context::new(), &root.sealed);
        assert_eq!(plain.is_ok(), root.id() == secret.id());
    }
    let own = list.roots.iter().find(|root| root.id() == secret.id()).unwrap();
    let plain = secret.recipient().open(STORE_KEY_LABEL, &Context::new(), &own.sealed).ok().unwrap();
    let store_key = parse_generations(&plain).unwrap();
    assert_eq!(hex(render_generations(&store_key).expose()), field("store-key"));
    RootList::verify(&bytes("stored"), &store_key).unwrap();
    assert_eq!(list.render(&store_key), bytes("stored"));
    let shares = [field("share-1"), field("share-2")].map(|share| parse_share(&text(share)).unwrap());
    assert_eq!(combine(shares.into()).unwrap().id(), secret.id());
    let file = field("key-file").replace("\\n", "\n");
    assert_eq!(parse_key_text(file.as_bytes()).ok().unwrap().id(), secret.id());
    assert_eq!(make_key_text(&secret).expose(), file.as_bytes());
}
