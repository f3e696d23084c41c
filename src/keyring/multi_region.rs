//! Sets of multi-Region keys: one primary key and its replicas, in one account, with one id and the same material.
//!
//! Every member has a record of its own. What they share (the material, automatic rotation, the set itself) stands in
//! each, and changes in all of them in one commit, so there is no moment at which two members disagree: what AWS shows
//! as the states Creating and Updating does not occur. Each member that was changed so gets AWS's event
//! SynchronizeMultiRegionKey in its Region.

use serde_json::json;

use super::call::{Call, service_event};
use super::key_policies::default_policy;
use super::keys::Operation;
use super::manage::{put_new_key, shown_metadata};
use super::queue::put_key;
use super::record::{KeyPlace, KeyRecord, MaterialRecord};
use super::service::{KeyRing, ResolvedKey, check_usable};
use super::{KeyMetadata, KeyOrigin, KeyState, KeyringError};
use crate::auth::{Grant, system};
use crate::index::{RowBatch, Stored, Table};
use crate::names::Region;

/// Another member of a key's set.
pub(super) type Member = (KeyPlace, Stored<KeyRecord>);

/// What ReplicateKey is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReplica {
    /// Where to.
    pub region: Region,
    /// At most 8,192 characters.
    pub description: String,
    /// None: the default policy.
    pub policy: Option<String>,
    /// At most [`super::TAGS_MAX`]: key, value.
    pub tags: Vec<(String, String)>,
}

/// A replica that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// As DescribeKey tells it.
    pub metadata: KeyMetadata,
    /// Its policy, JSON text.
    pub policy: String,
}

impl KeyRecord {
    /// The record of a new replica of this primary key.
    fn replica(&self, created_ms: i64, new: &NewReplica) -> Self {
        let external = self.origin() == KeyOrigin::External;
        let mut replica = Self {
            created_ms,
            state: if external { KeyState::PendingImport } else { KeyState::Enabled },
            deletion_ms: None,
            deletion_trusted_ms: None,
            pending_window_days: None,
            description: new.description.clone(),
            aliases: Vec::new(),
            policy: new.policy.clone(),
            tags: new.tags.clone(),
            used_tokens: None,
            ..self.clone()
        };
        if external {
            replica.all_materials_mut().for_each(MaterialRecord::clear);
        }
        replica
    }

    /// Takes over what members share. Imported material is not copied, each member is given its own; but which
    /// material there is, and in what order, is the same everywhere.
    fn take_shared(&mut self, from: &Self) {
        self.rotation = from.rotation;
        self.multi_region.clone_from(&from.multi_region);
        if from.origin() == KeyOrigin::AwsKms {
            self.materials.clone_from(&from.materials);
            return;
        }
        let own: Vec<MaterialRecord> = self.all_materials().cloned().collect();
        let mine = |shared: &MaterialRecord| match own.iter().find(|held| held.tag == shared.tag) {
            Some(held) => MaterialRecord { created_ms: shared.created_ms, origin: shared.origin, ..held.clone() },
            None => {
                let mut placeholder = shared.clone();
                placeholder.clear();
                placeholder
            }
        };
        self.materials = from.materials.iter().map(mine).collect();
        self.pending_material = from.pending_material.as_ref().map(mine);
    }

    fn shares_with(&self, other: &Self) -> bool {
        let tags = |record: &Self| record.all_materials().map(|m| (m.tag, m.created_ms)).collect::<Vec<_>>();
        self.rotation == other.rotation
            && self.multi_region == other.multi_region
            && self.materials.len() == other.materials.len()
            && tags(self) == tags(other)
    }
}

impl MaterialRecord {
    /// Forgets the bytes and until when they were valid; what remains is which material it was.
    pub(super) fn clear(&mut self) {
        self.wrapped.clear();
        if let Some(import) = &mut self.import {
            import.valid_to_ms = None;
        }
    }
}

impl KeyRing {
    /// The other members of a key's set.
    pub(super) async fn others(&self, place: &KeyPlace, record: &KeyRecord) -> Result<Vec<Member>, KeyringError> {
        let Some(set) = record.regions() else { return Ok(Vec::new()) };
        let mut others = Vec::with_capacity(set.replicas.len());
        for region in std::iter::once(&set.primary).chain(&set.replicas).filter(|region| **region != place.region) {
            let other = place.in_region(region);
            // The row and not `load`: expiry of another member's material is none of this call's business.
            if let Some(stored) = self.rows().load::<KeyRecord>(&other.row()).await? {
                others.push((other, stored));
            }
        }
        Ok(others)
    }

    /// The member of a key's set in another Region. Where there is none, the key's own policy stands for it: the call
    /// is refused for that reason later.
    pub async fn member_in(&self, key: &ResolvedKey, region: &Region) -> Result<ResolvedKey, KeyringError> {
        let place = KeyPlace::of(&key.metadata).in_region(region);
        let arn = place.arn();
        match self.find_key(place).await {
            Err(KeyringError::NotFound(_)) => {
                let metadata = KeyMetadata { arn, ..key.metadata.clone() };
                Ok(ResolvedKey { metadata, ..key.clone() })
            }
            found => found,
        }
    }

    /// Puts what a change of one member means for the others into its batch; nothing if it changed nothing they share.
    /// In any case the change is refused if another member changed meanwhile.
    pub(super) fn synchronize(
        &self,
        batch: &mut RowBatch<'_>,
        before: &KeyRecord,
        after: &KeyRecord,
        others: &[Member],
    ) {
        let changed = !before.shares_with(after);
        for (place, stored) in others {
            batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
            if !changed {
                continue;
            }
            let mut record = stored.value.clone();
            record.take_shared(after);
            put_key(batch, place, Some(&stored.value), &record);
            let access = system("multi-region", place.region.clone(), self.sources().now());
            let details = json!({ "keyId": place.key_id });
            self.audit()
                .append(batch, &service_event(&access, "SynchronizeMultiRegionKey", &record.metadata(place), details));
        }
    }

    /// Makes a replica of a primary key in another Region, which the caller has checked to be served here. Grants:
    /// `kms:ReplicateKey` on the key, `kms:CreateKey` on `*`.
    pub async fn replicate_key(
        &self,
        grant: &Grant,
        create_grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        new: NewReplica,
    ) -> Result<Replica, KeyringError> {
        create_grant.assert_covers("kms:CreateKey", "*");
        let region = new.region.as_str();
        let made = self
            .change_key(grant, "kms:ReplicateKey", Operation::Replicate, call, key, |change| {
                check_primary(&change.record, change.place)?;
                let place = change.place.in_region(&new.region);
                let Some(set) = &mut change.record.multi_region else { return Err(not_primary(change.place)) };
                if set.primary == region || set.replicas.iter().any(|replica| replica == region) {
                    let text = format!("{} already exists in region {region}.", place.key_id);
                    return Err(KeyringError::AlreadyExists(text));
                }
                set.replicas.push(region.to_owned());
                let record = change.record.replica(change.now.0, &new);
                put_new_key(change.batch, &place, &record);
                let metadata = record.metadata(&place);
                let access = system("multi-region", place.region.clone(), self.sources().now());
                let details = json!({ "keyId": place.key_id, "primaryRegion": change.place.region.as_str() });
                self.audit().append(change.batch, &service_event(&access, "CreateKey", &metadata, details));
                let shown = json!({ "replicaKeyMetadata": shown_metadata(&metadata) });
                Ok((metadata, shown))
            })
            .await?;
        Ok(Replica { policy: new.policy.unwrap_or_else(|| default_policy(&made.account)), metadata: made })
    }

    /// Makes the replica in `region` the primary key, and this primary key a replica. Grants: `kms:UpdatePrimaryRegion`
    /// on both.
    pub async fn update_primary_region(
        &self,
        grant: &Grant,
        replica_grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        region: &Region,
    ) -> Result<(), KeyringError> {
        let replica = KeyPlace::of(&key.metadata).in_region(region);
        replica_grant.assert_covers("kms:UpdatePrimaryRegion", &replica.arn());
        self.change_key(grant, "kms:UpdatePrimaryRegion", Operation::UpdatePrimary, call, key, |change| {
            check_primary(&change.record, change.place)?;
            if *region == change.place.region {
                // AWS's text is not recorded.
                let text = format!("{} is in the primary Region {region} already.", change.place.arn());
                return Err(KeyringError::Validation(text));
            }
            let next = change.others.iter().find(|(place, _)| *place == replica);
            let Some((place, stored)) = next else {
                return Err(KeyringError::NotFound(format!("Key '{}' does not exist", replica.arn())));
            };
            check_usable(&stored.value, place, Operation::UpdatePrimary)?;
            let Some(set) = &mut change.record.multi_region else { return Err(not_primary(change.place)) };
            let old = std::mem::replace(&mut set.primary, region.to_string());
            set.replicas.retain(|replica| replica != region.as_str());
            set.replicas.push(old);
            Ok(((), serde_json::Value::Null))
        })
        .await
    }
}

/// Refuses keys that are no primary keys of a set.
pub(super) fn check_primary(record: &KeyRecord, place: &KeyPlace) -> Result<(), KeyringError> {
    if record.multi_region.is_none() || record.is_replica(place) {
        return Err(not_primary(place));
    }
    Ok(())
}

/// What AWS answers where a primary key is wanted.
pub(super) fn not_primary(place: &KeyPlace) -> KeyringError {
    KeyringError::Unsupported(format!("{} is not a multi-region primary key.", place.arn()))
}
