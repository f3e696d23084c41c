//! Making keys in custom key stores, and what happens there when they end.

use serde_json::json;

use super::backing::of_new_key;
use super::failure::{ProxyFailure, StoreCode};
use super::manage::{Step, StorePlace, no_such_store, put_stores};
use super::record::{BackendRecord, CustomKeyRecord, KeyStoreRecord, KeyStoresRecord, XksKeyRecord, xks_key_row};
use super::wire::Unfit;
use crate::audit::Event;
use crate::auth::Grant;
use crate::crypto::Generation;
use crate::index::{RowBatch, Stored, Table};
use crate::keyring::call::{Call, event_of, key_resource};
use crate::keyring::manage::{CHANGE_ATTEMPTS, put_new_key, shown_metadata};
use crate::keyring::record::{KeyPlace, KeyRecord, MaterialOrigin};
use crate::keyring::{KeyMetadata, KeyOrigin, KeyRing, KeyState, KeyringError, NewCustomKey, NewKey};

impl KeyRing {
    /// Makes a key in a custom key store.
    pub(in crate::keyring) async fn create_custom_key(
        &self,
        grant: &Grant,
        call: &Call,
        new: NewKey,
        custom: NewCustomKey,
    ) -> Result<KeyMetadata, KeyringError> {
        let at = StorePlace::of(grant);
        let place = KeyPlace::new(&at.region, &at.account, &self.new_key_id());
        let event = event_of(grant, "CreateKey", call, Vec::new());
        let store = match self.prepare_store(grant, &at, &new, &custom).await {
            Ok(store) => store,
            Err(error) => return self.conclude_refused(event, error).await,
        };
        let material = self.new_material(&place.key_id, MaterialOrigin::Initial);
        let tag = material.tag;
        let record = KeyRecord {
            state: KeyState::Enabled,
            materials: vec![material],
            policy: new.policy,
            tags: new.tags,
            origin: Some(new.origin),
            custom: Some(CustomKeyRecord { store_id: custom.store_id, xks_key_id: custom.xks_key_id }),
            ..self.new_record(&place, new.description, new.kind, None)
        };
        if let Err(error) = self.make_in_store(&store, tag).await {
            return self.conclude_refused(event, error).await;
        }
        let mut metadata = record.metadata(&place);
        self.show_store(&mut metadata, &store);
        let response = json!({ "keyMetadata": shown_metadata(&metadata) });
        let made = Event { response, resources: vec![key_resource(&metadata)], ..event.clone() };
        match self.commit_custom_key(&at, &place, &record, &made).await {
            Ok(()) => Ok(metadata),
            Err(error) => {
                // What was made for nothing must not stay.
                self.destroy_in_store(&store, tag).await;
                self.conclude_refused(event, error).await
            }
        }
    }

    /// The store, if a key as it is asked for can be made in it.
    async fn prepare_store(
        &self,
        grant: &Grant,
        at: &StorePlace,
        new: &NewKey,
        custom: &NewCustomKey,
    ) -> Result<KeyStoreRecord, KeyringError> {
        let store = self.store(at, &custom.store_id).await?;
        store.connection.check(Step::MakeKey)?;
        match (&store.backend, new.origin, &custom.xks_key_id) {
            (BackendRecord::Proxy(proxy), KeyOrigin::ExternalKeyStore, Some(key)) => {
                if self.rows().load::<XksKeyRecord>(&xks_key_row(&store.id, key)).await?.is_some() {
                    return Err(already_in_use());
                }
                let secret = self.unwrap_store_secret(&store)?;
                let checked = self.proxy(&at.region, proxy, &secret).check_key(key, &of_new_key(grant)).await;
                checked.map_err(ProxyFailure::of_new_key)?.map_err(unfit)?;
                Ok(store)
            }
            (BackendRecord::Token(_), KeyOrigin::CloudHsm, None) => Ok(store),
            // AWS's text is not recorded.
            _ => Err(KeyringError::Validation(format!(
                "Origin {} is not compatible with the type of the custom key store.",
                new.origin.name()
            ))),
        }
    }

    /// The key, its place among the keys of the store and its record in one commit.
    async fn commit_custom_key(
        &self,
        at: &StorePlace,
        place: &KeyPlace,
        record: &KeyRecord,
        event: &Event,
    ) -> Result<(), KeyringError> {
        let Some(custom) = &record.custom else { return Err(KeyringError::Internal("no custom key".to_owned())) };
        for _ in 0..CHANGE_ATTEMPTS {
            let stored = self.load_stores(at).await?;
            let mut stores = stored.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
            let store = stores.find_mut(&custom.store_id).ok_or_else(no_such_store)?;
            store.connection.check(Step::MakeKey)?;
            store.keys += 1;
            let mut batch = self.rows().batch();
            put_stores(&mut batch, at, stored.as_ref(), &stores);
            if let Some(key) = &custom.xks_key_id {
                let row = xks_key_row(&custom.store_id, key);
                if self.rows().load::<XksKeyRecord>(&row).await?.is_some() {
                    return Err(already_in_use());
                }
                batch.expect_absent(Table::Key, row.clone());
                batch.put(row, &XksKeyRecord { key_id: place.key_id.clone() });
            }
            put_new_key(&mut batch, place, record);
            if self.commit(batch, event).await?.is_some() {
                return Ok(());
            }
        }
        Err(KeyringError::Contention)
    }

    /// Takes a key that ends out of its store, in the batch that ends it.
    pub(in crate::keyring) async fn leave_store(
        &self,
        batch: &mut RowBatch<'_>,
        place: &KeyPlace,
        custom: &CustomKeyRecord,
    ) -> Result<(), KeyringError> {
        let at = StorePlace { region: place.region.clone(), account: place.account.clone() };
        let stored: Option<Stored<KeyStoresRecord>> = self.load_stores(&at).await?;
        let mut stores = stored.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
        if let Some(store) = stores.find_mut(&custom.store_id) {
            store.keys = store.keys.saturating_sub(1);
        }
        put_stores(batch, &at, stored.as_ref(), &stores);
        if let Some(key) = &custom.xks_key_id {
            batch.delete(Table::Key, xks_key_row(&custom.store_id, key));
        }
        Ok(())
    }

    /// Removes what a key that has ended had in a token, as far as the token can be reached: as with AWS, what is left
    /// there is for its keeper to remove.
    pub(in crate::keyring) async fn clear_store(&self, place: &KeyPlace, custom: &CustomKeyRecord, tag: Generation) {
        let at = StorePlace { region: place.region.clone(), account: place.account.clone() };
        if let Ok(store) = self.store(&at, &custom.store_id).await
            && store.is_connected()
        {
            self.destroy_in_store(&store, tag).await;
        }
    }

    async fn make_in_store(&self, store: &KeyStoreRecord, tag: Generation) -> Result<(), KeyringError> {
        let BackendRecord::Token(token) = &store.backend else { return Ok(()) };
        let secret = self.unwrap_store_secret(store)?;
        self.backends().tokens.make_key((&store.id, token, &secret), tag).await
    }

    async fn destroy_in_store(&self, store: &KeyStoreRecord, tag: Generation) {
        let BackendRecord::Token(token) = &store.backend else { return };
        let Ok(secret) = self.unwrap_store_secret(store) else { return };
        if let Err(error) = self.backends().tokens.destroy_key((&store.id, token, &secret), tag).await {
            tracing::warn!(
                key_store = store.id,
                ?error,
                "a key is left in a token and has to be removed there by hand"
            );
        }
    }
}

fn already_in_use() -> KeyringError {
    StoreCode::KeyAlreadyInUse.says(
        "The request was rejected because the (XksKeyId) is already associated with another KMS key in this external \
         key store. Each KMS key in an external key store must be associated with a different external key.",
    )
}

fn unfit(unfit: Unfit) -> KeyringError {
    // AWS's texts are not recorded.
    StoreCode::KeyInvalidConfiguration.says(match unfit {
        Unfit::Spec => "The external key must be a 256-bit AES symmetric key.",
        Unfit::Usage => "The external key must support both encryption and decryption.",
        Unfit::Status => "The external key must be enabled in the external key manager.",
    })
}
