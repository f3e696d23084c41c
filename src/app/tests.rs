//! A gateway over an index and a blob store in memory, for tests of the protocols.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::App;
use crate::audit::{Audit, ChainSequencer};
use crate::config::Config;
use crate::index::{MemoryIndex, RowSealer, Rows};
use crate::keyring::{KeyFile, open_store_key};
use crate::sources::{Sources, Timestamp};
use crate::store::faulty::FaultyStore;

const GATEWAY: [u8; 16] = [9; 16];
/// 2026-11-25T12:00:00Z.
const START: Timestamp = Timestamp(1_795_608_000_000);

/// A running gateway and what lies under it.
pub(crate) struct Gateway {
    pub(crate) app: Arc<App>,
    pub(crate) index: Arc<MemoryIndex>,
    pub(crate) sources: Sources,
    settings: &'static str,
    store: FaultyStore,
    root: Arc<TempDir>,
}

impl Gateway {
    /// A new store; everything in it follows from `seed`. `settings` are in the form of `strongroom.toml`.
    pub(crate) async fn new(seed: u64, settings: &'static str) -> Self {
        let root = Arc::new(tempfile::tempdir().expect("a directory"));
        let sources = Sources::seeded(seed, START);
        Self::open(MemoryIndex::default(), FaultyStore::new(), sources, settings, root).await
    }

    /// The process dies here, and another one opens what was durable.
    pub(crate) async fn crash(self) -> Self {
        let (index, store) = (self.index.crash(), self.store.crash());
        Self::open(index, store, self.sources, self.settings, self.root).await
    }

    async fn open(
        index: MemoryIndex,
        store: FaultyStore,
        sources: Sources,
        settings: &'static str,
        root: Arc<TempDir>,
    ) -> Self {
        let index = Arc::new(index);
        let key_file = KeyFile { path: root.path().join("root.key") };
        let store_key = open_store_key(&*index, &key_file, &sources).await.expect("the root key opens the store");
        let sealer = RowSealer::open(&*index, &store_key, &sources).await.unwrap();
        let sealer = Arc::new(sealer);
        index.start(Box::new(ChainSequencer::load(&*index, Arc::clone(&sealer), GATEWAY).await.unwrap()));
        let rows = Rows::new(Arc::<MemoryIndex>::clone(&index), sealer);
        let config = Config::for_tests(settings);
        let started = App::build(config, sources.clone(), rows, store.blobs(), store_key, GATEWAY, None).await;
        let app = started.unwrap_or_else(|error| panic!("{error}")).app;
        app.objects.reopen_buckets().await.unwrap();
        Self { app, index, sources, settings, store, root }
    }

    /// The records of the trail behind `after` of them.
    pub(crate) async fn records(&self, after: u64) -> Vec<Value> {
        let records = self.audit().list(after, 10_000).await.unwrap();
        records.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect()
    }

    /// The number of records, all of which fit the chain.
    pub(crate) async fn record_count(&self) -> u64 {
        self.audit().verify(None).await.unwrap().unwrap().seq
    }

    fn audit(&self) -> &Audit {
        &self.app.audit
    }
}
