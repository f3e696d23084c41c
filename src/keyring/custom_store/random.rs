//! Random bytes from the token behind a custom key store.

use super::failure::StoreCode;
use super::manage::{Step, StorePlace};
use super::record::BackendRecord;
use crate::auth::Grant;
use crate::crypto::SecretBytes;
use crate::keyring::call::{Call, Details, event_of};
use crate::keyring::{KeyRing, KeyringError};

impl KeyRing {
    /// 1 to 1,024 random bytes, made in a store's token and nowhere else. Grant: `kms:GenerateRandom` on `*`.
    pub async fn generate_random_in_store(
        &self,
        grant: &Grant,
        call: &Call,
        store_id: &str,
        bytes: usize,
    ) -> Result<SecretBytes, KeyringError> {
        grant.assert_covers("kms:GenerateRandom", "*");
        let event = event_of(grant, "GenerateRandom", call, Vec::new());
        let random = self.random_of_store(&StorePlace::of(grant), store_id, bytes).await;
        self.conclude(event, random.map(|random| (random, Details::default()))).await
    }

    async fn random_of_store(&self, place: &StorePlace, id: &str, bytes: usize) -> Result<SecretBytes, KeyringError> {
        let store = self.store(place, id).await?;
        let BackendRecord::Token(token) = &store.backend else {
            // The code is that of the service model, the text is not recorded.
            let text = "GenerateRandom is not supported for external key stores.";
            return Err(KeyringError::Unsupported(text.to_owned()));
        };
        store.connection.check(Step::MakeRandom)?;
        let secret = self.unwrap_store_secret(&store)?;
        let random = self.backends().tokens.random((&store.id, token, &secret), bytes).await;
        random.map_err(|error| match error {
            // No key is in a wrong state here: what can't be used is the store.
            KeyringError::InvalidState(text) => StoreCode::InvalidState.says(text),
            other => other,
        })
    }
}
