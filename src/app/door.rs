//! The state of a gateway between sealed and open, and what can be done to its roots in either.

use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;

use super::control::{Answer, Question, RECORDS_MAX_BYTES, Records, Status};
use super::inventory;
use super::open::unattended;
use super::{App, Prepared, StartError, Started};
use crate::keyring::{RootChange, RootId, RootSecret, Roots, Unattended};

/// Behind it is the gateway. It opens once and never closes again.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Door {
    app: OnceLock<Arc<App>>,
    /// What waits to be unsealed.
    sealed: Mutex<Option<Prepared>>,
    roots: Arc<Unattended>,
    opened: tokio::sync::watch::Sender<bool>,
    new_credentials: std::sync::Mutex<Option<(String, String)>>,
}

impl Door {
    /// A closed one.
    pub fn sealed(prepared: Prepared) -> Self {
        Self {
            roots: Arc::new(unattended(&prepared.config, &prepared.sources)),
            app: OnceLock::new(),
            sealed: Mutex::new(Some(prepared)),
            opened: tokio::sync::watch::Sender::new(false),
            new_credentials: std::sync::Mutex::new(None),
        }
    }

    /// An open one.
    pub fn open(started: Started) -> Self {
        let door = Self {
            roots: Arc::new(unattended(&started.app.config, &started.app.sources)),
            app: OnceLock::new(),
            sealed: Mutex::new(None),
            opened: tokio::sync::watch::Sender::new(false),
            new_credentials: std::sync::Mutex::new(None),
        };
        door.let_in(started);
        door
    }

    /// The gateway, once the store is open.
    pub fn app(&self) -> Option<&Arc<App>> {
        self.app.get()
    }

    /// Returns when the store is open.
    pub async fn wait(&self) -> &Arc<App> {
        let mut opened = self.opened.subscribe();
        // The sender lives in this very struct.
        let _ = opened.wait_for(|opened| *opened).await;
        self.app.get().expect("it is set before the door says open")
    }

    /// The root credentials that the first start made, once.
    pub fn take_new_credentials(&self) -> Option<(String, String)> {
        self.new_credentials.lock().expect("no holder panics").take()
    }

    /// Answers a question.
    pub async fn answer(&self, question: Question, by: RootChange) -> Answer {
        match question {
            Question::Status => {
                let status = self.status().await.map_err(|error| error.0)?;
                Ok(minicbor::to_vec(&status).expect("encoding into memory does not fail"))
            }
            Question::Unseal(secret) => self.unseal(&secret, by).await.map(|()| Vec::new()).map_err(|error| error.0),
            Question::Add(root) => {
                self.keyring()?.add_root(&root, by).await.map(|()| Vec::new()).map_err(|error| error.to_string())
            }
            Question::Remove(name) => {
                let usable = self.usable().await.map_err(|error| error.0)?;
                let removed = self.keyring()?.remove_root(&name, &usable, by).await;
                removed.map(|root| root.name.into_bytes()).map_err(|error| error.to_string())
            }
            Question::Rotate => {
                self.keyring()?.rotate_store_key(by).await.map(|_| Vec::new()).map_err(|error| error.to_string())
            }
            Question::Records(request_id) => {
                let app = self.app().ok_or_else(sealed)?;
                let found = app.audit.of_request(&request_id, RECORDS_MAX_BYTES).await;
                let found = found.map_err(|error| format!("the trail can't be read: {error}"))?;
                let records = Records { records: found.into_iter().map(|record| record.json).collect() };
                Ok(minicbor::to_vec(&records).expect("encoding into memory does not fail"))
            }
            Question::Inventory(bucket, id) => {
                let app = self.app().ok_or_else(sealed)?;
                let made = Box::pin(inventory::make_now(app, &bucket, &id)).await?;
                Ok(minicbor::to_vec(&made).expect("encoding into memory does not fail"))
            }
        }
    }

    /// Opens a sealed store with a root that somebody brought. A wrong one changes nothing.
    pub async fn unseal(&self, secret: &RootSecret, by: RootChange) -> Result<(), StartError> {
        let mut sealed = self.sealed.lock().await;
        let Some(prepared) = sealed.as_ref() else { return Err(StartError("the store is open already".to_owned())) };
        let store_key = prepared.unlock_with(secret).await?;
        let blobs = prepared.open_store().await?;
        let prepared = sealed.take().ok_or_else(|| StartError("the store is open already".to_owned()))?;
        let started = async {
            let started = Box::pin(prepared.start(store_key, blobs)).await?;
            started.app.keyring.record_unsealing(secret.id(), by).await?;
            Ok(started)
        };
        let started = started.await.inspect_err(|error: &StartError| {
            tracing::error!(%error, "the store was unsealed and could not be opened; nothing is served until a new start");
        })?;
        self.let_in(started);
        Ok(())
    }

    /// Opens a sealed store with a root that needs nobody; `false`: none is there.
    pub async fn unseal_unattended(&self) -> Result<bool, StartError> {
        // Somebody else is at it, or it is open.
        let Ok(mut sealed) = self.sealed.try_lock() else { return Ok(false) };
        let Some(prepared) = sealed.as_ref() else { return Ok(self.app().is_some()) };
        let Ok(store_key) = prepared.unlock().await? else { return Ok(false) };
        let blobs = prepared.open_store().await?;
        if let Some(prepared) = sealed.take() {
            self.let_in(Box::pin(prepared.start(store_key, blobs)).await?);
        }
        Ok(true)
    }

    /// What is known of the roots.
    pub async fn status(&self) -> Result<Status, StartError> {
        let usable = self.usable().await?.iter().map(ToString::to_string).collect();
        let Some(app) = self.app() else {
            let roots = self.stored_roots().await?.map(|roots| roots.list()).unwrap_or_default();
            return Ok(Status { sealed: true, roots, usable, generation: None, rotating: false });
        };
        let generations = app.keyring.generations();
        Ok(Status {
            sealed: false,
            roots: app.keyring.roots().await?,
            usable,
            generation: generations.last().cloned(),
            rotating: generations.len() > 1,
        })
    }

    fn let_in(&self, started: Started) {
        *self.new_credentials.lock().expect("no holder panics") = started.new_credentials;
        // Only the holder of what was sealed gets here, once.
        let _ = self.app.set(started.app);
        self.opened.send_replace(true);
    }

    fn keyring(&self) -> Result<&crate::keyring::KeyRing, String> {
        self.app().map(|app| &app.keyring).ok_or_else(sealed)
    }

    async fn usable(&self) -> Result<Vec<RootId>, StartError> {
        let Some(roots) = self.stored_roots().await? else { return Ok(Vec::new()) };
        let unattended = Arc::clone(&self.roots);
        // A passphrase from the environment takes Argon2's second.
        let usable = tokio::task::spawn_blocking(move || unattended.usable(&roots)).await;
        usable.map_err(|error| StartError(error.to_string()))
    }

    async fn stored_roots(&self) -> Result<Option<Roots>, StartError> {
        match (self.app(), &*self.sealed.lock().await) {
            (Some(app), _) => Ok(Roots::load(&**app.rows.engine()).await?),
            (None, Some(prepared)) => prepared.roots().await,
            (None, None) => Err(StartError("the store could not be opened: see the log".to_owned())),
        }
    }
}

fn sealed() -> String {
    "the store is sealed: run strongroom unseal first".to_owned()
}
