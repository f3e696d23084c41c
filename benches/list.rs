//! What a page of a listing costs, in a small bucket and in a large one: `cargo bench --bench list`.
//!
//! Three buckets side by side in one index, the one that the server has, on disk: ten thousand objects; a million with as
//! many in each directory; and a million with a hundred times as many in each. They are put in no order and among each
//! other, so that all lie in equally many tables of the index: what differs is how large the bucket is, or its
//! directories. A fourth, of ten thousand objects in an index of its own that fits into memory, shows what the size of
//! the whole index adds.
//!
//! A page is one of 1,000 keys, or with a delimiter one of 1,000 directories. What is timed is `Objects::list`: the rows
//! are found, opened and decoded; XML, signature and HTTP are not counted.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder};
use strongroom::audit::{Audit, ChainSequencer, Event, EventKind};
use strongroom::auth::{Grant, Payload, Resource, system};
use strongroom::crypto::{SecretKey, StoreKey};
use strongroom::index::{FjallIndex, Record, RowSealer, Rows, Table, Tuple};
use strongroom::keyring::KeyRing;
use strongroom::names::{AccountId, BucketName, ObjectKey, Region, bucket_arn, object_arn};
use strongroom::objects::{
    Attributes, Bucket, ListQuery, NewBucket, ObjectMeta, ObjectOwnership, Objects, PutObject, WriteCondition,
};
use strongroom::policy::{NoContext, Target};
use strongroom::sources::Sources;
use strongroom::sse::{Requested, Sse};
use strongroom::store::faulty::FaultyStore;
use tempfile::TempDir;

const SMALL: Shape = Shape { objects: 10_000, in_directory: 5 };
const LARGE: Shape = Shape { objects: 1_000_000, in_directory: 5 };
const LARGE_DIRECTORIES: Shape = Shape { objects: 1_000_000, in_directory: 500 };
const PAGE_KEYS: usize = 1_000;
/// Pages of one measurement; the best of five counts.
const ROUNDS: u32 = 100;
/// Prime to the sizes of the buckets: its multiples are their keys in no order.
const STRIDE: usize = 7_919_001;
/// In which the index merges the tables that were just written.
const SETTLE: Duration = Duration::from_secs(15);
/// Rows of one commit while the buckets are filled.
const BATCH_ROWS: usize = 1_000;
const ACCOUNT: &str = "111122223333";
const GATEWAY: [u8; 16] = [9; 16];

/// How a bucket is filled.
#[derive(Debug, Clone, Copy)]
struct Shape {
    objects: usize,
    in_directory: usize,
}

impl Shape {
    fn key(self, n: usize) -> String {
        format!("directory-{:06}/object-{n:012}", n / self.in_directory)
    }

    /// The page with a delimiter behind this one is as full as the first.
    fn middle(self) -> String {
        format!("directory-{:06}/", self.objects / self.in_directory / 2 - 1)
    }
}

/// An object's record as it is stored, whatever is in it: a bucket is filled with copies of one.
struct Copied(Vec<u8>);

impl Record for Copied {
    const TABLE: Table = Table::Object;
}

impl<C> Encode<C> for Copied {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.writer_mut().write_all(&self.0).map_err(minicbor::encode::Error::write)
    }
}

impl<'b, C> Decode<'b, C> for Copied {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let start = d.position();
        if d.datatype()? == Type::Break {
            return Err(minicbor::decode::Error::message("no record"));
        }
        d.skip()?;
        Ok(Self(d.input()[start..d.position()].to_vec()))
    }
}

struct World {
    objects: Objects,
    rows: Rows,
    sources: Sources,
    _directory: TempDir,
}

impl World {
    /// A bucket of each shape, filled at the same time.
    async fn filled<const N: usize>(shapes: [Shape; N]) -> (Self, [Bucket; N]) {
        let world = Self::new().await;
        let mut buckets = Vec::new();
        for (n, shape) in shapes.into_iter().enumerate() {
            let bucket = world.create_bucket(&format!("shelf-{n}")).await;
            world.put(&bucket, &shape.key(0)).await;
            buckets.push(bucket);
        }
        let row = |bucket: &Bucket, key: &str| Tuple::new().id(&bucket.id).bytes(key.as_bytes()).build();
        let first = row(&buckets[0], &shapes[0].key(0));
        let first = world.rows.load::<Copied>(&first).await.expect("an index").expect("the object").value;
        let most = shapes.iter().map(|shape| shape.objects).max().unwrap_or(0);
        for start in (0..most).step_by(BATCH_ROWS) {
            let mut batch = world.rows.batch();
            for n in start..(start + BATCH_ROWS).min(most) {
                let filled = buckets.iter().zip(shapes).map(|(bucket, shape)| (bucket, shape, most / shape.objects));
                for (bucket, shape, every) in filled.filter(|(_, _, every)| n % every == 0) {
                    batch.put(row(bucket, &shape.key(n / every * STRIDE % shape.objects)), &first);
                }
            }
            world.rows.commit(batch).await.expect("committed");
        }
        (world, buckets.try_into().unwrap_or_else(|_| unreachable!("a bucket for each shape")))
    }

    async fn new() -> Self {
        let sources = Sources::system();
        let directory = tempfile::tempdir().expect("a directory");
        let index = Arc::new(FjallIndex::open(&directory.path().join("index")).expect("a new index"));
        let store_key = StoreKey::new(SecretKey::generate(&sources), [1; 16]);
        let sealer = Arc::new(RowSealer::open(&*index, &store_key, &sources).await.expect("a new index"));
        index.start(Box::new(ChainSequencer::load(&*index, Arc::clone(&sealer), GATEWAY).await.expect("a new chain")));
        let rows = Rows::new(index, sealer);
        let audit = Audit::new(rows.clone(), GATEWAY, sources.clone());
        let keyring = KeyRing::new(rows.clone(), audit.clone(), store_key, sources.clone(), region());
        let sse = Sse::new(keyring, sources.clone());
        let objects = Objects::new(rows.clone(), audit, FaultyStore::new().blobs(), sse, sources.clone());
        Self { objects, rows, sources, _directory: directory }
    }

    async fn create_bucket(&self, name: &str) -> Bucket {
        let sources = &self.sources;
        let name = BucketName::parse(name).expect("a name");
        let new = NewBucket {
            name: name.clone(),
            owner: account(),
            region: region(),
            ownership: ObjectOwnership::BucketOwnerEnforced,
            public_access_block: None,
            acl: None,
            tags: None,
            object_lock: false,
        };
        let event = Event {
            access: system("bench", region(), sources.now()),
            source: "s3.amazonaws.com",
            name: "CreateBucket",
            kind: EventKind::ApiCall,
            request: serde_json::Value::Null,
            response: serde_json::Value::Null,
            additional: serde_json::Value::Null,
            error: None,
            read_only: false,
            management: true,
            resources: Vec::new(),
            via_s3: false,
            recipient: account(),
        };
        let grant = grant("s3:CreateBucket", bucket_arn(&name), sources);
        self.objects.create_bucket(&grant, new, &event).await.expect("a bucket");
        self.objects.bucket(&name).await.expect("the bucket")
    }

    async fn put(&self, bucket: &Bucket, key: &str) {
        let access = system("bench", region(), self.sources.now());
        let key = ObjectKey::parse(key).expect("a key");
        let plan =
            self.objects.sse().plan(&access, (&bucket.name, &key), &bucket.owner, &bucket.encryption, Requested::SseS3);
        let put = PutObject {
            bucket,
            key: &key,
            meta: ObjectMeta::default(),
            plan: plan.await.expect("a plan"),
            condition: WriteCondition::default(),
            attributes: Attributes::default(),
        };
        let body = futures_util::stream::iter([Ok(Bytes::from_static(b"tiny"))]).boxed();
        let grant = grant("s3:PutObject", object_arn(&bucket.name, &key), &self.sources);
        self.objects.put(&grant, put, Payload::internal(body, 4)).await.expect("an object");
    }

    /// CPU time of one page, in microseconds.
    async fn page_us(&self, bucket: &Bucket, query: &ListQuery) -> u64 {
        let grant = grant("s3:ListBucket", bucket_arn(&bucket.name), &self.sources);
        let mut best_ns = u64::MAX;
        for _ in 0..5 {
            let start_ns = self.cpu_ns();
            for _ in 0..ROUNDS {
                let page = self.objects.list(&grant, bucket, black_box(query)).await.expect("a page");
                assert_eq!(page.objects.len() + page.prefixes.len(), PAGE_KEYS, "a full page");
                assert_eq!(page.prefixes.is_empty(), query.delimiter.is_empty());
            }
            best_ns = best_ns.min((self.cpu_ns() - start_ns) / u64::from(ROUNDS));
        }
        best_ns / 1_000
    }

    /// What this thread has used, by Linux's scheduler.
    fn cpu_ns(&self) -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let used = text.and_then(|text| text.split_whitespace().next()?.parse().ok());
        used.unwrap_or_else(|| self.sources.monotonic_ns())
    }
}

fn region() -> Region {
    Region::parse("us-east-1").expect("a Region")
}

fn account() -> AccountId {
    AccountId::parse(ACCOUNT).expect("an account")
}

fn grant(action: &'static str, arn: String, sources: &Sources) -> Grant {
    let access = system("bench", region(), sources.now());
    access
        .authorize(action, Resource { arn, owner: account() }, &Target::Account, &NoContext)
        .expect("the program itself may")
}

fn query(delimiter: &str, after: String) -> ListQuery {
    ListQuery { delimiter: delimiter.to_owned(), after, limit: PAGE_KEYS, ..ListQuery::default() }
}

async fn run() {
    let behind = |shape: Shape| format!("{}\u{10ffff}", shape.middle());
    type Page<'a> = (&'a str, &'a dyn Fn(Shape) -> ListQuery);
    let pages: [Page<'_>; 4] = [
        ("1,000 keys, from the start", &|_| query("", String::new())),
        ("1,000 keys, from the middle", &|shape| query("", behind(shape))),
        ("1,000 prefixes, from the start", &|_| query("/", String::new())),
        ("1,000 prefixes, from the middle", &|shape| query("/", shape.middle())),
    ];
    let shapes = [SMALL, LARGE, LARGE_DIRECTORIES];
    let (alone, [only]) = World::filled([SMALL]).await;
    let (world, buckets) = World::filled(shapes).await;
    tokio::time::sleep(SETTLE).await;
    println!("CPU time of a page, in µs, of a bucket of");
    println!("{:<32} {:>9} {:>10} {:>10} {:>10}", "objects", "10,000", "1,000,000", "1,000,000", "10,000");
    println!("{:<32} {:>9} {:>10} {:>10} {:>10}", "in a directory", "5", "5", "500", "5, alone");
    for (name, query) in pages {
        print!("{name:<32}");
        for (bucket, shape) in buckets.iter().zip(shapes) {
            print!(" {:>9}", world.page_us(bucket, &query(shape)).await);
        }
        println!(" {:>10}", alone.page_us(&only, &query(SMALL)).await);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}
