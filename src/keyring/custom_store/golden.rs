//! The golden bytes of custom key stores: their rows, and the ciphertexts of their keys.

use super::ciphertext::StoreCiphertext;
use super::failure::ConnectionError;
use super::record::*;
use super::wire::Encrypted;
use crate::crypto::{Context, SecretKey, StoreKey};
use crate::golden::Golden;
use crate::index::golden_row;
use crate::keyring::ciphertext::Sealer;
use crate::names::{AccountId, Region};
use crate::sources::{Sources, Timestamp};

const ERRORS: [ConnectionError; 13] = [
    ConnectionError::InvalidCredentials,
    ConnectionError::ClusterNotFound,
    ConnectionError::InsufficientHsms,
    ConnectionError::UserLockedOut,
    ConnectionError::UserNotFound,
    ConnectionError::Internal,
    ConnectionError::ProxyAccessDenied,
    ConnectionError::ProxyNotReachable,
    ConnectionError::ProxyInvalidResponse,
    ConnectionError::ProxyInvalidConfiguration,
    ConnectionError::ProxyTimedOut,
    ConnectionError::ProxyInvalidTls,
    ConnectionError::Network,
];

fn store(connection: Connection, backend: BackendRecord) -> KeyStoreRecord {
    KeyStoreRecord {
        id: "cks-1".to_owned(),
        name: "n".to_owned(),
        created_ms: 5,
        connection,
        keys: 3,
        backend,
        wrapped_secret: vec![1, 2],
    }
}

fn proxy() -> BackendRecord {
    let (endpoint, path) = ("e".to_owned(), "p".to_owned());
    BackendRecord::Proxy(ProxyRecord { endpoint, path, access_key_id: "a".to_owned() })
}

fn token(cluster_id: &str, trust_anchor: &str) -> BackendRecord {
    let (cluster_id, trust_anchor) = (cluster_id.to_owned(), trust_anchor.to_owned());
    BackendRecord::Token(TokenRecord { cluster_id, trust_anchor })
}

fn secret() -> Golden {
    let store_key = || StoreKey::new(SecretKey::from_slice(&[2; 32]).expect("32 bytes"), [4; 16]);
    let sources = Sources::seeded(1, Timestamp(0));
    let write = |secret: &String| store_key().wrap(SECRET_LABEL, &secret_context("cks-1"), secret.as_bytes(), &sources);
    let read = move |bytes: &[u8]| {
        let opened = store_key().unwrap(SECRET_LABEL, &secret_context("cks-1"), bytes).expect("it opens");
        String::from_utf8_lossy(opened.expose()).into_owned()
    };
    Golden::of("secret of a custom key store", &"secret".to_owned(), write, read)
}

fn ciphertext() -> [Golden; 2] {
    let sealer = Sealer { key_id: "key".to_owned(), generation: [3; 16] };
    let aad = StoreCiphertext::aad(&sealer, &Context::new().with("a", "b"));
    let sealed = Encrypted { ciphertext: vec![9; 3], metadata: vec![8; 2], iv: vec![7; 12], tag: [6; 16] };
    let read = |bytes: &[u8]| StoreCiphertext::parse(bytes).expect("a ciphertext");
    [
        Golden::of(
            "ciphertext of a custom key store",
            &StoreCiphertext { sealer, sealed },
            StoreCiphertext::render,
            read,
        ),
        Golden::of("what a custom key store authenticates", &(), |()| aad, |_| ()),
    ]
}

pub(in crate::keyring) fn goldens() -> Vec<Golden> {
    let region = Region::parse("us-east-1").expect("a Region");
    let account = AccountId::parse("111122223333").expect("an account");
    let row = stores_row(&region, &account);
    let failed = |error| Connection::Failed { error };
    let stores = KeyStoresRecord {
        stores: vec![
            store(Connection::Connecting { attempt: 7 }, proxy()),
            store(failed(ConnectionError::ProxyInvalidTls), token("c", "t")),
            store(Connection::Connected, token("d", "")),
        ],
    };
    let every = ERRORS.into_iter().map(failed).chain([Connection::Disconnected]);
    let every = KeyStoresRecord { stores: every.map(|connection| store(connection, proxy())).collect() };
    let mut goldens = vec![
        golden_row("custom key stores", &row, &stores),
        golden_row("custom key stores in every other state", &row, &every),
        golden_row("key of a proxy", &xks_key_row("cks-1", "x"), &XksKeyRecord { key_id: "key".to_owned() }),
        secret(),
    ];
    goldens.extend(ciphertext());
    goldens
}
