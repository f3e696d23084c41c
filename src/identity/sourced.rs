//! The policies of a user, a group or a role, each with where it comes from: for simulations.

use std::sync::Arc;

use super::load::{account_in, name_in, parse};
use super::record::{GroupRecord, InlinePolicy, RoleRecord, Tag};
use super::{Identities, IdentityError, ManagedPolicy};
use crate::names::AccountId;
use crate::policy::{Attached, Policy, SimulatedPolicy, SourceType};

/// What tells a policy from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The ARN of a managed policy.
    Managed(String),
    /// Part of a user, group or role.
    Inline {
        /// The name of the user, group or role.
        holder: String,
        /// The policy's name.
        policy: String,
    },
}

/// A policy and where it comes from.
#[derive(Debug, Clone)]
pub struct SourcedPolicy {
    /// What it is.
    pub origin: Origin,
    /// As simulations name it.
    pub policy: SimulatedPolicy,
}

/// All policies that somebody's permissions follow from.
#[derive(Debug, Clone, Default)]
pub struct SourcedPolicies {
    /// Identity policies: own inline ones, attached ones, then those of each group.
    pub identity: Vec<SourcedPolicy>,
    /// The permissions boundary.
    pub boundary: Option<SourcedPolicy>,
    /// The tags of the user or role.
    pub tags: Vec<Tag>,
}

impl Identities {
    /// The policies of the user, group or role of `account` with this ARN; of a user those of its groups too. None: the
    /// ARN is of something else. Users of the settings are among them.
    pub async fn sourced_policies(
        &self,
        account: &AccountId,
        arn: &str,
    ) -> Result<Option<SourcedPolicies>, IdentityError> {
        let mut found = SourcedPolicies::default();
        let out = &mut found.identity;
        let boundary = if let Some(name) = name_in(arn, account, "user") {
            let user = self.user(account, name).await?;
            check_same("user", name, arn, &user.arn(account))?;
            self.add(account, (SourceType::User, &user.name), (&user.inline, &user.attached), out).await?;
            for group in &user.groups {
                // One that is missing was removed after the user was read, and had nobody in it by then.
                if let Some(group) = self.entity::<GroupRecord>(account, &[group]).await? {
                    self.add(account, (SourceType::Group, &group.name), (&group.inline, &group.attached), out).await?;
                }
            }
            found.tags = user.tags;
            user.boundary
        } else if let Some(name) = name_in(arn, account, "group") {
            let group = self.group(account, name).await?;
            check_same("group", name, arn, &group.arn(account))?;
            self.add(account, (SourceType::Group, &group.name), (&group.inline, &group.attached), out).await?;
            None
        } else if let Some(name) = name_in(arn, account, "role") {
            let role: RoleRecord = self.role(account, name).await?;
            check_same("role", name, arn, &role.arn(account))?;
            self.add(account, (SourceType::Role, &role.name), (&role.inline, &role.attached), out).await?;
            found.tags = role.tags;
            role.boundary
        } else {
            return Ok(None);
        };
        if let Some(arn) = boundary {
            // Without its document nothing may be allowed: a boundary that is gone must not be none.
            let missing = || IdentityError::Internal(format!("the permissions boundary {arn} is missing"));
            found.boundary = Some(self.managed(account, &arn).await?.ok_or_else(missing)?);
        }
        Ok(Some(found))
    }

    /// Whether the ARN is one of a user, group or role, of whatever account, as its text says.
    pub fn is_entity_arn(arn: &str) -> bool {
        let Some(account) = account_in(arn).filter(|_| arn.starts_with("arn:aws:iam::")) else { return false };
        ["user", "group", "role"].iter().any(|kind| name_in(arn, &account, kind).is_some())
    }

    async fn add(
        &self,
        account: &AccountId,
        (source, holder): (SourceType, &str),
        (inline, attached): (&[InlinePolicy], &[String]),
        out: &mut Vec<SourcedPolicy>,
    ) -> Result<(), IdentityError> {
        for InlinePolicy { name, document } in inline {
            let id = source.inline_id(holder, name);
            let origin = Origin::Inline { holder: holder.to_owned(), policy: name.clone() };
            out.push(sourced(origin, &id, parse(name, document)?, source));
        }
        for arn in attached {
            out.extend(self.managed(account, arn).await?);
        }
        Ok(())
    }

    async fn managed(&self, account: &AccountId, arn: &str) -> Result<Option<SourcedPolicy>, IdentityError> {
        let (name, source) = match self.managed_policy(account, arn).await? {
            Some(ManagedPolicy::ReadyMade(ready_made)) => (ready_made.policy_name().to_owned(), SourceType::AwsManaged),
            Some(ManagedPolicy::Own(policy)) => (policy.name, SourceType::UserManaged),
            None => return Ok(None),
        };
        let Some(attached) = self.attached(account, arn).await? else { return Ok(None) };
        Ok(Some(sourced(Origin::Managed(arn.to_owned()), &name, attached.policy, source)))
    }
}

fn sourced(origin: Origin, id: &str, policy: Arc<Policy>, source: SourceType) -> SourcedPolicy {
    let attached = Attached { name: id.into(), policy };
    SourcedPolicy { origin, policy: SimulatedPolicy { attached, source } }
}

/// A name with another path is another ARN, which nobody has.
fn check_same(kind: &str, name: &str, asked: &str, found: &str) -> Result<(), IdentityError> {
    if asked == found { Ok(()) } else { Err(IdentityError::absent(kind, name)) }
}
