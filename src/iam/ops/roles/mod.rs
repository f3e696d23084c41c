//! Of IAM: roles, their trust policies, what is attached to them, their inline policies, boundaries and tags.

mod attach_role_policy;
mod create_role;
mod delete_role;
mod delete_role_permissions_boundary;
mod delete_role_policy;
mod detach_role_policy;
mod get_role;
mod get_role_policy;
mod list_attached_role_policies;
mod list_role_policies;
mod list_role_tags;
mod list_roles;
mod put_role_permissions_boundary;
mod put_role_policy;
mod tag_role;
mod untag_role;
mod update_assume_role_policy;
mod update_role;
mod update_role_description;

use serde_json::{Value, json};

use crate::iam::cx::Cx;
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::{Writer, document, optional, tags, time};
use crate::iam::table::{Row, changes, tells};
use crate::iam::tags::pairs;
use crate::identity::{LastUse, RoleRecord};
use crate::names::AccountId;
use crate::policy::{Kind, Policy, PolicyError, PolicyQuota, counted_chars};
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "AttachRolePolicy", attach_role_policy),
    changes!(Iam, "CreateRole", create_role),
    changes!(Iam, "DeleteRole", delete_role),
    changes!(Iam, "DeleteRolePermissionsBoundary", delete_role_permissions_boundary),
    changes!(Iam, "DeleteRolePolicy", delete_role_policy),
    changes!(Iam, "DetachRolePolicy", detach_role_policy),
    tells!(Iam, "GetRole", get_role),
    tells!(Iam, "GetRolePolicy", get_role_policy),
    tells!(Iam, "ListAttachedRolePolicies", list_attached_role_policies),
    tells!(Iam, "ListRolePolicies", list_role_policies),
    tells!(Iam, "ListRoleTags", list_role_tags),
    tells!(Iam, "ListRoles", list_roles),
    changes!(Iam, "PutRolePermissionsBoundary", put_role_permissions_boundary),
    changes!(Iam, "PutRolePolicy", put_role_policy),
    changes!(Iam, "TagRole", tag_role),
    changes!(Iam, "UntagRole", untag_role),
    changes!(Iam, "UpdateAssumeRolePolicy", update_assume_role_policy),
    changes!(Iam, "UpdateRole", update_role),
    changes!(Iam, "UpdateRoleDescription", update_role_description),
];

/// The longest session of a role where its maker names none, in seconds.
const SESSION_DEFAULT_SECONDS: u32 = 3600;
/// What can be asked for.
const SESSION_SECONDS: std::ops::RangeInclusive<u32> = 3600..=43_200;
/// How long ago a use may be to be told, in milliseconds: 400 days, as AWS tells it.
const LAST_USE_MS: i64 = 400 * 24 * 3600 * 1000;

/// `MaxSessionDuration`
fn read_session_seconds(fields: &mut Fields<'_>) -> Option<u32> {
    fields.number("MaxSessionDuration", SESSION_SECONDS)
}

/// `MaxSigninSessionDuration`, which can't be kept: nobody signs in to a console here.
fn read_signin_seconds(fields: &mut Fields<'_>) -> Option<u32> {
    fields.number("MaxSigninSessionDuration", 3600..=7_776_000)
}

/// Refuses what [`read_signin_seconds`] found.
fn refuse_signin(asked: Option<u32>) -> Result<(), IamError> {
    match asked {
        None => Ok(()),
        Some(_) => Err(IamError::not_implemented(
            "MaxSigninSessionDuration is not implemented by this server: it has no console to sign in to.",
        )),
    }
}

/// A trust policy that may be kept: one that names principals who exist, within the limit.
async fn check_trust(cx: &Cx<'_>, text: &str) -> Result<(), IamError> {
    let malformed = |text: String| IamError::new(code::MALFORMED_POLICY_DOCUMENT, text);
    let too_long = || IamError::new(code::LIMIT_EXCEEDED, PolicyQuota::Trust.message(""));
    let policy = Policy::parse(text.as_bytes(), Kind::Trust).map_err(|error| match error {
        PolicyError::Malformed(text) => malformed(text),
        PolicyError::TooLarge { .. } => too_long(),
    })?;
    PolicyQuota::Trust.check(counted_chars(text)).map_err(|_| too_long())?;
    let unknown = cx.app.directory.first_unknown(policy.named_principals()).await.map_err(IamError::internal)?;
    match unknown {
        None => Ok(()),
        Some(named) => {
            let arn = named.starts_with("arn:aws:iam:") && !named.contains(":oidc-provider/");
            let kind = if arn || named.bytes().all(|b| b.is_ascii_digit()) { "AWS" } else { "FEDERATED" };
            Err(malformed(format!("Invalid principal in policy: \"{kind}\":\"{named}\"")))
        }
    }
}

/// A role as CreateRole and GetRole give it.
fn write_role(w: &mut Writer, account: &AccountId, role: &RoleRecord) {
    write_listed_role(w, account, role);
    write_boundary(w, role.boundary.as_deref());
    if !role.tags.is_empty() {
        tags(w, pairs(&role.tags));
    }
}

/// A role as lists give it: without boundary, tags and last use, as AWS documents.
fn write_listed_role(w: &mut Writer, account: &AccountId, role: &RoleRecord) {
    w.leaf("Path", &role.path).leaf("RoleName", &role.name).leaf("RoleId", &role.id).leaf("Arn", &role.arn(account));
    time(w, "CreateDate", Timestamp(role.created_ms));
    document(w, "AssumeRolePolicyDocument", &role.trust);
    optional(w, "Description", role.description.as_deref());
    w.leaf("MaxSessionDuration", &role.max_session_seconds.to_string());
}

/// `PermissionsBoundary`, where there is one.
pub(in crate::iam) fn write_boundary(w: &mut Writer, boundary: Option<&str>) {
    if let Some(arn) = boundary {
        w.node("PermissionsBoundary", |w| {
            w.leaf("PermissionsBoundaryType", "Policy").leaf("PermissionsBoundaryArn", arn);
        });
    }
}

/// The last use of a role, as far as AWS tells it: that of the last 400 days.
pub(in crate::iam) async fn last_use(cx: &Cx<'_>, role: &RoleRecord) -> Result<Option<LastUse>, IamError> {
    let last = cx.identities().last_use(&role.id).await?;
    let now = cx.access.facts().received;
    Ok(last.filter(|last| now.0.saturating_sub(last.at.0) <= LAST_USE_MS))
}

/// `RoleLastUsed`; empty if it was not used.
pub(in crate::iam) fn write_last_use(w: &mut Writer, last: Option<&LastUse>) {
    w.node("RoleLastUsed", |w| {
        if let Some(last) = last {
            time(w, "LastUsedDate", last.at);
            w.leaf("Region", &last.region);
        }
    });
}

/// `responseElements.role`
fn record_role(account: &AccountId, role: &RoleRecord) -> Value {
    json!({
        "path": role.path, "roleName": role.name, "roleId": role.id, "arn": role.arn(account),
        "createDate": iso8601_seconds(Timestamp(role.created_ms)), "assumeRolePolicyDocument": role.trust,
    })
}
