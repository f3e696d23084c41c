//! What the index keeps of custom key stores. Fields may be added, never renumbered.

use super::failure::ConnectionError;
use crate::crypto::Context;
use crate::index::{Record, Table, Tuple};
use crate::keyring::record::INTERNAL;
use crate::names::{AccountId, Region};

/// Parts the secrets of stores from what else the store key wraps. Frozen.
pub(in crate::keyring) const SECRET_LABEL: &str = "strongroom custom key store secret v1";

/// The custom key stores of one account in one Region. At most ten, so they share a row: names, addresses and the
/// number of keys in each are unique or right by the precondition that the row is as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) struct KeyStoresRecord {
    #[n(0)]
    pub(in crate::keyring) stores: Vec<KeyStoreRecord>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) struct KeyStoreRecord {
    /// `cks-` and 17 hexadecimal digits.
    #[n(0)]
    pub(in crate::keyring) id: String,
    #[n(1)]
    pub(in crate::keyring) name: String,
    /// Milliseconds since the epoch.
    #[n(2)]
    pub(in crate::keyring) created_ms: i64,
    #[n(3)]
    pub(in crate::keyring) connection: Connection,
    /// KMS keys in it, those that wait for their deletion included.
    #[n(4)]
    pub(in crate::keyring) keys: u64,
    #[n(5)]
    pub(in crate::keyring) backend: BackendRecord,
    /// The secret access key for the proxy or the PIN of the token, in a Box under the store key.
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub(in crate::keyring) wrapped_secret: Vec<u8>,
}

/// The state of a store's connection. `DISCONNECTING` is never stored: there is nothing to tear down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) enum Connection {
    #[n(0)]
    Disconnected,
    /// An attempt is on its way. Its number parts it from those before: what they find no longer matters.
    #[n(1)]
    Connecting {
        #[n(0)]
        attempt: u64,
    },
    #[n(2)]
    Connected,
    #[n(3)]
    Failed {
        #[n(0)]
        error: ConnectionError,
    },
}

/// What is behind a store.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) enum BackendRecord {
    /// An external key store proxy.
    #[n(0)]
    Proxy(#[n(0)] ProxyRecord),
    /// A PKCS#11 token.
    #[n(1)]
    Token(#[n(0)] TokenRecord),
}

/// Where a proxy is and as whom it is asked.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) struct ProxyRecord {
    /// `https://` and a host.
    #[n(0)]
    pub(in crate::keyring) endpoint: String,
    /// `/…/kms/xks/v1`.
    #[n(1)]
    pub(in crate::keyring) path: String,
    #[n(2)]
    pub(in crate::keyring) access_key_id: String,
}

/// Which token.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) struct TokenRecord {
    /// `cluster-…`, by which the configuration knows it.
    #[n(0)]
    pub(in crate::keyring) cluster_id: String,
    /// As it was given, PEM.
    #[n(1)]
    pub(in crate::keyring) trust_anchor: String,
}

/// Of a key in a custom key store.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) struct CustomKeyRecord {
    #[n(0)]
    pub(in crate::keyring) store_id: String,
    /// Of a key in an external key store.
    #[n(1)]
    pub(in crate::keyring) xks_key_id: Option<String>,
}

/// Stands for an external key that a KMS key uses already.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(in crate::keyring) struct XksKeyRecord {
    #[n(0)]
    pub(in crate::keyring) key_id: String,
}

impl Record for KeyStoresRecord {
    const TABLE: Table = Table::Key;
}

impl Record for XksKeyRecord {
    const TABLE: Table = Table::Key;
}

/// The second field of the rows of stores. Frozen.
pub(in crate::keyring) const STORES: &[u8] = b"key-stores";

/// The row of the stores of an account in a Region.
pub(in crate::keyring) fn stores_row(region: &Region, account: &AccountId) -> Vec<u8> {
    let start = Tuple::new().bytes(INTERNAL).bytes(STORES);
    start.bytes(region.as_str().as_bytes()).bytes(account.as_str().as_bytes()).build()
}

/// The row of an external key that is in use.
pub(in crate::keyring) fn xks_key_row(store_id: &str, xks_key_id: &str) -> Vec<u8> {
    let start = Tuple::new().bytes(INTERNAL).bytes(b"xks-key");
    start.bytes(store_id.as_bytes()).bytes(xks_key_id.as_bytes()).build()
}

/// What a store's secret is bound to.
pub(in crate::keyring) fn secret_context(store_id: &str) -> Context {
    Context::new().with("store", store_id)
}

impl KeyStoresRecord {
    /// The store with this id.
    pub(in crate::keyring) fn find(&self, id: &str) -> Option<&KeyStoreRecord> {
        self.stores.iter().find(|store| store.id == id)
    }

    /// The same, to be changed.
    pub(in crate::keyring) fn find_mut(&mut self, id: &str) -> Option<&mut KeyStoreRecord> {
        self.stores.iter_mut().find(|store| store.id == id)
    }
}
