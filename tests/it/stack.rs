//! The object store over an index and a blob store in memory, as the application puts it together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use strongroom::audit::{Audit, ChainSequencer, Event, EventKind};
use strongroom::auth::{Access, Grant, Payload, Resource, system};
use strongroom::crypto::{PlainRange, SecretKey};
use strongroom::identity::Identities;
use strongroom::index::{
    Batch, CommitError, Direction, Index, IndexError, KeyRange, MemoryIndex, RowSealer, Rows, Table, Write,
};
use strongroom::keyring::{KeyFile, KeyRing, open_store_key};
use strongroom::names::{AccountId, BucketName, ObjectKey, Region, bucket_arn, object_arn};
use strongroom::objects::{
    Attributes, Bucket, CompletePart, CompleteUpload, CopyObject, DeleteCondition, Deleted, NewBucket, NewUpload,
    ObjectInfo, ObjectMeta, ObjectOwnership, Objects, ObjectsError, PartInfo, PutObject, ScrubReport, Upload,
    VersionId, Versioning, WriteCondition,
};
use strongroom::policy::{NoContext, Target};
use strongroom::rules::BucketConfiguration;
use strongroom::sources::{Sources, Timestamp};
use strongroom::sse::{CustomerKey, ObjectRef, Requested, Sse};
use strongroom::store::faulty::FaultyStore;
use tempfile::TempDir;

const ACCOUNT: &str = "111122223333";
const GATEWAY: [u8; 16] = [7; 16];

/// The ways in which an object can be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Owned,
    Kms,
    Double,
    Customer,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Owned, Self::Kms, Self::Double, Self::Customer];

    pub(crate) fn requested(self) -> Requested {
        let kms = |double| Requested::Kms { double, key: None, context: BTreeMap::new(), bucket_key: None };
        match self {
            Self::Owned => Requested::SseS3,
            Self::Kms => kms(false),
            Self::Double => kms(true),
            Self::Customer => Requested::Customer(customer_key(9)),
        }
    }

    /// The key that goes with a read.
    pub(crate) fn customer(self) -> Option<CustomerKey> {
        (self == Self::Customer).then(|| customer_key(9))
    }
}

/// A row as it lies in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawRow {
    pub(crate) table: Table,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

/// An opened object store and what lies under it.
pub(crate) struct Stack {
    pub(crate) objects: Objects,
    pub(crate) keyring: KeyRing,
    pub(crate) audit: Audit,
    pub(crate) index: Arc<MemoryIndex>,
    pub(crate) store: FaultyStore,
    pub(crate) sealer: Arc<RowSealer>,
    pub(crate) sources: Sources,
    rows: Rows,
    root: Arc<TempDir>,
    pace: Pace,
}

/// How an index answers.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    /// After others had their turn, before and after each call: as one with a disk and a committing thread does.
    Slow,
}

/// An index that yields. A commit that was handed over is done, whether or not anybody waits for the answer.
struct SlowIndex(Arc<MemoryIndex>);

impl Index for SlowIndex {
    fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.get(table, key).await
        })
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        range: &'a KeyRange,
        limit: usize,
        direction: Direction,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.scan(table, range, limit, direction).await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let answer = self.0.commit(batch).await;
            tokio::task::yield_now().await;
            answer
        })
    }

    fn failure(&self) -> Option<String> {
        self.0.failure()
    }
}

impl Stack {
    /// A new store; everything in it follows from `seed`.
    pub(crate) async fn new(seed: u64) -> Self {
        Self::at_pace(seed, Pace::AtOnce).await
    }

    /// A new store over an index that takes its time: an operation on it can be dropped in the middle.
    pub(crate) async fn slow(seed: u64) -> Self {
        Self::at_pace(seed, Pace::Slow).await
    }

    async fn at_pace(seed: u64, pace: Pace) -> Self {
        let sources = Sources::seeded(seed, Timestamp(1_795_608_000_000));
        let root = Arc::new(tempfile::tempdir().unwrap());
        Self::open(MemoryIndex::default(), FaultyStore::new(), sources, root, pace).await
    }

    /// The process dies here, and another one opens what was durable.
    pub(crate) async fn crash(&self) -> Self {
        let (index, store) = (self.index.crash(), self.store.crash());
        Self::open(index, store, self.sources.clone(), Arc::clone(&self.root), self.pace).await
    }

    async fn open(index: MemoryIndex, store: FaultyStore, sources: Sources, root: Arc<TempDir>, pace: Pace) -> Self {
        Self::try_open(index, store, sources, root, pace).await.unwrap()
    }

    /// Another process opens this index of rows that somebody may have tampered with, over the same blobs.
    pub(crate) async fn open_rows(&self, rows: &[RawRow]) -> Result<Self, String> {
        let index = MemoryIndex::default();
        let put = |row: &RawRow| Write::Put(row.table, row.key.to_vec(), row.value.clone());
        index.commit(Batch { writes: rows.iter().map(put).collect(), ..Batch::default() }).await.unwrap();
        Self::try_open(index, self.store.crash(), self.sources.clone(), Arc::clone(&self.root), self.pace).await
    }

    async fn try_open(
        index: MemoryIndex,
        store: FaultyStore,
        sources: Sources,
        root: Arc<TempDir>,
        pace: Pace,
    ) -> Result<Self, String> {
        let index = Arc::new(index);
        let key_file = KeyFile { path: root.path().join("root.key") };
        let store_key = open_store_key(&*index, &key_file, &sources).await.map_err(|e| e.to_string())?;
        let sealer = RowSealer::open(&*index, &store_key, &sources).await;
        let sealer = Arc::new(sealer.map_err(|e| e.to_string())?);
        let chain = ChainSequencer::load(&*index, Arc::clone(&sealer), GATEWAY).await.map_err(|e| e.to_string())?;
        index.start(Box::new(chain));
        let paced: Arc<dyn Index> = match pace {
            Pace::AtOnce => Arc::clone(&index) as Arc<dyn Index>,
            Pace::Slow => Arc::new(SlowIndex(Arc::clone(&index))),
        };
        let rows = Rows::new(paced, Arc::clone(&sealer));
        let audit = Audit::new(rows.clone(), GATEWAY, sources.clone());
        let keyring = KeyRing::new(rows.clone(), audit.clone(), store_key, sources.clone(), region());
        let sse = Sse::new(keyring.clone(), sources.clone());
        let objects = Objects::new(rows.clone(), audit.clone(), store.blobs(), sse, sources.clone());
        objects.reopen_buckets().await.map_err(|e| format!("{e:?}"))?;
        Ok(Self { objects, keyring, audit, index, store, sealer, sources, rows, root, pace })
    }

    /// A second gateway over the same index and blobs, as far as objects go.
    pub(crate) fn neighbour(&self) -> Objects {
        let (rows, sse) = (self.rows.clone(), self.objects.sse().clone());
        Objects::new(rows, self.audit.clone(), self.store.blobs(), sse, self.sources.clone())
    }

    /// Every row of every table.
    pub(crate) fn identities(&self) -> Identities {
        Identities::new(self.rows.clone(), self.audit.clone(), Arc::default(), self.sources.clone())
    }

    pub(crate) async fn rows(&self) -> Vec<RawRow> {
        let all = KeyRange { start: Vec::new(), end: None };
        let mut out = Vec::new();
        for table in Table::ALL {
            let rows = self.index.scan(table, &all, usize::MAX, Direction::Forward).await.unwrap();
            out.extend(rows.into_iter().map(|(key, value)| RawRow { table, key, value }));
        }
        out
    }

    /// Writes a row behind the program's back.
    pub(crate) async fn overwrite_row(&self, row: &RawRow) {
        let write = Write::Put(row.table, row.key.to_vec(), row.value.clone());
        self.index.commit(Batch { writes: vec![write], ..Batch::default() }).await.unwrap();
    }

    pub(crate) async fn scrub(&self) -> Result<ScrubReport, ObjectsError> {
        self.objects.scrub(region(), &mut |_| {}).await
    }

    /// The index below the objects.
    pub(crate) fn rows_of_index(&self) -> &Rows {
        &self.rows
    }

    pub(crate) fn access(&self) -> Access {
        self.access_in(region())
    }

    pub(crate) fn access_in(&self, region: Region) -> Access {
        system("test", region, self.sources.now())
    }

    pub(crate) fn grant(&self, action: &'static str, arn: String) -> Grant {
        let resource = Resource { arn, owner: account() };
        self.access().authorize(action, resource, &Target::Account, &NoContext).unwrap()
    }

    /// What the trail gets of a change of a bucket.
    pub(crate) fn event(&self, name: &'static str, request: Value) -> Event {
        Event {
            access: self.access(),
            source: "s3.amazonaws.com",
            name,
            kind: EventKind::ApiCall,
            request,
            response: Value::Null,
            additional: Value::Null,
            error: None,
            read_only: false,
            management: true,
            resources: Vec::new(),
            via_s3: false,
            recipient: account(),
        }
    }

    pub(crate) async fn create_bucket(&self, name: &str, versioning: Versioning) -> Bucket {
        let name = BucketName::parse(name).unwrap();
        let ownership = ObjectOwnership::BucketOwnerEnforced;
        let public_access_block = None;
        let new = NewBucket {
            name: name.clone(),
            owner: account(),
            region: region(),
            ownership,
            public_access_block,
            acl: None,
            tags: None,
            object_lock: false,
        };
        let event = self.event("CreateBucket", Value::Null);
        self.objects.create_bucket(&self.grant("s3:CreateBucket", bucket_arn(&name)), new, &event).await.unwrap();
        if versioning != Versioning::Never {
            let grant = self.grant("s3:PutBucketVersioning", bucket_arn(&name));
            let event = self.event("PutBucketVersioning", Value::Null);
            self.objects.set_versioning(&grant, &name, versioning, &event).await.unwrap();
        }
        self.objects.bucket(&name).await.unwrap()
    }

    /// Gives a bucket a configuration, or takes it away.
    pub(crate) async fn configure<T: BucketConfiguration>(
        &self,
        bucket: &str,
        value: Option<T>,
    ) -> Result<(), ObjectsError> {
        let name = BucketName::parse(bucket).unwrap();
        let grant = self.grant(T::ACTIONS[0], bucket_arn(&name));
        let event = self.event("PutBucketConfiguration", Value::Null);
        self.objects.set_configuration(&grant, &name, value, |_| Ok(()), &event).await.map(drop)
    }

    pub(crate) async fn bucket(&self, name: &str) -> Bucket {
        self.objects.bucket(&BucketName::parse(name).unwrap()).await.unwrap()
    }

    pub(crate) fn object_grant(&self, action: &'static str, bucket: &Bucket, key: &ObjectKey) -> Grant {
        self.grant(action, object_arn(&bucket.name, key))
    }

    pub(crate) async fn put(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        data: &[u8],
        requested: Requested,
    ) -> Result<ObjectInfo, ObjectsError> {
        self.put_with(bucket, key, data, requested, Attributes::default()).await
    }

    pub(crate) async fn put_with(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        data: &[u8],
        requested: Requested,
        attributes: Attributes,
    ) -> Result<ObjectInfo, ObjectsError> {
        let sse = self.objects.sse();
        let plan = sse.plan(&self.access(), (&bucket.name, key), &bucket.owner, &bucket.encryption, requested).await?;
        let (meta, condition) = (ObjectMeta::default(), WriteCondition::default());
        let put = PutObject { bucket, key, meta, plan, condition, attributes };
        self.objects.put(&self.object_grant("s3:PutObject", bucket, key), put, payload(data)).await
    }

    pub(crate) async fn start_upload(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        requested: Requested,
    ) -> Result<Upload, ObjectsError> {
        let sse = self.objects.sse();
        let plan = sse.plan(&self.access(), (&bucket.name, key), &bucket.owner, &bucket.encryption, requested).await?;
        let new = NewUpload {
            bucket,
            key,
            meta: ObjectMeta::default(),
            plan,
            checksum: None,
            attributes: Attributes::default(),
            initiator: None,
        };
        self.objects.create_upload(&self.object_grant("s3:PutObject", bucket, key), new).await
    }

    pub(crate) async fn put_part(
        &self,
        bucket: &Bucket,
        upload: &Upload,
        (number, data): (u32, &[u8]),
        customer: Option<&CustomerKey>,
    ) -> Result<PartInfo, ObjectsError> {
        let grant = self.object_grant("s3:PutObject", bucket, &upload.key);
        let keys = self.objects.upload_keys(&grant, upload, customer).await?;
        self.objects.put_part(&grant, upload, keys, number, payload(data)).await
    }

    pub(crate) async fn complete(
        &self,
        bucket: &Bucket,
        upload: &Upload,
        parts: &[PartInfo],
    ) -> Result<ObjectInfo, ObjectsError> {
        let named =
            |part: &PartInfo| CompletePart { part_number: part.part_number, etag: part.etag.clone(), checksum: None };
        let complete = CompleteUpload { parts: parts.iter().map(named).collect(), ..CompleteUpload::default() };
        let grant = self.object_grant("s3:PutObject", bucket, &upload.key);
        self.objects.complete_upload(&grant, bucket, upload, complete).await
    }

    /// An upload from its start to its end.
    pub(crate) async fn upload(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        parts: &[(u32, &[u8])],
        way: Way,
    ) -> Result<ObjectInfo, ObjectsError> {
        let upload = self.start_upload(bucket, key, way.requested()).await?;
        let mut done = Vec::new();
        for part in parts {
            done.push(self.put_part(bucket, &upload, *part, way.customer().as_ref()).await?);
        }
        self.complete(bucket, &upload, &done).await
    }

    /// Copies `source` to `key` in its bucket, under SSE-S3.
    pub(crate) async fn copy(
        &self,
        bucket: &Bucket,
        source: &ObjectInfo,
        key: &ObjectKey,
    ) -> Result<ObjectInfo, ObjectsError> {
        let grant = self.object_grant("s3:GetObject", bucket, &source.key);
        let copy = self.copy_of(bucket, (source, &grant), key).await?;
        self.objects.copy(&self.object_grant("s3:PutObject", bucket, key), copy).await
    }

    /// A copy that shares nothing with its source.
    pub(crate) async fn copy_bytes(
        &self,
        bucket: &Bucket,
        source: &ObjectInfo,
        key: &ObjectKey,
    ) -> Result<ObjectInfo, ObjectsError> {
        let grant = self.object_grant("s3:GetObject", bucket, &source.key);
        let copy = self.copy_of(bucket, (source, &grant), key).await?;
        self.objects.copy_bytes(&self.object_grant("s3:PutObject", bucket, key), copy).await
    }

    async fn copy_of<'a>(
        &self,
        bucket: &'a Bucket,
        (source, source_grant): (&'a ObjectInfo, &'a Grant),
        key: &'a ObjectKey,
    ) -> Result<CopyObject<'a>, ObjectsError> {
        let sse = self.objects.sse();
        let object = ObjectRef { bucket: &source.bucket, key: &source.key, id: source.holder_id };
        let source_keys = sse.open(&self.access(), object, &source.envelope, None).await?;
        let plan =
            sse.plan(&self.access(), (&bucket.name, key), &bucket.owner, &bucket.encryption, Requested::SseS3).await?;
        Ok(CopyObject {
            source,
            source_grant,
            source_keys,
            bucket,
            key,
            meta: None,
            plan,
            checksum: None,
            condition: WriteCondition::default(),
            attributes: Attributes::default(),
        })
    }

    pub(crate) async fn delete(&self, bucket: &Bucket, key: &ObjectKey) -> Result<Deleted, ObjectsError> {
        let grant = self.object_grant("s3:DeleteObject", bucket, key);
        self.objects.delete(&grant, bucket, key, None, &DeleteCondition::default()).await
    }

    pub(crate) async fn head(&self, bucket: &Bucket, key: &ObjectKey) -> Result<ObjectInfo, ObjectsError> {
        self.objects.head(&self.object_grant("s3:GetObject", bucket, key), bucket, key, None).await
    }

    pub(crate) async fn get(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        customer: Option<&CustomerKey>,
    ) -> Result<Vec<u8>, ObjectsError> {
        let grant = self.object_grant("s3:GetObject", bucket, key);
        let info = self.objects.head(&grant, bucket, key, version).await?;
        self.read(&info, PlainRange { start: 0, end: info.plain_len }, customer).await
    }

    pub(crate) async fn read(
        &self,
        info: &ObjectInfo,
        range: PlainRange,
        customer: Option<&CustomerKey>,
    ) -> Result<Vec<u8>, ObjectsError> {
        let grant = self.grant("s3:GetObject", object_arn(&info.bucket, &info.key));
        let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
        let keys = self.objects.sse().open(&self.access(), object, &info.envelope, customer).await?;
        let mut plain = self.objects.read(&grant, info, range, keys).await?;
        let mut out = Vec::new();
        while let Some(chunk) = plain.next().await {
            out.extend_from_slice(&chunk?);
        }
        Ok(out)
    }
}

/// A body of whose chunks none is there at once.
pub(crate) fn slow_payload(data: &[u8]) -> Payload {
    let chunks: Vec<_> = data.chunks(70_001).map(Bytes::copy_from_slice).collect();
    let chunks = futures_util::stream::iter(chunks).then(|chunk| async move {
        tokio::task::yield_now().await;
        Ok(chunk)
    });
    Payload::internal(chunks.boxed(), data.len() as u64)
}

/// A body in chunks of an odd size, as a network delivers them.
pub(crate) fn payload(data: &[u8]) -> Payload {
    let chunks: Vec<_> = data.chunks(10_007).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Payload::internal(futures_util::stream::iter(chunks).boxed(), data.len() as u64)
}

pub(crate) fn customer_key(byte: u8) -> CustomerKey {
    use base64::Engine as _;
    let md5 = base64::engine::general_purpose::STANDARD.encode(strongroom::crypto::md5(&[byte; 32]));
    CustomerKey::new(SecretKey::from_slice(&[byte; 32]).unwrap(), &md5).unwrap()
}

pub(crate) fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

pub(crate) fn region() -> Region {
    Region::parse("us-east-1").unwrap()
}

pub(crate) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}
