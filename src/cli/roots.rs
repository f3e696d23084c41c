//! A store's roots as the commands reach them: through a running server, or in the data directory of a stopped one.

use rustix::process::getuid;

use super::secret_input::SecretInput;
use super::{Failure, stopped};
use crate::app::control::{Question, Status};
use crate::app::{Door, Prepared, StoreUse};
use crate::config::Config;
use crate::crypto::SecretBytes;
use crate::keyring::{Method, Root, RootChange, RootSecret, combine, parse_share, passphrase_secret};
use crate::server::{self, ControlClient};
use crate::sources::Sources;

/// The store that the settings name.
pub(super) struct Store {
    way: Way,
    /// `STRONGROOM_ROOT_PASSPHRASE`.
    pub(super) passphrase: Option<SecretBytes>,
}

enum Way {
    Running(ControlClient),
    Stopped(Box<Door>),
}

impl Store {
    /// Finds the store. Never makes one: see [`stopped::require_data_dir`].
    pub(super) async fn find(config: Config) -> Result<Self, Failure> {
        stopped::require_data_dir(&config)?;
        server::init_logging(config.log_json, "warn");
        let passphrase = config.root_passphrase.as_ref().map(|secret| SecretBytes::new(secret.expose().to_vec()));
        if let Some(client) = ControlClient::connect(&config.data_dir).await {
            return Ok(Self { way: Way::Running(client), passphrase });
        }
        let prepared = Box::pin(Prepared::open(config, Sources::system(), StoreUse::None)).await?;
        Ok(Self { way: Way::Stopped(Box::new(Door::sealed(prepared))), passphrase })
    }

    /// Whether a server runs on it.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.way, Way::Running(_))
    }

    /// The state of the roots.
    pub(super) async fn status(&self) -> Result<Status, Failure> {
        let body = self.ask(Question::Status).await?;
        minicbor::decode(&body).map_err(|error| Failure::Failed(format!("the server's answer can't be read: {error}")))
    }

    /// Asks the server, or does it.
    pub(super) async fn ask(&self, question: Question) -> Result<Vec<u8>, Failure> {
        let answer = match &self.way {
            Way::Stopped(door) => door.answer(question, RootChange { uid: getuid().as_raw() }).await,
            Way::Running(client) => client
                .ask(&question)
                .await
                .map_err(|error| Failure::Failed(format!("the server went away: {error}")))?,
        };
        answer.map_err(Failure::Failed)
    }

    /// Opens a stopped server's store, asking for a passphrase or shares where no other root is there; a running server
    /// has to be open already.
    pub(super) async fn open(&self, input: &SecretInput) -> Result<(), Failure> {
        let Way::Stopped(door) = &self.way else { return Ok(()) };
        if door.unseal_unattended().await? {
            return Ok(());
        }
        let status = self.status().await?;
        let secret = bring_secret(&status.roots, input, self.passphrase.as_ref(), false)?;
        self.ask(Question::Unseal(secret)).await.map(drop)
    }

    /// On a stopped server's data: ends a rotation at once.
    pub(super) async fn finish_rotation(&self) -> Result<(), Failure> {
        let Way::Stopped(door) = &self.way else { return Ok(()) };
        let app = door.app().ok_or_else(|| Failure::Failed("the store is sealed".to_owned()))?;
        app.keyring.finish_rotation().await.map(drop).map_err(Failure::from)
    }
}

/// The secret of a root that people bring: the passphrase, or the shares if they are asked for or the only way.
pub(super) fn bring_secret(
    roots: &[Root],
    input: &SecretInput,
    environment: Option<&SecretBytes>,
    by_shares: bool,
) -> Result<RootSecret, Failure> {
    let passphrases: Vec<&Root> =
        roots.iter().filter(|root| matches!(root.method, Method::Passphrase { .. })).collect();
    let shares = roots.iter().find_map(|root| match root.method {
        Method::Shares { threshold, .. } => Some((root, threshold)),
        _ => None,
    });
    match shares {
        Some((root, threshold)) if by_shares || passphrases.is_empty() => {
            let prompt = |at: usize| format!("Share {} of {threshold} of root {}: ", at + 1, root.name);
            let lines = input.lines(usize::from(threshold), prompt)?;
            let parsed = lines.iter().map(parse_share).collect::<Result<Vec<_>, _>>();
            parsed.and_then(combine).map_err(|error| Failure::Failed(error.to_string()))
        }
        _ if by_shares || passphrases.is_empty() => Err(Failure::Failed(
            "no root of this store is a passphrase or shares: bring back the key file, credential or token, or the \
             service that keeps it"
                .to_owned(),
        )),
        _ => {
            let passphrase = input.passphrase("Passphrase: ", environment)?;
            let mut refusal = String::new();
            for root in passphrases {
                match passphrase_secret(root, &passphrase) {
                    Ok(secret) => return Ok(secret),
                    Err(error) => refusal = error.to_string(),
                }
            }
            Err(Failure::Failed(refusal))
        }
    }
}
