//! The work: prepare, load, tidy up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Method;

use super::client::{Answer, Call, Client, Failure, Target, element};
use super::keys::KeyCalls;
use super::plan::{Dealer, Encryption, Mix, Operation, Payload};
use super::{BenchArgs, BenchError, sign};
use crate::crypto;
use crate::sources::Sources;

/// S3's limit of keys a DeleteObjects, and of keys a list page.
const KEYS_PER_REQUEST: u64 = 1_000;
/// Unless told otherwise, as many objects are made beforehand as fit in this.
const POOL_BYTES: u64 = 1 << 30;
const POOL_OBJECTS_MAX: u64 = 1_000;
/// `UNSIGNED-PAYLOAD` is for bodies only; a request without one signs the hash of nothing.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A bench: fixed after it was made, shared by its workers.
pub(super) struct Bench {
    target: Arc<Target>,
    sources: Sources,
    mix: Mix,
    bucket: String,
    /// Prefix of all keys of this run, so that runs beside each other do not meet.
    prefix: String,
    concurrency: u32,
    duration_ns: u64,
    size: u64,
    part_size: Option<u64>,
    /// Random bytes, sent for every object or part; the last part takes a piece of them.
    content: Bytes,
    /// SHA-256 of `content` where bodies are signed, made once: it costs more than all else the client does.
    content_hash: Option<String>,
    /// Headers that start an upload.
    sse: Vec<(&'static str, String)>,
    /// Headers that go with every part, GET and HEAD: those of SSE-C.
    sse_customer: Vec<(&'static str, String)>,
    pool: u64,
    /// Operations that may still be started.
    budget: AtomicU64,
    /// Objects of the pool that a DELETE has taken.
    deleted: AtomicU64,
    stopped: AtomicBool,
    /// Objects that the workers wrote, by worker.
    written: Vec<AtomicU64>,
    /// Once a load of the key service is prepared.
    keys: OnceLock<KeyCalls>,
}

/// What one or all workers measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// By operation that was tried.
    pub(super) operations: BTreeMap<Operation, Samples>,
    /// How many failures there were, by code, with one of their texts.
    pub(super) failures: BTreeMap<String, (u64, String)>,
    /// How long the load ran.
    pub(super) elapsed_ns: u64,
}

/// The operations of one kind.
#[derive(Debug)]
pub(super) struct Samples {
    /// Latencies of those that succeeded, in microseconds.
    pub(super) latency_us: Histogram<u64>,
    /// Bytes of objects sent or received.
    pub(super) bytes: u64,
    /// How many failed.
    pub(super) failed: u64,
}

impl Default for Samples {
    fn default() -> Self {
        Self { latency_us: Histogram::new(3).expect("3 digits are in range"), bytes: 0, failed: 0 }
    }
}

impl Bench {
    pub(super) fn new(args: &BenchArgs, target: Arc<Target>, sources: Sources) -> Self {
        let run = sign::hex(&sources.random::<6>());
        let mut content = vec![0; usize::try_from(args.size.min(args.multipart.unwrap_or(u64::MAX))).unwrap_or(0)];
        sources.fill(&mut content);
        let reads_pool = args.operation.operations().any(Operation::reads_pool);
        let fitting = (POOL_BYTES / args.size.max(1)).min(POOL_OBJECTS_MAX).max(u64::from(args.concurrency));
        let sse_customer = match args.encryption {
            Encryption::SseC => customer_headers(&sources.random::<32>()),
            _ => Vec::new(),
        };
        Self {
            target,
            mix: args.operation.clone(),
            bucket: args.bucket.clone(),
            prefix: format!("bench-{run}/"),
            concurrency: args.concurrency,
            duration_ns: u64::try_from(args.duration.as_nanos()).unwrap_or(u64::MAX),
            size: args.size,
            part_size: args.multipart,
            content_hash: (args.payload == Payload::Signed).then(|| sign::hex(&crypto::sha256(&content))),
            content: content.into(),
            sse: encryption_headers(args.encryption, args.kms_key.as_deref(), &sse_customer),
            sse_customer,
            pool: if reads_pool { args.objects.map_or(fitting, |objects| objects.max(1)) } else { 0 },
            budget: AtomicU64::new(args.max_operations.unwrap_or(u64::MAX)),
            deleted: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            written: (0..args.concurrency).map(|_| AtomicU64::new(0)).collect(),
            keys: OnceLock::new(),
            sources,
        }
    }

    pub(super) fn pool_objects(&self) -> u64 {
        self.pool
    }

    /// Ends the load after the operations under way.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Makes sure that the bucket is there; says whether it had to be made.
    pub(super) async fn make_bucket(&self) -> Result<bool, BenchError> {
        let mut worker = Worker::new(self, 0);
        let path = format!("/{}", self.bucket);
        match worker.plain(Method::HEAD, &path, "").await {
            Ok(_) => Ok(false),
            Err(failure) if failure.code == "404" => {
                let made = worker.plain(Method::PUT, &path, "").await;
                made.map(|_| true).map_err(|e| BenchError::Request("cannot create the bucket", e.detail))
            }
            Err(failure) => Err(BenchError::Request("cannot look for the bucket", failure.detail)),
        }
    }

    /// Makes what operations of the key service work with.
    pub(super) async fn prepare_keys(&self, args: &BenchArgs) -> Result<(), BenchError> {
        let mut client = Client::new(Arc::clone(&self.target), self.sources.clone());
        let calls = KeyCalls::prepare(&mut client, args, &self.content).await?;
        self.keys.get_or_init(|| calls);
        Ok(())
    }

    pub(super) async fn remove_keys(&self) -> Result<(), BenchError> {
        let mut client = Client::new(Arc::clone(&self.target), self.sources.clone());
        match self.keys.get() {
            Some(calls) => calls.tidy_up(&mut client).await,
            None => Ok(()),
        }
    }

    pub(super) async fn remove_bucket(&self) -> Result<(), BenchError> {
        let removed = Worker::new(self, 0).plain(Method::DELETE, &format!("/{}", self.bucket), "").await;
        removed.map(|_| ()).map_err(|e| BenchError::Request("cannot remove the bucket", e.detail))
    }

    /// Writes the objects that get, head, delete and list work on.
    pub(super) async fn fill_pool(self: &Arc<Self>) -> Result<(), BenchError> {
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        for id in 0..self.concurrency {
            let (bench, next) = (Arc::clone(self), Arc::clone(&next));
            tasks.push(tokio::spawn(async move {
                let mut worker = Worker::new(&bench, id);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= bench.pool {
                        return Ok(());
                    }
                    worker.put(&bench.pool_key(index)).await?;
                }
            }));
        }
        for task in tasks {
            let done = task.await.expect("a worker does not panic");
            done.map_err(|e: Failure| BenchError::Request("cannot write the objects to work on", e.detail))?;
        }
        Ok(())
    }

    /// Runs all workers until time, operations or pool are used up, or [`Self::stop`].
    pub(super) async fn load(self: &Arc<Self>) -> Measured {
        let start_ns = self.sources.monotonic_ns();
        let mut tasks = Vec::new();
        for id in 0..self.concurrency {
            let bench = Arc::clone(self);
            tasks.push(tokio::spawn(async move { Worker::new(&bench, id).run(start_ns + bench.duration_ns).await }));
        }
        let mut all = Measured::default();
        for task in tasks {
            all.add(task.await.expect("a worker does not panic"));
        }
        all.elapsed_ns = self.sources.monotonic_ns() - start_ns;
        all
    }

    /// Deletes all that this run has written.
    pub(super) async fn remove_objects(&self) -> Result<(), BenchError> {
        let mut worker = Worker::new(self, 0);
        let pool = (0..self.pool).map(|index| self.pool_key(index));
        let written = self.written.iter().enumerate().flat_map(|(id, count)| {
            let count = count.load(Ordering::Relaxed);
            (0..count).map(move |n| self.written_key(id, n))
        });
        let mut keys = pool.chain(written).peekable();
        while keys.peek().is_some() {
            let batch = keys.by_ref().take(KEYS_PER_REQUEST as usize);
            let removed = worker.delete_many(batch).await;
            removed.map_err(|e| BenchError::Request("cannot remove the objects", e.detail))?;
        }
        Ok(())
    }

    /// Numbers have a fixed width, so that the order of the keys is the order of the numbers.
    fn pool_key(&self, index: u64) -> String {
        format!("{}pool/{index:09}", self.prefix)
    }

    fn written_key(&self, worker: usize, n: u64) -> String {
        format!("{}put/{worker:05}/{n:09}", self.prefix)
    }
}

/// One connection and what was measured on it.
struct Worker<'a> {
    bench: &'a Bench,
    id: usize,
    client: Client,
    dealer: Dealer,
    turn: u64,
    deletes_own: bool,
    /// Objects of its own that it has deleted again.
    removed: u64,
    measured: Measured,
}

impl<'a> Worker<'a> {
    fn new(bench: &'a Bench, id: u32) -> Self {
        let client = Client::new(Arc::clone(&bench.target), bench.sources.clone());
        let dealer = Dealer::new(&bench.mix);
        // Workers start at different objects, so that they do not walk the pool in step.
        let turn = u64::from(id) * (bench.pool / u64::from(bench.concurrency)).max(1);
        let deletes_own = bench.mix.operations().any(|operation| operation == Operation::Put);
        Self { bench, id: id as usize, client, dealer, turn, deletes_own, removed: 0, measured: Measured::default() }
    }

    async fn run(mut self, end_ns: u64) -> Measured {
        let bench = self.bench;
        loop {
            let start_ns = bench.sources.monotonic_ns();
            if start_ns >= end_ns || bench.stopped.load(Ordering::Relaxed) || !take_one(&bench.budget) {
                return self.measured;
            }
            let operation = match self.dealer.next() {
                // Beside reads, which need the pool whole, a worker deletes what it has written itself.
                Operation::Delete if self.deletes_own && self.removed == self.written() => Operation::Put,
                dealt => dealt,
            };
            let Some(outcome) = self.perform(operation).await else { return self.measured };
            let latency_us = (bench.sources.monotonic_ns() - start_ns) / 1_000;
            self.measured.record(operation, latency_us, outcome);
        }
    }

    /// One operation and the object bytes that it moved; `None` when the pool has nothing left to delete.
    async fn perform(&mut self, operation: Operation) -> Option<Result<u64, Failure>> {
        let bench = self.bench;
        self.turn += 1;
        let outcome = match operation {
            Operation::Put => {
                let n = bench.written[self.id].fetch_add(1, Ordering::Relaxed);
                self.put(&bench.written_key(self.id, n)).await
            }
            Operation::Get => {
                let path = self.object_path(&bench.pool_key(self.turn % bench.pool));
                let answer = self.call(Method::GET, &path, "", &bench.sse_customer, Bytes::new(), false).await;
                answer.and_then(|answer| expect_length(answer.body_bytes, bench.size))
            }
            Operation::Head => {
                let path = self.object_path(&bench.pool_key(self.turn % bench.pool));
                self.call(Method::HEAD, &path, "", &bench.sse_customer, Bytes::new(), false).await.map(|_| 0)
            }
            Operation::Delete => {
                let key = self.next_to_delete()?;
                let path = self.object_path(&key);
                self.plain(Method::DELETE, &path, "").await.map(|_| 0)
            }
            Operation::List => {
                let pages = bench.pool.div_ceil(KEYS_PER_REQUEST);
                let after = bench.pool_key(self.turn % pages * KEYS_PER_REQUEST);
                let (prefix, after) = (encode(&bench.prefix), encode(&after));
                let query = format!("list-type=2&max-keys={KEYS_PER_REQUEST}&prefix={prefix}&start-after={after}");
                self.plain(Method::GET, &format!("/{}", bench.bucket), &query).await.map(|_| 0)
            }
            Operation::DataKey | Operation::Decrypt | Operation::Encrypt => {
                return bench.keys.get()?.perform(&mut self.client, operation).await;
            }
        };
        Some(outcome)
    }

    fn written(&self) -> u64 {
        self.bench.written[self.id].load(Ordering::Relaxed)
    }

    fn next_to_delete(&mut self) -> Option<String> {
        if self.deletes_own {
            self.removed += 1;
            return Some(self.bench.written_key(self.id, self.removed - 1));
        }
        let index = self.bench.deleted.fetch_add(1, Ordering::Relaxed);
        (index < self.bench.pool).then(|| self.bench.pool_key(index))
    }

    /// Writes an object, whole or in parts; answers its length.
    async fn put(&mut self, key: &str) -> Result<u64, Failure> {
        let bench = self.bench;
        let path = self.object_path(key);
        match bench.part_size {
            Some(part_size) if bench.size > 0 => self.put_in_parts(&path, part_size).await?,
            _ => {
                self.call(Method::PUT, &path, "", &bench.sse, bench.content.clone(), false).await?;
            }
        }
        Ok(bench.size)
    }

    async fn put_in_parts(&mut self, path: &str, part_size: u64) -> Result<(), Failure> {
        let bench = self.bench;
        let created = self.call(Method::POST, path, "uploads=", &bench.sse, Bytes::new(), true).await?;
        let created = String::from_utf8_lossy(&created.body).into_owned();
        let missing = |what: &str| Failure::of("Answer", format!("the answer has no {what}"));
        let upload = encode(element(&created, "UploadId").ok_or_else(|| missing("UploadId"))?);
        let mut parts = String::from("<CompleteMultipartUpload>");
        for number in 1..=bench.size.div_ceil(part_size) {
            let length = part_size.min(bench.size - (number - 1) * part_size);
            let body = bench.content.slice(..usize::try_from(length).expect("a part fits in memory"));
            let query = format!("partNumber={number}&uploadId={upload}");
            let part = self.call(Method::PUT, path, &query, &bench.sse_customer, body, false).await?;
            let etag = part.etag.ok_or_else(|| missing("ETag"))?.replace('"', "&quot;");
            write!(parts, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
                .expect("a String takes all");
        }
        parts.push_str("</CompleteMultipartUpload>");
        let query = format!("uploadId={upload}");
        let completed = self.call(Method::POST, path, &query, &[], parts.into(), true).await?;
        // S3 may answer 200 first and find the fault later.
        let completed = String::from_utf8_lossy(&completed.body);
        match element(&completed, "Code") {
            Some(code) if completed.contains("<Error>") => Err(Failure::of(code, completed.clone().into_owned())),
            _ => Ok(()),
        }
    }

    async fn delete_many(&mut self, keys: impl Iterator<Item = String>) -> Result<(), Failure> {
        let mut body = String::from("<Delete><Quiet>true</Quiet>");
        for key in keys {
            write!(body, "<Object><Key>{key}</Key></Object>").expect("a String takes all");
        }
        body.push_str("</Delete>");
        let md5 = [("content-md5", BASE64.encode(crypto::md5(body.as_bytes())))];
        let path = format!("/{}", self.bench.bucket);
        self.call(Method::POST, &path, "delete=", &md5, body.into(), false).await.map(|_| ())
    }

    async fn plain(&mut self, method: Method, path: &str, query: &str) -> Result<Answer, Failure> {
        self.call(method, path, query, &[], Bytes::new(), false).await
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        query: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
        wants_body: bool,
    ) -> Result<Answer, Failure> {
        let own_hash;
        let payload_hash = match &self.bench.content_hash {
            _ if body.is_empty() => EMPTY_SHA256,
            None => "UNSIGNED-PAYLOAD",
            Some(hash) if body.as_ptr() == self.bench.content.as_ptr() && body.len() == self.bench.content.len() => {
                hash
            }
            Some(_) => {
                own_hash = sign::hex(&crypto::sha256(&body));
                &own_hash
            }
        };
        self.client.call(&Call { method, path, query, headers, payload_hash, body, wants_body }).await
    }

    fn object_path(&self, key: &str) -> String {
        format!("/{}/{key}", self.bench.bucket)
    }
}

impl Measured {
    fn record(&mut self, operation: Operation, latency_us: u64, outcome: Result<u64, Failure>) {
        let samples = self.operations.entry(operation).or_default();
        match outcome {
            Ok(bytes) => {
                samples.latency_us.record(latency_us).expect("the histogram grows");
                samples.bytes += bytes;
            }
            Err(failure) => {
                samples.failed += 1;
                self.failures.entry(failure.code).or_insert((0, failure.detail)).0 += 1;
            }
        }
    }

    fn add(&mut self, other: Self) {
        for (operation, theirs) in other.operations {
            let ours = self.operations.entry(operation).or_default();
            ours.latency_us.add(&theirs.latency_us).expect("the histogram grows");
            ours.bytes += theirs.bytes;
            ours.failed += theirs.failed;
        }
        for (code, (count, detail)) in other.failures {
            self.failures.entry(code).or_insert((0, detail)).0 += count;
        }
    }
}

/// Takes one from `budget` unless it is used up.
fn take_one(budget: &AtomicU64) -> bool {
    budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn expect_length(got: u64, expected: u64) -> Result<u64, Failure> {
    if got == expected {
        Ok(got)
    } else {
        Err(Failure::of("Length", format!("{got} bytes came instead of {expected}")))
    }
}

fn encode(text: &str) -> String {
    crate::wire::encode_uri(text)
}

fn customer_headers(key: &[u8; 32]) -> Vec<(&'static str, String)> {
    vec![
        ("x-amz-server-side-encryption-customer-algorithm", "AES256".to_owned()),
        ("x-amz-server-side-encryption-customer-key", BASE64.encode(key)),
        ("x-amz-server-side-encryption-customer-key-md5", BASE64.encode(crypto::md5(key))),
    ]
}

fn encryption_headers(
    encryption: Encryption,
    kms_key: Option<&str>,
    sse_customer: &[(&'static str, String)],
) -> Vec<(&'static str, String)> {
    let algorithm = match encryption {
        Encryption::None => return Vec::new(),
        Encryption::SseC => return sse_customer.to_vec(),
        Encryption::SseS3 => "AES256",
        Encryption::SseKms => "aws:kms",
        Encryption::DsseKms => "aws:kms:dsse",
    };
    let mut headers = vec![("x-amz-server-side-encryption", algorithm.to_owned())];
    headers.extend(kms_key.map(|id| ("x-amz-server-side-encryption-aws-kms-key-id", id.to_owned())));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_of_workers_add_up() {
        let (mut a, mut b) = (Measured::default(), Measured::default());
        a.record(Operation::Put, 1_000, Ok(10));
        b.record(Operation::Put, 3_000, Ok(10));
        b.record(Operation::Put, 9_000, Err(Failure::of("SlowDown", "x".to_owned())));
        b.record(Operation::Get, 2_000, Err(Failure::of("SlowDown", "y".to_owned())));
        a.add(b);
        let puts = &a.operations[&Operation::Put];
        assert_eq!((puts.latency_us.len(), puts.bytes, puts.failed), (2, 20, 1));
        assert_eq!(a.operations[&Operation::Get].failed, 1);
        assert_eq!(a.failures["SlowDown"].0, 2);
    }

    #[test]
    fn a_budget_is_never_overdrawn() {
        let budget = AtomicU64::new(2);
        assert_eq!([take_one(&budget), take_one(&budget), take_one(&budget)], [true, true, false]);
    }

    #[test]
    fn headers_of_each_encryption() {
        let names = |e, key| encryption_headers(e, key, &[]).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        assert_eq!(names(Encryption::None, None), Vec::<String>::new());
        assert_eq!(names(Encryption::SseS3, None), ["AES256"]);
        assert_eq!(names(Encryption::SseKms, Some("alias/x")), ["aws:kms", "alias/x"]);
        assert_eq!(names(Encryption::DsseKms, None), ["aws:kms:dsse"]);
    }
}
