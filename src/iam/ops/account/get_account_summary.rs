//! GetAccountSummary: what the account has, and its quotas. Of what can't be made here (certificates, MFA devices,
//! instance profiles, passwords) there is none, and the quota is 0.

use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::identity::AccountState;
use crate::identity::limits::{
    ATTACHED_MAX, GROUPS_MAX, GROUPS_PER_USER_MAX, KEYS_PER_USER_MAX, POLICIES_MAX, POLICY_VERSIONS_MAX, ROLES_MAX,
    USERS_MAX, VERSIONS_IN_USE_MAX,
};
use crate::names::iam_root_arn;
use crate::policy::PolicyQuota;

/// `GlobalEndpointTokenVersion`: tokens are good in all Regions.
const TOKEN_VERSION: usize = 2;

pub(in crate::iam) struct Input;

impl Input {
    pub(in crate::iam) fn read(_: &mut Fields<'_>) -> Self {
        Self
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, _: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    let (account, identities) = (cx.account()?, cx.identities());
    let state = identities.state(account).await?;
    let users = state.users as usize + identities.seed_user_count(account);
    let root_has_keys = !identities.seed().key_ids(&iam_root_arn(account)).is_empty();
    let entries = summary(&state, users, root_has_keys);
    Ok(Reply::result(|w| {
        w.node("SummaryMap", |w| {
            for (key, value) in entries {
                w.node("entry", |w| {
                    w.leaf("key", key).leaf("value", &value.to_string());
                });
            }
        });
    }))
}

/// The keys of the model.
fn summary(state: &AccountState, users: usize, root_has_keys: bool) -> [(&'static str, usize); 34] {
    [
        ("Users", users),
        ("UsersQuota", USERS_MAX),
        ("Groups", state.groups as usize),
        ("GroupsQuota", GROUPS_MAX),
        ("ServerCertificates", 0),
        ("ServerCertificatesQuota", 0),
        ("UserPolicySizeQuota", PolicyQuota::UserInline.limit_chars()),
        ("GroupPolicySizeQuota", PolicyQuota::GroupInline.limit_chars()),
        ("GroupsPerUserQuota", GROUPS_PER_USER_MAX),
        ("SigningCertificatesPerUserQuota", 0),
        ("AccessKeysPerUserQuota", KEYS_PER_USER_MAX),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("AccountMFAEnabled", 0),
        ("AccountAccessKeysPresent", usize::from(root_has_keys)),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("AttachedPoliciesPerGroupQuota", ATTACHED_MAX),
        ("AttachedPoliciesPerRoleQuota", ATTACHED_MAX),
        ("AttachedPoliciesPerUserQuota", ATTACHED_MAX),
        ("Policies", state.policies as usize),
        ("PoliciesQuota", POLICIES_MAX),
        ("PolicySizeQuota", PolicyQuota::Managed.limit_chars()),
        ("PolicyVersionsInUse", state.policy_versions as usize),
        ("PolicyVersionsInUseQuota", VERSIONS_IN_USE_MAX),
        ("VersionsPerPolicyQuota", POLICY_VERSIONS_MAX),
        ("GlobalEndpointTokenVersion", TOKEN_VERSION),
        ("AssumeRolePolicySizeQuota", PolicyQuota::Trust.limit_chars()),
        ("InstanceProfiles", 0),
        ("InstanceProfilesQuota", 0),
        ("Providers", state.providers as usize),
        ("RolePolicySizeQuota", PolicyQuota::RoleInline.limit_chars()),
        ("Roles", state.roles as usize),
        ("RolesQuota", ROLES_MAX),
    ]
}
