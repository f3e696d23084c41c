//! The shared parts of a running gateway, built once from the configuration.

use std::sync::Arc;

use crate::audit::Audit;
use crate::auth::{AuthSettings, Directory};
use crate::config::Config;
use crate::keyring::KeyRing;
use crate::names::AccountId;
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
    /// What authentication needs of the settings.
    pub auth: AuthSettings,
    /// The audit trail.
    pub audit: Audit,
    /// The key module.
    pub keyring: KeyRing,
    /// Buckets and objects.
    pub objects: Objects,
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
    /// Opens (or on first start makes) everything in the data directory. Refuses a directory in use.
    pub async fn open(config: Config, sources: Sources) -> Result<Started, StartError> {
        let _ = (config, sources);
        unimplemented!()
    }

    /// Makes and keeps one more root access key of an account (`None`: the one that the first start made). Returns id
    /// and secret, to be shown once. Refused for accounts that the configuration lists.
    pub async fn new_root_credentials(&self, account: Option<&AccountId>) -> Result<(String, String), StartError> {
        let _ = account;
        unimplemented!()
    }
}
