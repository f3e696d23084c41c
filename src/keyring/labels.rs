//! What is written on a key: description, tags, policy; and when it was last used.

use std::collections::BTreeMap;

use serde_json::Value;

use super::KeyringError;
use super::call::Call;
use super::keys::Operation;
use super::manage::Page;
use super::record::{KeyPlace, LastUseRecord, last_use_row};
use super::service::{KeyRing, ResolvedKey};
use crate::auth::Grant;
use crate::sources::Timestamp;

/// Tags of one key (AWS's quota).
pub const TAGS_MAX: usize = 50;
/// The one name that a key policy has.
const POLICY_NAME: &str = "default";

/// What GetKeyLastUsage tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUsage {
    /// None: the key was not used since `tracked_since`.
    pub last: Option<LastUse>,
    /// Since when uses of this key are noted: its creation, unless the store is from before there were such notes.
    pub tracked_since: Timestamp,
    /// When the key was made.
    pub created: Timestamp,
}

/// The last successful cryptographic operation with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// The API's name.
    pub operation: String,
    /// When.
    pub at: Timestamp,
    /// `eventID` in the trail.
    pub event_id: String,
    /// `requestID` in the trail.
    pub request_id: String,
}

impl KeyRing {
    /// Grant: `kms:UpdateKeyDescription`.
    pub async fn update_description(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        description: &str,
    ) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:UpdateKeyDescription", Operation::Label, call, key, |change| {
            description.clone_into(&mut change.record.description);
            Ok(((), Value::Null))
        })
        .await
    }

    /// Adds tags, or gives those of the same keys new values. Grant: `kms:TagResource`.
    pub async fn tag_key(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        tags: &[(String, String)],
    ) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:TagResource", Operation::Label, call, key, |change| {
            let held = std::mem::take(&mut change.record.tags);
            let all: BTreeMap<String, String> = held.into_iter().chain(tags.iter().cloned()).collect();
            if all.len() > TAGS_MAX {
                return Err(KeyringError::Tag("Too many tags".to_owned()));
            }
            change.record.tags = all.into_iter().collect();
            Ok(((), Value::Null))
        })
        .await
    }

    /// Removes tags; those that are not there are no error. Grant: `kms:UntagResource`.
    pub async fn untag_key(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        names: &[String],
    ) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:UntagResource", Operation::Label, call, key, |change| {
            change.record.tags.retain(|(name, _)| !names.contains(name));
            Ok(((), Value::Null))
        })
        .await
    }

    /// Replaces the key policy, which the caller has checked. Grant: `kms:PutKeyPolicy`.
    pub async fn put_key_policy(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        policy: &str,
    ) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:PutKeyPolicy", Operation::Read, call, key, |change| {
            change.record.policy = Some(policy.to_owned());
            Ok(((), Value::Null))
        })
        .await
    }

    /// The names of the key policies: there is one. Grant: `kms:ListKeyPolicies`.
    pub async fn key_policy_names(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        marker: Option<&str>,
    ) -> Result<Page<String>, KeyringError> {
        self.read_key(grant, "kms:ListKeyPolicies", call, key, |_| match marker {
            // The only page has no marker behind it.
            Some(_) => Err(KeyringError::InvalidMarker),
            None => Ok(Page { items: vec![POLICY_NAME.to_owned()], next_marker: None }),
        })
        .await
    }

    /// Grant: `kms:GetKeyLastUsage`.
    pub async fn last_usage(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<LastUsage, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let read = async {
            let stored = self.rows().load::<LastUseRecord>(&last_use_row(&place.arn())).await?;
            Ok::<_, KeyringError>((stored, self.tracking_since().await?))
        };
        let read = read.await;
        self.read_key(grant, "kms:GetKeyLastUsage", call, key, |record| {
            let (stored, store_since) = read?;
            let created = Timestamp(record.created_ms);
            let last = stored.map(|stored| LastUse {
                operation: stored.value.operation,
                at: Timestamp(stored.value.at_ms),
                event_id: stored.value.event_id,
                request_id: stored.value.request_id,
            });
            Ok(LastUsage { last, tracked_since: created.max(store_since), created })
        })
        .await
    }
}
