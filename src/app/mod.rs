//! The shared parts of a running gateway, built once from the configuration.

pub(crate) mod access_logs;
mod accounts;
pub(crate) mod before;
mod claim;
pub mod control;
mod deliver;
pub(crate) mod delivery;
mod door;
mod format;
#[cfg(test)]
mod golden;
pub(crate) mod inventory;
mod jobs;
mod lock;
mod open;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

pub use access_logs::AccessLogs;
pub use delivery::lengths::QueueLengths;
pub use delivery::{Notifier, Refused, Replicator};
pub use door::Door;
pub use open::{Prepared, StoreUse, unattended};

use crate::audit::Audit;
use crate::auth::{AuthSettings, Directory};
use crate::config::Config;
use crate::identity::Identities;
use crate::identity::oidc::Issuers;
use crate::index::{IndexError, Rows};
use crate::keyring::{KeyRing, RootError};
use crate::objects::Objects;
use crate::sources::Sources;

/// The shared parts.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct App {
    /// The settings.
    pub config: Config,
    /// Clock and entropy.
    pub sources: Sources,
    /// Accounts and access keys.
    pub directory: Directory,
    /// Users, roles and what else IAM keeps.
    pub identities: Identities,
    /// The keys of identity providers.
    pub issuers: Issuers,
    /// What authentication needs of the settings.
    pub auth: AuthSettings,
    /// The audit trail.
    pub audit: Audit,
    /// The key module.
    pub keyring: KeyRing,
    /// Buckets and objects.
    pub objects: Objects,
    /// Sends events.
    pub notifier: Notifier,
    /// Replicates.
    pub replicator: Replicator,
    /// How much waits for those two.
    pub queue_lengths: QueueLengths,
    /// Lines of server access logs.
    pub access_logs: Arc<AccessLogs>,
    /// One at a time makes inventories: those that are due, or one that was asked for.
    inventories: tokio::sync::Semaphore,
    rows: Rows,
    /// Held as long as the gateway lives: a second process on the same directory is refused.
    _lock: Option<lock::DirectoryLock>,
}

/// Why a gateway could not be put together; the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError(pub String);

/// A started gateway and what the first start made.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Started {
    /// The gateway.
    pub app: Arc<App>,
    /// Root credentials made just now, to be shown once: access key id and secret.
    pub new_credentials: Option<(String, String)>,
}

impl App {
    /// Whether requests can be served, else one word that says why not. After `index-failed` reads may still work;
    /// writes come back with a restart, and the log tells what happened.
    pub fn ready(&self) -> Result<(), &'static str> {
        self.rows.engine().failure().map_or(Ok(()), |_| Err("index-failed"))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl From<RootError> for StartError {
    fn from(error: RootError) -> Self {
        Self(error.to_string())
    }
}

impl From<IndexError> for StartError {
    fn from(error: IndexError) -> Self {
        Self(error.to_string())
    }
}
