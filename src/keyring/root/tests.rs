use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use crate::index::MemoryIndex;
use crate::sources::Timestamp;

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

#[tokio::test]
async fn made_once_and_found_again() {
    let store = store(1);
    let first = store.open().await.unwrap();
    let mode = fs::metadata(&store.root.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(fs::read_dir(store.root.path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    let text = fs::read_to_string(&store.root.path).unwrap();
    let again = store.open().await.unwrap();
    assert_eq!(first.key().expose(), again.key().expose());
    assert_eq!(first.generation(), again.generation());
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
async fn a_damaged_or_lost_store_key_record_is_no_empty_store() {
    let store = store(1);
    store.open().await.unwrap();
    let sealed = store.index.get(Table::Meta, &store_key_row()).await.unwrap().unwrap();
    let mut changed = sealed.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let put = |writes| Batch { writes, ..Batch::default() };
    store.index.commit(put(vec![Write::Put(Table::Meta, store_key_row(), changed.into())])).await.unwrap();
    assert!(matches!(store.fault().await, RootError::Damaged(_)));
    let lose = vec![
        Write::Delete(Table::Meta, store_key_row()),
        Write::Put(Table::Bucket, b"b".to_vec(), b"x".to_vec().into()),
    ];
    store.index.commit(put(lose)).await.unwrap();
    assert!(matches!(store.fault().await, RootError::Damaged(_)));
}
