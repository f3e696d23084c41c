//! Imported material: in, out, and its expiry.
//!
//! Which material a key has is for ever: what was imported once stays in the record by its tag, without its bytes when
//! it expired or was deleted, and only the same material fills its place again. The tag is a pseudo-random function of
//! the key id under the material itself, so it is the same wherever and whenever the material is imported for that
//! id: what was sealed opens again after a re-import, and in every Region of a multi-Region key.

use std::time::Duration;

use serde_json::{Value, json};

use super::KeyringError;
use super::call::{Call, Details, event_of, key_resource, service_event};
use super::ciphertext::{material_id, wrap_material};
use super::import_token::{IMPORT_TOKEN, ImportParameters, Wrapping, open_token, seal_token};
use super::keys::{KeyOrigin, KeyState, Operation};
use super::manage::CHANGE_ATTEMPTS;
use super::queue::{Due, put_key};
use super::record::{ImportRecord, KeyPlace, KeyRecord, MaterialOrigin, MaterialRecord, UsedToken};
use super::service::{KeyRing, ResolvedKey, check_usable, wrong_origin};
use super::token_key::TokenKey;
use crate::audit::Event;
use crate::auth::{Grant, system};
use crate::crypto::{Generation, KeyMaterial, WrappingKey, hmac_sha256};
use crate::index::Table;
use crate::names::KeySpec;
use crate::sources::Timestamp;

/// Imported material expires at most so long after the import.
const VALIDITY_MAX: Duration = Duration::from_secs(365 * 86_400);
/// Imports into one key within a day: what was used of tokens is noted in the key's record for so long.
const IMPORTS_PER_DAY_MAX: usize = 1000;
/// Frozen: tags made with it name material in ciphertexts.
const TAG_LABEL: &[u8] = b"strongroom imported material tag v1";

/// `ImportType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportType {
    /// Material that the key never had: its first, or one for the next rotation.
    New,
    /// Material that the key has, or had until it expired or was deleted.
    Existing,
}

/// What ImportKeyMaterial is given.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// `ImportToken`.
    pub token: &'a [u8],
    /// `EncryptedKeyMaterial`.
    pub wrapped: &'a [u8],
    /// When it expires; none: never.
    pub valid_to: Option<Timestamp>,
    /// None: new for a key that never had any, existing else.
    pub kind: Option<ImportType>,
    /// `KeyMaterialDescription`; none: the one it had.
    pub description: Option<&'a str>,
    /// `KeyMaterialId`: what the material has to turn out to be.
    pub material_id: Option<&'a str>,
}

/// What ImportKeyMaterial answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// 64 hexadecimal digits; of symmetric keys, which alone can have several.
    pub material_id: Option<String>,
}

/// Material that was unwrapped, and wrapped again for the record.
struct Incoming<'a> {
    tag: Generation,
    wrapped: Vec<u8>,
    public_key: Option<Vec<u8>>,
    import: &'a Import<'a>,
    now: Timestamp,
}

impl KeyRing {
    /// A key to wrap material under, and the token to send with it. Grant: `kms:GetParametersForImport`.
    pub async fn import_parameters(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        wrapping: Wrapping,
    ) -> Result<ImportParameters, KeyringError> {
        grant.assert_covers("kms:GetParametersForImport", &key.metadata.arn);
        let event = event_of(grant, "GetParametersForImport", call, vec![key_resource(&key.metadata)]);
        let outcome = self.make_parameters(key, wrapping).await;
        self.conclude(event, outcome.map(|made| (made, Details::default()))).await
    }

    async fn make_parameters(&self, key: &ResolvedKey, wrapping: Wrapping) -> Result<ImportParameters, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let stored = self.load(&place).await?;
        check_importable(&stored.value, &place)?;
        check_usable(&stored.value, &place, Operation::Import)?;
        let spec = stored.value.kind.spec();
        if !wrapping.algorithm.carries(spec, wrapping.spec) {
            // AWS's text is not recorded.
            let (algorithm, under) = (wrapping.algorithm, wrapping.spec);
            let text = format!("Algorithm {algorithm} and wrapping key spec {under} cannot wrap {spec} key material.");
            return Err(KeyringError::Validation(text));
        }
        let made = self.make_rsa(move || WrappingKey::generate(wrapping.spec)).await?;
        Ok(seal_token(
            &TokenKey::current(self.rows().sealer(), IMPORT_TOKEN),
            &place.arn(),
            wrapping,
            &made,
            self.sources(),
        ))
    }

    /// Takes material in. A key that was pending import and has all of its material now is enabled. Grant:
    /// `kms:ImportKeyMaterial`.
    pub async fn import_material(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        import: Import<'_>,
    ) -> Result<Imported, KeyringError> {
        self.change_key(grant, "kms:ImportKeyMaterial", Operation::Import, call, key, |change| {
            let (record, place, now) = (&mut change.record, change.place, change.now);
            check_importable(record, place)?;
            check_validity(import.valid_to, now)?;
            let token_key = TokenKey::of(self.rows().sealer(), IMPORT_TOKEN, import.token);
            let token_key = token_key.ok_or(KeyringError::InvalidImportToken)?;
            let token = open_token(&token_key, &place.arn(), import.token, now)?;
            let used = record.used_tokens.get_or_insert_default();
            used.retain(|token| token.until_ms > now.0);
            if used.iter().any(|other| other.id == token.id) {
                return Err(KeyringError::InvalidImportToken);
            }
            if used.len() >= IMPORTS_PER_DAY_MAX {
                let text =
                    format!("{} took {IMPORTS_PER_DAY_MAX} imports within a day, which is the limit.", place.arn());
                return Err(KeyringError::LimitExceeded(text));
            }
            used.push(UsedToken { id: token.id, until_ms: token.valid_to.0 });
            let plain =
                token.key.unwrap(token.algorithm, import.wrapped).map_err(|_| KeyringError::InvalidCiphertext)?;
            let material =
                KeyMaterial::parse(record.kind.spec(), plain.expose()).map_err(|_| bad_material(record.kind.spec()))?;
            let bytes = material.to_bytes();
            let tag = imported_tag(&place.key_id, bytes.expose());
            let wrapped = wrap_material(self.store_key(), &place.key_id, &tag, &bytes, self.sources());
            let public_key = material.public_key().map(<[u8]>::to_vec);
            record.take_in(place, Incoming { tag, wrapped, public_key, import: &import, now })?;
            let id = shown_id(record, place, &tag);
            Ok((Imported { material_id: id.clone() }, json!({ "keyId": place.arn(), "keyMaterialId": id })))
        })
        .await
    }

    /// Forgets imported material: that with an id, or the current one. The key is pending import then, unless what goes
    /// only waited for its rotation. Answers the id of what went. Grant: `kms:DeleteImportedKeyMaterial`.
    pub async fn delete_imported(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        id: Option<&str>,
    ) -> Result<Option<String>, KeyringError> {
        self.change_key(grant, "kms:DeleteImportedKeyMaterial", Operation::DeleteMaterial, call, key, |change| {
            let (record, place) = (&mut change.record, change.place);
            check_importable(record, place)?;
            let named = |material: &MaterialRecord| id.is_none_or(|id| material_id(&place.key_id, &material.tag) == id);
            let pending = record.pending_material.as_ref().filter(|_| id.is_some());
            let found = pending.into_iter().chain(record.materials.iter().rev()).find(|m| named(m)).map(|m| m.tag);
            let gone = match (found, id) {
                (Some(tag), _) => {
                    record.give_up(place, tag);
                    shown_id(record, place, &tag)
                }
                (None, None) => None,
                (None, Some(id)) => {
                    return Err(KeyringError::NotFound(format!("Key material '{id}' does not exist")));
                }
            };
            let shown = json!({ "keyId": place.arn(), "keyMaterialId": gone });
            Ok((gone, shown))
        })
        .await
    }

    /// Forgets all imported material whose time is up. To be called every few minutes; a use in between does it itself.
    /// Returns from how many keys something went.
    pub async fn expire_due_material(&self) -> Result<usize, KeyringError> {
        self.work_off(Due::Expiry).await
    }

    /// Whether this call forgot material of the key.
    pub(super) async fn expire_if_due(&self, place: &KeyPlace) -> Result<bool, KeyringError> {
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(stored) = self.rows().load::<KeyRecord>(&place.row()).await? else { return Ok(false) };
            let (before, now) = (&stored.value, self.sources().now());
            let expired: Vec<Generation> = expired(before, now).map(|material| material.tag).collect();
            if expired.is_empty() {
                return Ok(false);
            }
            let others = self.others(place, before).await?;
            let mut record = before.clone();
            expired.iter().for_each(|tag| record.give_up(place, *tag));
            let mut events: Vec<Event> = expired.iter().map(|tag| self.expiry_event(place, &record, tag)).collect();
            let mut batch = self.rows().batch();
            batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
            put_key(&mut batch, place, Some(before), &record);
            self.synchronize(&mut batch, before, &record, &others);
            let Some(last) = events.pop() else { return Ok(false) };
            for event in &events {
                self.audit().append(&mut batch, event);
            }
            if self.commit(batch, &last).await?.is_some() {
                self.materials().forget(&place.key_id);
                return Ok(true);
            }
        }
        Err(KeyringError::Contention)
    }

    fn expiry_event(&self, place: &KeyPlace, record: &KeyRecord, tag: &Generation) -> Event {
        let access = system("material-expiry", place.region.clone(), self.sources().now());
        let details: Value = json!({ "keyId": place.key_id, "keyMaterialId": material_id(&place.key_id, tag) });
        service_event(&access, "DeleteExpiredKeyMaterial", &record.metadata(place), details)
    }
}

impl KeyRecord {
    /// Puts material where it belongs, or says why it belongs nowhere.
    fn take_in(&mut self, place: &KeyPlace, incoming: Incoming<'_>) -> Result<(), KeyringError> {
        let id = material_id(&place.key_id, &incoming.tag);
        if incoming.import.material_id.is_some_and(|wanted| wanted != id) {
            return Err(incorrect("The key material does not have the specified key material ID."));
        }
        let first = self.materials.is_empty();
        let known = self.all_materials_mut().find(|m| m.tag == incoming.tag);
        let default = if first { ImportType::New } else { ImportType::Existing };
        match (incoming.import.kind.unwrap_or(default), known) {
            (ImportType::Existing, Some(material)) => material.fill(incoming),
            (ImportType::Existing, None) => {
                return Err(incorrect(
                    "The key material is not the same as the key material that was imported before.",
                ));
            }
            (ImportType::New, Some(_)) => {
                return Err(incorrect("The key material is already associated with the KMS key."));
            }
            (ImportType::New, None) => self.take_new(place, incoming, &id)?,
        }
        if self.state == KeyState::PendingImport && self.is_complete() {
            self.state = KeyState::Enabled;
        }
        Ok(())
    }

    fn take_new(&mut self, place: &KeyPlace, incoming: Incoming<'_>, id: &str) -> Result<(), KeyringError> {
        let arn = place.arn();
        if self.is_replica(place) {
            let text = format!("{arn} is a replica: import new key material into the primary key first.");
            return Err(KeyringError::Unsupported(text));
        }
        let first = self.materials.is_empty();
        if !first && !self.kind.is_symmetric() {
            return Err(incorrect("The key material is not the same as the key material that was imported before."));
        }
        if let Some(pending) = &self.pending_material {
            let pending = material_id(&place.key_id, &pending.tag);
            return Err(KeyringError::InvalidState(format!(
                "New key material (id: {id}) cannot be imported into KMS key {arn}, because another key material (id: \
                 {pending}) is pending rotation."
            )));
        }
        let mut material = MaterialRecord {
            tag: incoming.tag,
            created_ms: incoming.now.0,
            origin: MaterialOrigin::Initial,
            wrapped: Vec::new(),
            import: None,
            public_key: None,
        };
        material.fill(incoming);
        if first {
            self.materials.push(material);
        } else {
            self.pending_material = Some(material);
        }
        Ok(())
    }

    /// Forgets the bytes of a material. One that only waits for its rotation is forgotten altogether, but of a replica,
    /// where the primary key rules which material there is.
    fn give_up(&mut self, place: &KeyPlace, tag: Generation) {
        if !self.is_replica(place) {
            self.pending_material.take_if(|pending| pending.tag == tag);
        }
        let held = self.all_materials_mut().find(|material| material.tag == tag);
        if let Some(material) = held {
            material.clear();
        }
        if !self.is_complete() && !self.state.is_going() {
            self.state = KeyState::PendingImport;
        }
    }
}

impl MaterialRecord {
    fn fill(&mut self, incoming: Incoming<'_>) {
        let held = self.import.take().and_then(|import| import.description);
        let description = incoming.import.description.map(str::to_owned).or(held);
        self.wrapped = incoming.wrapped;
        self.public_key = incoming.public_key.map(Into::into);
        self.import = Some(ImportRecord { description, valid_to_ms: incoming.import.valid_to.map(|at| at.0) });
    }
}

/// Whether a record holds material that must not be used any more.
pub(super) fn has_expired(record: &KeyRecord, now: Timestamp) -> bool {
    expired(record, now).next().is_some()
}

fn expired(record: &KeyRecord, now: Timestamp) -> impl Iterator<Item = &MaterialRecord> {
    record.all_materials().filter(move |material| material.valid_to().is_some_and(|at| at <= now))
}

/// Imports are for keys that were made for them.
fn check_importable(record: &KeyRecord, place: &KeyPlace) -> Result<(), KeyringError> {
    if record.origin() == KeyOrigin::External { Ok(()) } else { Err(wrong_origin(record, place)) }
}

fn check_validity(valid_to: Option<Timestamp>, now: Timestamp) -> Result<(), KeyringError> {
    // AWS's texts are not recorded.
    match valid_to {
        Some(at) if at <= now => Err(KeyringError::Validation("ValidTo must be in the future.".to_owned())),
        Some(at) if at > now.plus(VALIDITY_MAX) => {
            Err(KeyringError::Validation("ValidTo must not be more than 365 days from now.".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

fn shown_id(record: &KeyRecord, place: &KeyPlace, tag: &Generation) -> Option<String> {
    record.kind.is_symmetric().then(|| material_id(&place.key_id, tag))
}

fn imported_tag(key_id: &str, material: &[u8]) -> Generation {
    let mac = hmac_sha256(material, &[TAG_LABEL, b"\0", key_id.as_bytes()].concat());
    *mac.first_chunk().expect("an HMAC-SHA256 is longer than a tag")
}

fn incorrect(text: &str) -> KeyringError {
    KeyringError::IncorrectKeyMaterial(text.to_owned())
}

fn bad_material(spec: KeySpec) -> KeyringError {
    KeyringError::IncorrectKeyMaterial(format!("The key material is not valid for key spec {spec}."))
}

#[cfg(test)]
mod tests;
