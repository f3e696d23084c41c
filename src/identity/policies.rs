//! Managed policies of customers, and their versions.

use super::draft::Draft;
use super::ids::{IdOf, new_id};
use super::limits::{POLICIES_MAX, POLICY_VERSIONS_MAX};
use super::record::{DocumentRecord, PolicyRecord, PolicyVersion, Tag};
use super::{Identities, IdentityError, ManagedPolicy};
use crate::auth::Grant;
use crate::names::AccountId;

/// A managed policy to be made. Its document is checked, names, path and tags are well-formed.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// `PolicyName`
    pub name: String,
    /// `Path`
    pub path: String,
    /// `PolicyDocument`
    pub document: String,
    /// `Description`
    pub description: Option<String>,
    /// `Tags`
    pub tags: Vec<Tag>,
}

impl Identities {
    /// A managed policy by its ARN, which has to be there.
    pub async fn policy(&self, account: &AccountId, arn: &str) -> Result<ManagedPolicy, IdentityError> {
        self.managed_policy(account, arn).await?.ok_or_else(|| policy_absent(arn))
    }

    /// CreatePolicy. `grant`: `iam:CreatePolicy` on the new policy's ARN.
    pub async fn create_policy(
        &self,
        grant: &Grant,
        new: &NewPolicy,
    ) -> Result<(PolicyRecord, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let now = draft.now().0;
        let policy = PolicyRecord {
            name: new.name.clone(),
            path: new.path.clone(),
            id: new_id(IdOf::Policy, self.sources()),
            created_ms: now,
            updated_ms: now,
            description: new.description.clone(),
            default_version: 1,
            last_version: 1,
            versions: vec![PolicyVersion { number: 1, created_ms: now }],
            tags: new.tags.clone(),
            ..PolicyRecord::default()
        };
        grant.assert_covers("iam:CreatePolicy", &policy.arn(draft.account()));
        if draft.find::<PolicyRecord>(&[&new.name]).await?.is_some() {
            let text = format!("A policy called {} already exists. Duplicate names are not allowed.", new.name);
            return Err(IdentityError::EntityAlreadyExists(text));
        }
        draft.state.policies += 1;
        draft.state.policy_versions += 1;
        if draft.state.policies as usize > POLICIES_MAX {
            return Err(IdentityError::quota("PoliciesPerAccount", POLICIES_MAX));
        }
        draft.put_version(&policy, 1, &new.document);
        draft.put(&[&policy.name], &policy);
        Ok((policy, draft))
    }

    /// DeletePolicy. `grant`: `iam:DeletePolicy` on its ARN. It may be attached to nothing, and have no version but the
    /// default one.
    pub async fn delete_policy(&self, grant: &Grant, arn: &str) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let policy = draft.policy(grant, arn).await?;
        if policy.attachments > 0 || policy.boundaries > 0 {
            return Err(IdentityError::DeleteConflict("Cannot delete a policy attached to entities.".to_owned()));
        }
        if policy.versions.len() > 1 {
            let text = "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                        versions. The default version is deleted with the policy.";
            return Err(IdentityError::DeleteConflict(text.to_owned()));
        }
        draft.state.policies = draft.state.policies.saturating_sub(1);
        draft.state.policy_versions = draft.state.policy_versions.saturating_sub(1);
        draft.delete::<DocumentRecord>(&[&policy.name, &policy.default_version.to_string()]);
        draft.delete::<PolicyRecord>(&[&policy.name]);
        Ok(draft)
    }

    /// CreatePolicyVersion. `grant`: leave for that on the policy's ARN. The document is checked.
    pub async fn create_policy_version(
        &self,
        grant: &Grant,
        arn: &str,
        document: &str,
        set_as_default: bool,
    ) -> Result<(PolicyRecord, PolicyVersion, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut policy = draft.policy(grant, arn).await?;
        if policy.versions.len() >= POLICY_VERSIONS_MAX {
            let text = format!(
                "A managed policy can have up to {POLICY_VERSIONS_MAX} versions. Before you create a new version, you \
                 must delete an existing version."
            );
            return Err(IdentityError::LimitExceeded(text));
        }
        policy.last_version += 1;
        policy.updated_ms = draft.now().0;
        let version = PolicyVersion { number: policy.last_version, created_ms: policy.updated_ms };
        policy.versions.push(version.clone());
        if set_as_default {
            policy.default_version = version.number;
        }
        draft.state.policy_versions += 1;
        draft.put_version(&policy, version.number, document);
        draft.put(&[&policy.name], &policy);
        Ok((policy, version, draft))
    }

    /// DeletePolicyVersion. `grant`: leave for that on the policy's ARN.
    pub async fn delete_policy_version(
        &self,
        grant: &Grant,
        arn: &str,
        number: u32,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut policy = draft.policy(grant, arn).await?;
        check_version(&policy, arn, number)?;
        if policy.default_version == number {
            let text = "Cannot delete the default version of a policy.".to_owned();
            return Err(IdentityError::DeleteConflict(text));
        }
        policy.versions.retain(|version| version.number != number);
        draft.state.policy_versions = draft.state.policy_versions.saturating_sub(1);
        draft.delete::<DocumentRecord>(&[&policy.name, &number.to_string()]);
        draft.put(&[&policy.name], &policy);
        Ok(draft)
    }

    /// SetDefaultPolicyVersion. `grant`: leave for that on the policy's ARN. It counts from the next request on. The
    /// policy's `UpdateDate` stays: by the API reference it is when the newest version was made.
    pub async fn set_default_policy_version(
        &self,
        grant: &Grant,
        arn: &str,
        number: u32,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut policy = draft.policy(grant, arn).await?;
        check_version(&policy, arn, number)?;
        policy.default_version = number;
        draft.put(&[&policy.name], &policy);
        Ok(draft)
    }
}

impl Draft<'_> {
    /// A customer's policy that is to be changed.
    async fn policy(&self, grant: &Grant, arn: &str) -> Result<PolicyRecord, IdentityError> {
        grant.assert_covers(grant.action(), arn);
        match self.identities().policy(self.account(), arn).await? {
            ManagedPolicy::Own(policy) => Ok(policy),
            ManagedPolicy::ReadyMade(_) => {
                Err(IdentityError::Unmodifiable(format!("Policy {arn} comes with the server and can not be changed.")))
            }
        }
    }

    fn put_version(&mut self, policy: &PolicyRecord, number: u32, document: &str) {
        self.put(&[&policy.name, &number.to_string()], &DocumentRecord { document: document.to_owned() });
    }
}

fn check_version(policy: &PolicyRecord, arn: &str, number: u32) -> Result<(), IdentityError> {
    match policy.versions.iter().any(|version| version.number == number) {
        true => Ok(()),
        false => Err(IdentityError::NoSuchEntity(format!(
            "Policy {arn} version v{number} does not exist or is not attachable."
        ))),
    }
}

fn policy_absent(arn: &str) -> IdentityError {
    IdentityError::NoSuchEntity(format!("Policy {arn} was not found."))
}
