//! Making, changing, removing and telling of custom key stores.

use serde_json::{Value, json};

use super::failure::StoreCode;
use super::proxy::Proxy;
use super::record::{
    BackendRecord, Connection, KeyStoreRecord, KeyStoresRecord, ProxyRecord, SECRET_LABEL, TokenRecord, secret_context,
    stores_row,
};
use super::wire::RequestMetadata;
use super::{KEY_STORES_MAX, KeyStore, KeyStoreChange, KeyStoreFilter, NewBackend, NewKeyStore};
use crate::audit::Event;
use crate::auth::Grant;
use crate::crypto::SecretBytes;
use crate::index::{RowBatch, Stored, Table};
use crate::keyring::call::{Call, Details, event_of};
use crate::keyring::manage::CHANGE_ATTEMPTS;
use crate::keyring::{KeyRing, KeyringError, Page};
use crate::names::{AccountId, Region, hex};

/// Whose stores, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keyring) struct StorePlace {
    pub(in crate::keyring) region: Region,
    pub(in crate::keyring) account: AccountId,
}

impl StorePlace {
    pub(super) fn of(grant: &Grant) -> Self {
        Self { region: grant.access().facts().region.clone(), account: grant.resource().owner.clone() }
    }

    pub(super) fn row(&self) -> Vec<u8> {
        stores_row(&self.region, &self.account)
    }
}

/// What is to be done to a store, as far as its connection decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Disconnect,
    Delete,
    /// Name, and of an external key store path and credential.
    UpdateLightly,
    /// All the rest.
    Update,
    /// CreateKey.
    MakeKey,
    /// GenerateRandom.
    MakeRandom,
}

impl Connection {
    /// The service model's page of CustomKeyStoreInvalidStateException, and that of UpdateCustomKeyStore.
    pub(super) fn check(self, step: Step) -> Result<(), KeyringError> {
        let allowed = match step {
            Step::Connect => !matches!(self, Self::Failed { .. }),
            Step::Disconnect => self != Self::Disconnected,
            Step::Delete | Step::Update => self == Self::Disconnected,
            Step::UpdateLightly => matches!(self, Self::Disconnected | Self::Connected),
            Step::MakeKey | Step::MakeRandom => self == Self::Connected,
        };
        if allowed {
            return Ok(());
        }
        // AWS's texts are not recorded, but for that of CreateKey (XKS proxy API specification, "Error Codes").
        Err(StoreCode::InvalidState.says(match step {
            Step::Connect => "The custom key store failed to connect. Disconnect it before you connect it again.",
            Step::Disconnect | Step::MakeRandom => "The custom key store is not connected.",
            Step::Delete | Step::Update => "The custom key store is not disconnected. Disconnect it first.",
            Step::UpdateLightly => "The custom key store must be connected or disconnected.",
            Step::MakeKey => {
                "This KMS key is in a custom key store that is not connected to its external key store proxy. Connect \
                 the external key store and try the request again."
            }
        }))
    }
}

pub(super) fn no_such_store() -> KeyringError {
    StoreCode::NotFound.says("KMS cannot find a custom key store with the specified key store name or ID.")
}

impl KeyRing {
    /// Makes a store; it is not connected yet. A proxy has to answer before. Grant: `kms:CreateCustomKeyStore` on `*`.
    pub async fn create_key_store(&self, grant: &Grant, call: &Call, new: NewKeyStore) -> Result<String, KeyringError> {
        grant.assert_covers("kms:CreateCustomKeyStore", "*");
        let event = event_of(grant, "CreateCustomKeyStore", call, Vec::new());
        let record = match self.checked_store(grant, &new).await {
            Ok(record) => record,
            Err(error) => return self.conclude_refused(event, error).await,
        };
        self.change_stores(&StorePlace::of(grant), event, |stores| {
            check_new(stores, &record)?;
            stores.stores.push(record.clone());
            Ok((record.id.clone(), json!({ "customKeyStoreId": record.id })))
        })
        .await
    }

    /// The record of a new store, all of whose values hold.
    async fn checked_store(&self, grant: &Grant, new: &NewKeyStore) -> Result<KeyStoreRecord, KeyringError> {
        let place = StorePlace::of(grant);
        let (backend, secret) = match &new.backend {
            NewBackend::Proxy { endpoint, path, credential } => {
                let (endpoint, path) = (endpoint.clone(), path.clone());
                let access_key_id = credential.access_key_id.clone();
                (BackendRecord::Proxy(ProxyRecord { endpoint, path, access_key_id }), &credential.secret)
            }
            NewBackend::Token { cluster_id, trust_anchor, pin } => {
                let (cluster_id, trust_anchor) = (cluster_id.clone(), trust_anchor.clone());
                (BackendRecord::Token(TokenRecord { cluster_id, trust_anchor }), pin)
            }
        };
        let id = format!("cks-{}", &hex(&self.sources().random::<16>())[..17]);
        let wrapped_secret = self.wrap_store_secret(&id, secret);
        let (name, created_ms) = (new.name.clone(), self.sources().now().0);
        let connection = Connection::Disconnected;
        let record = KeyStoreRecord { id, name, created_ms, connection, keys: 0, backend, wrapped_secret };
        // What can be known without asking anybody comes first; it is looked at again in the commit.
        let before = self.load_stores(&place).await?;
        check_new(&before.map(|stored| stored.value).unwrap_or_default(), &record)?;
        match &record.backend {
            BackendRecord::Proxy(at) => self.check_proxy(&place, at, secret, grant, "CreateCustomKeyStore").await?,
            BackendRecord::Token(token) => self.backends().tokens.check(token)?,
        }
        Ok(record)
    }

    /// Changes a store's properties. Grant: `kms:UpdateCustomKeyStore` on `*`.
    pub async fn update_key_store(
        &self,
        grant: &Grant,
        call: &Call,
        id: &str,
        change: KeyStoreChange,
    ) -> Result<(), KeyringError> {
        grant.assert_covers("kms:UpdateCustomKeyStore", "*");
        let event = event_of(grant, "UpdateCustomKeyStore", call, Vec::new());
        if let Err(error) = self.check_change(grant, id, &change).await {
            return self.conclude_refused(event, error).await;
        }
        self.change_stores(&StorePlace::of(grant), event, |stores| {
            let wrap = |secret: &SecretBytes| self.wrap_store_secret(id, secret);
            let changed = changed(stores, id, &change, wrap)?;
            *stores.find_mut(id).ok_or_else(no_such_store)? = changed;
            Ok(((), Value::Null))
        })
        .await
    }

    /// Whether a store could be had with what would be changed.
    async fn check_change(&self, grant: &Grant, id: &str, change: &KeyStoreChange) -> Result<(), KeyringError> {
        let place = StorePlace::of(grant);
        let before = self.load_stores(&place).await?.map(|stored| stored.value).unwrap_or_default();
        let after = changed(&before, id, change, |secret| self.wrap_store_secret(id, secret))?;
        match &after.backend {
            BackendRecord::Proxy(_) if !change.reaches_proxy() => Ok(()),
            BackendRecord::Proxy(at) => {
                let secret = self.unwrap_store_secret(&after)?;
                self.check_proxy(&place, at, &secret, grant, "UpdateCustomKeyStore").await
            }
            BackendRecord::Token(_) if change.cluster_id.is_none() => Ok(()),
            BackendRecord::Token(token) => self.backends().tokens.check_related(token),
        }
    }

    /// Removes a store without keys that is disconnected. Grant: `kms:DeleteCustomKeyStore` on `*`.
    pub async fn delete_key_store(&self, grant: &Grant, call: &Call, id: &str) -> Result<(), KeyringError> {
        grant.assert_covers("kms:DeleteCustomKeyStore", "*");
        let event = event_of(grant, "DeleteCustomKeyStore", call, Vec::new());
        self.change_stores(&StorePlace::of(grant), event, |stores| {
            let store = stores.find(id).ok_or_else(no_such_store)?;
            if store.keys > 0 {
                return Err(StoreCode::HasKeys.says(
                    "The request was rejected because the custom key store contains KMS keys. After verifying that you \
                     do not need to use the KMS keys, use the ScheduleKeyDeletion operation to delete the KMS keys. \
                     After they are deleted, you can delete the custom key store.",
                ));
            }
            store.connection.check(Step::Delete)?;
            stores.stores.retain(|store| store.id != id);
            Ok(((), Value::Null))
        })
        .await
    }

    /// The stores of the account in the call's Region, by id. Grant: `kms:DescribeCustomKeyStores` on `*`.
    pub async fn describe_key_stores(
        &self,
        grant: &Grant,
        call: &Call,
        filter: &KeyStoreFilter,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<KeyStore>, KeyringError> {
        grant.assert_covers("kms:DescribeCustomKeyStores", "*");
        let event = event_of(grant, "DescribeCustomKeyStores", call, Vec::new());
        let page = self.page_of_stores(&StorePlace::of(grant), filter, limit, marker).await;
        self.conclude(event, page.map(|page| (page, Details::default()))).await
    }

    async fn page_of_stores(
        &self,
        place: &StorePlace,
        filter: &KeyStoreFilter,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<KeyStore>, KeyringError> {
        let scope = ["DescribeCustomKeyStores", place.region.as_str(), place.account.as_str()];
        let after = marker.map(|marker| self.markers().parse(&scope, marker)).transpose()?;
        let stored = self.load_stores(place).await?.map(|stored| stored.value).unwrap_or_default();
        let wanted = |store: &&KeyStoreRecord| match filter {
            KeyStoreFilter::All => true,
            KeyStoreFilter::Id(id) => store.id == *id,
            KeyStoreFilter::Name(name) => store.name == *name,
        };
        let mut stores: Vec<KeyStore> = stored.stores.iter().filter(wanted).map(KeyStoreRecord::shown).collect();
        if stores.is_empty() && *filter != KeyStoreFilter::All {
            return Err(no_such_store());
        }
        stores.sort_by(|a, b| a.id.cmp(&b.id));
        stores.retain(|store| after.as_ref().is_none_or(|after| store.id > *after));
        Ok(self.page(&scope, stores, limit, |store| &store.id))
    }

    pub(super) async fn load_stores(
        &self,
        place: &StorePlace,
    ) -> Result<Option<Stored<KeyStoresRecord>>, KeyringError> {
        Ok(self.rows().load(&place.row()).await?)
    }

    /// Changes the stores of an account in a Region: change and record of it in one commit, tried again when another
    /// change was faster. `edit` also says what the trail shows as `responseElements`.
    pub(super) async fn change_stores<T>(
        &self,
        place: &StorePlace,
        event: Event,
        edit: impl Fn(&mut KeyStoresRecord) -> Result<(T, Value), KeyringError>,
    ) -> Result<T, KeyringError> {
        for _ in 0..CHANGE_ATTEMPTS {
            let stored = self.load_stores(place).await?;
            let mut stores = stored.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
            let (value, response) = match edit(&mut stores) {
                Ok(edited) => edited,
                Err(error) => return self.conclude_refused(event, error).await,
            };
            let mut batch = self.rows().batch();
            put_stores(&mut batch, place, stored.as_ref(), &stores);
            match self.commit(batch, &Event { response, ..event.clone() }).await {
                Ok(Some(())) => return Ok(value),
                Ok(None) => {}
                Err(error) => return self.conclude_refused(event, error).await,
            }
        }
        self.conclude_refused(event, KeyringError::Contention).await
    }

    /// Has a proxy say that it knows the credential and that its key manager is in service.
    async fn check_proxy(
        &self,
        place: &StorePlace,
        at: &ProxyRecord,
        secret: &SecretBytes,
        grant: &Grant,
        operation: &'static str,
    ) -> Result<(), KeyringError> {
        let metadata = RequestMetadata::of_health(operation, &grant.access().facts().request_id);
        let proxy = self.proxy(&place.region, at, secret);
        proxy.check_health(&metadata).await.map_err(super::failure::ProxyFailure::of_store)
    }

    pub(super) fn proxy<'a>(&'a self, region: &'a Region, at: &'a ProxyRecord, secret: &'a SecretBytes) -> Proxy<'a> {
        Proxy { client: &self.backends().proxies, sources: self.sources(), region, at, secret }
    }

    fn wrap_store_secret(&self, id: &str, secret: &SecretBytes) -> Vec<u8> {
        self.store_key().wrap(SECRET_LABEL, &secret_context(id), secret.expose(), self.sources())
    }

    pub(super) fn unwrap_store_secret(&self, store: &KeyStoreRecord) -> Result<SecretBytes, KeyringError> {
        let unwrapped = self.store_key().unwrap(SECRET_LABEL, &secret_context(&store.id), &store.wrapped_secret);
        let damaged = || KeyringError::Internal(format!("the secret of the key store {} is damaged", store.id));
        unwrapped.map_err(|_| damaged())
    }
}

/// Puts the row of an account's stores if it is as it was read.
pub(super) fn put_stores(
    batch: &mut RowBatch<'_>,
    place: &StorePlace,
    before: Option<&Stored<KeyStoresRecord>>,
    after: &KeyStoresRecord,
) {
    match before {
        Some(stored) => batch.expect_unchanged(Table::Key, place.row(), &stored.stamp),
        None => batch.expect_absent(Table::Key, place.row()),
    }
    batch.put(place.row(), after);
}

/// What must be unique is, and there is room.
fn check_new(stores: &KeyStoresRecord, new: &KeyStoreRecord) -> Result<(), KeyringError> {
    if stores.stores.len() >= KEY_STORES_MAX {
        // AWS's text is not recorded.
        let text = format!("The limit of {KEY_STORES_MAX} custom key stores in an account and Region is reached.");
        return Err(KeyringError::LimitExceeded(text));
    }
    check_unique(stores, new)
}

fn check_unique(stores: &KeyStoresRecord, new: &KeyStoreRecord) -> Result<(), KeyringError> {
    for other in stores.stores.iter().filter(|other| other.id != new.id) {
        if other.name == new.name {
            return Err(StoreCode::NameInUse.says(
                "The request was rejected because the specified custom key store name is already assigned to another \
                 custom key store in the account. Try again with a custom key store name that is unique in the account.",
            ));
        }
        match (&other.backend, &new.backend) {
            (BackendRecord::Proxy(other), BackendRecord::Proxy(new))
                if other.endpoint.eq_ignore_ascii_case(&new.endpoint) && other.path == new.path =>
            {
                return Err(StoreCode::ProxyUriInUse.says(
                    "The request was rejected because the concatenation of the XksProxyUriEndpoint and XksProxyUriPath \
                     is already associated with another external key store in this Amazon Web Services Region.",
                ));
            }
            (BackendRecord::Token(other), BackendRecord::Token(new)) if other.cluster_id == new.cluster_id => {
                return Err(StoreCode::ClusterInUse.says(
                    "The request was rejected because the specified CloudHSM cluster is already associated with an \
                     CloudHSM key store in the account.",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

impl KeyStoreChange {
    /// Whether the proxy is to be asked before.
    fn reaches_proxy(&self) -> bool {
        self.endpoint.is_some() || self.path.is_some() || self.credential.is_some()
    }

    /// By what it changes: path and credential may change while the store is connected, so that a credential can be
    /// rotated without an outage.
    fn step(&self) -> Step {
        let lightly = self.endpoint.is_none() && self.cluster_id.is_none() && self.pin.is_none();
        if lightly { Step::UpdateLightly } else { Step::Update }
    }
}

/// A store as it will be.
fn changed(
    stores: &KeyStoresRecord,
    id: &str,
    change: &KeyStoreChange,
    wrap: impl Fn(&SecretBytes) -> Vec<u8>,
) -> Result<KeyStoreRecord, KeyringError> {
    let mut store = stores.find(id).ok_or_else(no_such_store)?.clone();
    store.connection.check(change.step())?;
    if let Some(name) = &change.name {
        store.name.clone_from(name);
    }
    match &mut store.backend {
        BackendRecord::Proxy(proxy) => {
            if change.cluster_id.is_some() || change.pin.is_some() {
                return Err(not_of_that_type("EXTERNAL_KEY_STORE"));
            }
            proxy.endpoint = change.endpoint.clone().unwrap_or_else(|| proxy.endpoint.clone());
            proxy.path = change.path.clone().unwrap_or_else(|| proxy.path.clone());
            if let Some(credential) = &change.credential {
                proxy.access_key_id.clone_from(&credential.access_key_id);
                store.wrapped_secret = wrap(&credential.secret);
            }
        }
        BackendRecord::Token(token) => {
            if change.reaches_proxy() {
                return Err(not_of_that_type("AWS_CLOUDHSM"));
            }
            token.cluster_id = change.cluster_id.clone().unwrap_or_else(|| token.cluster_id.clone());
            if let Some(pin) = &change.pin {
                store.wrapped_secret = wrap(pin);
            }
        }
    }
    check_unique(stores, &store)?;
    Ok(store)
}

fn not_of_that_type(kind: &str) -> KeyringError {
    // AWS's text is not recorded.
    KeyringError::Validation(format!("A parameter of the request is not valid for a custom key store of type {kind}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::ConnectionError;

    #[test]
    fn what_a_connection_allows() {
        use Step::*;
        let steps = [Connect, Disconnect, Delete, UpdateLightly, Update, MakeKey];
        let table = [
            (Connection::Disconnected, "yes no yes yes yes no"),
            (Connection::Connecting { attempt: 1 }, "yes yes no no no no"),
            (Connection::Connected, "yes yes no yes no yes"),
            (Connection::Failed { error: ConnectionError::Internal }, "no yes no no no no"),
        ];
        for (connection, expected) in table {
            let found = steps.map(|step| if connection.check(step).is_ok() { "yes" } else { "no" });
            assert_eq!(found.join(" "), expected, "{connection:?}");
        }
    }
}
