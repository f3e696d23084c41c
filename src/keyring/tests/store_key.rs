//! Rotation of the store key reaches everything that is wrapped under it.

use super::*;
use crate::crypto::{Generation, SecretBytes};
use crate::index::{Batch, Direction, Index as _, KeyRange, Write};
use crate::keyring::ciphertext::unwrap_material;
use crate::keyring::custom_store::{KeyStoresRecord, SECRET_LABEL, secret_context, stores_row};
use crate::keyring::record::{MaterialRecord, OwnedRecord, owned_row};
use crate::keyring::root::RotationStep;
use crate::keyring::root::tests::{BY, with_root};
use crate::names::{KeyKind, KeySpec, KeyUsage};

/// A key of each way to have material, by what it shows.
struct Keys {
    rotated: ResolvedKey,
    asymmetric: ResolvedKey,
    /// Imported, with more material that waits for its rotation.
    pending: ResolvedKey,
    /// Whose imported material was deleted: there are no bytes to wrap.
    emptied: ResolvedKey,
    primary: ResolvedKey,
    replica: ResolvedKey,
}

impl Keys {
    fn all(&self) -> [&ResolvedKey; 6] {
        [&self.rotated, &self.asymmetric, &self.pending, &self.emptied, &self.primary, &self.replica]
    }
}

impl Fixture {
    async fn external(&self) -> ResolvedKey {
        self.create_as(NewKey { origin: KeyOrigin::External, ..NewKey::default() }).await
    }

    /// A custom key store over a token.
    async fn key_store(&self) -> String {
        let backend = NewBackend::Token {
            cluster_id: "cluster-abcdefghija".to_owned(),
            trust_anchor: "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n".to_owned(),
            pin: SecretBytes::new(b"pin-of-the-token".to_vec()),
        };
        let grant = self.grant("kms:CreateCustomKeyStore", "*");
        let new = NewKeyStore { name: "hsm".to_owned(), backend };
        self.keyring.create_key_store(&grant, &Call::default(), new).await.unwrap()
    }

    async fn store_secret(&self, id: &str) -> Vec<u8> {
        let row = stores_row(&self.region, &self.account);
        let stored = self.rows.load::<KeyStoresRecord>(&row).await.unwrap().unwrap().value;
        let wrapped = &stored.find(id).unwrap().wrapped_secret;
        let opened = self.keyring.store_key().unwrap(SECRET_LABEL, &secret_context(id), wrapped);
        opened.ok().unwrap().expose().to_vec()
    }

    async fn one_of_each(&self) -> Keys {
        let rotated = self.create().await;
        self.rotate(&rotated).await.unwrap();
        let kind = KeyKind::new(KeySpec::P256, KeyUsage::SignVerify).unwrap();
        let asymmetric = self.create_as(NewKey { kind, ..NewKey::default() }).await;
        let (pending, emptied) = (self.external().await, self.external().await);
        for (key, material) in [(&pending, [5; 32]), (&pending, [6; 32]), (&emptied, [7; 32])] {
            let made = self.import_parameters(key).await;
            self.import(key, &made, &material, ImportType::New, None).await.unwrap();
        }
        let grant = self.on("kms:DeleteImportedKeyMaterial", &emptied);
        self.keyring.delete_imported(&grant, &Call::default(), &emptied, None).await.unwrap();
        let primary = self.create_as(NewKey { multi_region: true, ..NewKey::default() }).await;
        let region = Region::parse("eu-west-1").unwrap();
        let new = NewReplica { region, description: String::new(), policy: None, tags: Vec::new() };
        let (grant, create) = (self.on("kms:ReplicateKey", &primary), self.grant("kms:CreateKey", "*"));
        let made = self.keyring.replicate_key(&grant, &create, &Call::default(), &primary, new).await.unwrap();
        let replica = self.keyring.find_key(KeyPlace::of(&made.metadata)).await.unwrap();
        Keys { rotated, asymmetric, pending, emptied, primary, replica }
    }

    /// The rows, in whatever table, that show the tag of a generation of the store key: every Box does in its header.
    async fn rows_with(&self, generation: &Generation) -> Vec<(Table, Vec<u8>)> {
        let mut found = Vec::new();
        for table in Table::ALL {
            let rows = self.index.scan(table, &KeyRange::prefix(&[]), 1000, Direction::Forward).await.unwrap();
            assert!(rows.len() < 1000, "all of them were read");
            for (row, value) in rows {
                // Epoch keys and the list of roots are the rows that no epoch seals.
                let plain = match table {
                    Table::Meta => value.to_vec(),
                    _ => self.rows.sealer().open_row(table, &row, &value).unwrap(),
                };
                if plain.windows(generation.len()).any(|window| window == generation) {
                    found.push((table, row.to_vec()));
                }
            }
        }
        found
    }

    /// Unwraps all that the record of `key` holds, and says how much it was.
    async fn unwrapped(&self, key: &ResolvedKey) -> usize {
        let record = self.record(key).await;
        let present = record.all_materials().filter(|material| material.is_present());
        let open = |m: &MaterialRecord| {
            unwrap_material(self.keyring.store_key(), &key.metadata.key_id, &m.tag, &m.wrapped)
                .unwrap_or_else(|error| panic!("{}: {error:?}", key.metadata.arn));
        };
        present.map(open).count()
    }
}

#[tokio::test]
async fn all_that_the_old_store_key_wraps_opens_without_it() {
    let (mut t, secret) = with_root(30).await;
    let keys = t.one_of_each().await;
    let counts = [2, 1, 2, 0, 1, 1];
    let symmetric = [&keys.rotated, &keys.pending, &keys.primary];
    let mut sealed = Vec::new();
    for key in symmetric {
        sealed.push(t.data_key(key).await.ok().unwrap());
    }
    let owned = t.keyring.owned_key().await.ok().unwrap().wrap(&Context::new(), b"object key");
    // What clients hold.
    let store = t.key_store().await;
    let waiting = t.external().await;
    let parameters = t.import_parameters(&waiting).await;
    let list = t.grant("kms:ListKeys", "*");
    let first = t.keyring.list_keys(&list, &Call::default(), 1, None).await.unwrap();

    let old = t.keyring.store_key().generation();
    let wrapped = t.rows_with(&old).await;
    let holds = |row: Vec<u8>| wrapped.contains(&(Table::Key, row));
    for (key, count) in keys.all().into_iter().zip(counts) {
        assert_eq!(holds(KeyPlace::of(&key.metadata).row()), count > 0, "{}", key.metadata.arn);
    }
    assert!(holds(owned_row("sse-s3")));
    assert_eq!(wrapped.iter().filter(|(table, _)| *table == Table::Meta).count(), 2, "an epoch, the list of roots");
    assert!(holds(stores_row(&t.region, &t.account)));
    assert_eq!(wrapped.len(), 9, "a kind of wrapped thing that this test does not open: {wrapped:?}");

    assert_eq!(t.keyring.rotate_store_key(BY).await, Ok(RotationStep::Rewrapped));
    assert_eq!(t.keyring.finish_rotation().await, Ok(RotationStep::Retired));
    assert_eq!(t.rows_with(&old).await, []);

    // Another process, with what the root opens and nothing in its caches.
    let opened = Roots::load(&*t.index).await.unwrap().unwrap().open(&secret, "test").unwrap();
    assert_eq!(opened.generations().len(), 1);
    RowSealer::open(&*t.index, &opened, &t.sources).await.unwrap();
    t.restart();
    for (key, count) in keys.all().into_iter().zip(counts) {
        assert_eq!(t.unwrapped(key).await, count, "{}", key.metadata.arn);
    }
    for (key, made) in symmetric.into_iter().zip(&sealed) {
        assert_eq!(t.open(key, &made.ciphertext).await.ok().unwrap().plaintext.expose(), made.plaintext.expose());
    }
    assert!(t.rows.load::<OwnedRecord>(&owned_row("sse-s3")).await.unwrap().is_some());
    assert_eq!(t.store_secret(&store).await, b"pin-of-the-token");
    let unwrapped = t.keyring.owned_key().await.ok().unwrap().unwrap(&Context::new(), &owned);
    assert_eq!(unwrapped.ok().unwrap().expose(), b"object key");
    t.rotate(&keys.pending).await.unwrap();
    assert!(t.data_key(&keys.pending).await.is_ok(), "the imported material whose turn it is now");

    assert!(t.import(&waiting, &parameters, &[8; 32], ImportType::New, None).await.is_ok(), "the token's day goes on");
    let marker = first.next_marker.as_deref();
    let second = t.keyring.list_keys(&list, &Call::default(), 1, marker).await.unwrap();
    assert_ne!(second.items, first.items);
}

#[tokio::test]
async fn an_old_copy_with_the_old_store_key_opens_nothing_that_is_written_after_a_rotation() {
    let (t, secret) = with_root(31).await;
    let stolen_key = Roots::load(&*t.index).await.unwrap().unwrap().open(&secret, "test").unwrap();
    let meta = t.index.scan(Table::Meta, &KeyRange::prefix(&[]), 1000, Direction::Forward).await.unwrap();
    let writes = meta.into_iter().map(|(key, value)| Write::Put(Table::Meta, key.to_vec(), value)).collect();
    let copy = MemoryIndex::default();
    copy.commit(Batch { writes, ..Batch::default() }).await.unwrap();
    let thief = RowSealer::open(&copy, &stolen_key, &t.sources).await.unwrap();
    let opens = async |key: &ResolvedKey| {
        let row = KeyPlace::of(&key.metadata).row();
        let sealed = t.index.get(Table::Key, &row).await.unwrap().unwrap();
        thief.open_row(Table::Key, &row, &sealed).is_ok()
    };
    let before = t.create().await;
    assert!(opens(&before).await);
    t.keyring.rotate_store_key(BY).await.unwrap();
    assert!(!opens(&t.create().await).await);
    t.keyring.finish_rotation().await.unwrap();
    assert!(!opens(&t.create().await).await);
}

#[tokio::test]
async fn a_rotation_that_fails_at_its_new_epoch_makes_it_when_it_is_asked_for_again() {
    let (t, _) = with_root(32).await;
    let epoch = t.rows.sealer().current_epoch();
    t.index.set_faults(Faults { full_in: Some(2), ..Faults::default() });
    assert!(t.keyring.rotate_store_key(BY).await.is_err());
    assert_eq!((t.keyring.store_key().generations().len(), t.rows.sealer().current_epoch()), (2, epoch));
    assert_eq!(t.keyring.rotate_store_key(BY).await, Ok(RotationStep::Rewrapped));
    assert_eq!(t.rows.sealer().current_epoch(), epoch + 1);
}
