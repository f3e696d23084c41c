//! Quotas of an account, AWS's defaults ("IAM and AWS STS quotas"). Those of documents are [`crate::policy::PolicyQuota`].

/// Users of an account.
pub const USERS_MAX: usize = 5_000;
/// Groups of an account.
pub const GROUPS_MAX: usize = 300;
/// Roles of an account.
pub const ROLES_MAX: usize = 1_000;
/// Customer managed policies of an account.
pub const POLICIES_MAX: usize = 1_500;
/// Versions of a managed policy.
pub const POLICY_VERSIONS_MAX: usize = 5;
/// Versions of all managed policies of an account together. As many policies as there may be with as many versions each
/// stay below it.
pub const VERSIONS_IN_USE_MAX: usize = 10_000;
/// Groups of a user.
pub const GROUPS_PER_USER_MAX: usize = 10;
/// Managed policies of a user, group or role.
pub const ATTACHED_MAX: usize = 10;
/// Access keys of a user.
pub const KEYS_PER_USER_MAX: usize = 2;
/// Tags of a user, role, policy or identity provider.
pub const TAGS_MAX: usize = 50;
/// OpenID Connect providers of an account.
pub const PROVIDERS_MAX: usize = 100;
/// Client ids of an OpenID Connect provider.
pub const CLIENT_IDS_MAX: usize = 100;
/// Thumbprints of an OpenID Connect provider.
pub const THUMBPRINTS_MAX: usize = 5;
