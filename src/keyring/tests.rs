//! The key module over an index in memory.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::record::{KeyPlace, KeyRecord};
use super::*;
use crate::audit::{Audit, ChainSequencer};
use crate::auth::{Access, Grant, Resource, system};
use crate::crypto::{Context, wrap_for_tests};
use crate::index::{Faults, MemoryIndex, RowSealer, Rows, Table};
use crate::names::{AccountId, Region, WrappingAlgorithm, WrappingKeySpec, kms_alias_arn};
use crate::policy::{NoContext, Target};
use crate::sources::{Sources, Timestamp};

mod grants;
mod life;
mod store_key;

/// 2026-11-25T12:00:00Z.
pub(crate) const START: Timestamp = Timestamp(1_795_608_000_000);
const GATEWAY: [u8; 16] = [9; 16];
pub(crate) const ACCOUNT: &str = "111122223333";

const WRAPPING: Wrapping = Wrapping { algorithm: WrappingAlgorithm::OaepSha256, spec: WrappingKeySpec::Rsa2048 };

/// A key module in memory.
pub(crate) struct Fixture {
    pub(crate) keyring: KeyRing,
    pub(crate) audit: Audit,
    pub(crate) index: Arc<MemoryIndex>,
    pub(crate) sources: Sources,
    pub(crate) rows: Rows,
    pub(crate) access: Access,
    account: AccountId,
    region: Region,
}

/// Tokens whose module is nowhere: stores can be made over them, and do not connect.
fn backends() -> Backends {
    let token = |name: char| ConfiguredToken {
        cluster_id: format!("cluster-abcdefghij{name}"),
        module: "/nonexistent/pkcs11.so".into(),
        label: None,
        trust_anchor: None,
    };
    Backends { tokens: Tokens::new("abcdef".chars().map(token).collect()), ..Backends::default() }
}

impl Fixture {
    pub(crate) async fn new(seed: u64) -> Self {
        let sources = Sources::seeded(seed, START);
        let index = Arc::new(MemoryIndex::default());
        let store_key = StoreKey::for_tests(&sources);
        let sealer = RowSealer::open(&*index, &store_key, &sources).await.unwrap();
        let sealer = Arc::new(sealer);
        let rows = Rows::new(Arc::<MemoryIndex>::clone(&index), Arc::clone(&sealer));
        index.start(Box::new(ChainSequencer::load(&*index, sealer, GATEWAY).await.unwrap()));
        let audit = Audit::new(rows.clone(), GATEWAY, sources.clone());
        let region = Region::parse("us-east-1").unwrap();
        let (backends, home) = (backends(), region.clone());
        let keyring = KeyRing::with_backends(rows.clone(), audit.clone(), store_key, sources.clone(), home, backends);
        let access = system("test", region.clone(), START);
        let account = AccountId::parse(ACCOUNT).unwrap();
        Self { keyring, audit, index, sources, rows, access, account, region }
    }

    /// The process ends here and another one begins, over the same store.
    fn restart(&mut self) {
        let (rows, audit, sources) = (self.rows.clone(), self.audit.clone(), self.sources.clone());
        let (store_key, home) = (self.keyring.store_key().clone(), self.region.clone());
        self.keyring = KeyRing::with_backends(rows, audit, store_key, sources, home, backends());
    }

    /// All records so far.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let records = self.audit.list(0, 10_000).await.unwrap();
        records.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect()
    }

    /// What was recorded since there were `before` records: name and error.
    async fn since(&self, before: usize) -> Vec<String> {
        let name = |event: &Value| match event["errorCode"].as_str() {
            Some(code) => format!("{} {code}", event["eventName"].as_str().unwrap()),
            None => event["eventName"].as_str().unwrap().to_owned(),
        };
        self.events().await[before..].iter().map(name).collect()
    }

    fn grant(&self, action: &'static str, arn: &str) -> Grant {
        let resource = Resource { arn: arn.to_owned(), owner: self.account.clone() };
        self.access.authorize(action, resource, &Target::Account, &NoContext).unwrap()
    }

    fn on(&self, action: &'static str, key: &ResolvedKey) -> Grant {
        self.grant(action, &key.metadata.arn)
    }

    pub(crate) async fn create(&self) -> ResolvedKey {
        self.create_as(NewKey::default()).await
    }

    async fn create_as(&self, new: NewKey) -> ResolvedKey {
        let grant = self.grant("kms:CreateKey", "*");
        let metadata = self.keyring.create_key(&grant, &Call::default(), new).await.unwrap();
        self.keyring.find_key(KeyPlace::of(&metadata)).await.unwrap()
    }

    async fn import_parameters(&self, key: &ResolvedKey) -> ImportParameters {
        let grant = self.on("kms:GetParametersForImport", key);
        self.keyring.import_parameters(&grant, &Call::default(), key, WRAPPING).await.unwrap()
    }

    /// Imports `material` with the parameters that were given out for it; it expires at `valid_to`.
    async fn import(
        &self,
        key: &ResolvedKey,
        parameters: &ImportParameters,
        material: &[u8; 32],
        kind: ImportType,
        valid_to: Option<Timestamp>,
    ) -> Result<Imported, KeyringError> {
        let wrapped = &wrap_for_tests(&parameters.public_key, WRAPPING.algorithm, material);
        let token = &parameters.token;
        let import = Import { token, wrapped, valid_to, kind: Some(kind), description: None, material_id: None };
        let grant = self.on("kms:ImportKeyMaterial", key);
        self.keyring.import_material(&grant, &Call::default(), key, import).await
    }

    async fn find(&self, name: &str) -> Result<ResolvedKey, KeyringError> {
        self.keyring.resolve(&self.access, &self.account, &self.region, name).await
    }

    pub(crate) async fn data_key(&self, key: &ResolvedKey) -> Result<DataKey, KeyringError> {
        let grant = self.on("kms:GenerateDataKey", key);
        self.keyring.generate_data_key(&grant, key, 32, &EncryptionContext::new(), true).await
    }

    async fn open(&self, key: &ResolvedKey, sealed: &[u8]) -> Result<Decrypted, KeyringError> {
        let grant = self.on("kms:Decrypt", key);
        self.keyring.decrypt(&grant, key, sealed, &EncryptionContext::new(), true).await
    }

    async fn disable(&self, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.keyring.disable_key(&self.on("kms:DisableKey", key), &Call::default(), key).await
    }

    async fn schedule(&self, key: &ResolvedKey, days: u32) -> Result<ScheduledDeletion, KeyringError> {
        let grant = self.on("kms:ScheduleKeyDeletion", key);
        self.keyring.schedule_deletion(&grant, &Call::default(), key, days).await
    }

    async fn rotate(&self, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.keyring.rotate_on_demand(&self.on("kms:RotateKeyOnDemand", key), &Call::default(), key).await
    }

    async fn alias(&self, name: &str, target: &ResolvedKey) -> Result<(), KeyringError> {
        let grant = self.grant("kms:CreateAlias", &kms_alias_arn(&self.region, &self.account, name));
        let key_grant = &self.on("kms:CreateAlias", target);
        let change = AliasChange::Create { key_grant, target };
        self.keyring.change_alias(&grant, &Call::default(), name, change).await
    }

    async fn record(&self, key: &ResolvedKey) -> KeyRecord {
        self.rows.load::<KeyRecord>(&KeyPlace::of(&key.metadata).row()).await.unwrap().unwrap().value
    }
}

#[tokio::test]
async fn a_data_key_comes_back() {
    let t = Fixture::new(1).await;
    let key = t.create().await;
    let made = t.data_key(&key).await.ok().unwrap();
    assert_eq!(made.plaintext.expose().len(), 32);
    let found = t.keyring.resolve_ciphertext(&t.account, &t.region, &made.ciphertext).await.unwrap();
    assert_eq!(found, key);
    let opened = t.open(&found, &made.ciphertext).await.ok().unwrap();
    assert_eq!(opened.plaintext.expose(), made.plaintext.expose());
    assert_eq!(opened.material_id, made.material_id);
    assert_eq!(opened.material_id, key.metadata.current_material_id);
    assert_eq!(t.since(0).await, ["CreateKey", "GenerateDataKey", "Decrypt"]);
    let event = &t.events().await[1];
    assert_eq!(event["requestParameters"]["keySpec"], "AES_256");
    assert_eq!(event["additionalEventData"]["keyMaterialId"].as_str(), made.material_id.as_deref());
    assert_eq!(event["resources"][0]["ARN"], key.metadata.arn);
    let grant = t.on("kms:Decrypt", &key);
    let other = EncryptionContext::from([("a".to_owned(), "b".to_owned())]);
    let wrong = t.keyring.decrypt(&grant, &key, &made.ciphertext, &other, true).await.err();
    assert_eq!(wrong, Some(KeyringError::InvalidCiphertext));
}

#[tokio::test]
async fn no_row_and_no_record_shows_a_secret() {
    let t = Fixture::new(2).await;
    let key = t.create().await;
    let made = t.data_key(&key).await.ok().unwrap();
    for table in Table::ALL {
        let all = crate::index::KeyRange::prefix(&[]);
        let rows = crate::index::Index::scan(&*t.index, table, &all, 1000, crate::index::Direction::Forward).await;
        for (_, value) in rows.unwrap() {
            assert!(!value.windows(8).any(|w| made.plaintext.expose().starts_with(w)));
            let hex = root::hex(made.plaintext.expose());
            assert!(!value.windows(16).any(|w| hex.as_bytes().starts_with(w)));
        }
    }
}

#[tokio::test]
async fn a_disabled_key_stops_at_once_and_its_material_is_wiped() {
    let t = Fixture::new(3).await;
    let key = t.create().await;
    let made = t.data_key(&key).await.ok().unwrap();
    let tag = t.record(&key).await.materials[0].tag;
    assert!(t.keyring.materials().find(&key.metadata.key_id, &tag, START).is_some());
    t.disable(&key).await.unwrap();
    assert!(t.keyring.materials().find(&key.metadata.key_id, &tag, START).is_none());
    let before = t.events().await.len();
    let disabled = Some(KeyringError::Disabled(key.metadata.arn.clone()));
    assert_eq!(t.data_key(&key).await.err(), disabled);
    assert_eq!(t.open(&key, &made.ciphertext).await.err(), disabled);
    assert_eq!(t.rotate(&key).await.err(), disabled);
    let refused =
        ["GenerateDataKey DisabledException", "Decrypt DisabledException", "RotateKeyOnDemand DisabledException"];
    assert_eq!(t.since(before).await, refused);
    t.keyring.enable_key(&t.on("kms:EnableKey", &key), &Call::default(), &key).await.unwrap();
    assert!(t.open(&key, &made.ciphertext).await.is_ok());
}

#[tokio::test]
async fn rotation_keeps_what_was_sealed_and_ends_at_its_limit() {
    let t = Fixture::new(4).await;
    let key = t.create().await;
    let mut sealed = vec![t.data_key(&key).await.ok().unwrap()];
    for _ in 0..ON_DEMAND_ROTATIONS_MAX {
        t.rotate(&key).await.unwrap();
        sealed.push(t.data_key(&key).await.ok().unwrap());
    }
    assert!(matches!(t.rotate(&key).await, Err(KeyringError::LimitExceeded(_))));
    let ids: std::collections::BTreeSet<_> = sealed.iter().map(|made| made.material_id.clone()).collect();
    assert_eq!(ids.len(), sealed.len(), "each rotation has material of its own");
    for made in &sealed {
        let opened = t.open(&key, &made.ciphertext).await.ok().unwrap();
        assert_eq!(opened.plaintext.expose(), made.plaintext.expose());
        assert_eq!(opened.material_id, made.material_id);
    }
}

#[tokio::test]
async fn deletion_waits_then_destroys() {
    let t = Fixture::new(5).await;
    let (key, kept) = (t.create().await, t.create().await);
    t.alias("alias/gone", &key).await.unwrap();
    let made = t.data_key(&key).await.ok().unwrap();
    let deletion = t.schedule(&key, 7).await.unwrap().deletion;
    assert_eq!(deletion, Some(START.plus(Duration::from_secs(7 * 86_400))));
    t.schedule(&kept, 7).await.unwrap();
    t.keyring.cancel_deletion(&t.on("kms:CancelKeyDeletion", &kept), &Call::default(), &kept).await.unwrap();
    let pending = Some(KeyringError::PendingDeletion(key.metadata.arn.clone()));
    assert_eq!(t.open(&key, &made.ciphertext).await.err(), pending);
    t.sources.advance(Duration::from_millis(7 * 86_400_000 - 1));
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(0));
    t.sources.advance(Duration::from_millis(1));
    let before = t.events().await.len();
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(1));
    assert_eq!(t.keyring.destroy_due_keys().await, Ok(0));
    assert_eq!(t.since(before).await, ["DeleteKey"]);
    assert_eq!(t.events().await[before]["eventType"], "AwsServiceEvent");
    let gone = format!("Key '{}' does not exist", key.metadata.arn);
    assert_eq!(t.find(&key.metadata.key_id).await, Err(KeyringError::NotFound(gone)));
    let alias = kms_alias_arn(&t.region, &t.account, "alias/gone");
    assert_eq!(t.find("alias/gone").await, Err(KeyringError::NotFound(format!("Alias {alias} is not found."))));
    let orphan = t.keyring.resolve_ciphertext(&t.account, &t.region, &made.ciphertext).await;
    assert!(matches!(orphan, Err(KeyringError::Denied(_))));
    assert!(
        crate::index::Index::get(&*t.index, Table::Key, &KeyPlace::of(&key.metadata).row()).await.unwrap().is_none()
    );
    assert_eq!(t.find(&kept.metadata.key_id).await.unwrap().metadata.state, KeyState::Disabled);
}

#[tokio::test]
async fn nothing_is_answered_that_is_not_recorded() {
    let t = Fixture::new(6).await;
    let key = t.create().await;
    let made = t.data_key(&key).await.ok().unwrap();
    let fail = || t.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    fail();
    assert!(matches!(t.data_key(&key).await.err(), Some(KeyringError::Internal(_))));
    fail();
    assert!(matches!(t.open(&key, &made.ciphertext).await.err(), Some(KeyringError::Internal(_))));
    fail();
    assert!(matches!(t.disable(&key).await, Err(KeyringError::Internal(_))));
    assert_eq!(t.record(&key).await.state, KeyState::Enabled, "neither the change nor its record");
    fail();
    assert!(matches!(t.keyring.owned_key().await.err(), Some(KeyringError::Internal(_))));
    t.index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
    assert!(matches!(t.data_key(&key).await.err(), Some(KeyringError::Full(_))));
    t.index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
    assert!(matches!(t.keyring.owned_key().await.err(), Some(KeyringError::Full(_))));
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_no_success() {
    let t = Fixture::new(7).await;
    let key = t.create().await;
    t.index.set_faults(Faults { lose_answer_in: Some(1), ..Faults::default() });
    assert!(matches!(t.rotate(&key).await, Err(KeyringError::Internal(_))));
}

#[tokio::test]
async fn the_s3_key_is_made_once_and_its_policy_is_for_s3_alone() {
    let t = Fixture::new(8).await;
    let (one, two) = tokio::join!(t.find(S3_ALIAS), t.find(S3_ALIAS));
    let key = one.unwrap();
    assert_eq!(two.unwrap().metadata.key_id, key.metadata.key_id);
    assert!(key.metadata.aws_managed);
    assert_eq!(t.since(0).await, ["CreateKey"]);
    assert!(t.data_key(&key).await.is_ok());
    let policy = t.keyring.key_policy(&t.on("kms:GetKeyPolicy", &key), &Call::default(), &key).await.unwrap();
    assert!(policy.contains("s3.us-east-1.amazonaws.com"), "{policy}");
    assert_eq!(key.policy.text(), policy);
    let other = AccountId::parse("444455556666").unwrap();
    let arn = kms_alias_arn(&t.region, &t.account, S3_ALIAS);
    let foreign = t.keyring.resolve(&t.access, &other, &t.region, &arn).await.unwrap();
    assert_eq!(foreign, key, "a name in another account leads to that account's key");
    let nobody = kms_alias_arn(&t.region, &other, S3_ALIAS);
    let before = t.events().await.len();
    assert!(matches!(t.find(&nobody).await, Err(KeyringError::Denied(_))));
    assert_eq!(t.events().await.len(), before, "no key is made in another account");
}

#[tokio::test]
async fn names_reach_other_accounts_by_arn_and_no_other_region() {
    let t = Fixture::new(9).await;
    let key = t.create().await;
    let made = t.data_key(&key).await.ok().unwrap();
    let other = AccountId::parse("444455556666").unwrap();
    let elsewhere = Region::parse("eu-west-1").unwrap();
    let by_arn = t.keyring.resolve(&t.access, &other, &t.region, &key.metadata.arn).await;
    assert_eq!(by_arn.as_ref(), Ok(&key), "whether it may be used is its policy's to say");
    let by_id = t.keyring.resolve(&t.access, &other, &t.region, &key.metadata.key_id).await;
    assert!(matches!(by_id, Err(KeyringError::NotFound(_))));
    let managed = (key.metadata.arn.as_str(), Reach::OwnAccount);
    let managed = t.keyring.resolve_managed(&t.access, &other, &t.region, managed, "kms:DisableKey").await;
    let absent = key.metadata.arn.replace(&key.metadata.key_id, "00000000-0000-4000-8000-000000000000");
    let managed_absent = (absent.as_str(), Reach::OwnAccount);
    let managed_absent =
        t.keyring.resolve_managed(&t.access, &other, &t.region, managed_absent, "kms:DisableKey").await;
    assert!(matches!(managed, Err(KeyringError::Denied(_))));
    assert_eq!(managed, managed_absent, "absent and foreign look alike");
    let absent = t.keyring.resolve(&t.access, &other, &t.region, &absent).await;
    assert!(matches!(absent, Err(KeyringError::Denied(_))));
    let blob = t.keyring.resolve_ciphertext(&other, &t.region, &made.ciphertext).await;
    assert_eq!(blob.as_ref(), Ok(&key), "a ciphertext names its key in whatever account");
    let blob = t.keyring.resolve_ciphertext(&t.account, &elsewhere, &made.ciphertext).await;
    assert!(matches!(blob, Err(KeyringError::Denied(_))));
    let region = t.keyring.resolve(&t.access, &t.account, &elsewhere, &key.metadata.arn).await;
    assert_eq!(region, Err(KeyringError::NotFound("Invalid arn us-east-1".to_owned())));
}

#[tokio::test]
async fn aliases_have_a_limit_per_key() {
    let t = Fixture::new(10).await;
    let key = t.create().await;
    for n in 0..ALIASES_PER_KEY_MAX {
        t.alias(&format!("alias/a{n}"), &key).await.unwrap();
    }
    assert!(matches!(t.alias("alias/more", &key).await, Err(KeyringError::LimitExceeded(_))));
    assert!(matches!(t.alias("alias/a0", &key).await, Err(KeyringError::AlreadyExists(_))));
    assert!(t.find("alias/more").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_changes_all_happen() {
    let t = Arc::new(Fixture::new(11).await);
    let key = t.create().await;
    // More of each than a change is tried: none may lose to the others for ever.
    let alias = |n: usize| {
        let (t, key) = (Arc::clone(&t), key.clone());
        tokio::spawn(async move { t.alias(&format!("alias/c{n}"), &key).await })
    };
    let rotate = |_| {
        let (t, key) = (Arc::clone(&t), key.clone());
        tokio::spawn(async move {
            let grant = t.on("kms:RotateKeyOnDemand", &key);
            t.keyring.rotate_on_demand(&grant, &Call::default(), &key).await
        })
    };
    let changes: Vec<_> = (0..40).map(alias).chain((0..20).map(rotate)).collect();
    for made in futures_util::future::join_all(changes).await {
        made.unwrap().unwrap();
    }
    let record = t.record(&key).await;
    assert_eq!((record.aliases.len(), record.materials.len()), (40, 21));
}

#[tokio::test]
async fn the_owned_key_rotates_by_age_and_keeps_the_old() {
    let t = Fixture::new(12).await;
    let context = Context::new().with("bucket", "b");
    let first = t.keyring.owned_key().await.ok().unwrap();
    let sealed = first.wrap(&context, b"object key");
    assert_eq!(t.since(0).await, ["CreateKey", "LoadOwnedKey"]);
    t.keyring.owned_key().await.ok().unwrap();
    assert_eq!(t.since(2).await, [""; 0], "cached");
    t.sources.advance(Duration::from_secs(300));
    t.keyring.owned_key().await.ok().unwrap();
    assert_eq!(t.since(2).await, ["LoadOwnedKey"]);
    t.sources.advance(Duration::from_secs(365 * 86_400));
    let rotated = t.keyring.owned_key().await.ok().unwrap();
    assert_eq!(t.since(3).await, ["RotateKey", "LoadOwnedKey"]);
    let generation = |sealed: &[u8]| crate::crypto::parse_box(sealed).unwrap().generation;
    let early = rotated.wrap(&context, b"object key");
    assert_eq!(generation(&early), generation(&sealed), "other gateways may not know the new one yet");
    t.sources.advance(Duration::from_secs(600));
    let newest = t.keyring.owned_key().await.ok().unwrap();
    let late = newest.wrap(&context, b"object key");
    assert_ne!(generation(&late), generation(&sealed));
    for sealed in [&sealed, &early, &late] {
        assert_eq!(newest.unwrap(&context, sealed).ok().unwrap().expose(), b"object key");
        assert!(newest.unwrap(&Context::new(), sealed).is_err());
    }
    assert!(rotated.unwrap(&context, &late).is_ok());
    let key = t.create().await;
    let kms = t.data_key(&key).await.ok().unwrap();
    assert!(newest.unwrap(&Context::new(), &kms.ciphertext).is_err(), "a KMS ciphertext is none of its");
}

#[tokio::test]
#[should_panic(expected = "was used for")]
async fn a_grant_for_another_key_is_a_bug() {
    let t = Fixture::new(13).await;
    let (one, two) = (t.create().await, t.create().await);
    let grant = t.on("kms:Decrypt", &one);
    let _ = t.keyring.decrypt(&grant, &two, b"", &EncryptionContext::new(), false).await;
}
