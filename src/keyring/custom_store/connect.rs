//! Connecting custom key stores.
//!
//! ConnectCustomKeyStore answers at once; the attempt goes on by itself and notes how it ended. A process that ends
//! meanwhile leaves the store `CONNECTING`: the next one takes the attempt up.

use serde_json::{Value, json};

use super::failure::{ConnectionError, ProxyFailure};
use super::manage::{Step, StorePlace, no_such_store, put_stores};
use super::record::{BackendRecord, Connection, KeyStoreRecord, KeyStoresRecord, STORES};
use super::wire::RequestMetadata;
use crate::audit::Event;
use crate::auth::{Grant, system};
use crate::index::{Direction, KeyRange, Tuple, TupleReader};
use crate::keyring::call::{Call, event_of, service_event_in};
use crate::keyring::manage::CHANGE_ATTEMPTS;
use crate::keyring::record::INTERNAL;
use crate::keyring::{KeyRing, KeyringError};
use crate::names::{AccountId, Region};

/// Rows of stores that are read at once when attempts are taken up.
const PAGE: usize = 100;

impl KeyRing {
    /// Begins to connect a store. Grant: `kms:ConnectCustomKeyStore` on `*`.
    pub async fn connect_key_store(&self, grant: &Grant, call: &Call, id: &str) -> Result<(), KeyringError> {
        grant.assert_covers("kms:ConnectCustomKeyStore", "*");
        let event = event_of(grant, "ConnectCustomKeyStore", call, Vec::new());
        let place = StorePlace::of(grant);
        let begun = self.change_stores(&place, event, |stores| {
            let store = stores.find_mut(id).ok_or_else(no_such_store)?;
            store.connection.check(Step::Connect)?;
            if store.is_connected() {
                return Ok((None, Value::Null));
            }
            let attempt = u64::from_be_bytes(self.sources().random());
            store.connection = Connection::Connecting { attempt };
            Ok((Some(attempt), Value::Null))
        });
        if let Some(attempt) = begun.await? {
            let (ring, id) = (self.clone(), id.to_owned());
            let request_id = grant.access().facts().request_id.clone();
            tokio::spawn(async move {
                if let Err(error) = ring.attempt(&place, &id, attempt, &request_id).await {
                    // It stays CONNECTING, and is tried again with the next pass.
                    tracing::error!(key_store = id, ?error, "how connecting a key store ended could not be noted");
                }
            });
        }
        Ok(())
    }

    /// Disconnects a store: its keys can't be used until it is connected again. Grant:
    /// `kms:DisconnectCustomKeyStore` on `*`.
    pub async fn disconnect_key_store(&self, grant: &Grant, call: &Call, id: &str) -> Result<(), KeyringError> {
        grant.assert_covers("kms:DisconnectCustomKeyStore", "*");
        let event = event_of(grant, "DisconnectCustomKeyStore", call, Vec::new());
        self.change_stores(&StorePlace::of(grant), event, |stores| {
            let store = stores.find_mut(id).ok_or_else(no_such_store)?;
            store.connection.check(Step::Disconnect)?;
            store.connection = Connection::Disconnected;
            Ok(((), Value::Null))
        })
        .await?;
        self.backends().tokens.close(id);
        Ok(())
    }

    /// Takes up attempts that an earlier process did not end. To be called every few minutes. Returns how many.
    pub async fn finish_connections(&self) -> Result<usize, KeyringError> {
        let mut range = KeyRange::prefix(&Tuple::new().bytes(INTERNAL).bytes(STORES).build());
        let mut finished = 0;
        loop {
            let rows = self.rows().list::<KeyStoresRecord>(&range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { return Ok(finished) };
            range.start = [last, [0].as_slice()].concat();
            for (row, stored) in rows {
                let Some(place) = parse_row(&row) else { continue };
                for store in stored.value.stores {
                    if let Connection::Connecting { attempt } = store.connection {
                        self.attempt(&place, &store.id, attempt, "").await?;
                        finished += 1;
                    }
                }
            }
        }
    }

    /// One attempt, and how it ended: unless the store was disconnected or connected anew meanwhile.
    async fn attempt(&self, place: &StorePlace, id: &str, attempt: u64, request_id: &str) -> Result<(), KeyringError> {
        let stored = self.load_stores(place).await?;
        let Some(store) = stored.as_ref().and_then(|stored| stored.value.find(id)) else { return Ok(()) };
        let connection = match self.try_to_connect(place, store, request_id).await {
            Ok(()) => Connection::Connected,
            Err(error) => Connection::Failed { error },
        };
        match self.note_connection(place, id, attempt, connection).await {
            Ok(true) => Ok(()),
            // Nobody waits for this attempt any more.
            Ok(false) => {
                self.backends().tokens.close(id);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the attempt was still the one that counts.
    async fn note_connection(
        &self,
        place: &StorePlace,
        id: &str,
        attempt: u64,
        connection: Connection,
    ) -> Result<bool, KeyringError> {
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(stored) = self.load_stores(place).await? else { return Ok(false) };
            let mut stores = stored.value.clone();
            let waiting = |store: &&mut KeyStoreRecord| store.connection == Connection::Connecting { attempt };
            let Some(store) = stores.find_mut(id).filter(waiting) else { return Ok(false) };
            store.connection = connection;
            let mut batch = self.rows().batch();
            put_stores(&mut batch, place, Some(&stored), &stores);
            if self.commit(batch, &self.connection_event(place, id, connection)).await?.is_some() {
                return Ok(true);
            }
        }
        Err(KeyringError::Contention)
    }

    async fn try_to_connect(
        &self,
        place: &StorePlace,
        store: &KeyStoreRecord,
        request_id: &str,
    ) -> Result<(), ConnectionError> {
        let secret = self.unwrap_store_secret(store).map_err(|_| ConnectionError::Internal)?;
        match &store.backend {
            BackendRecord::Proxy(at) => {
                let metadata = RequestMetadata::of_health("ConnectCustomKeyStore", request_id);
                let healthy = self.proxy(&place.region, at, &secret).check_health(&metadata).await;
                healthy.map_err(ProxyFailure::of_connection)
            }
            BackendRecord::Token(token) => self.backends().tokens.connect(&store.id, token, secret).await,
        }
    }

    /// A service event of our own: AWS tells of a connection's end by DescribeCustomKeyStores alone.
    fn connection_event(&self, place: &StorePlace, id: &str, connection: Connection) -> Event {
        let access = system("key-store-connection", place.region.clone(), self.sources().now());
        let (state, error) = match connection {
            Connection::Failed { error } => ("FAILED", Value::from(error.name())),
            _ => ("CONNECTED", Value::Null),
        };
        let details = json!({ "customKeyStoreId": id, "connectionState": state, "connectionErrorCode": error });
        service_event_in(&access, "CustomKeyStoreConnection", &place.account, details)
    }
}

/// Account and Region in a row's key.
fn parse_row(row: &[u8]) -> Option<StorePlace> {
    let mut reader = TupleReader::new(row);
    let fields: [Option<Vec<u8>>; 4] = std::array::from_fn(|_| reader.bytes());
    let [_, _, region, account] = fields.map(|field| field.and_then(|bytes| String::from_utf8(bytes).ok()));
    Some(StorePlace { region: Region::parse(&region?).ok()?, account: AccountId::parse(&account?).ok()? })
}
