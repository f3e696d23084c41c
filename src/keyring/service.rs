//! The key module itself: its parts, how a key is found, and what S3 asks of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::call::key_resource;
use super::ciphertext::parse_ciphertext;
use super::clock::TrustedClock;
use super::grants::GrantParts;
use super::import::has_expired;
use super::key_pair::RsaMakers;
use super::key_policies::KeyPolicies;
use super::keys::{Operation, StateRefusal, check_state};
use super::lines::Lines;
use super::marker::Markers;
use super::material::MaterialCache;
use super::owned::OwnedCache;
use super::record::{AliasRecord, KeyPlace, KeyRecord, alias_row, owner_tuple};
use super::root::StoreKeyRotation;
use super::{Backends, KeyMetadata, KeyOrigin, KeyringError, OwnedKey};
use crate::audit::{Audit, EventResource};
use crate::auth::{Access, Denied, Grant};
use crate::crypto::{SecretBytes, StoreKey};
use crate::index::{Direction, KeyRange, Rows, Stored, Table, Tuple, TupleReader};
use crate::names::{AccountId, Region, kms_alias_arn, kms_key_arn};
use crate::policy::Policy;
use crate::sources::Sources;

use super::usage::{DataKeySize, Sealing, Use};

/// An encryption context as KMS has it.
pub type EncryptionContext = BTreeMap<String, String>;

/// The alias of the key that S3 uses where a request names none.
pub const S3_ALIAS: &str = "alias/aws/s3";

/// A key that was found: what authorization needs to know before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedKey {
    /// Its metadata when it was resolved; the use checks the state again.
    pub metadata: KeyMetadata,
    pub(super) policy: Arc<Policy>,
    pub(super) tags: Vec<(String, String)>,
    /// With their `alias/`.
    pub(super) aliases: Vec<String>,
}

/// How far a key's name may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To keys of the caller's account.
    OwnAccount,
    /// By its ARN, to a key of any account; its policy decides.
    AnyAccount,
}

impl ResolvedKey {
    /// As the trail names it.
    pub fn event_resource(&self) -> EventResource {
        key_resource(&self.metadata)
    }

    /// Whether the key could be used when it was resolved: for those that hold what was made with it.
    pub fn check_usable(&self) -> Result<(), KeyringError> {
        let metadata = &self.metadata;
        check_state(metadata.state, Operation::Use)
            .map_err(|refusal| refused(refusal, metadata.arn.clone(), metadata.origin))
    }
}

/// A new data key.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct DataKey {
    /// The key.
    pub plaintext: SecretBytes,
    /// The same, as a KMS ciphertext.
    pub ciphertext: Vec<u8>,
    /// The material that sealed it; of symmetric keys alone.
    pub material_id: Option<String>,
}

/// A new ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The KMS ciphertext.
    pub ciphertext: Vec<u8>,
    /// The material that sealed it; of symmetric keys alone.
    pub material_id: Option<String>,
}

/// An opened ciphertext.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct Decrypted {
    /// What it held.
    pub plaintext: SecretBytes,
    /// The material that had sealed it; of symmetric keys alone.
    pub material_id: Option<String>,
}

/// The key module. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct KeyRing(Arc<Parts>);

struct Parts {
    rows: Rows,
    audit: Audit,
    store_key: StoreKey,
    sources: Sources,
    home: Region,
    markers: Markers,
    materials: Mutex<MaterialCache>,
    owned: OwnedCache,
    clock: TrustedClock,
    rsa_makers: RsaMakers,
    store_key_rotation: StoreKeyRotation,
    grants: GrantParts,
    lines: Lines,
    policies: KeyPolicies,
    backends: Backends,
}

impl KeyRing {
    /// Over the rows and the trail of a store. `home`: the Region that events of the program's own are written under.
    pub fn new(rows: Rows, audit: Audit, store_key: StoreKey, sources: Sources, home: Region) -> Self {
        Self::with_backends(rows, audit, store_key, sources, home, Backends::default())
    }

    /// As [`Self::new`], with what stands behind custom key stores.
    pub fn with_backends(
        rows: Rows,
        audit: Audit,
        store_key: StoreKey,
        sources: Sources,
        home: Region,
        backends: Backends,
    ) -> Self {
        let markers = Markers::new(rows.sealer().derive_constant(b"strongroom page marker v1"));
        let store_key_rotation = StoreKeyRotation::default();
        let (materials, owned) = (Mutex::default(), OwnedCache::default());
        let (clock, rsa_makers) = (TrustedClock::default(), RsaMakers::default());
        Self(Arc::new(Parts {
            rows,
            audit,
            store_key,
            sources,
            home,
            markers,
            materials,
            owned,
            clock,
            rsa_makers,
            store_key_rotation,
            grants: GrantParts::default(),
            lines: Lines::default(),
            policies: KeyPolicies::default(),
            backends,
        }))
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.0.rows
    }

    pub(super) fn audit(&self) -> &Audit {
        &self.0.audit
    }

    pub(super) fn store_key(&self) -> &StoreKey {
        &self.0.store_key
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(super) fn home(&self) -> &Region {
        &self.0.home
    }

    pub(super) fn markers(&self) -> &Markers {
        &self.0.markers
    }

    pub(super) fn store_key_rotation(&self) -> &StoreKeyRotation {
        &self.0.store_key_rotation
    }

    pub(super) fn grants(&self) -> &GrantParts {
        &self.0.grants
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.0.lines
    }

    pub(super) fn backends(&self) -> &Backends {
        &self.0.backends
    }

    pub(super) fn owned_cache(&self) -> &OwnedCache {
        &self.0.owned
    }

    pub(super) fn clock(&self) -> &TrustedClock {
        &self.0.clock
    }

    pub(super) fn rsa_makers(&self) -> &RsaMakers {
        &self.0.rsa_makers
    }

    pub(super) fn materials(&self) -> MutexGuard<'_, MaterialCache> {
        self.0.materials.lock().expect("no holder of this lock panics")
    }

    /// Finds a key by id, key ARN, alias name or alias ARN, as seen by `account` in `region`. The texts of its errors
    /// are those that S3 and KMS answer: `Invalid keyId 'x'`, `Key 'arn…' does not exist`, `Invalid arn REGION`.
    /// `alias/aws/s3` is made when it is asked for the first time. Refusals name `kms:GenerateDataKey`, which is what
    /// S3 looks a key up for; see [`Self::resolve_for`].
    pub async fn resolve(
        &self,
        access: &Access,
        account: &AccountId,
        region: &Region,
        key: &str,
    ) -> Result<ResolvedKey, KeyringError> {
        self.resolve_for(access, account, region, (key, Reach::AnyAccount), "kms:GenerateDataKey").await
    }

    /// As [`Self::resolve`], for an action that a refusal then names.
    pub async fn resolve_for(
        &self,
        access: &Access,
        account: &AccountId,
        region: &Region,
        (key, reach): (&str, Reach),
        action: &str,
    ) -> Result<ResolvedKey, KeyringError> {
        let named = parse_key_name(key, region)?;
        let owner = named.account.as_ref().unwrap_or(account);
        if reach == Reach::OwnAccount && owner != account {
            return Err(foreign(access, action));
        }
        let found = match named.name {
            KeyName::Id(id) => self.find_key(KeyPlace::new(region, owner, &id)).await,
            // Nobody makes keys in other accounts.
            KeyName::Alias(name) if name == S3_ALIAS && owner == account => {
                self.find_or_make_s3_key(access, account, region).await
            }
            KeyName::Alias(name) => self.find_alias(owner, region, &name).await,
        };
        match found {
            // Whether another account's key exists is not for this caller to learn: one that is not there gets the
            // same answer as one whose policy does not allow it.
            Err(KeyringError::NotFound(_)) if owner != account => Err(foreign(access, action)),
            found => found,
        }
    }

    /// As [`Self::resolve_for`], for calls that take no alias: those that manage a key.
    pub async fn resolve_managed(
        &self,
        access: &Access,
        account: &AccountId,
        region: &Region,
        (key, reach): (&str, Reach),
        action: &str,
    ) -> Result<ResolvedKey, KeyringError> {
        if matches!(parse_key_name(key, region)?.name, KeyName::Alias(_)) {
            return Err(KeyringError::NotFound(format!("Invalid keyId '{key}'")));
        }
        self.resolve_for(access, account, region, (key, reach), action).await
    }

    /// Which key sealed a ciphertext: to be authorized before [`Self::decrypt`]. A ciphertext names no account; the
    /// caller's is looked at first.
    pub async fn resolve_ciphertext(
        &self,
        account: &AccountId,
        region: &Region,
        ciphertext: &[u8],
    ) -> Result<ResolvedKey, KeyringError> {
        let sealer = parse_ciphertext(ciphertext)?;
        match self.find_key(KeyPlace::new(region, account, &sealer.key_id)).await {
            Err(KeyringError::NotFound(_)) => {}
            found => return found,
        }
        match self.find_owner(region, &sealer.key_id).await? {
            Some(place) => self.find_key(place).await,
            None => Err(KeyringError::unknown_sealer()),
        }
    }

    /// The place of a key of which only Region and id are known. Goes from account to account: two reads for each that
    /// has keys in the Region.
    async fn find_owner(&self, region: &Region, key_id: &str) -> Result<Option<KeyPlace>, KeyringError> {
        let engine = self.rows().engine();
        let mut range = KeyRange::prefix(&Tuple::new().bytes(region.as_str().as_bytes()).build());
        loop {
            let first = engine.scan(Table::Key, &range, 1, Direction::Forward).await?;
            let Some((row, _)) = first.first() else { return Ok(None) };
            let mut fields = TupleReader::new(row);
            let (_, account) = (fields.bytes(), fields.bytes());
            let account = account.and_then(|account| AccountId::parse(std::str::from_utf8(&account).ok()?).ok());
            let damaged = || KeyringError::Internal("a row of keys has a malformed key".to_owned());
            let account = account.ok_or_else(damaged)?;
            let place = KeyPlace::new(region, &account, key_id);
            if engine.get(Table::Key, &place.row()).await?.is_some() {
                return Ok(Some(place));
            }
            let Some(behind) = KeyRange::prefix(&owner_tuple(region, &account).build()).end else { return Ok(None) };
            range.start = behind;
        }
    }

    /// A data key of `bytes` bytes. `grant`: `kms:GenerateDataKey` on the key's ARN. `via_s3`: see
    /// [`crate::audit::Event::via_s3`].
    pub async fn generate_data_key(
        &self,
        grant: &Grant,
        key: &ResolvedKey,
        bytes: usize,
        context: &EncryptionContext,
        via_s3: bool,
    ) -> Result<DataKey, KeyringError> {
        let size = if bytes == 32 { DataKeySize::Aes256 } else { DataKeySize::Bytes(bytes) };
        self.generate(&Use::in_process(grant, key, context, size.parameters(), via_s3), context, size).await
    }

    /// Opens a KMS ciphertext. `grant`: `kms:Decrypt` on the key's ARN.
    pub async fn decrypt(
        &self,
        grant: &Grant,
        key: &ResolvedKey,
        ciphertext: &[u8],
        context: &EncryptionContext,
        via_s3: bool,
    ) -> Result<Decrypted, KeyringError> {
        let algorithm = ("encryptionAlgorithm", "SYMMETRIC_DEFAULT".into());
        let usage = Use::in_process(grant, key, context, algorithm, via_s3);
        self.open(&usage, Sealing::symmetric(context), ciphertext).await
    }

    /// The owned key for SSE-S3, from a cache of bounded age or loaded and recorded.
    pub async fn owned_key(&self) -> Result<Arc<OwnedKey>, KeyringError> {
        self.load_owned_key().await
    }

    /// A key's row as it is now: material that expired meanwhile is gone from it, whether the worker came by or not.
    pub(super) async fn load(&self, place: &KeyPlace) -> Result<Stored<KeyRecord>, KeyringError> {
        let stored: Stored<KeyRecord> = self.rows().load(&place.row()).await?.ok_or_else(|| absent(place))?;
        if !has_expired(&stored.value, self.sources().now()) {
            return Ok(stored);
        }
        self.expire_if_due(place).await?;
        self.rows().load(&place.row()).await?.ok_or_else(|| absent(place))
    }

    pub(super) async fn find_key(&self, place: KeyPlace) -> Result<ResolvedKey, KeyringError> {
        let stored = self.load(&place).await?;
        let found = self.resolved(&place, stored.value)?;
        Ok(ResolvedKey { metadata: self.with_store(found.metadata).await?, ..found })
    }

    pub(super) fn resolved(&self, place: &KeyPlace, record: KeyRecord) -> Result<ResolvedKey, KeyringError> {
        let policy = self.0.policies.of(place, &record)?;
        Ok(ResolvedKey { metadata: record.metadata(place), policy, tags: record.tags, aliases: record.aliases })
    }

    async fn find_alias(&self, account: &AccountId, region: &Region, name: &str) -> Result<ResolvedKey, KeyringError> {
        let alias = self.rows().load::<AliasRecord>(&alias_row(region, account, name)).await?;
        match alias {
            Some(alias) => self.find_key(KeyPlace::new(region, account, &alias.value.target_key_id)).await,
            None => Err(alias_absent(region, account, name)),
        }
    }

    async fn find_or_make_s3_key(
        &self,
        access: &Access,
        account: &AccountId,
        region: &Region,
    ) -> Result<ResolvedKey, KeyringError> {
        match self.find_alias(account, region, S3_ALIAS).await {
            Err(KeyringError::NotFound(_)) => self.make_s3_key(access, account, region).await,
            found => found,
        }
    }
}

/// `NotFoundException` of an alias.
pub(super) fn alias_absent(region: &Region, account: &AccountId, name: &str) -> KeyringError {
    KeyringError::NotFound(format!("Alias {} is not found.", kms_alias_arn(region, account, name)))
}

/// Checks a key's state, in AWS's words.
pub(super) fn check_usable(record: &KeyRecord, place: &KeyPlace, operation: Operation) -> Result<(), KeyringError> {
    check_state(record.state, operation).map_err(|refusal| refused(refusal, place.arn(), record.origin()))
}

fn refused(refusal: StateRefusal, arn: String, origin: KeyOrigin) -> KeyringError {
    let invalid = |what: &str| KeyringError::InvalidState(format!("{arn} is {what}."));
    match refusal {
        StateRefusal::Disabled => KeyringError::Disabled(arn),
        StateRefusal::PendingDeletion => KeyringError::PendingDeletion(arn),
        StateRefusal::NotPendingDeletion => invalid("not pending deletion"),
        StateRefusal::PendingImport => invalid("pending import"),
        StateRefusal::Unavailable if origin == KeyOrigin::ExternalKeyStore => {
            // XKS proxy API specification, "Error Codes".
            let text = "This KMS key is in a custom key store that is not connected to its external key store proxy. \
                        Connect the external key store and try the request again.";
            KeyringError::InvalidState(text.to_owned())
        }
        StateRefusal::Unavailable => invalid("unavailable"),
        StateRefusal::Creating => invalid("creating"),
        StateRefusal::Updating => invalid("updating"),
        StateRefusal::Origin => unsupported_origin(&arn, origin),
    }
}

/// The operation is not for keys of that origin.
pub(super) fn wrong_origin(record: &KeyRecord, place: &KeyPlace) -> KeyringError {
    unsupported_origin(&place.arn(), record.origin())
}

fn unsupported_origin(arn: &str, origin: KeyOrigin) -> KeyringError {
    KeyringError::Unsupported(format!("{arn} origin is {} which is not valid for this operation.", origin.name()))
}

fn absent(place: &KeyPlace) -> KeyringError {
    let arn = kms_key_arn(&place.region, &place.account, &place.key_id);
    KeyringError::NotFound(format!("Key '{arn}' does not exist"))
}

pub(super) fn foreign(access: &Access, action: &str) -> KeyringError {
    KeyringError::Denied(Denied {
        message: format!(
            "User: {} is not authorized to perform: {action} on this resource because the resource does not exist in \
             this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            access.caller().arn(),
        ),
    })
}

/// A key as a client names it.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    /// Of an ARN.
    account: Option<AccountId>,
    name: KeyName,
}

#[derive(Debug, PartialEq, Eq)]
enum KeyName {
    Id(String),
    /// With its `alias/`.
    Alias(String),
}

/// Sorts out the four forms. An ARN of another Region than the call's is refused here.
fn parse_key_name(text: &str, region: &Region) -> Result<Named, KeyringError> {
    let not_found = |text: String| Err(KeyringError::NotFound(text));
    if !text.starts_with("arn:") {
        return match bare_name(text, text) {
            Some(name) => Ok(Named { account: None, name }),
            None => not_found(format!("Invalid keyId '{text}'")),
        };
    }
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, "kms", arn_region, account, resource] = fields[..] else {
        return not_found(format!("Invalid arn {text}"));
    };
    let name = bare_name(resource.strip_prefix("key/").unwrap_or_default(), resource);
    let (Some(name), Ok(account), true) = (name, AccountId::parse(account), partition.starts_with("aws")) else {
        return not_found(format!("Invalid arn {text}"));
    };
    if arn_region != region.as_str() {
        return not_found(format!("Invalid arn {arn_region}"));
    }
    Ok(Named { account: Some(account), name })
}

fn bare_name(id: &str, alias: &str) -> Option<KeyName> {
    if is_alias_name(alias) {
        return Some(KeyName::Alias(alias.to_owned()));
    }
    is_key_id(id).then(|| KeyName::Id(id.to_owned()))
}

fn is_alias_name(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| !name.is_empty())
}

/// A UUID, or `mrk-` and 32 hexadecimal digits.
fn is_key_id(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(digits) = text.strip_prefix("mrk-") {
        return digits.len() == 32 && hex(digits);
    }
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|p| hex(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn key_names() {
        let region = Region::parse("us-east-1").unwrap();
        let not_found = |text: &str| Err(KeyringError::NotFound(text.to_owned()));
        let arn = |rest: &str| format!("arn:aws:kms:us-east-1:111122223333:{rest}");
        let bare = |name: KeyName| Ok(Named { account: None, name });
        let own = |name: KeyName| Ok(Named { account: AccountId::parse("111122223333").ok(), name });
        let (id, alias) = (|text: &str| KeyName::Id(text.to_owned()), |text: &str| KeyName::Alias(text.to_owned()));
        let mrk = "mrk-1234abcd12ab34cd56ef1234567890ab";
        let cases = [
            (ID.to_owned(), bare(id(ID))),
            (mrk.to_owned(), bare(id(mrk))),
            ("alias/x".to_owned(), bare(alias("alias/x"))),
            (arn(&format!("key/{ID}")), own(id(ID))),
            (arn("alias/a/b:c"), own(alias("alias/a/b:c"))),
            ("fake-key-id".to_owned(), not_found("Invalid keyId 'fake-key-id'")),
            ("aws/s3".to_owned(), not_found("Invalid keyId 'aws/s3'")),
            ("alias/".to_owned(), not_found("Invalid keyId 'alias/'")),
            (format!("key/{ID}"), not_found(&format!("Invalid keyId 'key/{ID}'"))),
            (format!("arn:aws:kms:eu-west-1:111122223333:key/{ID}"), not_found("Invalid arn eu-west-1")),
            ("arn:aws:kms".to_owned(), not_found("Invalid arn arn:aws:kms")),
            (arn("key/nope"), not_found(&format!("Invalid arn {}", arn("key/nope")))),
            (arn(ID), not_found(&format!("Invalid arn {}", arn(ID)))),
            ("arn:aws:s3:us-east-1::b".to_owned(), not_found("Invalid arn arn:aws:s3:us-east-1::b")),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_key_name(&text, &region), expected, "{text}");
        }
    }
}
