//! The use of a key that is in a custom key store: the one place that knows where its other half is.

use super::ciphertext::StoreCiphertext;
use super::failure::ProxyFailure;
use super::manage::{StorePlace, no_such_store};
use super::record::{BackendRecord, CustomKeyRecord, KeyStoreRecord};
use super::wire::{Encrypted, RequestMetadata};
use crate::auth::{Access, Grant};
use crate::crypto::{Context, SecretBytes};
use crate::keyring::ciphertext::Sealer;
use crate::keyring::record::KeyPlace;
use crate::keyring::{KeyMetadata, KeyRing, KeyState, KeyringError, Use};
use crate::names::Region;

/// What a use of such a key needs besides the key's own material.
pub(in crate::keyring) struct Backing {
    store: KeyStoreRecord,
    key: CustomKeyRecord,
    region: Region,
    secret: SecretBytes,
    metadata: RequestMetadata,
    dry_run: bool,
}

impl RequestMetadata {
    /// Of GetHealthStatus, which is about no key and nobody's.
    pub(super) fn of_health(operation: &'static str, request_id: &str) -> Self {
        Self { principal: None, key_arn: None, operation, request_id: request_id.to_owned(), via_service: None }
    }

    /// Of a call that came in with `access`. A call of S3's is under the id of the S3 request, which the trail shows as
    /// `parentRequestID`.
    pub(super) fn of_call(operation: &'static str, access: &Access, key_arn: Option<String>, via_s3: bool) -> Self {
        let facts = access.facts();
        Self {
            principal: Some(access.caller().arn().to_owned()),
            key_arn,
            operation,
            request_id: facts.request_id.clone(),
            via_service: via_s3.then(|| format!("s3.{}.amazonaws.com", facts.region)),
        }
    }
}

impl KeyState {
    /// The state that a key shows while its store is not connected.
    fn without_store(self) -> Self {
        if matches!(self, Self::Enabled | Self::Disabled) { Self::Unavailable } else { self }
    }
}

impl KeyRing {
    /// What a key's metadata say of its store now: the state, and which token.
    pub(in crate::keyring) async fn with_store(&self, mut metadata: KeyMetadata) -> Result<KeyMetadata, KeyringError> {
        if metadata.custom.is_some() {
            let store = Box::pin(self.store_of(&metadata)).await?;
            self.show_store(&mut metadata, &store);
        }
        Ok(metadata)
    }

    pub(super) fn show_store(&self, metadata: &mut KeyMetadata, store: &KeyStoreRecord) {
        if !store.is_connected() {
            metadata.state = metadata.state.without_store();
        }
        if let (Some(custom), BackendRecord::Token(token)) = (&mut metadata.custom, &store.backend) {
            custom.cluster_id = Some(token.cluster_id.clone());
        }
    }

    async fn store_of(&self, metadata: &KeyMetadata) -> Result<KeyStoreRecord, KeyringError> {
        let id = metadata.custom.as_ref().map(|custom| custom.store_id.as_str()).unwrap_or_default();
        let place = StorePlace { region: metadata.region.clone(), account: metadata.account.clone() };
        self.store(&place, id).await
    }

    pub(super) async fn store(&self, place: &StorePlace, id: &str) -> Result<KeyStoreRecord, KeyringError> {
        let stores = self.load_stores(place).await?;
        stores.and_then(|stored| stored.value.find(id).cloned()).ok_or_else(no_such_store)
    }

    /// The store behind a key that is about to be used, and the state that the key has because of it.
    pub(in crate::keyring) async fn backing(
        &self,
        place: &KeyPlace,
        custom: &CustomKeyRecord,
        state: KeyState,
        operation: &'static str,
        usage: &Use<'_>,
    ) -> Result<(Backing, KeyState), KeyringError> {
        let at = StorePlace { region: place.region.clone(), account: place.account.clone() };
        let lost = |_| KeyringError::Internal(format!("the key store of key {} is gone", place.key_id));
        let store = self.store(&at, &custom.store_id).await.map_err(lost)?;
        let state = if store.is_connected() { state } else { state.without_store() };
        let access = usage.grant.access();
        let metadata = RequestMetadata::of_call(operation, access, Some(place.arn()), usage.call.via_s3);
        let secret = self.unwrap_store_secret(&store)?;
        let (key, region, dry_run) = (custom.clone(), place.region.clone(), usage.dry_run);
        Ok((Backing { store, key, region, secret, metadata, dry_run }, state))
    }

    /// Seals a Box once more, in the store.
    pub(in crate::keyring) async fn seal_in_store(
        &self,
        backing: &Backing,
        sealer: &Sealer,
        context: &Context,
        inner: Vec<u8>,
    ) -> Result<Vec<u8>, KeyringError> {
        if backing.dry_run {
            return Err(KeyringError::DryRun);
        }
        let aad = StoreCiphertext::aad(sealer, context);
        let sealed = match &backing.store.backend {
            BackendRecord::Proxy(at) => {
                let proxy = self.proxy(&backing.region, at, &backing.secret);
                let sealed = proxy.encrypt(backing.external_key()?, &backing.metadata, &inner, &aad).await;
                sealed.map_err(ProxyFailure::of_use)?
            }
            BackendRecord::Token(token) => {
                let tokens = &self.backends().tokens;
                let sources = self.sources().clone();
                tokens.seal((&backing.store.id, token, &backing.secret), sealer.generation, aad, inner, sources).await?
            }
        };
        Ok(StoreCiphertext { sealer: sealer.clone(), sealed }.render())
    }

    /// The Box that a store has sealed.
    pub(in crate::keyring) async fn open_in_store(
        &self,
        backing: &Backing,
        ciphertext: StoreCiphertext,
        context: &Context,
    ) -> Result<Vec<u8>, KeyringError> {
        if backing.dry_run {
            return Err(KeyringError::DryRun);
        }
        let StoreCiphertext { sealer, sealed } = ciphertext;
        let aad = StoreCiphertext::aad(&sealer, context);
        match &backing.store.backend {
            BackendRecord::Proxy(at) => {
                let proxy = self.proxy(&backing.region, at, &backing.secret);
                let opened = proxy.decrypt(backing.external_key()?, &backing.metadata, &sealed, &aad).await;
                opened.map_err(ProxyFailure::of_use)
            }
            BackendRecord::Token(token) => {
                let Encrypted { ciphertext, iv, tag, metadata: _ } = sealed;
                let sealed = [&iv[..], &ciphertext, &tag].concat();
                let tokens = &self.backends().tokens;
                tokens.open((&backing.store.id, token, &backing.secret), sealer.generation, aad, sealed).await
            }
        }
    }
}

impl Backing {
    fn external_key(&self) -> Result<&str, KeyringError> {
        let none = || KeyringError::Internal(format!("a key of key store {} names no external key", self.store.id));
        self.key.xks_key_id.as_deref().ok_or_else(none)
    }
}

/// The metadata of a request about a key that is not there yet.
pub(super) fn of_new_key(grant: &Grant) -> RequestMetadata {
    RequestMetadata::of_call("CreateKey", grant.access(), None, false)
}
