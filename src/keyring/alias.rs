//! Aliases, and the AWS managed key that one of them stands for.

use serde_json::json;

use super::KeyringError;
use super::call::{Call, Details, event_of, key_resource, service_event};
use super::keys::Operation;
use super::manage::{CHANGE_ATTEMPTS, Page, after, last_field, put_new_key};
use super::record::{AliasRecord, KeyPlace, KeyRecord, RotationRecord, alias_row, owner_tuple};
use super::rotation::ROTATION_PERIOD_DEFAULT_DAYS;
use super::service::{KeyRing, ResolvedKey, S3_ALIAS, alias_absent, check_usable};
use crate::audit::Event;
use crate::auth::{Access, Grant};
use crate::crypto::KeyMaterial;
use crate::index::{Direction, KeyRange, RowBatch, Stored, Table};
use crate::names::{AccountId, KeyKind, KeySpec, Region, kms_alias_arn};
use crate::sources::Timestamp;

/// Aliases of one key (AWS's quota).
pub const ALIASES_PER_KEY_MAX: usize = 50;

/// An alias, as ListAliases tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasEntry {
    /// With its `alias/`.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What it points to; none: an AWS managed key that has not been made yet.
    pub target: Option<AliasTarget>,
}

/// What an alias points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasTarget {
    /// The key's id.
    pub key_id: String,
    /// When the alias was made.
    pub created: Timestamp,
    /// When it last was pointed to another key.
    pub updated: Timestamp,
}

/// What to do with an alias. The names are well-formed and not reserved.
#[derive(Debug, Clone, Copy)]
pub enum AliasChange<'a> {
    /// CreateAlias.
    Create {
        /// Of `kms:CreateAlias` on the key.
        key_grant: &'a Grant,
        /// Where to.
        target: &'a ResolvedKey,
    },
    /// UpdateAlias.
    Update {
        /// Of `kms:UpdateAlias` on the key it points to.
        holder_grant: &'a Grant,
        /// Of `kms:UpdateAlias` on the new key.
        key_grant: &'a Grant,
        /// Where to.
        target: &'a ResolvedKey,
    },
    /// DeleteAlias.
    Delete {
        /// Of `kms:DeleteAlias` on the key it points to.
        holder_grant: &'a Grant,
    },
}

type StoredKey = (KeyPlace, Stored<KeyRecord>);

impl AliasChange<'_> {
    fn api_name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateAlias",
            Self::Update { .. } => "UpdateAlias",
            Self::Delete { .. } => "DeleteAlias",
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "kms:CreateAlias",
            Self::Update { .. } => "kms:UpdateAlias",
            Self::Delete { .. } => "kms:DeleteAlias",
        }
    }

    fn target(&self) -> Option<(&Grant, &ResolvedKey)> {
        match self {
            Self::Create { key_grant, target } | Self::Update { key_grant, target, .. } => Some((key_grant, target)),
            Self::Delete { .. } => None,
        }
    }
}

impl AliasChange<'_> {
    /// Whether the alias is as the change needs it; the key that it points to, which the change takes it from.
    fn check_existing(
        &self,
        existing: Option<&AliasRecord>,
        region: &Region,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<KeyPlace>, KeyringError> {
        match (existing, self) {
            (None, Self::Create { .. }) => Ok(None),
            (None, Self::Update { .. } | Self::Delete { .. }) => Err(alias_absent(region, account, name)),
            (Some(_), Self::Create { .. }) => {
                let arn = kms_alias_arn(region, account, name);
                Err(KeyringError::AlreadyExists(format!("An alias with the name {arn} already exists")))
            }
            (Some(alias), Self::Update { holder_grant, .. } | Self::Delete { holder_grant }) => {
                let holder = KeyPlace::new(region, account, &alias.target_key_id);
                if holder_grant.resource().arn != holder.arn() {
                    // Somebody pointed it elsewhere since the grant was given.
                    return Err(KeyringError::Contention);
                }
                holder_grant.assert_covers(self.action(), &holder.arn());
                Ok(Some(holder))
            }
        }
    }
}

impl KeyRing {
    /// Makes, turns or removes the alias `name` in the call's Region. `grant`: of the change's action on the alias;
    /// the keys need grants of their own (AWS: "Controlling access to aliases").
    pub async fn change_alias(
        &self,
        grant: &Grant,
        call: &Call,
        name: &str,
        change: AliasChange<'_>,
    ) -> Result<(), KeyringError> {
        let (region, account) = (&grant.access().facts().region, &grant.resource().owner);
        grant.assert_covers(change.action(), &kms_alias_arn(region, account, name));
        if let Some((key_grant, target)) = change.target() {
            key_grant.assert_covers(change.action(), &target.metadata.arn);
        }
        let resources = change.target().map(|(_, target)| key_resource(&target.metadata)).into_iter().collect();
        let event = event_of(grant, change.api_name(), call, resources);
        // Of the key that it is to point to, and of the one that it points to.
        let held = self.rows().load::<AliasRecord>(&alias_row(region, account, name)).await?;
        let target = change.target().map(|(_, target)| KeyPlace::of(&target.metadata).key_id);
        let keys: Vec<&str> = target
            .as_deref()
            .into_iter()
            .chain(held.as_ref().map(|alias| alias.value.target_key_id.as_str()))
            .collect();
        let _turns = self.lines().turns(&keys).await;
        for _ in 0..CHANGE_ATTEMPTS {
            match self.try_change_alias(grant, name, change, &event).await {
                Ok(Some(())) => return Ok(()),
                Ok(None) => {}
                Err(error) => return self.conclude_refused(event, error).await,
            }
        }
        self.conclude_refused(event, KeyringError::Contention).await
    }

    async fn try_change_alias(
        &self,
        grant: &Grant,
        name: &str,
        change: AliasChange<'_>,
        event: &Event,
    ) -> Result<Option<()>, KeyringError> {
        let (region, account) = (&grant.access().facts().region, &grant.resource().owner);
        let row = alias_row(region, account, name);
        let existing = self.rows().load::<AliasRecord>(&row).await?;
        let mut batch = self.rows().batch();
        match &existing {
            Some(alias) => batch.expect_unchanged(Table::Alias, row.clone(), &alias.stamp),
            None => batch.expect_absent(Table::Alias, row.clone()),
        }
        let holder = change.check_existing(existing.as_ref().map(|a| &a.value), region, account, name)?;
        let old = match holder {
            Some(place) => self.rows().load::<KeyRecord>(&place.row()).await?.map(|stored| (place, stored)),
            None => None,
        };
        let new = match change.target() {
            Some((_, target)) => Some(self.alias_target(target).await?),
            None => None,
        };
        if let (Some((_, old)), Some((_, new))) = (&old, &new) {
            check_same_type(old.value.kind, new.value.kind)?;
        }
        match &new {
            Some((place, _)) => {
                let now_ms = self.sources().now().0;
                let created_ms = existing.map_or(now_ms, |alias| alias.value.created_ms);
                let target_key_id = place.key_id.clone();
                batch.put(row, &AliasRecord { target_key_id, created_ms, updated_ms: now_ms });
            }
            None => batch.delete(Table::Alias, row),
        }
        move_name(&mut batch, name, old, new)?;
        self.commit(batch, event).await
    }

    /// The key that an alias is to point to, if it may.
    async fn alias_target(&self, target: &ResolvedKey) -> Result<StoredKey, KeyringError> {
        let place = KeyPlace::of(&target.metadata);
        let stored = self.load(&place).await?;
        check_usable(&stored.value, &place, Operation::TakeAlias)?;
        Ok((place, stored))
    }

    /// Aliases of an account in the call's Region by name, or of one key. Grant: `kms:ListAliases` on `*`.
    pub async fn list_aliases(
        &self,
        grant: &Grant,
        call: &Call,
        key: Option<&ResolvedKey>,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<AliasEntry>, KeyringError> {
        grant.assert_covers("kms:ListAliases", "*");
        let event = event_of(grant, "ListAliases", call, key.map(|k| key_resource(&k.metadata)).into_iter().collect());
        let page = match key {
            Some(key) => self.page_of_key_aliases(key, limit, marker).await,
            None => self.page_of_aliases(grant, limit, marker).await,
        };
        self.conclude(event, page.map(|page| (page, Details::default()))).await
    }

    async fn page_of_key_aliases(
        &self,
        key: &ResolvedKey,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<AliasEntry>, KeyringError> {
        let scope = ["ListAliases", &key.metadata.arn];
        let behind = marker.map(|m| self.markers().parse(&scope, m)).transpose()?;
        let place = KeyPlace::of(&key.metadata);
        let mut names = self.load(&place).await?.value.aliases;
        names.sort();
        names.retain(|name| behind.as_ref().is_none_or(|behind| name > behind));
        let mut entries = Vec::new();
        for name in names.into_iter().take(limit + 1) {
            let row = alias_row(&place.region, &place.account, &name);
            // An alias that was removed since the key was read is simply not there any more.
            if let Some(alias) = self.rows().load::<AliasRecord>(&row).await? {
                entries.push(entry(&place.region, &place.account, name, Some(alias.value)));
            }
        }
        Ok(self.page(&scope, entries, limit, |entry| &entry.name))
    }

    async fn page_of_aliases(
        &self,
        grant: &Grant,
        limit: usize,
        marker: Option<&str>,
    ) -> Result<Page<AliasEntry>, KeyringError> {
        let (region, account) = (&grant.access().facts().region, &grant.resource().owner);
        let scope = ["ListAliases", region.as_str(), account.as_str()];
        let behind = marker.map(|m| self.markers().parse(&scope, m)).transpose()?;
        let mut range = KeyRange::prefix(&owner_tuple(region, account).build());
        if let Some(behind) = &behind {
            range.start = after(alias_row(region, account, behind));
        }
        let rows = self.rows().list::<AliasRecord>(&range, limit + 1, Direction::Forward).await?;
        let mut entries = rows
            .into_iter()
            .map(|(row, alias)| Ok(entry(region, account, last_field(&row)?, Some(alias.value))))
            .collect::<Result<Vec<_>, KeyringError>>()?;
        // AWS lists the aliases of its managed keys before those keys are made.
        let here = behind.is_none_or(|behind| behind.as_str() < S3_ALIAS);
        let place = entries.partition_point(|entry| entry.name.as_str() < S3_ALIAS);
        if here && entries.get(place).is_none_or(|entry| entry.name != S3_ALIAS) {
            entries.insert(place, entry(region, account, S3_ALIAS.to_owned(), None));
        }
        Ok(self.page(&scope, entries, limit, |entry| &entry.name))
    }

    /// Makes the key behind `alias/aws/s3`, unless another request was faster.
    pub(super) async fn make_s3_key(
        &self,
        access: &Access,
        account: &AccountId,
        region: &Region,
    ) -> Result<ResolvedKey, KeyringError> {
        let place = KeyPlace::new(region, account, &self.new_key_id());
        let description = "Default key that protects my S3 objects when no other key is defined".to_owned();
        let material = KeyMaterial::generate(KeySpec::SymmetricDefault, self.sources());
        let mut record = self.new_record(&place, description, KeyKind::SYMMETRIC, Some(&material));
        record.aws_managed = true;
        let (now, trusted) = (self.sources().now(), self.trusted_now().await?);
        record.rotation = Some(RotationRecord::starting(ROTATION_PERIOD_DEFAULT_DAYS, now, trusted));
        record.aliases.push(S3_ALIAS.to_owned());
        let (now_ms, row) = (record.created_ms, alias_row(region, account, S3_ALIAS));
        let metadata = record.metadata(&place);
        let event = service_event(access, "CreateKey", &metadata, json!({ "aliasName": S3_ALIAS }));
        let alias = AliasRecord { target_key_id: place.key_id.clone(), created_ms: now_ms, updated_ms: now_ms };
        let mut batch = self.rows().batch();
        put_new_key(&mut batch, &place, &record);
        batch.expect_absent(Table::Alias, row.clone());
        batch.put(row.clone(), &alias);
        if self.commit(batch, &event).await?.is_some() {
            return self.resolved(&place, record);
        }
        match self.rows().load::<AliasRecord>(&row).await? {
            Some(alias) => self.find_key(KeyPlace::new(region, account, &alias.value.target_key_id)).await,
            None => Err(KeyringError::Contention),
        }
    }
}

/// An alias moves between keys that serve the same calls only. AWS's text is not recorded; this is its rule.
fn check_same_type(old: KeyKind, new: KeyKind) -> Result<(), KeyringError> {
    if old.key_type() == new.key_type() && old.usage() == new.usage() {
        return Ok(());
    }
    Err(KeyringError::Validation(
        "The current and new KMS key must be the same type (both symmetric or both asymmetric or both HMAC), and they \
         must have the same key usage."
            .to_owned(),
    ))
}

/// Takes an alias' name off one key's record and puts it on another's.
fn move_name(
    batch: &mut RowBatch<'_>,
    name: &str,
    old: Option<StoredKey>,
    new: Option<StoredKey>,
) -> Result<(), KeyringError> {
    if let (Some((old, _)), Some((new, _))) = (&old, &new)
        && old == new
    {
        // Pointed to where it points already: nothing moves but the alias' date.
        return Ok(());
    }
    if let Some((place, mut stored)) = old {
        stored.value.aliases.retain(|held| held != name);
        batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
        batch.put(place.row(), &stored.value);
    }
    if let Some((place, mut stored)) = new {
        if stored.value.aliases.len() >= ALIASES_PER_KEY_MAX {
            let text = format!("{} has {ALIASES_PER_KEY_MAX} aliases, which is the limit", place.arn());
            return Err(KeyringError::LimitExceeded(text));
        }
        stored.value.aliases.push(name.to_owned());
        batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
        batch.put(place.row(), &stored.value);
    }
    Ok(())
}

fn entry(region: &Region, account: &AccountId, name: String, alias: Option<AliasRecord>) -> AliasEntry {
    let target = alias.map(|alias| AliasTarget {
        key_id: alias.target_key_id,
        created: Timestamp(alias.created_ms),
        updated: Timestamp(alias.updated_ms),
    });
    AliasEntry { arn: kms_alias_arn(region, account, &name), name, target }
}
