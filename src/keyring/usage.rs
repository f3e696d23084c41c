//! Cryptographic use of keys. The state is read from the index on every use, so that a disabled key stops at once.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::KeyringError;
use super::call::{Call, Details, event_of, key_resource, material_details};
use super::ciphertext::{Sealer, material_id, open_ciphertext, parse_ciphertext, seal_ciphertext, unwrap_material};
use super::keys::Operation;
use super::record::{KeyPlace, KeyRecord, MaterialRecord};
use super::service::{
    DataKey, Decrypted, Encrypted, EncryptionContext, KeyRing, ResolvedKey, check_managed, check_usable,
};
use crate::auth::Grant;
use crate::crypto::{SecretBytes, SecretKey};

/// One use of one key.
#[derive(Debug)]
pub struct Use<'a> {
    /// Of the operation's action on the key's ARN.
    pub grant: &'a Grant,
    /// The key.
    pub key: &'a ResolvedKey,
    /// What the message is bound to.
    pub context: &'a EncryptionContext,
    /// How it appears in the trail.
    pub call: Call,
    /// Do all the checks, then answer [`KeyringError::DryRun`].
    pub dry_run: bool,
}

/// How a data key's length was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKeySize {
    /// `KeySpec` AES_128: 16 bytes.
    Aes128,
    /// `KeySpec` AES_256: 32 bytes.
    Aes256,
    /// `NumberOfBytes`, 1 to 1,024.
    Bytes(usize),
}

impl DataKeySize {
    /// The length.
    pub fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn parameters(self) -> (&'static str, Value) {
        match self {
            Self::Aes128 => ("keySpec", "AES_128".into()),
            Self::Aes256 => ("keySpec", "AES_256".into()),
            Self::Bytes(bytes) => ("numberOfBytes", bytes.into()),
        }
    }
}

impl<'a> Use<'a> {
    /// A use that did not come in by the KMS protocol: its parameters are put together here.
    pub(super) fn in_process(
        grant: &'a Grant,
        key: &'a ResolvedKey,
        context: &'a EncryptionContext,
        parameter: (&'static str, Value),
        via_s3: bool,
    ) -> Self {
        let mut request = Map::new();
        request.insert("keyId".to_owned(), key.metadata.arn.clone().into());
        request.insert(parameter.0.to_owned(), parameter.1);
        if !context.is_empty() {
            request.insert("encryptionContext".to_owned(), json!(context));
        }
        Self { grant, key, context, call: Call { request: request.into(), via_s3 }, dry_run: false }
    }
}

/// A key whose state allowed its use a moment ago.
struct Usable {
    place: KeyPlace,
    record: KeyRecord,
}

/// One generation, unwrapped.
struct Material {
    sealer: Sealer,
    key: Arc<SecretKey>,
    id: String,
}

impl KeyRing {
    /// Seals up to 4,096 bytes. Grant: `kms:Encrypt`.
    pub async fn encrypt(&self, usage: &Use<'_>, plain: &[u8]) -> Result<Encrypted, KeyringError> {
        usage.grant.assert_covers("kms:Encrypt", &usage.key.metadata.arn);
        let event = event_of(usage.grant, "Encrypt", &usage.call, vec![key_resource(&usage.key.metadata)]);
        let outcome = self.seal_under(usage.grant, usage.key, usage.context, plain, usage.call.via_s3).await;
        let outcome = outcome.map(|sealed| {
            let details = material_details(&sealed.material_id);
            (sealed, details)
        });
        self.conclude(event, unless_dry(usage.dry_run, outcome)).await
    }

    /// Makes a data key. Grant: `kms:GenerateDataKey`.
    pub async fn generate(&self, usage: &Use<'_>, size: DataKeySize) -> Result<DataKey, KeyringError> {
        self.generate_as("GenerateDataKey", "kms:GenerateDataKey", usage, size).await
    }

    /// Makes a data key that only its ciphertext is told of. Grant: `kms:GenerateDataKeyWithoutPlaintext`.
    pub async fn generate_without_plaintext(
        &self,
        usage: &Use<'_>,
        size: DataKeySize,
    ) -> Result<Encrypted, KeyringError> {
        let action = "kms:GenerateDataKeyWithoutPlaintext";
        let made = self.generate_as("GenerateDataKeyWithoutPlaintext", action, usage, size).await?;
        Ok(Encrypted { ciphertext: made.ciphertext, material_id: made.material_id })
    }

    async fn generate_as(
        &self,
        name: &'static str,
        action: &str,
        usage: &Use<'_>,
        size: DataKeySize,
    ) -> Result<DataKey, KeyringError> {
        usage.grant.assert_covers(action, &usage.key.metadata.arn);
        let event = event_of(usage.grant, name, &usage.call, vec![key_resource(&usage.key.metadata)]);
        let plaintext = self.random_bytes(size.bytes());
        let sealed =
            self.seal_under(usage.grant, usage.key, usage.context, plaintext.expose(), usage.call.via_s3).await;
        let outcome = sealed.map(|sealed| {
            let details = material_details(&sealed.material_id);
            (DataKey { plaintext, ciphertext: sealed.ciphertext, material_id: sealed.material_id }, details)
        });
        self.conclude(event, unless_dry(usage.dry_run, outcome)).await
    }

    /// Opens a KMS ciphertext. Grant: `kms:Decrypt`.
    pub async fn open(&self, usage: &Use<'_>, ciphertext: &[u8]) -> Result<Decrypted, KeyringError> {
        usage.grant.assert_covers("kms:Decrypt", &usage.key.metadata.arn);
        let event = event_of(usage.grant, "Decrypt", &usage.call, vec![key_resource(&usage.key.metadata)]);
        let outcome = self.open_under(usage.grant, usage.key, usage.context, ciphertext, usage.call.via_s3).await;
        let outcome = outcome.map(|opened| {
            let details = material_details(&opened.material_id);
            (opened, details)
        });
        self.conclude(event, unless_dry(usage.dry_run, outcome)).await
    }

    /// Checks that a key could open a ciphertext, without one: Decrypt's `IGNORE_CIPHERTEXT`. Grant: `kms:Decrypt`.
    /// Never succeeds: the answer to a call whose checks pass is [`KeyringError::DryRun`].
    pub async fn open_nothing(&self, usage: &Use<'_>) -> Result<Decrypted, KeyringError> {
        usage.grant.assert_covers("kms:Decrypt", &usage.key.metadata.arn);
        let event = event_of(usage.grant, "Decrypt", &usage.call, vec![key_resource(&usage.key.metadata)]);
        let usable = self.usable(usage.grant, usage.key, usage.call.via_s3).await;
        self.conclude(event, usable.and(Err(KeyringError::DryRun))).await
    }

    /// Opens a ciphertext under one key and seals what it held under another (or the same); the plaintext stays
    /// inside. Grants: `kms:ReEncryptFrom` and `kms:ReEncryptTo`. Without a ciphertext only the checks are done:
    /// `IGNORE_CIPHERTEXT`. Answers the opened message's material id and the new ciphertext.
    pub async fn re_encrypt(
        &self,
        from: &Use<'_>,
        to: &Use<'_>,
        ciphertext: Option<&[u8]>,
    ) -> Result<(String, Encrypted), KeyringError> {
        from.grant.assert_covers("kms:ReEncryptFrom", &from.key.metadata.arn);
        to.grant.assert_covers("kms:ReEncryptTo", &to.key.metadata.arn);
        let mut resources = vec![key_resource(&from.key.metadata)];
        if to.key.metadata.arn != from.key.metadata.arn {
            resources.push(key_resource(&to.key.metadata));
        }
        let event = event_of(to.grant, "ReEncrypt", &to.call, resources);
        let outcome = self.seal_again(from, to, ciphertext).await.map(|(source_id, sealed)| {
            let ids = json!({ "sourceKeyMaterialId": source_id, "destinationKeyMaterialId": sealed.material_id });
            ((source_id, sealed), Details { response: Value::Null, additional: ids })
        });
        self.conclude(event, unless_dry(to.dry_run, outcome)).await
    }

    async fn seal_again(
        &self,
        from: &Use<'_>,
        to: &Use<'_>,
        ciphertext: Option<&[u8]>,
    ) -> Result<(String, Encrypted), KeyringError> {
        let Some(ciphertext) = ciphertext else {
            self.usable(from.grant, from.key, from.call.via_s3).await?;
            self.usable(to.grant, to.key, to.call.via_s3).await?;
            return Err(KeyringError::DryRun);
        };
        let opened = self.open_under(from.grant, from.key, from.context, ciphertext, from.call.via_s3).await?;
        let plain = opened.plaintext.expose();
        let sealed = self.seal_under(to.grant, to.key, to.context, plain, to.call.via_s3).await?;
        Ok((opened.material_id, sealed))
    }

    /// 1 to 1,024 random bytes. Grant: `kms:GenerateRandom` on `*`.
    pub async fn generate_random(&self, grant: &Grant, call: &Call, bytes: usize) -> Result<SecretBytes, KeyringError> {
        grant.assert_covers("kms:GenerateRandom", "*");
        let event = event_of(grant, "GenerateRandom", call, Vec::new());
        self.conclude(event, Ok((self.random_bytes(bytes), Details::default()))).await
    }

    fn random_bytes(&self, bytes: usize) -> SecretBytes {
        let mut out = vec![0; bytes];
        self.sources().fill(&mut out);
        SecretBytes::new(out)
    }

    async fn seal_under(
        &self,
        grant: &Grant,
        key: &ResolvedKey,
        context: &EncryptionContext,
        plain: &[u8],
        via_s3: bool,
    ) -> Result<Encrypted, KeyringError> {
        let usable = self.usable(grant, key, via_s3).await?;
        let newest = usable.record.materials.last().ok_or_else(|| no_material(&usable.place))?;
        let material = self.unwrapped(&usable.place, newest)?;
        let ciphertext = seal_ciphertext(&material.key, &material.sealer, context, plain, self.sources());
        Ok(Encrypted { ciphertext, material_id: material.id })
    }

    async fn open_under(
        &self,
        grant: &Grant,
        key: &ResolvedKey,
        context: &EncryptionContext,
        ciphertext: &[u8],
        via_s3: bool,
    ) -> Result<Decrypted, KeyringError> {
        let usable = self.usable(grant, key, via_s3).await?;
        let sealer = parse_ciphertext(ciphertext)?;
        if sealer.key_id != usable.place.key_id {
            return Err(KeyringError::IncorrectKey);
        }
        let known = usable.record.materials.iter().find(|m| m.tag == sealer.generation);
        let material = self.unwrapped(&usable.place, known.ok_or(KeyringError::InvalidCiphertext)?)?;
        let plaintext = open_ciphertext(&material.key, context, ciphertext)?;
        Ok(Decrypted { plaintext, material_id: material.id })
    }

    /// The key as it is now, if its state and its kind allow the use.
    async fn usable(&self, grant: &Grant, key: &ResolvedKey, via_s3: bool) -> Result<Usable, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let record = self.load(&place).await?.value;
        check_managed(&record, &place, grant, via_s3)?;
        check_usable(&record, &place, Operation::Use).inspect_err(|_| {
            // Another gateway may have disabled it: what is held here goes too.
            self.materials().forget(&place.key_id);
        })?;
        Ok(Usable { place, record })
    }

    fn unwrapped(&self, place: &KeyPlace, wrapped: &MaterialRecord) -> Result<Material, KeyringError> {
        if !wrapped.is_present() {
            return Err(no_material(place));
        }
        let (key_id, now) = (&place.key_id, self.sources().now());
        let held = self.materials().find(key_id, &wrapped.tag, now);
        let key = match held {
            Some(key) => key,
            None => {
                let key = Arc::new(unwrap_material(self.store_key(), key_id, &wrapped.tag, &wrapped.wrapped)?);
                self.materials().hold(key_id, &wrapped.tag, &key, now);
                key
            }
        };
        let sealer = Sealer { key_id: key_id.clone(), generation: wrapped.tag };
        Ok(Material { id: material_id(key_id, &wrapped.tag), sealer, key })
    }
}

fn unless_dry<T>(dry_run: bool, outcome: Result<T, KeyringError>) -> Result<T, KeyringError> {
    outcome.and_then(|value| if dry_run { Err(KeyringError::DryRun) } else { Ok(value) })
}

fn no_material(place: &KeyPlace) -> KeyringError {
    KeyringError::Internal(format!("key {} has no material", place.key_id))
}
