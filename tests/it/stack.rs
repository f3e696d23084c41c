//! The object store over an index and a blob store in memory, as the application puts it together.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;
use strongroom::audit::{Audit, ChainSequencer, Event, EventKind};
use strongroom::auth::{Access, Grant, Payload, Resource, system};
use strongroom::crypto::{PlainRange, SecretKey};
use strongroom::index::{MemoryIndex, RowSealer, Rows};
use strongroom::keyring::{KeyFile, KeyRing, open_store_key};
use strongroom::names::{AccountId, BucketName, ObjectKey, Region, bucket_arn, object_arn};
use strongroom::objects::{Bucket, NewBucket, ObjectInfo, ObjectMeta, Objects, ObjectsError, PutObject, VersionId};
use strongroom::objects::{Versioning, WriteCondition};
use strongroom::sources::{Sources, Timestamp};
use strongroom::sse::{CustomerKey, ObjectRef, Requested, Sse};
use strongroom::store::faulty::FaultyStore;
use tempfile::TempDir;

const ACCOUNT: &str = "111122223333";
const GATEWAY: [u8; 16] = [7; 16];

/// An opened object store and what lies under it.
pub(crate) struct Stack {
    pub(crate) objects: Objects,
    pub(crate) audit: Audit,
    pub(crate) keyring: KeyRing,
    pub(crate) index: Arc<MemoryIndex>,
    pub(crate) store: FaultyStore,
    pub(crate) sources: Sources,
    root: Arc<TempDir>,
}

impl Stack {
    /// A new store; everything in it follows from `seed`.
    pub(crate) async fn new(seed: u64) -> Self {
        let sources = Sources::seeded(seed, Timestamp(1_795_608_000_000));
        let root = Arc::new(tempfile::tempdir().unwrap());
        Self::open(MemoryIndex::default(), FaultyStore::new(), sources, root).await
    }

    /// The process dies here, and another one opens what was durable.
    pub(crate) async fn crash(&self) -> Self {
        let (index, store) = (self.index.crash(), self.store.crash());
        Self::open(index, store, self.sources.clone(), Arc::clone(&self.root)).await
    }

    async fn open(index: MemoryIndex, store: FaultyStore, sources: Sources, root: Arc<TempDir>) -> Self {
        let index = Arc::new(index);
        let key_file = KeyFile { path: root.path().join("root.key") };
        let store_key = open_store_key(&*index, &key_file, &sources).await.unwrap();
        let sealer = RowSealer::open(&*index, &store_key, &sources).await.unwrap();
        let sealer = Arc::new(sealer);
        let chain = ChainSequencer::load(&*index, Arc::clone(&sealer), GATEWAY).await.unwrap();
        index.start(Box::new(chain));
        let rows = Rows::new(Arc::clone(&index) as Arc<dyn strongroom::index::Index>, sealer);
        let audit = Audit::new(rows.clone(), GATEWAY, sources.clone());
        let keyring = KeyRing::new(rows.clone(), audit.clone(), store_key, sources.clone(), region());
        let sse = Sse::new(keyring.clone(), sources.clone());
        let objects = Objects::new(rows, audit.clone(), store.blobs(), sse, sources.clone());
        objects.reopen_buckets().await.unwrap();
        Self { objects, audit, keyring, index, store, sources, root }
    }

    pub(crate) fn access(&self) -> Access {
        system("test", region(), self.sources.now())
    }

    pub(crate) fn grant(&self, action: &'static str, arn: String) -> Grant {
        self.access().authorize(action, Resource { arn, owner: account() }).unwrap()
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
        let new = NewBucket { name: name.clone(), owner: account(), region: region() };
        let event = self.event("CreateBucket", Value::Null);
        self.objects.create_bucket(&self.grant("s3:CreateBucket", bucket_arn(&name)), new, &event).await.unwrap();
        if versioning != Versioning::Never {
            let grant = self.grant("s3:PutBucketVersioning", bucket_arn(&name));
            let event = self.event("PutBucketVersioning", Value::Null);
            self.objects.set_versioning(&grant, &name, versioning, &event).await.unwrap();
        }
        self.objects.bucket(&name).await.unwrap()
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
        let sse = self.objects.sse();
        let plan = sse.plan(&self.access(), &bucket.name, &bucket.owner, &bucket.encryption, requested).await?;
        let put = PutObject { bucket, key, meta: ObjectMeta::default(), plan, condition: WriteCondition::default() };
        self.objects.put(&self.object_grant("s3:PutObject", bucket, key), put, payload(data)).await
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
