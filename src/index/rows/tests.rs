use proptest::prelude::*;

use super::super::conformance::{CountingLog, runtime};
use super::super::{MemoryIndex, Tuple};
use super::*;
use crate::crypto::{SecretKey, StoreKey};
use crate::sources::{Sources, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
struct Note {
    #[n(0)]
    text: String,
    #[n(1)]
    count: u64,
}

impl Record for Note {
    const TABLE: Table = Table::Bucket;
}

/// As [`Note`] was before it had a count.
#[derive(Debug, minicbor::Encode, minicbor::Decode)]
struct OldNote {
    #[n(0)]
    text: String,
}

impl Record for OldNote {
    const TABLE: Table = Table::Bucket;
}

/// [`Note`], as a later version of the program writes it: a field more, and a new version byte.
#[derive(Debug, minicbor::Encode, minicbor::Decode)]
struct NewNote {
    #[n(0)]
    text: String,
    #[n(1)]
    count: Option<u64>,
    #[n(2)]
    colour: Option<u8>,
}

impl Record for NewNote {
    const TABLE: Table = Table::Bucket;
    const VERSION: u8 = 2;
}

fn note(text: &str) -> Note {
    Note { text: text.to_owned(), count: 7 }
}

async fn rows() -> (Arc<MemoryIndex>, Rows) {
    let index = Arc::new(MemoryIndex::new(Box::new(CountingLog::default())));
    let rows = open(&index).await;
    (index, rows)
}

async fn open(index: &Arc<MemoryIndex>) -> Rows {
    let store_key = StoreKey::new(SecretKey::from_slice(&[3; 32]).unwrap(), [4; 16]);
    let sources = Sources::seeded(1, Timestamp(0));
    let sealer = RowSealer::open(&**index, &store_key, &sources).await.unwrap();
    Rows::new(Arc::<MemoryIndex>::clone(index), Arc::new(sealer))
}

async fn store<R: Record>(rows: &Rows, key: &[u8], record: &R) {
    let mut batch = rows.batch();
    batch.put(key.to_vec(), record);
    rows.commit(batch).await.unwrap();
}

fn is_corrupt<T>(result: Result<T, IndexError>) -> bool {
    matches!(result, Err(error @ IndexError::Corrupt(_)) if error.to_string().contains("corrupt"))
}

#[test]
fn a_record_is_read_as_it_was_written() {
    runtime().block_on(async {
        let (_, rows) = rows().await;
        assert!(rows.load::<Note>(b"k").await.unwrap().is_none());
        store(&rows, b"k", &note("first")).await;
        store(&rows, b"l", &note("second")).await;
        assert_eq!(rows.load::<Note>(b"k").await.unwrap().unwrap().value, note("first"));

        let all = KeyRange::prefix(b"");
        let list = rows.list::<Note>(&all, 10, Direction::Backward).await.unwrap();
        let found: Vec<_> = list.iter().map(|(key, stored)| (key.as_ref(), stored.value.text.as_str())).collect();
        assert_eq!(found, [(b"l".as_slice(), "second"), (b"k", "first")]);
    });
}

#[test]
fn stamps_tell_versions_apart_even_of_equal_records() {
    runtime().block_on(async {
        let (_, rows) = rows().await;
        store(&rows, b"k", &note("same")).await;
        let old = rows.load::<Note>(b"k").await.unwrap().unwrap();
        store(&rows, b"k", &note("same")).await;
        let current = rows.load::<Note>(b"k").await.unwrap().unwrap();
        assert_eq!(old.value, current.value);
        assert_ne!(old.stamp, current.stamp);

        let change = |stamp: &Stamp| {
            let mut batch = rows.batch();
            batch.expect_unchanged(Table::Bucket, b"k".to_vec(), stamp);
            batch.delete(Table::Bucket, b"k".to_vec());
            batch
        };
        assert_eq!(rows.commit(change(&old.stamp)).await, Err(CommitError::Conflict));
        rows.commit(change(&current.stamp)).await.unwrap();
        assert!(rows.load::<Note>(b"k").await.unwrap().is_none());

        let mut again = rows.batch();
        again.expect_absent(Table::Bucket, b"k".to_vec());
        again.put(b"k".to_vec(), &note("new"));
        again.append(b"record".to_vec());
        rows.commit(again).await.unwrap();
        let record = rows.engine().get(Table::Audit, &1_u64.to_be_bytes()).await.unwrap();
        assert_eq!(record.as_deref(), Some(b"record".as_slice()));
    });
}

#[test]
fn older_records_stay_readable_and_newer_ones_are_refused() {
    runtime().block_on(async {
        let (_, rows) = rows().await;
        store(&rows, b"old", &OldNote { text: "old".to_owned() }).await;
        let read = rows.load::<NewNote>(b"old").await.unwrap().unwrap().value;
        assert_eq!((read.text.as_str(), read.count, read.colour), ("old", None, None));

        store(&rows, b"new", &NewNote { text: "new".to_owned(), count: Some(1), colour: Some(2) }).await;
        assert!(is_corrupt(rows.load::<Note>(b"new").await), "a version of the future");
    });
}

#[test]
fn a_row_opens_in_its_own_place_only() {
    runtime().block_on(async {
        let (index, rows) = rows().await;
        store(&rows, b"k", &note("mine")).await;
        let sealed = index.get(Table::Bucket, b"k").await.unwrap().unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"mine"));

        // Moved to another key, to another table, to a key and table that only together spell the same bytes.
        for (table, key) in
            [(Table::Bucket, b"l".as_slice()), (Table::Account, b"k"), (Table::Meta, b"\x03k"), (Table::Bucket, b"")]
        {
            assert!(rows.sealer().open_row(table, key, &sealed).is_err(), "{table:?} {key:?}");
        }
        let mut moved = rows.batch();
        moved.put_sealed(Table::Bucket, b"l".to_vec(), sealed);
        rows.commit(moved).await.unwrap();
        assert!(is_corrupt(rows.load::<Note>(b"l").await));
        assert!(is_corrupt(rows.list::<Note>(&KeyRange::prefix(b""), 10, Direction::Forward).await.map(|_| ())));
    });
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_row_is_corrupt() {
    runtime().block_on(async {
        let (_, rows) = rows().await;
        let sealed = rows.sealer().seal(Table::Bucket, b"k", &encode(&note("text")));
        rows.open_value::<Note>(b"k", sealed.clone()).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(is_corrupt(rows.open_value::<Note>(b"k", flipped.into())), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert!(is_corrupt(rows.open_value::<Note>(b"k", sealed.slice(..end))), "cut at {end}");
        }
    });
}

#[test]
fn what_is_sealed_but_no_record_is_corrupt() {
    let good = encode(&note("text"));
    assert_eq!(decode::<Note>(&good), Ok(note("text")));
    for end in 0..good.len() {
        assert!(decode::<Note>(&good[..end]).is_err(), "cut at {end}");
    }
    assert!(decode::<Note>(&[good.as_slice(), &[0]].concat()).is_err(), "left over");
    for version in [0, 2, 0xff] {
        assert!(decode::<Note>(&[&[version], &good[1..]].concat()).is_err(), "version {version}");
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
        if let Ok(note) = decode::<Note>(&bytes) {
            prop_assert!(decode::<Note>(&encode(&note)) == Ok(note));
        }
    }
}

#[test]
fn rows_of_earlier_processes_open_and_each_process_has_an_epoch_of_its_own() {
    runtime().block_on(async {
        let index = Arc::new(MemoryIndex::default());
        let mut sealed_in = Vec::new();
        for life in 0..5_u8 {
            let rows = open(&index).await;
            store(&rows, &[life], &note("x")).await;
            sealed_in.push(index.get(Table::Bucket, &[life]).await.unwrap().unwrap());
            for earlier in 0..=life {
                assert_eq!(rows.load::<Note>(&[earlier]).await.unwrap().unwrap().value, note("x"));
            }
        }
        let epochs = index.scan(Table::Meta, &KeyRange::prefix(b""), 100, Direction::Forward).await.unwrap();
        let expected: Vec<_> = (1..=5).map(|epoch| Tuple::new().bytes(b"epoch").u32(epoch).build()).collect();
        assert_eq!(epochs.iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>(), expected);
        for (life, sealed) in sealed_in.iter().enumerate() {
            assert_eq!(sealed[1..5], (life as u32 + 1).to_be_bytes());
        }
    });
}
