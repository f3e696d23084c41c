//! Roots that open a store without anybody there.

use std::path::PathBuf;

use tokio::runtime::Handle;

use super::external::{KeyService, read_private};
use super::key_file::{KeyFile, Others, read_text};
use super::open::missing_file;
use super::{Method, Root, RootError, RootId, RootSecret, Roots};
use crate::crypto::{SecretBytes, StoreKey, TokenAccess, TokenError, open_on_token, passphrase_key, seal_on_token};
use crate::sources::Sources;

/// Where roots that need nobody are to be looked for: all of it from the settings and the environment.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Unattended {
    /// `root_key_file`.
    pub key_file: KeyFile,
    /// The credential's file, if systemd has given the service credentials.
    pub credential: Option<PathBuf>,
    /// `STRONGROOM_ROOT_PASSPHRASE`.
    pub passphrase: Option<SecretBytes>,
    /// `root_token_*`.
    pub token: Option<Token>,
    /// `root_kms_*`.
    pub key_service: Option<KeyService>,
    /// Signs requests to the key service with the time.
    pub sources: Sources,
}

/// A PKCS#11 token that is reached without anybody there.
#[derive(Debug, Clone)]
pub struct Token {
    /// The module, a shared library.
    pub module: PathBuf,
    /// The token's label.
    pub label: Option<String>,
    /// The file with the PIN, mode 0600.
    pub pin_file: PathBuf,
}

impl Token {
    /// Makes a key with this id on the token and seals a root's secret under it.
    pub fn seal(&self, key_id: &[u8; 16], secret: &RootSecret, sources: &Sources) -> Result<Vec<u8>, RootError> {
        seal_on_token(&self.access()?, key_id, secret.key(), sources).map_err(token_failed)
    }

    fn open(&self, key_id: &[u8; 16], sealed: &[u8]) -> Result<RootSecret, RootError> {
        open_on_token(&self.access()?, key_id, sealed).map(RootSecret::of_key).map_err(token_failed)
    }

    fn access(&self) -> Result<TokenAccess, RootError> {
        let pin = read_private(&self.pin_file)?;
        let pin = SecretBytes::new(pin.expose().trim_ascii().to_vec());
        Ok(TokenAccess { module: self.module.clone(), label: self.label.clone(), pin })
    }
}

fn token_failed(error: TokenError) -> RootError {
    RootError::Io(error.text)
}

/// What came of the attempt to open a store.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub enum Opening {
    /// It is open.
    Open {
        /// What opened it.
        secret: RootSecret,
        /// The key.
        store_key: StoreKey,
    },
    /// No root is there: somebody has to unseal it. Why, for the log.
    Sealed(Vec<String>),
}

impl Unattended {
    /// Opens the store with the first root that does. A root that is there and is wrong, damaged or open to others is
    /// an error unless another one opens: a mistake must show, and a sealed store would hide it.
    ///
    /// Argon2 takes about a second, and tokens and services their time: only on a thread for blocking work, of a runtime.
    pub fn open(&self, roots: &Roots) -> Result<Opening, RootError> {
        let mut faults = Vec::new();
        for root in roots.list() {
            let Some(secret) = self.secret(&root) else { continue };
            let opened = secret.and_then(|secret| Ok((roots.open(&secret, &self.shown(&root))?, secret)));
            match opened {
                Ok((store_key, secret)) => return Ok(Opening::Open { secret, store_key }),
                Err(fault) => faults.push(fault),
            }
        }
        let absent = |fault: &RootError| matches!(fault, RootError::Missing(_) | RootError::Io(_));
        match faults.iter().position(|fault| !absent(fault)) {
            Some(at) => Err(faults.swap_remove(at)),
            None => Ok(Opening::Sealed(faults.iter().map(ToString::to_string).collect())),
        }
    }

    /// The roots that open the store now, without anybody there. As [`Self::open`], it blocks.
    pub fn usable(&self, roots: &Roots) -> Vec<RootId> {
        let opens = |root: &Root| {
            // Of two key files one lies where the settings say: the other is not usable because the first one is.
            let secret = self.secret(root)?.ok().filter(|secret| secret.id() == root.id())?;
            roots.open(&secret, &root.name).ok().map(|_| root.id())
        };
        roots.list().iter().filter_map(opens).collect()
    }

    fn shown(&self, root: &Root) -> String {
        match (&root.method, &self.credential) {
            (Method::KeyFile, _) => self.key_file.path.display().to_string(),
            (Method::Credential, Some(path)) => path.display().to_string(),
            _ => root.name.clone(),
        }
    }

    fn secret(&self, root: &Root) -> Option<Result<RootSecret, RootError>> {
        match &root.method {
            Method::KeyFile => {
                let shown = self.key_file.path.display().to_string();
                Some(self.key_file.read().and_then(|found| found.ok_or_else(|| missing_file(&shown))))
            }
            Method::Credential => Some(self.credential_secret()),
            Method::Passphrase { .. } => self.passphrase.as_ref().map(|passphrase| passphrase_secret(root, passphrase)),
            Method::Shares { .. } => None,
            Method::Token { key_id, sealed } => Some(match &self.token {
                Some(token) => token.open(key_id, sealed),
                None => Err(unset(root, "root_token_module and root_token_pin_file")),
            }),
            Method::Kms { key_id, sealed } => Some(match &self.key_service {
                // On a thread for blocking work, as said above.
                Some(service) => Handle::current().block_on(service.open(key_id, sealed, &self.sources)),
                None => Err(unset(root, "root_kms_endpoint and root_kms_credentials_file")),
            }),
        }
    }

    fn credential_secret(&self) -> Result<RootSecret, RootError> {
        let path = self.credential.as_ref().ok_or_else(|| {
            RootError::Missing(
                "systemd has given this process no credentials (CREDENTIALS_DIRECTORY is not set): add \
                 LoadCredentialEncrypted= to the unit"
                    .to_owned(),
            )
        })?;
        let missing = || {
            RootError::Missing(format!(
                "systemd has given this process no credential {}: see root_credential and LoadCredentialEncrypted=",
                path.display()
            ))
        };
        read_text(path, Others::Trusted)?.ok_or_else(missing)
    }
}

fn unset(root: &Root, settings: &str) -> RootError {
    RootError::Missing(format!("the root {} ({}) needs the settings {settings}", root.name, root.method.name()))
}

/// The secret that a passphrase gives under a root's cost and salt. That it is the right one shows in its id.
pub fn passphrase_secret(root: &Root, passphrase: &SecretBytes) -> Result<RootSecret, RootError> {
    let wrong = || RootError::Damaged(format!("the cost of the passphrase of root {} is beyond all limits", root.name));
    let (cost, salt) = root.method.argon2().ok_or_else(wrong)?;
    let secret = passphrase_key(passphrase, salt, cost).map(RootSecret::of_key).ok_or_else(wrong)?;
    if secret.id() == root.id() {
        return Ok(secret);
    }
    Err(RootError::WrongRoot(format!("this is not the passphrase of root {}", root.name)))
}
