//! Leave to do something with a key: who asks what of its policy, its grants and the caller's own policies.

use std::fmt::Write as _;
use std::sync::Arc;

use super::grants::Leave;
use super::record::KeyPlace;
use super::service::{EncryptionContext, KeyRing, ResolvedKey};
use super::{KeyOrigin, KeyringError};
use crate::auth::{Access, Denied, Grant, Resource};
use crate::names::{AccountId, KeyKind, Region};
use crate::policy::{Context, Key, KeyGrant, Policy, Target, Value};

/// What a call tells policies of itself, beside what follows from the key, the caller and how the request came. Borrowed
/// from the call's input; what a call does not have is left at its default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Condition keys and their values; a key with several values stands there several times.
    pub keys: &'a [(Key, Value<'a>)],
    /// `kms:EncryptionContext:…`, `kms:EncryptionContextKeys`; and what constraints of grants are compared with.
    pub encryption_context: Option<&'a EncryptionContext>,
    /// `aws:RequestTag/…` and `aws:TagKeys`: tags that the call gives to the key.
    pub tags: &'a [(String, String)],
    /// `aws:TagKeys` of a call that names tags without values.
    pub tag_keys: &'a [String],
    /// `kms:RequestAlias`: the alias by which the call names the key, with its `alias/`.
    pub alias: Option<&'a str>,
    /// S3 makes the call for its caller: `kms:ViaService`.
    pub via_s3: bool,
}

impl<'a> Told<'a> {
    /// Of a call without encryption context.
    pub fn of(keys: &'a [(Key, Value<'a>)]) -> Self {
        Self { keys, ..Self::default() }
    }

    /// With an encryption context.
    pub fn sealing(keys: &'a [(Key, Value<'a>)], context: &'a EncryptionContext) -> Self {
        Self { keys, encryption_context: Some(context), ..Self::default() }
    }
}

impl KeyRing {
    /// Leave for the caller of `access` to do `action` with `key`. Whether the key's state allows it is seen later.
    pub async fn authorize(
        &self,
        access: &Access,
        action: &'static str,
        key: &ResolvedKey,
        told: &Told<'_>,
    ) -> Result<Grant, KeyringError> {
        let grants = self.grants_for(access, key).await?;
        Ok(before_key(access, key, told, &grants, |target, context| {
            access.authorize(action, resource_of(key), target, context)
        })?)
    }

    /// Leave for the caller of `access` to create a grant of `key`, and what gave it.
    pub async fn authorize_new_grant(
        &self,
        access: &Access,
        key: &ResolvedKey,
        told: &Told<'_>,
    ) -> Result<(Grant, Leave), KeyringError> {
        let action = "kms:CreateGrant";
        let asked = |grants: &[KeyGrant]| {
            before_key(access, key, told, grants, |target, context| {
                access.authorize(action, resource_of(key), target, context)
            })
        };
        if let Ok(grant) = asked(&[]) {
            return Ok((grant, Leave::Policy));
        }
        // Each by itself: a grant to the account gives nothing on to whom its policies do not let have it, even if a
        // grant of their own lets them ask.
        let grants = self.grants_for(access, key).await?;
        let allowing = grants.iter().filter(|grant| asked(std::slice::from_ref(*grant)).is_ok()).cloned().collect();
        Ok((asked(&grants)?, Leave::Grants(allowing)))
    }

    /// Leave for the caller of `access` to ask for the retirement of a grant of `key`, which only says that no policy
    /// denies it; and whether the caller's own policies allow `kms:RetireGrant`. The grant decides.
    pub async fn authorize_retirement(
        &self,
        access: &Access,
        key: &ResolvedKey,
    ) -> Result<(Grant, bool), KeyringError> {
        let grants = self.grants_for(access, key).await?;
        Ok(before_key(access, key, &Told::default(), &grants, |target, context| {
            access.authorize_unless_denied("kms:RetireGrant", resource_of(key), target, context)
        })?)
    }

    /// The grants of a key that may decide on a call, whether or not their tokens come with it: they are in force at
    /// once.
    async fn grants_for(&self, access: &Access, key: &ResolvedKey) -> Result<Arc<[KeyGrant]>, KeyringError> {
        match access.subject() {
            Some(subject) => self.grants_of(key, &subject).await,
            None => Ok(Arc::default()),
        }
    }
}

/// Asks with what stands before a key, and with the condition keys of the call.
fn before_key<R>(
    access: &Access,
    key: &ResolvedKey,
    told: &Told<'_>,
    grants: &[KeyGrant],
    ask: impl FnOnce(&Target<'_>, &dyn Context) -> R,
) -> R {
    let held: Vec<&KeyGrant> = grants.iter().collect();
    let pairs: Vec<(&str, &str)> = match told.encryption_context {
        Some(context) if !held.is_empty() => context.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        _ => Vec::new(),
    };
    let target = Target::Key { policy: &key.policy, grants: &held, encryption_context: &pairs };
    ask(&target, &KeyContext { region: &access.facts().region, key: Some(key), told })
}

/// Nothing about the key allows the action that `grant` is for.
pub(super) fn not_allowed(grant: &Grant, place: &KeyPlace) -> KeyringError {
    let (action, caller, arn) = (grant.action(), grant.access().caller().arn(), place.arn());
    KeyringError::Denied(Denied {
        message: format!(
            "User: {caller} is not authorized to perform: {action} on resource: {arn} because no resource-based policy \
             allows the {action} action"
        ),
    })
}

/// Leave for the caller of `access` to do `action` in its account, on `arn`, which is no key: an alias, or `*`. Only
/// the caller's own policies decide.
pub fn authorize_without_key(
    access: &Access,
    action: &'static str,
    arn: &str,
    owner: &AccountId,
    told: &Told<'_>,
) -> Result<Grant, Denied> {
    let context = KeyContext { region: &access.facts().region, key: None, told };
    access.authorize(action, Resource { arn: arn.to_owned(), owner: owner.clone() }, &Target::Account, &context)
}

/// Whether the caller of `access` could still change the policy of `key` after it has become `new`.
pub fn keeps_manageable(access: &Access, key: &ResolvedKey, new: &Policy, told: &Told<'_>) -> bool {
    let context = KeyContext { region: &access.facts().region, key: Some(key), told };
    access.could_manage_key(&resource_of(key), new, &context)
}

/// As [`keeps_manageable`], of a key that is to be made.
pub fn keeps_new_manageable(access: &Access, key: &Resource, new: &Policy, told: &Told<'_>) -> bool {
    let context = KeyContext { region: &access.facts().region, key: None, told };
    access.could_manage_key(key, new, &context)
}

fn resource_of(key: &ResolvedKey) -> Resource {
    Resource { arn: key.metadata.arn.clone(), owner: key.metadata.account.clone() }
}

/// The condition keys of one call.
struct KeyContext<'a> {
    region: &'a Region,
    /// None for calls on aliases and on nothing.
    key: Option<&'a ResolvedKey>,
    told: &'a Told<'a>,
}

impl Context for KeyContext<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let told = self.told;
        let named = |name: &str| name.eq_ignore_ascii_case(parameter);
        match key {
            Key::KmsViaService if told.via_s3 => {
                let mut service = String::with_capacity(64);
                // Writing to a String does not fail.
                let _ = write!(service, "s3.{}.amazonaws.com", self.region);
                each(Value::Text(&service));
            }
            Key::AwsViaAwsService => each(Value::Bool(told.via_s3)),
            Key::KmsEncryptionContext => {
                let pairs = told.encryption_context.into_iter().flatten().filter(|(name, _)| named(name));
                pairs.for_each(|(_, value)| each(Value::Text(value)));
            }
            Key::KmsEncryptionContextKeys => {
                told.encryption_context.into_iter().flatten().for_each(|(name, _)| each(Value::Text(name)));
            }
            Key::AwsRequestTag => {
                told.tags.iter().filter(|(name, _)| named(name)).for_each(|(_, value)| each(Value::Text(value)));
            }
            Key::AwsTagKeys => {
                let given = told.tags.iter().map(|(name, _)| name).chain(told.tag_keys);
                given.for_each(|name| each(Value::Text(name)));
            }
            Key::KmsRequestAlias => told.alias.into_iter().for_each(|alias| each(Value::Text(alias))),
            key => {
                if let Some(found) = self.key {
                    found.tell(key, parameter, each);
                }
                told.keys.iter().filter(|(told, _)| *told == key).for_each(|(_, value)| each(*value));
            }
        }
    }
}

impl ResolvedKey {
    /// What conditions can ask about a key.
    fn tell(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        match key {
            Key::KmsResourceAliases => self.aliases.iter().for_each(|alias| each(Value::Text(alias))),
            Key::AwsResourceTag => {
                let tags = self.tags.iter().filter(|(name, _)| name.eq_ignore_ascii_case(parameter));
                tags.for_each(|(_, value)| each(Value::Text(value)));
            }
            Key::KmsMultiRegionKeyType => {
                let Some(set) = &self.metadata.multi_region else { return };
                each(Value::Text(if set.primary == self.metadata.region { "PRIMARY" } else { "REPLICA" }));
            }
            _ => {
                let metadata = &self.metadata;
                let told = kind_keys(metadata.kind, metadata.origin, metadata.multi_region.is_some());
                told.iter().filter(|(told, _)| *told == key).for_each(|(_, value)| each(*value));
            }
        }
    }
}

/// What a key is: told of one that is there, and of one that is to be made.
pub fn kind_keys(kind: KeyKind, origin: KeyOrigin, multi_region: bool) -> [(Key, Value<'static>); 6] {
    let (spec, usage) = (Value::Text(kind.spec().as_str()), Value::Text(kind.usage().as_str()));
    [
        (Key::KmsKeySpec, spec),
        (Key::KmsCustomerMasterKeySpec, spec),
        (Key::KmsKeyUsage, usage),
        (Key::KmsCustomerMasterKeyUsage, usage),
        (Key::KmsKeyOrigin, Value::Text(origin.name())),
        (Key::KmsMultiRegion, Value::Bool(multi_region)),
    ]
}
