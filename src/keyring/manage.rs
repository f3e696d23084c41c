//! Making keys, telling of them, and their life cycle.

use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Call, Details, event_of, key_resource};
use super::ciphertext::wrap_material;
use super::key_policies::policy_text;
use super::keys::Operation;
use super::multi_region::Member;
use super::queue::put_key;
use super::record::{KeyPlace, KeyRecord, MaterialOrigin, MaterialRecord, MultiRegionRecord, owner_tuple};
use super::root::hex;
use super::service::{KeyRing, ResolvedKey, check_usable};
use super::{KeyMetadata, KeyOrigin, KeyState, KeyringError, NewCustomKey};
use crate::auth::Grant;
use crate::crypto::KeyMaterial;
use crate::index::{Direction, KeyRange, RowBatch, Table, TupleReader};
use crate::names::{KeyKind, KeySpec, kms_key_arn};
use crate::sources::Timestamp;
use crate::wire::lower_camel;

/// Waiting period of ScheduleKeyDeletion where none is given, in days.
pub const PENDING_WINDOW_DEFAULT_DAYS: u32 = 30;
/// How often a change is tried again after another one was faster.
pub(super) const CHANGE_ATTEMPTS: usize = 8;

/// What CreateKey is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewKey {
    /// At most 8,192 characters.
    pub description: String,
    /// A JSON object of at most 32 KiB; none: the default policy.
    pub policy: Option<String>,
    /// At most [`super::TAGS_MAX`]: key, value.
    pub tags: Vec<(String, String)>,
    /// Where material will come from; with EXTERNAL the key has none until it is imported.
    pub origin: KeyOrigin,
    /// A multi-Region primary key.
    pub multi_region: bool,
    /// Spec and usage.
    pub kind: KeyKind,
    /// In a custom key store.
    pub custom: Option<NewCustomKey>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins, if there is more.
    pub next_marker: Option<String>,
}

/// A key that waits for its deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledDeletion {
    /// [`KeyState::PendingDeletion`] or, of a primary key with replicas, [`KeyState::PendingReplicaDeletion`].
    pub state: KeyState,
    /// When it goes, if it does not wait for replicas.
    pub deletion: Option<Timestamp>,
}

/// One change of a key's record, before it is committed.
pub(super) struct Change<'c, 'b> {
    pub(super) place: &'c KeyPlace,
    pub(super) record: KeyRecord,
    pub(super) batch: &'c mut RowBatch<'b>,
    /// The time on the wall clock.
    pub(super) now: Timestamp,
    /// The same on the trusted clock: see [`super::clock`].
    pub(super) trusted: Timestamp,
    /// The other members of its set of multi-Region keys. What they share is changed with it.
    pub(super) others: &'c [Member],
}

impl KeyRing {
    /// Makes a key. Grant: `kms:CreateKey` on `*`.
    pub async fn create_key(&self, grant: &Grant, call: &Call, new: NewKey) -> Result<KeyMetadata, KeyringError> {
        grant.assert_covers("kms:CreateKey", "*");
        if let Some(custom) = new.custom.clone() {
            return Box::pin(self.create_custom_key(grant, call, new, custom)).await;
        }
        let region = &grant.access().facts().region;
        let key_id = if new.multi_region { self.new_multi_region_id() } else { self.new_key_id() };
        let place = KeyPlace::new(region, &grant.resource().owner, &key_id);
        let material = match new.origin {
            KeyOrigin::External => None,
            _ => match self.make_material(new.kind.spec()).await {
                Ok(material) => Some(material),
                Err(error) => {
                    return self.conclude_refused(event_of(grant, "CreateKey", call, Vec::new()), error).await;
                }
            },
        };
        let primary = || MultiRegionRecord { primary: region.to_string(), replicas: Vec::new() };
        let record = KeyRecord {
            policy: new.policy,
            tags: new.tags,
            multi_region: new.multi_region.then(primary),
            ..self.new_record(&place, new.description, new.kind, material.as_ref())
        };
        let metadata = record.metadata(&place);
        let mut event = event_of(grant, "CreateKey", call, vec![key_resource(&metadata)]);
        event.response = json!({ "keyMetadata": shown_metadata(&metadata) });
        let mut batch = self.rows().batch();
        put_new_key(&mut batch, &place, &record);
        match self.commit(batch, &event).await {
            Ok(Some(())) => Ok(metadata),
            Ok(None) => self.conclude_refused(blank_response(event), KeyringError::Contention).await,
            Err(error) => self.conclude_refused(blank_response(event), error).await,
        }
    }

    /// Grant: `kms:DescribeKey`.
    pub async fn describe_key(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
    ) -> Result<KeyMetadata, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let told = self.read_key(grant, "kms:DescribeKey", call, key, |record| Ok(record.metadata(&place))).await?;
        self.with_store(told).await
    }

    /// The key policy as JSON text. Grant: `kms:GetKeyPolicy`.
    pub async fn key_policy(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<String, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        self.read_key(grant, "kms:GetKeyPolicy", call, key, |record| Ok(policy_text(&place, record))).await
    }

    /// The tags, in the order of their keys, behind a marker. Grant: `kms:ListResourceTags`.
    pub async fn key_tags(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<(String, String)>, KeyringError> {
        let scope = ["ListResourceTags", &key.metadata.arn];
        let after = match marker.map(|m| self.markers().parse(&scope, m)).transpose() {
            Ok(after) => after,
            Err(error) => {
                let event = event_of(grant, "ListResourceTags", call, vec![key_resource(&key.metadata)]);
                return self.conclude_refused(event, error).await;
            }
        };
        let mut tags =
            self.read_key(grant, "kms:ListResourceTags", call, key, |record| Ok(record.tags.clone())).await?;
        tags.sort();
        tags.retain(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        Ok(self.page(&scope, tags, limit, |(name, _)| name))
    }

    /// Ids and ARNs of an account's keys in the call's Region, by id. Grant: `kms:ListKeys` on `*`.
    pub async fn list_keys(
        &self,
        grant: &Grant,
        call: &Call,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<(String, String)>, KeyringError> {
        grant.assert_covers("kms:ListKeys", "*");
        let event = event_of(grant, "ListKeys", call, Vec::new());
        let page = self.page_of_keys(grant, limit, marker).await;
        self.conclude(event, page.map(|page| (page, Details::default()))).await
    }

    async fn page_of_keys(
        &self,
        grant: &Grant,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<(String, String)>, KeyringError> {
        let (region, account) = (&grant.access().facts().region, &grant.resource().owner);
        let scope = ["ListKeys", region.as_str(), account.as_str()];
        let mut range = KeyRange::prefix(&owner_tuple(region, account).build());
        if let Some(marker) = marker {
            range.start = after(KeyPlace::new(region, account, &self.markers().parse(&scope, marker)?).row());
        }
        // Ids are in the rows' keys, which are in clear: nothing has to be opened for a listing.
        let rows = self.rows().engine().scan(Table::Key, &range, limit + 1, Direction::Forward).await?;
        let ids = rows.iter().map(|(row, _)| last_field(row)).collect::<Result<Vec<_>, _>>()?;
        let keys = ids.into_iter().map(|id| (kms_key_arn(region, account, &id), id)).map(|(arn, id)| (id, arn));
        Ok(self.page(&scope, keys.collect(), limit, |(id, _)| id))
    }

    /// Grant: `kms:EnableKey`.
    pub async fn enable_key(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.switch(grant, "kms:EnableKey", call, key, KeyState::Enabled).await
    }

    /// Stops every use of the key at once. Grant: `kms:DisableKey`.
    pub async fn disable_key(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.switch(grant, "kms:DisableKey", call, key, KeyState::Disabled).await
    }

    async fn switch(
        &self,
        grant: &Grant,
        action: &'static str,
        call: &Call,
        key: &ResolvedKey,
        state: KeyState,
    ) -> Result<(), KeyringError> {
        self.change_key(grant, action, Operation::Switch, call, key, |change| {
            change.record.state = state;
            Ok(((), Value::Null))
        })
        .await
    }

    /// Stops every use and lets the key go after `days` days, 7 to 30; a primary key with replicas after they are gone
    /// and then `days` days. Grant: `kms:ScheduleKeyDeletion`.
    pub async fn schedule_deletion(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        days: u32,
    ) -> Result<ScheduledDeletion, KeyringError> {
        self.change_key(grant, "kms:ScheduleKeyDeletion", Operation::ScheduleDeletion, call, key, |change| {
            let waits = change.record.multi_region.as_ref().is_some_and(|set| !set.replicas.is_empty())
                && !change.record.is_replica(change.place);
            let mut shown = json!({ "keyId": change.place.arn(), "pendingWindowInDays": days });
            if waits {
                change.record.state = KeyState::PendingReplicaDeletion;
                change.record.pending_window_days = Some(days);
            } else {
                change.record.begin_waiting(days, change.now, change.trusted);
            }
            let (state, deletion) = (change.record.state, change.record.deletion_ms.map(Timestamp));
            shown["keyState"] = state.name().into();
            if let Some(deletion) = deletion {
                shown["deletionDate"] = crate::wire::iso8601_seconds(deletion).into();
            }
            Ok((ScheduledDeletion { state, deletion }, shown))
        })
        .await
    }

    /// Keeps a key that waits for its deletion; it is disabled then, or pending import if material of it is missing.
    /// Grant: `kms:CancelKeyDeletion`.
    pub async fn cancel_deletion(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:CancelKeyDeletion", Operation::CancelDeletion, call, key, |change| {
            let record = &mut change.record;
            record.state = if record.is_complete() { KeyState::Disabled } else { KeyState::PendingImport };
            (record.deletion_ms, record.deletion_trusted_ms, record.pending_window_days) = (None, None, None);
            Ok(((), json!({ "keyId": change.place.arn() })))
        })
        .await
    }

    /// Reads a key's record for a call that is only about that, and records the call.
    pub(super) async fn read_key<T>(
        &self,
        grant: &Grant,
        action: &'static str,
        call: &Call,
        key: &ResolvedKey,
        tell: impl FnOnce(&KeyRecord) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        grant.assert_covers(action, &key.metadata.arn);
        let event = event_of(grant, api_name(action), call, vec![key_resource(&key.metadata)]);
        let place = KeyPlace::of(&key.metadata);
        let told = self.load(&place).await.and_then(|stored| {
            check_usable(&stored.value, &place, Operation::Read)?;
            Ok((tell(&stored.value)?, Details::default()))
        });
        self.conclude(event, told).await
    }

    /// Changes a key's record if its state allows `operation`: change and record of it in one commit, tried again
    /// when another change was faster. What is held of its material is wiped. `edit` also says what the trail shows
    /// as `responseElements`.
    pub(super) async fn change_key<T>(
        &self,
        grant: &Grant,
        action: &'static str,
        operation: Operation,
        call: &Call,
        key: &ResolvedKey,
        edit: impl Fn(&mut Change<'_, '_>) -> Result<(T, Value), KeyringError>,
    ) -> Result<T, KeyringError> {
        grant.assert_covers(action, &key.metadata.arn);
        let event = event_of(grant, api_name(action), call, vec![key_resource(&key.metadata)]);
        let _turn = self.turn(&KeyPlace::of(&key.metadata)).await;
        for _ in 0..CHANGE_ATTEMPTS {
            match self.try_change(operation, key, &event, &edit).await {
                Ok(Some(value)) => {
                    self.materials().forget(&key.metadata.key_id);
                    return Ok(value);
                }
                Ok(None) => {}
                Err(error) => return self.conclude_refused(event, error).await,
            }
        }
        self.conclude_refused(event, KeyringError::Contention).await
    }

    async fn try_change<T>(
        &self,
        operation: Operation,
        key: &ResolvedKey,
        event: &crate::audit::Event,
        edit: &impl Fn(&mut Change<'_, '_>) -> Result<(T, Value), KeyringError>,
    ) -> Result<Option<T>, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let stored = self.load(&place).await?;
        check_usable(&stored.value, &place, operation)?;
        let others = self.others(&place, &stored.value).await?;
        let mut batch = self.rows().batch();
        let before = stored.value.clone();
        let (now, trusted) = (self.sources().now(), self.trusted_now().await?);
        let (record, others) = (stored.value, &others[..]);
        let mut change = Change { place: &place, record, batch: &mut batch, now, trusted, others };
        let (value, response) = edit(&mut change)?;
        let record = change.record;
        batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
        put_key(&mut batch, &place, Some(&before), &record);
        self.synchronize(&mut batch, &before, &record, others);
        let event = crate::audit::Event { response, ..event.clone() };
        Ok(self.commit(batch, &event).await?.map(|()| value))
    }

    /// Cuts a listing of up to one more than `limit` items to a page.
    pub(super) fn page<T>(&self, scope: &[&str], mut items: Vec<T>, limit: usize, name: fn(&T) -> &String) -> Page<T> {
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Page { next_marker: last.map(|item| self.markers().render(scope, name(item))), items }
    }

    /// A random UUID, version 4.
    pub(super) fn new_key_id(&self) -> String {
        let mut id = self.sources().random::<16>();
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let digits = hex(&id);
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }

    /// A random id of a multi-Region key.
    fn new_multi_region_id(&self) -> String {
        format!("mrk-{}", hex(&self.sources().random::<16>()))
    }

    /// `material`: none for a key whose material is to be imported.
    pub(super) fn new_record(
        &self,
        place: &KeyPlace,
        description: String,
        kind: KeyKind,
        material: Option<&KeyMaterial>,
    ) -> KeyRecord {
        KeyRecord {
            created_ms: self.sources().now().0,
            state: if material.is_some() { KeyState::Enabled } else { KeyState::PendingImport },
            deletion_ms: None,
            description,
            aws_managed: false,
            materials: material
                .map(|made| self.wrapped(&place.key_id, MaterialOrigin::Initial, made))
                .into_iter()
                .collect(),
            aliases: Vec::new(),
            policy: None,
            tags: Vec::new(),
            rotation: None,
            deletion_trusted_ms: None,
            origin: material.is_none().then_some(KeyOrigin::External),
            pending_material: None,
            multi_region: None,
            pending_window_days: None,
            used_tokens: None,
            custom: None,
            kind,
        }
    }

    /// A new generation of a symmetric key.
    pub(super) fn new_material(&self, key_id: &str, origin: MaterialOrigin) -> MaterialRecord {
        self.wrapped(key_id, origin, &KeyMaterial::generate(KeySpec::SymmetricDefault, self.sources()))
    }

    fn wrapped(&self, key_id: &str, origin: MaterialOrigin, material: &KeyMaterial) -> MaterialRecord {
        let tag = self.sources().random();
        let wrapped = wrap_material(self.store_key(), key_id, &tag, &material.to_bytes(), self.sources());
        let public_key = material.public_key().map(|der| der.to_vec().into());
        MaterialRecord { tag, created_ms: self.sources().now().0, origin, wrapped, public_key, import: None }
    }
}

impl KeyRecord {
    /// Lets the waiting period begin.
    pub(super) fn begin_waiting(&mut self, days: u32, now: Timestamp, trusted: Timestamp) {
        let window = Duration::from_secs(u64::from(days) * 86_400);
        self.state = KeyState::PendingDeletion;
        self.deletion_ms = Some(now.plus(window).0);
        self.deletion_trusted_ms = Some(trusted.plus(window).0);
        self.pending_window_days = None;
    }
}

/// Puts a new key's row, unless its id was ever used.
pub(super) fn put_new_key(batch: &mut RowBatch<'_>, place: &KeyPlace, record: &KeyRecord) {
    batch.expect_absent(Table::Key, place.row());
    batch.expect_absent(Table::Key, place.tombstone_row());
    put_key(batch, place, None, record);
}

/// The name in the last field of a row's key.
pub(super) fn last_field(row: &[u8]) -> Result<String, KeyringError> {
    let mut reader = TupleReader::new(row);
    let fields: [Option<Vec<u8>>; 3] = std::array::from_fn(|_| reader.bytes());
    let [Some(_), Some(_), Some(name)] = fields else {
        return Err(KeyringError::Internal("a row of keys or aliases has a malformed key".to_owned()));
    };
    String::from_utf8(name).map_err(|_| KeyringError::Internal("a row of keys or aliases is not text".to_owned()))
}

/// The first key behind `row`.
pub(super) fn after(mut row: Vec<u8>) -> Vec<u8> {
    row.push(0);
    row
}

/// `kms:EnableKey` → `EnableKey`.
fn api_name(action: &'static str) -> &'static str {
    action.strip_prefix("kms:").unwrap_or(action)
}

fn blank_response(event: crate::audit::Event) -> crate::audit::Event {
    crate::audit::Event { response: Value::Null, ..event }
}

/// What the trail shows of a new key.
pub(super) fn shown_metadata(metadata: &KeyMetadata) -> Value {
    let (list, algorithms) = metadata.kind.algorithms();
    let mut shown = json!({
        "aWSAccountId": metadata.account.as_str(),
        "keyId": metadata.key_id,
        "arn": metadata.arn,
        "creationDate": crate::wire::iso8601_seconds(metadata.created),
        "enabled": metadata.state == KeyState::Enabled,
        "description": metadata.description,
        "keyUsage": metadata.kind.usage().as_str(),
        "keyState": metadata.state.name(),
        "origin": metadata.origin.name(),
        "keyManager": if metadata.aws_managed { "AWS" } else { "CUSTOMER" },
        "keySpec": metadata.kind.spec().as_str(),
        "multiRegion": metadata.multi_region.is_some(),
    });
    shown[lower_camel(list)] = algorithms.into();
    if let Some(id) = &metadata.current_material_id {
        shown["currentKeyMaterialId"] = id.as_str().into();
    }
    if let Some(custom) = &metadata.custom {
        shown["customKeyStoreId"] = custom.store_id.as_str().into();
        if let Some(cluster_id) = &custom.cluster_id {
            shown["cloudHsmClusterId"] = cluster_id.as_str().into();
        }
        if let Some(id) = &custom.xks_key_id {
            shown["xksKeyConfiguration"] = json!({ "id": id });
        }
    }
    if let Some(set) = &metadata.multi_region {
        let role = if set.primary == metadata.region { "PRIMARY" } else { "REPLICA" };
        shown["multiRegionConfiguration"] = json!({ "multiRegionKeyType": role });
    }
    shown
}
