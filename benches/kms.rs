//! What the key module spends on a call: `cargo bench --bench kms`.
//!
//! One symmetric key, its material in the cache, over an index in memory. A call goes from the grant to the answer: the
//! key's record is read and opened, state, usage and kind are checked, the message is sealed or opened, and the record
//! of the use is rendered and handed to the index, which drops it here: writing it, the signature and HTTP are not
//! counted (`strongroom bench` counts them). The target is 10 µs of CPU time for each operation without its record: an
//! event of the same contents is recorded by itself beside each, and the difference is what the key module spends.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use strongroom::audit::{Audit, ChainSequencer, Event, EventKind, EventResource};
use strongroom::auth::{Grant, Resource, system};
use strongroom::crypto::{SecretKey, StoreKey};
use strongroom::index::{
    Batch, CommitError, Direction, Index, IndexError, KeyRange, MemoryIndex, RowSealer, Rows, Table,
};
use strongroom::keyring::{Call, DataKeySize, EncryptionContext, KeyRing, NewKey, ResolvedKey, Sealing, Use};
use strongroom::names::{AccountId, Region};
use strongroom::policy::{NoContext, Target};
use strongroom::sources::Sources;

const ROUNDS: u32 = 20_000;
const ACCOUNT: &str = "111122223333";
const GATEWAY: [u8; 16] = [9; 16];

/// An index in memory that, once told so, takes commits and drops them.
struct Unwritten {
    index: MemoryIndex,
    drops: AtomicBool,
}

impl Index for Unwritten {
    fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>> {
        self.index.get(table, key)
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        range: &'a KeyRange,
        limit: usize,
        direction: Direction,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>> {
        self.index.scan(table, range, limit, direction)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>> {
        if self.drops.load(Ordering::Relaxed) {
            black_box(batch);
            return ready(Ok(())).boxed();
        }
        self.index.commit(batch)
    }

    fn failure(&self) -> Option<String> {
        None
    }
}

/// A key module with one key.
struct World {
    audit: Audit,
    keyring: KeyRing,
    key: ResolvedKey,
    context: EncryptionContext,
}

impl World {
    async fn new(sources: &Sources) -> Self {
        let index = Arc::new(Unwritten { index: MemoryIndex::default(), drops: AtomicBool::new(false) });
        let store_key = StoreKey::new(SecretKey::generate(sources), [1; 16]);
        let sealer = Arc::new(RowSealer::open(&*index, &store_key, sources).await.expect("a new index"));
        let chain = ChainSequencer::load(&*index, Arc::clone(&sealer), GATEWAY).await.expect("a new chain");
        index.index.start(Box::new(chain));
        let rows = Rows::new(Arc::<Unwritten>::clone(&index), sealer);
        let audit = Audit::new(rows.clone(), GATEWAY, sources.clone());
        let region = Region::parse("us-east-1").expect("a Region");
        let keyring = KeyRing::new(rows, audit.clone(), store_key, sources.clone(), region.clone());
        let made = keyring.create_key(&grant("kms:CreateKey", "*", sources), &Call::default(), NewKey::default()).await;
        let (account, access) =
            (AccountId::parse(ACCOUNT).expect("an account"), system("bench", region, sources.now()));
        let arn = made.expect("a key").arn;
        let key = keyring.resolve(&access, &account, &access.facts().region, &arn).await.expect("the key");
        index.drops.store(true, Ordering::Relaxed);
        let context = BTreeMap::from([("department".to_owned(), "payroll".to_owned())]);
        Self { audit, keyring, key, context }
    }

    fn usage<'a>(&'a self, grant: &'a Grant) -> Use<'a> {
        let request = serde_json::json!({ "keyId": self.key.metadata.arn, "encryptionContext": self.context });
        Use { grant, key: &self.key, call: Call { request, via_s3: false }, dry_run: false }
    }

    /// Makes the record of a use and nothing else, with the request as [`Self::usage`] has it.
    async fn record(&self, grant: &Grant, name: &'static str) {
        let metadata = &self.key.metadata;
        let resource =
            EventResource { account: Some(metadata.account.clone()), kind: "AWS::KMS::Key", arn: metadata.arn.clone() };
        let event = Event {
            access: grant.access().clone(),
            source: "kms.amazonaws.com",
            name,
            kind: EventKind::ApiCall,
            request: self.usage(grant).call.request,
            response: serde_json::Value::Null,
            additional: serde_json::json!({ "keyMaterialId": "ab".repeat(32) }),
            error: None,
            read_only: true,
            management: true,
            resources: vec![resource],
            via_s3: false,
            recipient: metadata.account.clone(),
        };
        black_box(self.audit.record(black_box(&event)).await.expect("recorded"));
    }
}

fn grant(action: &'static str, arn: &str, sources: &Sources) -> Grant {
    let access = system("bench", Region::parse("us-east-1").expect("a Region"), sources.now());
    let owner = AccountId::parse(ACCOUNT).expect("an account");
    let resource = Resource { arn: arn.to_owned(), owner };
    access.authorize(action, resource, &Target::Account, &NoContext).expect("the program itself may")
}

/// What this thread has used, by Linux's scheduler.
fn cpu_time_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The best of five runs of a call and of its record alone.
async fn measure(name: &str, sources: &Sources, call: impl AsyncFn(), record: impl AsyncFn()) {
    let ((whole_ns, wall_ns), (record_ns, _)) = (best(sources, call).await, best(sources, record).await);
    let (own_ns, per_second) = (whole_ns.saturating_sub(record_ns), 1_000_000_000 / wall_ns.max(1));
    println!("{name:<28} {own_ns:>6} ns of CPU, {record_ns:>6} ns its record; {per_second:>8} a second");
}

/// The best of five runs: CPU time and wall time of one call, in nanoseconds.
async fn best(sources: &Sources, call: impl AsyncFn()) -> (u64, u64) {
    let (mut best_cpu_ns, mut best_wall_ns) = (u64::MAX, u64::MAX);
    for _ in 0..5 {
        let wall_ns = sources.monotonic_ns();
        let start_ns = cpu_time_ns().unwrap_or(wall_ns);
        for _ in 0..ROUNDS {
            call().await;
        }
        let end_ns = sources.monotonic_ns();
        best_cpu_ns = best_cpu_ns.min((cpu_time_ns().unwrap_or(end_ns) - start_ns) / u64::from(ROUNDS));
        best_wall_ns = best_wall_ns.min((end_ns - wall_ns) / u64::from(ROUNDS));
    }
    (best_cpu_ns, best_wall_ns)
}

async fn run() {
    let sources = Sources::system();
    let world = World::new(&sources).await;
    let arn = &world.key.metadata.arn;
    let [generate, decrypt, encrypt] =
        ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"].map(|action| grant(action, arn, &sources));
    let sealing = Sealing::symmetric(&world.context);
    let made = world.keyring.generate(&world.usage(&generate), &world.context, DataKeySize::Aes256).await;
    let sealed = made.expect("a data key").ciphertext;
    let plain = vec![0x5a; 4096];

    measure(
        "GenerateDataKey AES_256",
        &sources,
        async || {
            let made = world.keyring.generate(&world.usage(&generate), &world.context, DataKeySize::Aes256).await;
            black_box(made.expect("a data key"));
        },
        async || world.record(&generate, "GenerateDataKey").await,
    )
    .await;
    measure(
        "Decrypt of a data key",
        &sources,
        async || {
            let opened = world.keyring.open(&world.usage(&decrypt), sealing, black_box(&sealed)).await;
            black_box(opened.expect("it opens"));
        },
        async || world.record(&decrypt, "Decrypt").await,
    )
    .await;
    measure(
        "Encrypt 4 KiB",
        &sources,
        async || {
            let sealed = world.keyring.encrypt(&world.usage(&encrypt), sealing, black_box(&plain)).await;
            black_box(sealed.expect("it seals"));
        },
        async || world.record(&encrypt, "Encrypt").await,
    )
    .await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(run());
}
