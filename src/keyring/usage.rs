//! Cryptographic use of keys. The state is read from the index on every use, so that a disabled key stops at once.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::KeyringError;
use super::call::{Call, Details, event_of, key_resource, material_details};
use super::ciphertext::{
    Sealer, canonical, damaged_material, material_id, open_ciphertext, parse_ciphertext, seal_ciphertext,
    unwrap_material,
};
use super::custom_store::{Backing, StoreCiphertext};
use super::keys::Operation;
use super::record::{KeyPlace, KeyRecord, MaterialRecord};
use super::service::{
    DataKey, Decrypted, Encrypted, EncryptionContext, KeyRing, ResolvedKey, check_usable, wrong_origin,
};
use crate::auth::Grant;
use crate::crypto::{KeyMaterial, SecretBytes, UseError};
use crate::names::{EncryptionAlgorithm, KeyKind, KeyUsage, MessageType};

/// One use of one key.
#[derive(Debug)]
pub struct Use<'a> {
    /// Of the operation's action on the key's ARN.
    pub grant: &'a Grant,
    /// The key.
    pub key: &'a ResolvedKey,
    /// How it appears in the trail.
    pub call: Call,
    /// Do all the checks, then answer [`KeyringError::DryRun`].
    pub dry_run: bool,
}

/// How a message is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    /// One of the key's.
    pub algorithm: EncryptionAlgorithm,
    /// What the message is bound to; of the symmetric algorithm alone.
    pub context: &'a EncryptionContext,
}

/// An operation that uses keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    /// The IAM action.
    pub(super) action: &'static str,
    /// What a key must have been made for; none: anything.
    pub(super) needs: Option<KeyUsage>,
}

const ENCRYPT: Task = Task::new("kms:Encrypt", KeyUsage::EncryptDecrypt);
const DECRYPT: Task = Task::new("kms:Decrypt", KeyUsage::EncryptDecrypt);
// Two actions, on two keys; the name is the API's.
const RE_ENCRYPT: Task = Task::new("kms:ReEncrypt", KeyUsage::EncryptDecrypt);
const GENERATE_DATA_KEY: Task = Task::new("kms:GenerateDataKey", KeyUsage::EncryptDecrypt);
const GENERATE_DATA_KEY_WITHOUT_PLAINTEXT: Task =
    Task::new("kms:GenerateDataKeyWithoutPlaintext", KeyUsage::EncryptDecrypt);

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

impl Task {
    pub(super) const fn new(action: &'static str, needs: KeyUsage) -> Self {
        Self { action, needs: Some(needs) }
    }

    /// The API's name.
    pub(super) fn name(&self) -> &'static str {
        self.action.strip_prefix("kms:").unwrap_or(self.action)
    }
}

impl<'a> Sealing<'a> {
    /// Under a symmetric key.
    pub fn symmetric(context: &'a EncryptionContext) -> Self {
        Self { algorithm: EncryptionAlgorithm::SymmetricDefault, context }
    }

    fn check(&self, kind: KeyKind) -> Result<(), KeyringError> {
        if !kind.spec().abilities().encryption.contains(&self.algorithm) {
            return Err(Asked::algorithm(self.algorithm.as_str()).told(kind, UseError::Algorithm));
        }
        if !kind.is_symmetric() && !self.context.is_empty() {
            let text = "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.";
            return Err(KeyringError::Validation(text.to_owned()));
        }
        Ok(())
    }
}

/// What was asked of a key, in the words of the request, for the text of a refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) algorithm: &'static str,
    pub(super) message_type: MessageType,
}

impl Asked {
    pub(super) fn algorithm(algorithm: &'static str) -> Self {
        Self { algorithm, message_type: MessageType::Raw }
    }

    /// What the caller is told when the material could not be used so.
    pub(super) fn told(self, kind: KeyKind, error: UseError) -> KeyringError {
        let Self { algorithm, message_type } = self;
        let spec = kind.spec();
        let text = match error {
            UseError::Algorithm => {
                let text = format!("Algorithm {algorithm} is incompatible with key spec {spec}.");
                return KeyringError::InvalidKeyUsage(text);
            }
            UseError::Ciphertext => return KeyringError::InvalidCiphertext,
            UseError::Signature => return KeyringError::InvalidSignature,
            UseError::Mac => return KeyringError::InvalidMac,
            UseError::Library => return KeyringError::Internal(format!("{algorithm} with {spec} failed")),
            UseError::MessageTypeOfSpec => format!("Message type {message_type} is incompatible with key spec {spec}."),
            UseError::MessageTypeOfAlgorithm => {
                format!("Message type {message_type} is incompatible with algorithm {algorithm}.")
            }
            UseError::DigestLength => format!("Digest is invalid length for algorithm {algorithm}."),
            UseError::MuLength => format!("External Mu is invalid length for algorithm {algorithm}."),
            UseError::MessageTooLong => "The message is too long.".to_owned(),
            UseError::PlaintextTooLong { max_bytes } => {
                format!("Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {max_bytes} bytes.")
            }
            // AWS's text is not recorded.
            UseError::PublicKey => format!("The public key is not valid for key spec {spec}."),
        };
        KeyringError::Validation(text)
    }
}

impl<'a> Use<'a> {
    /// A use that did not come in by the KMS protocol: its parameters are put together here.
    pub(super) fn in_process(
        grant: &'a Grant,
        key: &'a ResolvedKey,
        context: &EncryptionContext,
        parameter: (&'static str, Value),
        via_s3: bool,
    ) -> Self {
        let mut request = Map::new();
        request.insert("keyId".to_owned(), key.metadata.arn.clone().into());
        request.insert(parameter.0.to_owned(), parameter.1);
        if !context.is_empty() {
            request.insert("encryptionContext".to_owned(), json!(context));
        }
        Self { grant, key, call: Call { request: request.into(), via_s3 }, dry_run: false }
    }
}

/// A key whose state, usage and kind allowed its use a moment ago.
pub(super) struct Usable {
    place: KeyPlace,
    record: KeyRecord,
    /// Of keys in custom key stores.
    backing: Option<Backing>,
}

/// One generation, unwrapped.
pub(super) struct Material {
    sealer: Sealer,
    pub(super) key: Arc<KeyMaterial>,
    /// Of symmetric keys alone.
    id: Option<String>,
}

impl Usable {
    pub(super) fn kind(&self) -> KeyKind {
        self.record.kind
    }

    pub(super) fn place(&self) -> &KeyPlace {
        &self.place
    }

    pub(super) fn newest(&self) -> Result<&MaterialRecord, KeyringError> {
        let none = || KeyringError::Internal(format!("key {} has no material", self.place.key_id));
        self.record.materials.last().ok_or_else(none)
    }

    /// Keys in custom key stores make no pairs.
    pub(super) fn check_own(&self) -> Result<(), KeyringError> {
        if self.record.origin().is_custom() { Err(wrong_origin(&self.record, &self.place)) } else { Ok(()) }
    }

    /// Only symmetric keys make data keys. AWS's text is not recorded; this one is put as that of a wrong usage.
    pub(super) fn check_symmetric(&self, task: &Task) -> Result<(), KeyringError> {
        if self.kind().is_symmetric() {
            return Ok(());
        }
        Err(KeyringError::InvalidKeyUsage(wrong_spec(&self.place, self.kind(), task.name())))
    }
}

/// A key's spec does not serve an operation.
pub(super) fn wrong_spec(place: &KeyPlace, kind: KeyKind, operation: &str) -> String {
    format!("{} key spec is {} which is not valid for {operation}.", place.arn(), kind.spec())
}

impl KeyRing {
    /// Seals up to 4,096 bytes, under an RSA key as many as fit into its modulus. Grant: `kms:Encrypt`.
    pub async fn encrypt(
        &self,
        usage: &Use<'_>,
        sealing: Sealing<'_>,
        plain: &[u8],
    ) -> Result<Encrypted, KeyringError> {
        self.perform_with(&ENCRYPT, usage, async {
            let key = self.usable(&ENCRYPT, usage).await?;
            let sealed = self.seal_under(&key, sealing, plain).await?;
            let details = material_details(sealed.material_id.as_deref());
            Ok((sealed, details))
        })
        .await
    }

    /// Makes a data key. Grant: `kms:GenerateDataKey`.
    pub async fn generate(
        &self,
        usage: &Use<'_>,
        context: &EncryptionContext,
        size: DataKeySize,
    ) -> Result<DataKey, KeyringError> {
        self.generate_as(&GENERATE_DATA_KEY, usage, context, size).await
    }

    /// Makes a data key that only its ciphertext is told of. Grant: `kms:GenerateDataKeyWithoutPlaintext`.
    pub async fn generate_without_plaintext(
        &self,
        usage: &Use<'_>,
        context: &EncryptionContext,
        size: DataKeySize,
    ) -> Result<Encrypted, KeyringError> {
        let made = self.generate_as(&GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, usage, context, size).await?;
        Ok(Encrypted { ciphertext: made.ciphertext, material_id: made.material_id })
    }

    async fn generate_as(
        &self,
        task: &Task,
        usage: &Use<'_>,
        context: &EncryptionContext,
        size: DataKeySize,
    ) -> Result<DataKey, KeyringError> {
        self.perform_with(task, usage, async {
            let key = self.usable(task, usage).await?;
            key.check_symmetric(task)?;
            let plaintext = self.random_bytes(size.bytes());
            let sealed = self.seal_under(&key, Sealing::symmetric(context), plaintext.expose()).await?;
            let details = material_details(sealed.material_id.as_deref());
            Ok((DataKey { plaintext, ciphertext: sealed.ciphertext, material_id: sealed.material_id }, details))
        })
        .await
    }

    /// Opens a ciphertext. Grant: `kms:Decrypt`.
    pub async fn open(
        &self,
        usage: &Use<'_>,
        sealing: Sealing<'_>,
        ciphertext: &[u8],
    ) -> Result<Decrypted, KeyringError> {
        self.perform_with(&DECRYPT, usage, async {
            let key = self.usable(&DECRYPT, usage).await?;
            let opened = self.open_under(&key, sealing, ciphertext).await?;
            let details = material_details(opened.material_id.as_deref());
            Ok((opened, details))
        })
        .await
    }

    /// Checks that a key could open a ciphertext, without one: Decrypt's `IGNORE_CIPHERTEXT`. Grant: `kms:Decrypt`.
    /// Never succeeds: the answer to a call whose checks pass is [`KeyringError::DryRun`].
    pub async fn open_nothing(&self, usage: &Use<'_>, sealing: Sealing<'_>) -> Result<Decrypted, KeyringError> {
        self.perform(&DECRYPT, usage, |key| sealing.check(key.kind()).and(Err(KeyringError::DryRun))).await
    }

    /// Opens a ciphertext under one key and seals what it held under another (or the same); the plaintext stays
    /// inside. Grants: `kms:ReEncryptFrom` and `kms:ReEncryptTo`. Without a ciphertext only the checks are done:
    /// `IGNORE_CIPHERTEXT`. Answers the opened message's material id and the new ciphertext.
    pub async fn re_encrypt(
        &self,
        from: (&Use<'_>, Sealing<'_>),
        to: (&Use<'_>, Sealing<'_>),
        ciphertext: Option<&[u8]>,
    ) -> Result<(Option<String>, Encrypted), KeyringError> {
        let (from_key, to_key) = (&from.0.key.metadata, &to.0.key.metadata);
        from.0.grant.assert_covers("kms:ReEncryptFrom", &from_key.arn);
        to.0.grant.assert_covers("kms:ReEncryptTo", &to_key.arn);
        let mut resources = vec![key_resource(from_key)];
        if to_key.arn != from_key.arn {
            resources.push(key_resource(to_key));
        }
        let event = event_of(to.0.grant, RE_ENCRYPT.name(), &to.0.call, resources);
        let outcome = self.seal_again(from, to, ciphertext).await.map(|(source_id, sealed)| {
            let ids = [("sourceKeyMaterialId", &source_id), ("destinationKeyMaterialId", &sealed.material_id)];
            let ids: Map<String, Value> =
                ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id.clone()?.into()))).collect();
            let additional = if ids.is_empty() { Value::Null } else { ids.into() };
            ((source_id, sealed), Details { response: Value::Null, additional })
        });
        self.conclude(event, unless_dry(to.0.dry_run, outcome)).await
    }

    async fn seal_again(
        &self,
        (from, opening): (&Use<'_>, Sealing<'_>),
        (to, sealing): (&Use<'_>, Sealing<'_>),
        ciphertext: Option<&[u8]>,
    ) -> Result<(Option<String>, Encrypted), KeyringError> {
        let source = self.usable(&RE_ENCRYPT, from).await?;
        let target = self.usable(&RE_ENCRYPT, to).await?;
        let Some(ciphertext) = ciphertext else {
            opening.check(source.kind())?;
            sealing.check(target.kind())?;
            return Err(KeyringError::DryRun);
        };
        let opened = self.open_under(&source, opening, ciphertext).await?;
        let sealed = self.seal_under(&target, sealing, opened.plaintext.expose()).await?;
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

    /// A use of one key from its grant to its record: `act` gets the key if state and usage allow the task.
    pub(super) async fn perform<T>(
        &self,
        task: &Task,
        usage: &Use<'_>,
        act: impl FnOnce(&Usable) -> Result<(T, Details), KeyringError>,
    ) -> Result<T, KeyringError> {
        self.perform_with(task, usage, async { self.usable(task, usage).await.and_then(|key| act(&key)) }).await
    }

    /// As [`Self::perform`], where the work is not done at once: `outcome` asks for the key itself.
    async fn perform_with<T>(
        &self,
        task: &Task,
        usage: &Use<'_>,
        outcome: impl Future<Output = Result<(T, Details), KeyringError>>,
    ) -> Result<T, KeyringError> {
        usage.grant.assert_covers(task.action, &usage.key.metadata.arn);
        let event = event_of(usage.grant, task.name(), &usage.call, vec![key_resource(&usage.key.metadata)]);
        let outcome = outcome.await;
        self.conclude(event, unless_dry(usage.dry_run, outcome)).await
    }

    pub(super) async fn seal_under(
        &self,
        key: &Usable,
        sealing: Sealing<'_>,
        plain: &[u8],
    ) -> Result<Encrypted, KeyringError> {
        sealing.check(key.kind())?;
        let material = self.unwrapped(key, key.newest()?)?;
        let ciphertext = match material.key.symmetric() {
            Some(secret) => {
                let own = seal_ciphertext(secret, &material.sealer, sealing.context, plain, self.sources());
                match &key.backing {
                    None => own,
                    Some(backing) => {
                        let context = canonical(sealing.context);
                        // On the heap: no other key's use is to carry what an exchange with a proxy takes.
                        Box::pin(self.seal_in_store(backing, &material.sealer, &context, own)).await?
                    }
                }
            }
            None => {
                let sealed = material.key.encrypt(sealing.algorithm, plain);
                sealed.map_err(|error| Asked::algorithm(sealing.algorithm.as_str()).told(key.kind(), error))?
            }
        };
        Ok(Encrypted { ciphertext, material_id: material.id })
    }

    async fn open_under(
        &self,
        key: &Usable,
        sealing: Sealing<'_>,
        ciphertext: &[u8],
    ) -> Result<Decrypted, KeyringError> {
        sealing.check(key.kind())?;
        if !key.kind().is_symmetric() {
            let material = self.unwrapped(key, key.newest()?)?;
            let opened = material.key.decrypt(sealing.algorithm, ciphertext);
            let told = |error| Asked::algorithm(sealing.algorithm.as_str()).told(key.kind(), error);
            return Ok(Decrypted { plaintext: opened.map_err(told)?, material_id: None });
        }
        let sealer = parse_ciphertext(ciphertext)?;
        if sealer.key_id != key.place.key_id {
            return Err(KeyringError::IncorrectKey);
        }
        let known = key.record.materials.iter().find(|m| m.tag == sealer.generation);
        let known = known.ok_or(KeyringError::InvalidCiphertext)?;
        let own = match (&key.backing, StoreCiphertext::parse(ciphertext)) {
            (None, None) => Cow::Borrowed(ciphertext),
            (Some(backing), Some(outer)) => {
                let context = canonical(sealing.context);
                Cow::Owned(Box::pin(self.open_in_store(backing, outer, &context)).await?)
            }
            _ => return Err(KeyringError::InvalidCiphertext),
        };
        let material = self.unwrapped(key, known)?;
        let secret = material.key.symmetric().ok_or_else(|| damaged_material(&key.place.key_id))?;
        let plaintext = open_ciphertext(secret, sealing.context, &own)?;
        Ok(Decrypted { plaintext, material_id: material.id })
    }

    /// The key as it is now, if its state and its usage allow the task.
    pub(super) async fn usable(&self, task: &Task, usage: &Use<'_>) -> Result<Usable, KeyringError> {
        let place = KeyPlace::of(&usage.key.metadata);
        let mut record = self.load(&place).await?.value;
        let mut backing = None;
        if let Some(custom) = &record.custom {
            let (found, state) = Box::pin(self.backing(&place, custom, record.state, task.name(), usage)).await?;
            (backing, record.state) = (Some(found), state);
        }
        check_usable(&record, &place, Operation::Use).inspect_err(|_| {
            // Another gateway may have disabled it: what is held here goes too.
            self.materials().forget(&place.key_id);
        })?;
        let made_for = record.kind.usage();
        if task.needs.is_some_and(|needed| needed != made_for) {
            let text = format!("{} key usage is {made_for} which is not valid for {}.", place.arn(), task.name());
            return Err(KeyringError::InvalidKeyUsage(text));
        }
        Ok(Usable { place, record, backing })
    }

    pub(super) fn unwrapped(&self, key: &Usable, wrapped: &MaterialRecord) -> Result<Material, KeyringError> {
        let (key_id, now) = (&key.place.key_id, self.sources().now());
        if !wrapped.is_present() {
            return Err(damaged_material(key_id));
        }
        let held = self.materials().find(key_id, &wrapped.tag, now);
        let material = match held {
            Some(material) => material,
            None => {
                let bytes = unwrap_material(self.store_key(), key_id, &wrapped.tag, &wrapped.wrapped)?;
                let parsed = KeyMaterial::parse(key.kind().spec(), bytes.expose());
                let material = Arc::new(parsed.map_err(|_| damaged_material(key_id))?);
                self.materials().hold(key_id, &wrapped.tag, &material, now);
                material
            }
        };
        let id = (key.kind().is_symmetric() && key.backing.is_none()).then(|| material_id(key_id, &wrapped.tag));
        Ok(Material { sealer: Sealer { key_id: key_id.clone(), generation: wrapped.tag }, key: material, id })
    }
}

/// A use whose checks passed, unless only they were asked for.
pub(super) fn unless_dry<T>(dry_run: bool, outcome: Result<T, KeyringError>) -> Result<T, KeyringError> {
    outcome.and_then(|value| if dry_run { Err(KeyringError::DryRun) } else { Ok(value) })
}
