//! Putting a gateway together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lock::DirectoryLock;
use super::{AccessLogs, App, Notifier, Replicator, StartError, Started, accounts, claim, format};
use crate::audit::{Audit, ChainSequencer, GatewayId};
use crate::auth::{AuthSettings, Directory};
use crate::config::{Config, Pkcs11Config};
use crate::crypto::SecretBytes;
use crate::identity::Identities;
use crate::identity::oidc::Issuers;
use crate::index::{Batch, FjallIndex, Index, Precondition, RowSealer, Rows, Table, Tuple, Write};
use crate::keyring::{
    Backends, ConfiguredToken, KeyFile, KeyRing, KeyService, NewRoot, Opening, ProxyClient, RootChange, RootSecret,
    Roots, StoreKey, Token, Tokens, Unattended, create_store, open_store_key,
};
use crate::names::StoreUrl;
use crate::objects::Objects;
use crate::sources::Sources;
use crate::sse::Sse;
use crate::store::{Blobs, open_store};

/// A data directory that is held and looked at, and whose store key is not open: the sealed state.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Prepared {
    /// The settings.
    pub config: Config,
    pub(super) sources: Sources,
    lock: DirectoryLock,
    index: Arc<FjallIndex>,
    store_use: StoreUse,
    /// This process has made the store key.
    is_new: AtomicBool,
}

/// What a gateway is put together for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreUse {
    /// Objects: their store must be there, and be that of this data directory.
    Objects,
    /// Keys, accounts or the trail: works without the store too.
    None,
}

impl Prepared {
    /// Opens the index. Refuses a directory in use, and one that a newer program has written.
    pub async fn open(config: Config, sources: Sources, store_use: StoreUse) -> Result<Self, StartError> {
        make_private(&config.data_dir)?;
        let lock = DirectoryLock::acquire(&config.data_dir)?;
        let index = Arc::new(FjallIndex::open(&config.data_dir.join("index"))?);
        format::check(&*index).await?;
        Ok(Self { config, sources, lock, index, store_use, is_new: AtomicBool::new(false) })
    }

    /// The roots of the store; `None`: there is no store here yet.
    pub async fn roots(&self) -> Result<Option<Roots>, StartError> {
        Ok(Roots::load(&*self.index).await?)
    }

    /// Opens the store key with a root that needs nobody, or on an empty store makes both it and a key file. `Err` of
    /// the texts that say why none is there: the store stays sealed.
    pub async fn unlock(&self) -> Result<Result<StoreKey, Vec<String>>, StartError> {
        let unattended = unattended(&self.config, &self.sources);
        let Some(roots) = self.roots().await? else {
            let store_key = open_store_key(&*self.index, &unattended.key_file, &self.sources).await?;
            self.is_new.store(true, Ordering::Relaxed);
            return Ok(Ok(store_key));
        };
        let (opening, roots) = tokio::task::spawn_blocking(move || (unattended.open(&roots), roots))
            .await
            .map_err(|error| StartError(error.to_string()))?;
        match opening? {
            Opening::Sealed(reasons) => Ok(Err(reasons)),
            Opening::Open { secret, store_key } => {
                roots.adopt(&*self.index, &secret, &store_key, &self.sources).await?;
                Ok(Ok(store_key))
            }
        }
    }

    /// Opens the store key with a root that somebody brought.
    pub async fn unlock_with(&self, secret: &RootSecret) -> Result<StoreKey, StartError> {
        let roots = self.roots().await?.ok_or_else(|| StartError("there is no store here yet".to_owned()))?;
        let store_key = roots.open(secret, "what was given")?;
        roots.adopt(&*self.index, secret, &store_key, &self.sources).await?;
        Ok(store_key)
    }

    /// Makes the store key of an empty store under its first root.
    pub async fn create(&self, root: &NewRoot) -> Result<StoreKey, StartError> {
        let store_key = create_store(&*self.index, root, &self.sources).await?;
        self.is_new.store(true, Ordering::Relaxed);
        Ok(store_key)
    }

    /// Opens the store. Refuses one that is not this directory's, if objects are what it is needed for.
    pub async fn open_store(&self) -> Result<Blobs, StartError> {
        let (url, blobs) = open_blobs(&self.config)?;
        if self.store_use == StoreUse::Objects {
            let place = (&url, self.config.store_options.as_slice());
            claim::claim(&*self.index, &self.sources, place, &blobs).await?;
        }
        Ok(blobs)
    }

    /// Puts the gateway together over what [`Self::unlock`] (or its like) and [`Self::open_store`] have opened.
    pub async fn start(self, store_key: StoreKey, blobs: Blobs) -> Result<Started, StartError> {
        let Self { config, sources, lock, index, is_new, .. } = self;
        format::note(&*index).await?;
        let sealer = Arc::new(RowSealer::open(&*index, &store_key, &sources).await?);
        let gateway = gateway_id(&*index, &sources).await?;
        let chain = ChainSequencer::load(&*index, Arc::clone(&sealer), gateway).await;
        index.start(Box::new(chain.map_err(|error| StartError(error.to_string()))?));
        let rows = Rows::new(index, sealer);
        let started = App::build(config, sources, rows, blobs, store_key, gateway, Some(lock)).await?;
        if is_new.into_inner() {
            started.app.keyring.record_first_root(RootChange { uid: rustix::process::getuid().as_raw() }).await?;
        }
        let reopened = started.app.objects.reopen_buckets().await;
        reopened.map_err(|error| StartError(format!("the buckets cannot be read: {error:?}")))?;
        let ended = started.app.objects.end_leases().await;
        ended.map_err(|error| StartError(format!("leases of the process before cannot be ended: {error:?}")))?;
        Ok(started)
    }
}

impl App {
    pub(super) async fn build(
        config: Config,
        sources: Sources,
        rows: Rows,
        blobs: Blobs,
        store_key: StoreKey,
        gateway: GatewayId,
        lock: Option<DirectoryLock>,
    ) -> Result<Started, StartError> {
        let audit = Audit::new(rows.clone(), gateway, sources.clone());
        let home = config.regions.first().cloned().ok_or_else(|| StartError("no Region is configured".to_owned()))?;
        let backends = backends(&config)?;
        let keyring = KeyRing::with_backends(rows.clone(), audit.clone(), store_key, sources.clone(), home, backends);
        let sse = Sse::new(keyring.clone(), sources.clone());
        let objects = Objects::new(rows.clone(), audit.clone(), blobs, sse, sources.clone());
        let (seed, new_credentials) = accounts::load(&config, &rows, &sources).await?;
        let seed = Arc::new(seed);
        let identities = Identities::new(rows.clone(), audit.clone(), Arc::clone(&seed), sources.clone());
        let directory = Directory::new(seed, Arc::new(identities.clone()));
        let auth = AuthSettings {
            regions: config.regions.clone(),
            presigned_v2: config.presigned_v2,
            signature_v2: config.signature_v2,
            domains: config.domains.clone(),
        };
        let issuers = Issuers::new(config.oidc_ca_file.clone(), config.oidc_hosts.clone());
        if config.oidc_ca_file.is_some() {
            issuers.check().map_err(|error| StartError(format!("oidc_ca_file: {error}")))?;
        }
        let notifier = Notifier::open(&config.notification_targets)?;
        let replicator = Replicator::open(&config.replication_targets)?;
        let access_logs = Arc::new(AccessLogs::default());
        let asked = notifier.clone();
        objects.ask_for_targets(Arc::new(move |arn, bucket| asked.has(arn, bucket)));
        tell_lifecycle(&objects, &access_logs, (&directory, &sources));
        let app = Self {
            config,
            sources,
            directory,
            identities,
            issuers,
            auth,
            audit,
            keyring,
            objects,
            notifier,
            replicator,
            queue_lengths: super::QueueLengths::default(),
            access_logs,
            inventories: tokio::sync::Semaphore::new(1),
            rows,
            _lock: lock,
        };
        Ok(Started { app: Arc::new(app), new_credentials })
    }
}

/// What lifecycle rules do stands in server access logs.
fn tell_lifecycle(objects: &Objects, logs: &Arc<AccessLogs>, (directory, sources): (&Directory, &Sources)) {
    let (logs, seed, sources) = (Arc::clone(logs), Arc::clone(directory.seed()), sources.clone());
    objects.tell_lifecycle(Arc::new(move |bucket, done| {
        let owner =
            seed.account(&bucket.owner).map_or_else(|| bucket.owner.to_string(), |a| a.canonical_id.to_string());
        let entry = App::lifecycle_entry(&sources, owner, (bucket, done));
        logs.add((&bucket.name, bucket.id), &entry);
    }));
}

/// What the settings say of custom key stores.
fn backends(config: &Config) -> Result<Backends, StartError> {
    let proxies = ProxyClient::new(config.xks_ca_file.clone(), config.xks_port, config.xks_timeout);
    if config.xks_ca_file.is_some() {
        proxies.check().map_err(|error| StartError(format!("xks_ca_file: {error}")))?;
    }
    let token = |token: &Pkcs11Config| ConfiguredToken {
        cluster_id: token.cluster_id.clone(),
        module: token.module.clone(),
        label: token.label.clone(),
        trust_anchor: token.trust_anchor.clone(),
    };
    Ok(Backends { proxies, tokens: Tokens::new(config.pkcs11.iter().map(token).collect()) })
}

/// Where the settings have roots looked for that need nobody.
pub fn unattended(config: &Config, sources: &Sources) -> Unattended {
    let copy = |secret: &SecretBytes| SecretBytes::new(secret.expose().to_vec());
    Unattended {
        key_file: KeyFile { path: config.root_key_file.clone() },
        credential: config.root_credential_file.clone(),
        passphrase: config.root_passphrase.as_ref().map(copy),
        token: config.root_token.as_ref().map(|token| Token {
            module: token.module.clone(),
            label: token.label.clone(),
            pin_file: token.pin_file.clone(),
        }),
        key_service: config.root_kms.as_ref().map(|kms| KeyService {
            endpoint: kms.endpoint.clone(),
            region: kms.region.clone(),
            credentials_file: kms.credentials_file.clone(),
            ca_file: kms.ca_file.clone(),
        }),
        sources: sources.clone(),
    }
}

fn open_blobs(config: &Config) -> Result<(StoreUrl, Blobs), StartError> {
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
    if url.url().scheme() == "memory" {
        tracing::warn!("store = memory:// is for tests: objects larger than 32 KiB are gone when this process ends");
    }
    let blobs = open_store(&url, &config.store_options).map_err(|error| failed(error.to_string()))?;
    Ok((url, blobs))
}

/// The id of this gateway's part of the trail: made once per data directory.
async fn gateway_id(index: &dyn Index, sources: &Sources) -> Result<GatewayId, StartError> {
    let row = gateway_row();
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

/// The row of the gateway's id, which stands there as it is.
pub(super) fn gateway_row() -> Vec<u8> {
    Tuple::new().bytes(b"gateway").build()
}

/// A directory that only its owner can look into.
fn make_private(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |error: std::io::Error| match path.exists() {
        true => StartError(format!("{} is no directory; name another with --data-dir", path.display())),
        false => {
            let shown = path.display();
            StartError(format!("cannot make the directory {shown}: {error}; name another with --data-dir"))
        }
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}
