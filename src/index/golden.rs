//! The golden bytes of what the index itself stores, and the guard that no table and no record is without any.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::conformance::runtime;
use super::rows::{decode, encode};
use super::{Batch, Direction, Index, KeyRange, MemoryIndex, Record, RowSealer, Table, Tuple, Write};
use crate::crypto::{SecretKey, StoreKey};
use crate::golden::{Golden, check, places};
use crate::names::hex;
use crate::sources::{Sources, Timestamp};

/// A record before it is sealed: the version byte and the fields.
pub(crate) fn row<R: Record + Debug + 'static>(name: &str, key: &[u8], value: &R) -> Golden {
    let read = |bytes: &[u8]| decode::<R>(bytes).unwrap_or_else(|error| panic!("{error}"));
    let path = std::any::type_name::<R>();
    // Of a record of something, such as `Configured<BucketTags>`, both names.
    let last = |path: &str| path.rsplit("::").next().unwrap_or(path).to_owned();
    let record = match path.strip_suffix('>').and_then(|path| path.split_once('<')) {
        Some((record, of)) => format!("{}<{}>", last(record), last(of)),
        None => last(path),
    };
    Golden::of(name, value, encode, read).at(R::TABLE.name(), key).of_record(&record)
}

/// A sealer over an index that has these rows in [`Table::Meta`], with the same store key and entropy each time.
fn sealer(rows: &[(Vec<u8>, Vec<u8>)]) -> (Arc<MemoryIndex>, RowSealer) {
    let writes =
        rows.iter().map(|(key, value)| Write::Put(Table::Meta, key.clone(), Bytes::from(value.clone()))).collect();
    let store_key = StoreKey::new(SecretKey::from_slice(&[2; 32]).expect("32 bytes"), [4; 16]);
    let index = Arc::new(MemoryIndex::default());
    let opened = runtime().block_on(async {
        index.commit(Batch { writes, ..Batch::default() }).await.expect("committed");
        RowSealer::open(&*index, &store_key, &Sources::seeded(1, Timestamp(0))).await.expect("opened")
    });
    (index, opened)
}

/// The row of the first epoch, as a new store has it.
fn epoch_row() -> (Vec<u8>, Vec<u8>) {
    let (index, _) = sealer(&[]);
    let rows = runtime().block_on(index.scan(Table::Meta, &KeyRange::prefix(b""), 9, Direction::Forward));
    let mut rows = rows.expect("read");
    let (key, value) = rows.pop().expect("a new store has an epoch");
    assert!(rows.is_empty(), "and no more");
    (key.to_vec(), value.to_vec())
}

#[test]
fn golden() {
    let (epoch_key, epoch) = epoch_row();
    let derived = hex(sealer(&[]).1.derive(1, b"label").expect("the first epoch").expose());
    let row = epoch_key.clone();
    let read_epoch = move |bytes: &[u8]| {
        let (_, sealer) = sealer(&[(row.clone(), bytes.to_vec())]);
        hex(sealer.derive(1, b"label").expect("it is there").expose())
    };
    let stored = (epoch_key.clone(), epoch.clone());
    let read_row = move |bytes: &[u8]| {
        let (_, sealer) = sealer(std::slice::from_ref(&stored));
        sealer.open_row(Table::Key, b"row", bytes).expect("it opens").escape_ascii().to_string()
    };
    let tuple = Tuple::new().bytes(b"a\0b").open_bytes(b"").u64(7).u32(8).id(&[9; 3]).bytes(b"").build();
    check(
        "index",
        &[
            Golden::of("epoch key", &derived, |_| epoch, read_epoch).at("meta", &epoch_key),
            Golden::of(
                "sealed row",
                &"plain".to_owned(),
                |_| sealer(&[]).1.seal(Table::Key, b"row", b"plain").to_vec(),
                read_row,
            ),
            Golden::of(
                "tuple",
                &(Some(b"a\0b".to_vec()), Some(7), Some(8), Some([9; 3]), Some(Vec::new())),
                |_| tuple,
                |bytes| {
                    let mut reader = super::TupleReader::new(bytes);
                    (reader.bytes(), reader.u64(), reader.u32(), reader.id(), reader.bytes())
                },
            ),
        ],
    );
}

/// What stands in each table has golden bytes.
#[test]
fn no_table_is_without_golden_bytes() {
    let held: BTreeSet<String> = places().into_iter().filter_map(|place| place.table).collect();
    let wanted: BTreeSet<String> = Table::ALL.into_iter().map(|table| table.name().to_owned()).collect();
    assert_eq!(held, wanted, "see fixtures/formats");
}

/// Every type that is stored as a sealed record has golden bytes.
#[test]
fn no_record_is_without_golden_bytes() {
    let mut records = BTreeSet::new();
    find_records(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut records);
    let held: BTreeSet<String> = places().into_iter().filter_map(|place| place.record).collect();
    assert_eq!(held, records, "see fixtures/formats");
}

fn find_records(folder: &Path, records: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("the source is readable").path();
        if path.is_dir() {
            find_records(&path, records);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            let text = std::fs::read_to_string(&path).expect("source is text");
            let names = text.lines().filter_map(|line| line.strip_prefix("impl Record for ")?.strip_suffix(" {"));
            records.extend(names.map(str::to_owned));
            let configurations =
                text.lines().filter_map(|line| line.strip_prefix("impl BucketConfiguration for ")?.strip_suffix(" {"));
            records.extend(configurations.map(|name| format!("Configured<{name}>")));
        }
    }
}
