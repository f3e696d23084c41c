//! Putting a gateway together.

use std::path::Path;
use std::sync::Arc;

use super::lock::DirectoryLock;
use super::{App, StartError, Started, accounts, jobs};
use crate::audit::{Audit, ChainSequencer, GatewayId};
use crate::auth::AuthSettings;
use crate::config::Config;
use crate::index::{Batch, FjallIndex, Index, Precondition, RowSealer, Rows, Table, Tuple, Write};
use crate::keyring::{KeyFile, KeyRing, open_store_key};
use crate::names::StoreUrl;
use crate::objects::Objects;
use crate::sources::Sources;
use crate::sse::Sse;
use crate::store::{Blobs, open_store};

impl App {
    /// Opens (or on first start makes) everything in the data directory. Refuses a directory in use.
    pub async fn open(config: Config, sources: Sources) -> Result<Started, StartError> {
        make_private(&config.data_dir)?;
        let lock = DirectoryLock::acquire(&config.data_dir)?;
        let index = Arc::new(FjallIndex::open(&config.data_dir.join("index"))?);
        let root = KeyFile { path: config.root_key_file.clone() };
        let store_key =
            open_store_key(&*index, &root, &sources).await.map_err(|error| StartError(error.to_string()))?;
        let sealer = Arc::new(RowSealer::open(&*index, store_key.key(), store_key.generation(), &sources).await?);
        let gateway = gateway_id(&*index, &sources).await?;
        let chain = ChainSequencer::load(&*index, Arc::clone(&sealer), gateway).await;
        index.start(Box::new(chain.map_err(|error| StartError(error.to_string()))?));
        let rows = Rows::new(index, sealer);
        let blobs = open_blobs(&config)?;
        let started = Self::build(config, sources, rows, blobs, store_key, gateway, Some(lock)).await?;
        let reopened = started.app.objects.reopen_buckets().await;
        reopened.map_err(|error| StartError(format!("the buckets cannot be read: {error:?}")))?;
        jobs::start(&started.app);
        Ok(started)
    }

    pub(super) async fn build(
        config: Config,
        sources: Sources,
        rows: Rows,
        blobs: Blobs,
        store_key: crate::keyring::StoreKey,
        gateway: GatewayId,
        lock: Option<DirectoryLock>,
    ) -> Result<Started, StartError> {
        let audit = Audit::new(rows.clone(), gateway, sources.clone());
        let home = config.regions.first().cloned().ok_or_else(|| StartError("no Region is configured".to_owned()))?;
        let keyring = KeyRing::new(rows.clone(), audit.clone(), store_key, sources.clone(), home);
        let sse = Sse::new(keyring.clone(), sources.clone());
        let objects = Objects::new(rows.clone(), audit.clone(), blobs, sse, sources.clone());
        let (directory, new_credentials) = accounts::load(&config, &rows, &sources).await?;
        let auth = AuthSettings {
            regions: config.regions.clone(),
            presigned_v2: config.presigned_v2,
            domains: config.domains.clone(),
        };
        let app = Self { config, sources, directory, auth, audit, keyring, objects, rows, _lock: lock };
        Ok(Started { app: Arc::new(app), new_credentials })
    }
}

fn open_blobs(config: &Config) -> Result<Blobs, StartError> {
    let failed = |error: String| StartError(format!("the store cannot be opened: {error}"));
    let url = match &config.store {
        Some(url) => url.clone(),
        None => {
            let path = config.data_dir.join("blobs");
            make_private(&path)?;
            let path = path.canonicalize().map_err(|error| failed(error.to_string()))?;
            StoreUrl::file(&path).map_err(|error| failed(error.0))?
        }
    };
    open_store(&url, &config.store_options).map_err(|error| failed(error.to_string()))
}

/// The id of this gateway's part of the trail: made once per data directory.
async fn gateway_id(index: &dyn Index, sources: &Sources) -> Result<GatewayId, StartError> {
    let row = Tuple::new().bytes(b"gateway").build();
    if let Some(id) = index.get(Table::Meta, &row).await? {
        return id[..].try_into().map_err(|_| StartError("the gateway's id is damaged".to_owned()));
    }
    let id: GatewayId = sources.random();
    let batch = Batch {
        preconditions: vec![Precondition::Absent(Table::Meta, row.clone())],
        writes: vec![Write::Put(Table::Meta, row, bytes::Bytes::copy_from_slice(&id))],
        appends: Vec::new(),
    };
    index.commit(batch).await.map_err(|error| StartError(error.to_string()))?;
    Ok(id)
}

/// A directory that only its owner can look into.
fn make_private(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |error: std::io::Error| StartError(format!("{}: {error}", path.display()));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}
