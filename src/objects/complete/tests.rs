use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::*;
use crate::audit::{Audit, ChainSequencer};
use crate::auth::{Payload, Resource, system};
use crate::crypto::PlainRange;
use crate::index::{Direction, FjallIndex, KeyRange, RowSealer, Rows};
use crate::keyring::{KeyFile, KeyRing, open_store_key};
use crate::names::{AccountId, BucketName, Region};
use crate::objects::record::{BucketRecord, bucket_row, part_row};
use crate::objects::{Attributes, ListParts, NewUpload, ObjectMeta, PART_NUMBER_MAX, PUT_MAX_BYTES, Versioning};
use crate::policy::{NoContext, Target};
use crate::sources::Sources;
use crate::sse::{BucketDefault, ObjectRef, Requested, Sse};
use crate::store::faulty::FaultyStore;

const LAST: &[u8] = b"the end of the last part";

/// An upload on the embedded engine, of which only the last part has bytes: the rows of all others are as those of parts
/// of the length that the test wants, which nobody could wait for.
struct Large {
    objects: Objects,
    bucket: Bucket,
    upload: Upload,
    _scratch: tempfile::TempDir,
}

fn region() -> Region {
    Region::parse("us-east-1").unwrap()
}

impl Large {
    async fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let sources = Sources::seeded(1, Timestamp(1_795_608_000_000));
        let index = Arc::new(FjallIndex::open(&scratch.path().join("index")).unwrap());
        let key_file = KeyFile { path: scratch.path().join("root.key") };
        let store_key = open_store_key(&*index, &key_file, &sources).await.unwrap();
        let sealer = Arc::new(RowSealer::open(&*index, &store_key, &sources).await.unwrap());
        index.start(Box::new(ChainSequencer::load(&*index, Arc::clone(&sealer), [9; 16]).await.unwrap()));
        let rows = Rows::new(index, sealer);
        let audit = Audit::new(rows.clone(), [9; 16], sources.clone());
        let keyring = KeyRing::new(rows.clone(), audit.clone(), store_key, sources.clone(), region());
        let sse = Sse::new(keyring, sources.clone());
        let objects = Objects::new(rows, audit, FaultyStore::new().blobs(), sse, sources);

        let name = BucketName::parse("bucket").unwrap();
        let record = BucketRecord {
            id: [1; 16],
            owner: "111122223333".to_owned(),
            region: region().to_string(),
            created_ms: 0,
            versioning: Versioning::Never,
            encryption: BucketDefault::default(),
            closing: false,
            ownership: None,
            policy: None,
            public_access_block: None,
            acl: None,
            requester_pays: None,
            configurations: None,
        };
        let mut batch = objects.rows.batch();
        batch.put(bucket_row(&name), &record);
        objects.rows.commit(batch).await.unwrap();
        let bucket = objects.bucket(&name).await.unwrap();
        let key = ObjectKey::parse("large").unwrap();
        let grant = grant(&objects, "s3:PutObject", object_arn(&name, &key));
        let asked = Requested::SseS3;
        let plan = objects.sse.plan(grant.access(), (&name, &key), &bucket.owner, &bucket.encryption, asked);
        let (plan, meta) = (plan.await.unwrap(), ObjectMeta::default());
        let new = NewUpload {
            bucket: &bucket,
            key: &key,
            meta,
            plan,
            checksum: None,
            attributes: Attributes::default(),
            initiator: None,
        };
        let upload = objects.create_upload(&grant, new).await.unwrap();
        Self { objects, bucket, upload, _scratch: scratch }
    }

    fn grant(&self, action: &'static str) -> Grant {
        grant(&self.objects, action, object_arn(&self.bucket.name, &self.upload.key))
    }

    /// Writes the last part as clients do, and the rows of those before it.
    async fn parts(&self, last: u32, length_of_others: u64) {
        let grant = self.grant("s3:PutObject");
        let keys = self.objects.upload_keys(&grant, &self.upload, None).await.unwrap();
        let body = Payload::internal(stream::iter([Ok(Bytes::from_static(LAST))]).boxed(), LAST.len() as u64);
        self.objects.put_part(&grant, &self.upload, keys, last, body).await.unwrap();
        let row = part_row(&self.upload.id.0, last);
        let part = self.objects.rows.load::<PartRecord>(&row).await.unwrap().unwrap().value;
        let mut batch = self.objects.rows.batch();
        for number in 1..last {
            let row = part_row(&self.upload.id.0, number);
            batch.put(row, &PartRecord { number, plain_len: length_of_others, ..part.clone() });
        }
        self.objects.rows.commit(batch).await.unwrap();
    }

    /// As a client that lists all parts, page by page, and names them.
    async fn listed(&self) -> Vec<CompletePart> {
        let (mut named, mut after) = (Vec::new(), 0);
        loop {
            let query = ListParts { after, limit: 1000 };
            let grant = self.grant("s3:ListMultipartUploadParts");
            let page = self.objects.list_parts(&grant, &self.upload, query).await.unwrap();
            assert!(page.parts.len() == 1000 || page.next.is_none());
            named.extend(page.parts.into_iter().map(|part| CompletePart {
                part_number: part.part_number,
                etag: part.etag,
                checksum: None,
            }));
            match page.next {
                Some(next) => after = next,
                None => return named,
            }
        }
    }

    async fn complete(&self, parts: Vec<CompletePart>) -> Result<ObjectInfo, ObjectsError> {
        let complete = CompleteUpload { parts, ..CompleteUpload::default() };
        self.objects.complete_upload(&self.grant("s3:PutObject"), &self.bucket, &self.upload, complete).await
    }

    async fn rows(&self, table: Table) -> usize {
        let all = KeyRange { start: Vec::new(), end: None };
        let rows = self.objects.rows.engine().scan(table, &all, usize::MAX, Direction::Forward).await;
        rows.unwrap().len()
    }
}

fn grant(objects: &Objects, action: &'static str, arn: String) -> Grant {
    let owner = AccountId::parse("111122223333").unwrap();
    system("test", region(), objects.sources.now())
        .authorize(action, Resource { arn, owner }, &Target::Account, &NoContext)
        .unwrap()
}

#[tokio::test]
async fn ten_thousand_parts() {
    let large = Large::new().await;
    large.parts(PART_NUMBER_MAX, PART_MIN_BYTES).await;
    let named = large.listed().await;
    assert_eq!(named.iter().map(|p| p.part_number).collect::<Vec<_>>(), (1..=PART_NUMBER_MAX).collect::<Vec<_>>());

    let info = large.complete(named).await.unwrap();
    let before_last = u64::from(PART_NUMBER_MAX - 1) * PART_MIN_BYTES;
    assert_eq!((info.plain_len, info.parts), (before_last + LAST.len() as u64, Some(PART_NUMBER_MAX)));
    assert!(info.etag.ends_with("-10000"), "{}", info.etag);
    assert_eq!((large.rows(Table::Part).await, large.rows(Table::Upload).await), (0, 0));

    let spans = large.objects.parts(&info).await.unwrap();
    let range = PlainRange { start: before_last, end: info.plain_len };
    assert_eq!((spans.len(), spans.last().unwrap().range), (PART_NUMBER_MAX as usize, range));
    let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
    let read = large.grant("s3:GetObject");
    let keys = large.objects.sse.open(read.access(), object, &info.envelope, None).await.unwrap();
    let mut plain = large.objects.read(&read, &info, range, keys).await.unwrap();
    assert_eq!(plain.next().await.unwrap().unwrap(), LAST);
    assert!(plain.next().await.is_none());
}

/// Both have found the upload; the parts go with it.
#[tokio::test]
async fn the_slower_of_two_finds_no_upload_and_not_that_its_parts_are_wrong() {
    let large = Large::new().await;
    large.parts(2, PART_MIN_BYTES).await;
    let named = large.listed().await;
    let mut wrong = named.clone();
    wrong[1].etag = "other".to_owned();
    let refused = large.complete(wrong.clone()).await;
    assert!(matches!(refused, Err(ObjectsError::InvalidPart { part_number: 2, .. })), "{refused:?}");
    large.complete(named.clone()).await.unwrap();
    for again in [named, wrong] {
        let refused = large.complete(again).await;
        assert!(matches!(refused, Err(ObjectsError::NoSuchUpload)), "{refused:?}");
    }
}

#[tokio::test]
async fn five_tebibytes_and_one_byte_more() {
    // 1,023 parts of 5 GiB, and what the last two add up to.
    for (more, accepted) in [(0, true), (1, false)] {
        let large = Large::new().await;
        large.parts(1025, PUT_MAX_BYTES).await;
        let row = part_row(&large.upload.id.0, 1024);
        let mut part = large.objects.rows.load::<PartRecord>(&row).await.unwrap().unwrap().value;
        part.plain_len = PUT_MAX_BYTES - LAST.len() as u64 + more;
        let mut batch = large.objects.rows.batch();
        batch.put(row, &part);
        large.objects.rows.commit(batch).await.unwrap();
        match large.complete(large.listed().await).await {
            Ok(info) => assert!(accepted && info.plain_len == OBJECT_MAX_BYTES),
            Err(error) => {
                let (proposed, limit) = (OBJECT_MAX_BYTES + 1, OBJECT_MAX_BYTES);
                assert_eq!((error, accepted), (ObjectsError::TooLarge { proposed, limit }, false));
                assert_eq!(large.rows(Table::Part).await, 1025, "it can be completed of fewer");
            }
        }
    }
}
