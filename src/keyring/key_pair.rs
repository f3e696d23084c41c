//! Data key pairs, and making material: what takes long is done off the runtime's threads.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::KeyringError;
use super::call::{event_of, key_resource, material_details};
use super::service::{EncryptionContext, KeyRing};
use super::usage::{Sealing, Task, Use, unless_dry};
use crate::crypto::{KeyMaterial, SecretBytes};
use crate::names::{KeySpec, KeyUsage};

/// RSA keys made at once: each takes a core for up to seconds, and the others wait.
const RSA_MAKERS_MAX: usize = 2;

const GENERATE_DATA_KEY_PAIR: Task = Task::new("kms:GenerateDataKeyPair", KeyUsage::EncryptDecrypt);
const GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT: Task =
    Task::new("kms:GenerateDataKeyPairWithoutPlaintext", KeyUsage::EncryptDecrypt);

/// A new data key pair.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct DataKeyPair {
    /// PKCS #8; of ML-KEM with the seed alone.
    pub private_key: SecretBytes,
    /// The same, as a KMS ciphertext.
    pub private_ciphertext: Vec<u8>,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The material that sealed it.
    pub material_id: Option<String>,
}

/// Turns of those who make RSA keys.
pub(super) struct RsaMakers(Arc<Semaphore>);

impl Default for RsaMakers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RSA_MAKERS_MAX)))
    }
}

impl KeyRing {
    /// Makes a data key pair. Grant: `kms:GenerateDataKeyPair`.
    pub async fn generate_pair(
        &self,
        usage: &Use<'_>,
        context: &EncryptionContext,
        spec: KeySpec,
    ) -> Result<DataKeyPair, KeyringError> {
        self.generate_pair_as(&GENERATE_DATA_KEY_PAIR, usage, context, spec).await
    }

    /// Makes a data key pair whose private key is not told. Grant: `kms:GenerateDataKeyPairWithoutPlaintext`.
    pub async fn generate_pair_without_plaintext(
        &self,
        usage: &Use<'_>,
        context: &EncryptionContext,
        spec: KeySpec,
    ) -> Result<DataKeyPair, KeyringError> {
        self.generate_pair_as(&GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT, usage, context, spec).await
    }

    async fn generate_pair_as(
        &self,
        task: &Task,
        usage: &Use<'_>,
        context: &EncryptionContext,
        spec: KeySpec,
    ) -> Result<DataKeyPair, KeyringError> {
        usage.grant.assert_covers(task.action, &usage.key.metadata.arn);
        let event = event_of(usage.grant, task.name(), &usage.call, vec![key_resource(&usage.key.metadata)]);
        let outcome = self.try_pair(task, usage, context, spec).await.map(|pair| {
            let details = material_details(pair.material_id.as_deref());
            (pair, details)
        });
        self.conclude(event, unless_dry(usage.dry_run, outcome)).await
    }

    async fn try_pair(
        &self,
        task: &Task,
        usage: &Use<'_>,
        context: &EncryptionContext,
        spec: KeySpec,
    ) -> Result<DataKeyPair, KeyringError> {
        // Checked before the work, and again behind it: the key may have been disabled meanwhile.
        let key = self.usable(task, usage).await?;
        key.check_symmetric(task)?;
        key.check_own()?;
        if usage.dry_run {
            return Err(KeyringError::DryRun);
        }
        let pair = self.make_material(spec).await?;
        let Some(public_key) = pair.public_key().map(<[u8]>::to_vec) else {
            return Err(KeyringError::Internal(format!("{spec} makes no pairs")));
        };
        let private_key = pair.to_bytes();
        let key = self.usable(task, usage).await?;
        let sealed = self.seal_under(&key, Sealing::symmetric(context), private_key.expose()).await?;
        Ok(DataKeyPair {
            private_key,
            private_ciphertext: sealed.ciphertext,
            public_key,
            material_id: sealed.material_id,
        })
    }

    /// New material of a spec.
    pub(super) async fn make_material(&self, spec: KeySpec) -> Result<KeyMaterial, KeyringError> {
        let sources = self.sources().clone();
        if !spec.is_rsa() {
            return Ok(KeyMaterial::generate(spec, &sources));
        }
        self.make_rsa(move || KeyMaterial::generate(spec, &sources)).await
    }

    /// Makes an RSA key off the runtime's threads, when it is its turn.
    pub(super) async fn make_rsa<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, KeyringError> {
        let turn = Arc::clone(&self.rsa_makers().0).acquire_owned().await.expect("the semaphore is never closed");
        // The turn goes along: a caller who hangs up makes room for the next one when the work ends, not before.
        let made = tokio::task::spawn_blocking(move || {
            let made = make();
            drop(turn);
            made
        });
        made.await.map_err(|error| KeyringError::Internal(format!("making an RSA key: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::keyring::tests::Fixture;

    #[tokio::test]
    async fn rsa_keys_wait_their_turn_and_others_do_not() {
        let keyring = Fixture::new(70).await.keyring;
        let turns = &keyring.rsa_makers().0;
        let taken = Arc::clone(turns).try_acquire_many_owned(RSA_MAKERS_MAX as u32).expect("all are free");
        let mut waiting = Box::pin(keyring.make_material(KeySpec::Rsa2048));
        assert!((&mut waiting).now_or_never().is_none());
        assert!(keyring.make_material(KeySpec::P256).now_or_never().is_some());
        drop(taken);
        assert_eq!(waiting.await.ok().map(|made| made.spec()), Some(KeySpec::Rsa2048));
        assert_eq!(turns.available_permits(), RSA_MAKERS_MAX);
    }

    /// Who hangs up stops waiting, but what was begun keeps its turn until it ends.
    #[tokio::test]
    async fn a_caller_who_hangs_up_frees_no_turn_early() {
        let keyring = Fixture::new(71).await.keyring;
        let turns = &keyring.rsa_makers().0;
        let mut begun = Box::pin(keyring.make_material(KeySpec::Rsa3072));
        assert!((&mut begun).now_or_never().is_none());
        drop(begun);
        assert_eq!(turns.available_permits(), RSA_MAKERS_MAX - 1);
        let all = turns.acquire_many(RSA_MAKERS_MAX as u32).await.expect("never closed");
        assert_eq!(all.num_permits(), RSA_MAKERS_MAX);
    }
}
