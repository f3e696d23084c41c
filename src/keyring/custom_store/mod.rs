//! Custom key stores: keys whose ciphertexts only somebody else can open.
//!
//! A store is an external key store proxy (`EXTERNAL_KEY_STORE`, the AWS XKS proxy API) or a PKCS#11 token
//! (`AWS_CLOUDHSM`). A KMS key in it has material of its own, like any other, and a key in the store; what it seals is
//! sealed by both ([`ciphertext`]). Where keys are used, [`backing`] is the one place that knows of it.

mod backing;
mod ciphertext;
mod connect;
mod failure;
#[cfg(test)]
pub(super) mod golden;
mod manage;
mod new_key;
mod proxy;
mod random;
mod record;
mod token;
mod wire;

pub use failure::{ConnectionError, StoreCode};
pub use proxy::{ProxyClient, XKS_PORT_DEFAULT, XKS_TIMEOUT_DEFAULT};
pub use token::{ConfiguredToken, TOKEN_TIMEOUT, Tokens};

pub(super) use backing::Backing;
pub(super) use ciphertext::StoreCiphertext;
#[cfg(test)]
pub(super) use record::stores_row;
pub(super) use record::{CustomKeyRecord, KeyStoresRecord, SECRET_LABEL, STORES, secret_context};

use record::{BackendRecord, Connection, KeyStoreRecord};

use crate::crypto::SecretBytes;
use crate::sources::Timestamp;

/// Most stores of an account in a Region (KMS quotas, "Custom key stores").
pub const KEY_STORES_MAX: usize = 10;

/// What stands behind custom key stores: from the settings.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Backends {
    /// `xks_*`.
    pub proxies: ProxyClient,
    /// `[[pkcs11]]`.
    pub tokens: Tokens,
}

/// What CreateCustomKeyStore is given.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct NewKeyStore {
    /// Unique in account and Region, at most 256 characters.
    pub name: String,
    /// What is behind it.
    pub backend: NewBackend,
}

/// What is behind a new store.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub enum NewBackend {
    /// An external key store proxy with a public endpoint.
    Proxy {
        /// `https://` and a host.
        endpoint: String,
        /// `/…/kms/xks/v1`.
        path: String,
        /// With which requests are signed.
        credential: ProxyCredential,
    },
    /// A PKCS#11 token.
    Token {
        /// `cluster-…`, by which the configuration knows it.
        cluster_id: String,
        /// A certificate, PEM.
        trust_anchor: String,
        /// `KeyStorePassword`: the user's PIN.
        pin: SecretBytes,
    },
}

/// `XksProxyAuthenticationCredential`.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct ProxyCredential {
    /// 20 to 30 characters.
    pub access_key_id: String,
    /// `RawSecretAccessKey`, 43 to 64 characters.
    pub secret: SecretBytes,
}

/// What UpdateCustomKeyStore changes: what is there.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct KeyStoreChange {
    /// A new name.
    pub name: Option<String>,
    /// Of an external key store.
    pub endpoint: Option<String>,
    /// Of an external key store.
    pub path: Option<String>,
    /// Of an external key store.
    pub credential: Option<ProxyCredential>,
    /// Of a token.
    pub cluster_id: Option<String>,
    /// Of a token.
    pub pin: Option<SecretBytes>,
}

/// `ConnectionState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Keys in it can be made and used.
    Connected,
    /// An attempt is on its way.
    Connecting,
    /// Never connected, or disconnected on purpose.
    Disconnected,
    /// The attempt failed.
    Failed(ConnectionError),
}

/// What DescribeCustomKeyStores tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStore {
    /// `cks-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Creation.
    pub created: Timestamp,
    /// Its connection.
    pub connection: ConnectionState,
    /// What is behind it.
    pub backend: Backend,
}

/// What is behind a store, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// An external key store proxy.
    Proxy {
        /// `https://` and a host.
        endpoint: String,
        /// `/…/kms/xks/v1`.
        path: String,
        /// Of the credential.
        access_key_id: String,
    },
    /// A PKCS#11 token.
    Token {
        /// `cluster-…`.
        cluster_id: String,
        /// A certificate, PEM.
        trust_anchor: String,
    },
}

/// Which stores are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStoreFilter {
    /// All.
    All,
    /// The one with this id.
    Id(String),
    /// The one with this name.
    Name(String),
}

/// Where a KMS key in a custom key store has its other half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomKey {
    /// The store.
    pub store_id: String,
    /// Of a key in a token: `cluster-…`.
    pub cluster_id: Option<String>,
    /// Of a key in an external key store.
    pub xks_key_id: Option<String>,
}

/// What CreateKey is given for a key in a custom key store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomKey {
    /// The store.
    pub store_id: String,
    /// The external key, in an external key store.
    pub xks_key_id: Option<String>,
}

impl ConnectionState {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "CONNECTED",
            Self::Connecting => "CONNECTING",
            Self::Disconnected => "DISCONNECTED",
            Self::Failed(_) => "FAILED",
        }
    }
}

impl KeyStoreRecord {
    fn is_connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    fn shown(&self) -> KeyStore {
        let connection = match self.connection {
            Connection::Connected => ConnectionState::Connected,
            Connection::Connecting { .. } => ConnectionState::Connecting,
            Connection::Disconnected => ConnectionState::Disconnected,
            Connection::Failed { error } => ConnectionState::Failed(error),
        };
        let backend = match self.backend.clone() {
            BackendRecord::Proxy(proxy) => {
                Backend::Proxy { endpoint: proxy.endpoint, path: proxy.path, access_key_id: proxy.access_key_id }
            }
            BackendRecord::Token(token) => {
                Backend::Token { cluster_id: token.cluster_id, trust_anchor: token.trust_anchor }
            }
        };
        let (id, name, created) = (self.id.clone(), self.name.clone(), Timestamp(self.created_ms));
        KeyStore { id, name, created, connection, backend }
    }
}
