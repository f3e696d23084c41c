use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::audit::{ChainSequencer, EventKind, ExportVerifyError, LoadError, verify_export};
use crate::auth::system;
use crate::crypto::{SecretKey, StoreKey};
use crate::index::{Batch, Faults, Index, MemoryIndex, RowSealer, Write as IndexWrite};
use crate::names::{AccountId, Region};
use crate::sources::Timestamp;

const GATEWAY: GatewayId = [7; 16];

struct Trail {
    index: Arc<MemoryIndex>,
    sealer: Arc<RowSealer>,
    audit: Audit,
}

impl Trail {
    async fn new() -> Self {
        Self::over(MemoryIndex::default()).await.expect("an empty chain is whole")
    }

    /// Opens the trail in an index, as a start of the program does.
    async fn over(index: MemoryIndex) -> Result<Self, LoadError> {
        let sources = Sources::seeded(1, Timestamp(1_795_572_000_000));
        let store_key = StoreKey::new(SecretKey::from_slice(&[1; 32]).unwrap(), [2; 16]);
        let sealer = Arc::new(RowSealer::open(&index, &store_key, &sources).await.map_err(LoadError::Index)?);
        index.start(Box::new(ChainSequencer::load(&index, Arc::clone(&sealer), GATEWAY).await?));
        let index = Arc::new(index);
        let rows = Rows::new(Arc::<MemoryIndex>::clone(&index), Arc::clone(&sealer));
        Ok(Self { index, sealer, audit: Audit::new(rows, GATEWAY, sources) })
    }

    async fn with_records(count: usize) -> Self {
        let trail = Self::new().await;
        for _ in 0..count {
            trail.audit.record(&event()).await.expect("the index answers");
        }
        trail
    }

    async fn head(&self) -> Link {
        self.audit.verify(None).await.unwrap().unwrap()
    }

    /// Changes rows behind the back of the program.
    async fn tamper(&self, write: IndexWrite) {
        self.index.commit(Batch { writes: vec![write], ..Batch::default() }).await.unwrap();
    }

    async fn row(&self, seq: u64) -> Bytes {
        self.index.get(Table::Audit, &chain::row_key(&GATEWAY, seq)).await.unwrap().expect("the row is there")
    }

    async fn export(&self, after: u64, last: Option<u64>) -> (Result<Link, ExportError>, Vec<u8>) {
        let mut out = Vec::new();
        (self.audit.export(after, last, &mut out).await, out)
    }
}

fn event() -> Event {
    let region = Region::parse("us-east-1").unwrap();
    Event {
        access: system("sweeper", region, Timestamp(0)),
        source: "kms.amazonaws.com",
        name: "DeleteKey",
        kind: EventKind::ServiceEvent,
        request: json!({"keyId": "1234"}),
        response: Value::Null,
        additional: Value::Null,
        error: None,
        read_only: false,
        management: true,
        resources: Vec::new(),
        via_s3: false,
        recipient: AccountId::parse("111122223333").unwrap(),
    }
}

#[tokio::test]
async fn records_are_listed_in_order_with_their_ids() {
    let trail = Trail::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(trail.audit.record(&event()).await.unwrap().event_id().to_owned());
    }
    let records = trail.audit.list(0, 10).await.unwrap();
    let mut link = Link::GENESIS;
    for (record, id) in records.iter().zip(&ids) {
        link = link.followed_by(record.json.as_bytes());
        assert_eq!(record.link, link);
        let json: Value = serde_json::from_str(&record.json).unwrap();
        assert_eq!(json["eventID"], id.as_str());
        assert_eq!(json["additionalEventData"]["job"], "sweeper");
    }
    assert_eq!(trail.audit.list(0, 2).await.unwrap(), records[..2]);
    assert_eq!(trail.audit.list(1, 10).await.unwrap(), records[1..]);
    assert_eq!(trail.audit.list(3, 10).await.unwrap(), []);
    assert_eq!(trail.audit.list(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(trail.head().await, link);
}

#[tokio::test]
async fn a_change_and_its_record_commit_together() {
    let trail = Trail::with_records(1).await;
    let rows = &trail.audit.rows;
    let put = || {
        let mut batch = rows.batch();
        batch.expect_absent(Table::Bucket, b"b".to_vec());
        batch.put_sealed(Table::Bucket, b"b".to_vec(), Bytes::from_static(b"value"));
        batch
    };
    trail.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    assert!(matches!(trail.audit.commit(put(), &event()).await, Err(CommitError::Engine(IndexError::Engine(_)))));
    assert_eq!((trail.index.get(Table::Bucket, b"b").await, trail.head().await.seq), (Ok(None), 1), "neither");

    let recorded = trail.audit.commit(put(), &event()).await.unwrap();
    assert!(trail.index.get(Table::Bucket, b"b").await.unwrap().is_some());
    let record = trail.audit.list(1, 10).await.unwrap().pop().expect("one record was added");
    assert_eq!((record.link.seq, record.json.contains(recorded.event_id())), (2, true));

    assert!(matches!(trail.audit.commit(put(), &event()).await, Err(CommitError::Conflict)));
    assert_eq!(trail.head().await.seq, 2, "a change that was refused leaves no record");
}

#[tokio::test]
async fn more_records_than_a_page_verify_and_export() {
    let trail = Trail::with_records(2 * PAGE_ROWS + 1).await;
    let head = trail.head().await;
    assert_eq!(head.seq, 2 * PAGE_ROWS as u64 + 1);
    let (written, file) = trail.export(0, None).await;
    assert_eq!(written.unwrap(), head);
    assert_eq!(verify_export(&file[..], Some(head)).unwrap().head, head);
}

#[tokio::test]
async fn the_chain_goes_on_after_a_crash() {
    let trail = Trail::with_records(2).await;
    trail.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    let error = trail.audit.record(&event()).await.expect_err("fail closed");
    assert!(matches!(error, AuditError(CommitError::Engine(IndexError::Engine(_)))), "{error}");

    let trail = Trail::over(trail.index.crash()).await.unwrap();
    trail.audit.record(&event()).await.unwrap();
    trail.index.set_faults(Faults { lose_answer_in: Some(1), ..Faults::default() });
    trail.audit.record(&event()).await.expect_err("fail closed");

    let trail = Trail::over(trail.index.crash()).await.unwrap();
    trail.audit.record(&event()).await.unwrap();
    assert_eq!(trail.head().await.seq, 5, "two, one, one whose answer was lost, one");
}

#[tokio::test]
async fn tampering_is_found_at_its_place() {
    let trail = Trail::with_records(5).await;
    let (good, key) = (trail.head().await, |seq| chain::row_key(&GATEWAY, seq));
    let original = trail.row(3).await;

    let mut flipped = original.to_vec();
    flipped[20] ^= 1;
    trail.tamper(IndexWrite::Put(Table::Audit, key(3), flipped.into())).await;
    assert_eq!(trail.audit.verify(None).await, Ok(Err(VerifyError::Changed(3))));
    assert!(matches!(trail.audit.list(0, 10).await, Err(IndexError::Corrupt(_))));
    assert_eq!(trail.audit.list(3, 10).await.unwrap().len(), 2);

    trail.tamper(IndexWrite::Put(Table::Audit, key(3), trail.row(4).await)).await;
    assert_eq!(trail.audit.verify(None).await, Ok(Err(VerifyError::Changed(3))), "a row of another place");

    // Even who holds the index key and can seal rows cannot change one without all that follow.
    let forged = Link { seq: 2, hash: [0; 32] }.followed_by(b"{}");
    let forged = trail.sealer.seal(Table::Audit, &key(3), &Row { hash: &forged.hash, record: b"{}" }.render());
    trail.tamper(IndexWrite::Put(Table::Audit, key(3), forged)).await;
    assert_eq!(trail.audit.verify(None).await, Ok(Err(VerifyError::Changed(3))));

    trail.tamper(IndexWrite::Delete(Table::Audit, key(3))).await;
    assert_eq!(trail.audit.verify(None).await, Ok(Err(VerifyError::Missing(3))));
    trail.tamper(IndexWrite::Put(Table::Audit, key(3), original)).await;
    assert_eq!(trail.audit.verify(Some(good)).await, Ok(Ok(good)));

    trail.tamper(IndexWrite::Delete(Table::Audit, key(5))).await;
    assert_eq!(trail.head().await.seq, 4, "only a noted head can tell");
    let truncated = VerifyError::Truncated { found: 4, expected: 5 };
    assert_eq!(trail.audit.verify(Some(good)).await, Ok(Err(truncated)));
}

#[tokio::test]
async fn a_chain_that_is_broken_at_its_end_is_not_gone_on_with() {
    for (damage, expected) in [(1, VerifyError::Missing(2)), (2, VerifyError::Changed(3)), (3, VerifyError::Changed(2))]
    {
        let trail = Trail::with_records(3).await;
        let key = |seq| chain::row_key(&GATEWAY, seq);
        let garbage = Bytes::from_static(&[1; 80]);
        trail
            .tamper(match damage {
                1 => IndexWrite::Delete(Table::Audit, key(2)),
                2 => IndexWrite::Put(Table::Audit, key(3), garbage),
                _ => IndexWrite::Put(Table::Audit, key(2), garbage),
            })
            .await;
        match Trail::over(trail.index.crash()).await {
            Err(LoadError::Broken(error)) => assert_eq!(error, expected),
            _ => panic!("the chain was gone on with: {expected}"),
        }
    }
}

#[tokio::test]
async fn chains_of_gateways_are_apart() {
    let trail = Trail::with_records(2).await;
    let other = Audit::new(trail.audit.rows.clone(), [8; 16], trail.audit.sources.clone());
    assert_eq!(other.verify(None).await, Ok(Ok(Link::GENESIS)));
    assert_eq!(other.list(0, 10).await.unwrap(), []);
    let before = Audit::new(trail.audit.rows.clone(), [6; 16], trail.audit.sources.clone());
    assert_eq!(before.list(0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_range_is_exported() {
    let trail = Trail::with_records(5).await;
    let links: Vec<Link> = trail.audit.list(0, 10).await.unwrap().into_iter().map(|record| record.link).collect();
    for (after, last, head) in [(0, Some(2), 2), (2, Some(4), 4), (2, None, 5), (5, None, 5), (0, Some(9), 5)] {
        let (written, file) = trail.export(after, last).await;
        let head = links[head - 1];
        assert_eq!(written.unwrap(), head);
        let exported = verify_export(&file[..], None).unwrap();
        assert_eq!((exported.gateway, exported.after.seq, exported.head), (GATEWAY, after, head));
    }
    let (nothing, _) = trail.export(6, None).await;
    assert!(matches!(nothing, Err(ExportError::Broken(VerifyError::Missing(6)))));

    trail.tamper(IndexWrite::Delete(Table::Audit, chain::row_key(&GATEWAY, 3))).await;
    let (broken, file) = trail.export(0, None).await;
    assert!(matches!(broken, Err(ExportError::Broken(VerifyError::Missing(3)))));
    assert!(matches!(verify_export(&file[..], None), Err(ExportVerifyError::Incomplete)));
}

#[tokio::test]
async fn records_are_found_by_their_request() {
    let trail = Trail::new().await;
    let denied = |id: &str, via_s3: bool| {
        let caller = system("test", Region::parse("us-east-1").unwrap(), Timestamp(0));
        let access = caller.as_request(id);
        Event { access, via_s3, kind: EventKind::ApiCall, ..event() }
    };
    for (id, via_s3) in [("OTHER", false), ("WANTED", true), ("WANTED", false), ("WANTED0", false)] {
        trail.audit.record(&denied(id, via_s3)).await.unwrap();
    }
    let found = async |id: &str, bytes: usize| {
        let found = trail.audit.of_request(id, bytes).await.unwrap();
        found.iter().map(|record| record.link.seq).collect::<Vec<_>>()
    };
    assert_eq!(found("WANTED", 1 << 20).await, [3, 2]);
    assert_eq!(found("OTHER", 1 << 20).await, [1]);
    assert_eq!(found("WANT", 1 << 20).await, [0; 0]);
    assert_eq!(found("", 1 << 20).await, [0; 0]);
    assert_eq!(found("WANTED", 10).await, [0; 0], "no room");
}
