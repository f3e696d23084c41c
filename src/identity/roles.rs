//! Roles.

use std::sync::Arc;
use std::time::Duration;

use super::draft::{Draft, PolicyUse};
use super::ids::{IdOf, new_id};
use super::limits::ROLES_MAX;
use super::load::{account_in, issuer_of, name_in};
use super::record::{AttachedTo, RoleRecord, Tag, use_row};
use super::{Identities, IdentityError};
use crate::auth::{CallerKind, Grant, Principal, Session};
use crate::names::{AccountId, assumed_role_arn};
use crate::policy::{Kind, Policy};
use crate::sources::Timestamp;

/// A role to be made. Its trust policy is checked, names, path and tags are well-formed.
#[derive(Debug, Clone)]
pub struct NewRole {
    /// `RoleName`
    pub name: String,
    /// `Path`
    pub path: String,
    /// `AssumeRolePolicyDocument`
    pub trust: String,
    /// `Description`
    pub description: Option<String>,
    /// `MaxSessionDuration`, in seconds.
    pub max_session_seconds: u32,
    /// ARN of the policy that is to be its permissions boundary.
    pub boundary: Option<String>,
    /// `Tags`
    pub tags: Vec<Tag>,
}

/// What a change of a role may set. What is none stays.
#[derive(Debug, Clone, Default)]
pub struct RoleChange {
    /// `Description`
    pub description: Option<String>,
    /// `MaxSessionDuration`, in seconds.
    pub max_session_seconds: Option<u32>,
    /// The trust policy; checked.
    pub trust: Option<String>,
}

impl Identities {
    /// A role of an account.
    pub async fn role(&self, account: &AccountId, name: &str) -> Result<RoleRecord, IdentityError> {
        self.entity(account, &[name]).await?.ok_or_else(|| IdentityError::absent("role", name))
    }

    /// The role of this ARN, as IAM gives it, in an account; none if there is none, or not under this path.
    pub async fn role_by_arn(&self, account: &AccountId, arn: &str) -> Result<Option<RoleRecord>, IdentityError> {
        let Some(name) = name_in(arn, account, "role") else { return Ok(None) };
        Ok(self.entity::<RoleRecord>(account, &[name]).await?.filter(|role| role.arn(account) == arn))
    }

    /// A role as its session of this name acts, and its trust policy; none if there is no such role.
    pub async fn role_in_session(
        &self,
        arn: &str,
        session: &str,
        now: Timestamp,
    ) -> Result<Option<(Principal, Policy)>, IdentityError> {
        let Some(account) = account_in(arn).filter(|id| self.seed().account(id).is_some()) else { return Ok(None) };
        let Some(role) = self.role_by_arn(&account, arn).await? else { return Ok(None) };
        let trust = Policy::parse(role.trust.as_bytes(), Kind::Trust)
            .map_err(|error| IdentityError::Internal(format!("the stored trust policy of {arn}: {error}")))?;
        let own = self.role_principal(&account, &role).await?;
        let kind = CallerKind::Role { name: role.name.clone(), session: session.to_owned() };
        let (name, id) = (assumed_role_arn(&account, &role.name, session), format!("{}:{session}", role.id));
        let principal = Principal::new(kind, self.account(&account)?, name, id)
            .with_policies(Arc::clone(own.identity_policies()), own.boundary().cloned())
            .with_tags(own.tags().to_vec())
            .with_session(Session {
                issuer: issuer_of(&own),
                issued: now,
                expires: now.plus(Duration::from_secs(3600)),
                policies: Vec::new(),
                source_identity: None,
                federated_provider: None,
                transitive_tags: Vec::new(),
            });
        Ok(Some((principal, trust)))
    }

    /// Roles of an account in the order of their names, behind `after`, which is a name in lower case.
    pub async fn roles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, RoleRecord)>, IdentityError> {
        self.entities(account, &[], after, limit).await
    }

    /// CreateRole. `grant`: `iam:CreateRole` on the new role's ARN.
    pub async fn create_role(&self, grant: &Grant, new: &NewRole) -> Result<(RoleRecord, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let role = RoleRecord {
            name: new.name.clone(),
            path: new.path.clone(),
            id: new_id(IdOf::Role, self.sources()),
            created_ms: draft.now().0,
            description: new.description.clone(),
            max_session_seconds: new.max_session_seconds,
            trust: new.trust.clone(),
            boundary: new.boundary.clone(),
            tags: new.tags.clone(),
            ..RoleRecord::default()
        };
        grant.assert_covers("iam:CreateRole", &role.arn(draft.account()));
        if draft.find::<RoleRecord>(&[&new.name]).await?.is_some() {
            return Err(IdentityError::taken("Role", &new.name));
        }
        draft.state.roles += 1;
        if draft.state.roles as usize > ROLES_MAX {
            return Err(IdentityError::quota("RolesPerAccount", ROLES_MAX));
        }
        if let Some(arn) = &new.boundary {
            draft.use_policy(arn, (AttachedTo::Role, PolicyUse::Boundary), &role.name).await?;
        }
        draft.put(&[&role.name], &role);
        Ok((role, draft))
    }

    /// UpdateRole, UpdateRoleDescription and UpdateAssumeRolePolicy. `grant`: leave for that on the role's ARN.
    pub async fn update_role(
        &self,
        grant: &Grant,
        name: &str,
        change: RoleChange,
    ) -> Result<(RoleRecord, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut role: RoleRecord = draft.to_change(grant, name).await?;
        role.description = change.description.or(role.description);
        role.max_session_seconds = change.max_session_seconds.unwrap_or(role.max_session_seconds);
        role.trust = change.trust.unwrap_or(role.trust);
        draft.put(&[&role.name], &role);
        Ok((role, draft))
    }

    /// DeleteRole. `grant`: `iam:DeleteRole` on its ARN. Nothing may be attached. Its sessions end with it.
    pub async fn delete_role(&self, grant: &Grant, name: &str) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let role: RoleRecord = draft.get(name).await?;
        Draft::check_covered(grant, "iam:DeleteRole", &role.arn(draft.account()))?;
        for (left, what) in
            [(!role.inline.is_empty(), "delete policies"), (!role.attached.is_empty(), "detach all policies")]
        {
            if left {
                return Err(IdentityError::attached(what));
            }
        }
        if let Some(arn) = &role.boundary {
            draft.leave_policy(arn, (AttachedTo::Role, PolicyUse::Boundary), &role.name).await?;
        }
        draft.state.roles = draft.state.roles.saturating_sub(1);
        draft.delete::<RoleRecord>(&[name]);
        draft.delete_key_row(use_row(&role.id));
        Ok(draft)
    }
}
