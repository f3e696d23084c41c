//! What GetAccountAuthorizationDetails tells of one user, group, role or policy: read first, then written.

use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::ops::policies::{ShownPolicy, ShownVersion};
use crate::iam::ops::roles::{last_use, write_boundary, write_last_use};
use crate::iam::reply::{Writer, document, members, tags, text_members, time};
use crate::iam::tags::pairs;
use crate::identity::{GroupRecord, InlinePolicy, LastUse, PolicyRecord, RoleRecord, UserRecord};
use crate::names::AccountId;
use crate::policy::ReadyMade;
use crate::sources::Timestamp;

/// One of them.
pub(super) enum Detail {
    User(UserRecord),
    Group(GroupRecord),
    Role(RoleRecord, Option<LastUse>),
    Policy(ShownPolicy, Vec<ShownVersion>),
}

impl Detail {
    pub(super) async fn of_role(cx: &Cx<'_>, role: RoleRecord) -> Result<Self, IamError> {
        let last = last_use(cx, &role).await?;
        Ok(Self::Role(role, last))
    }

    /// A policy of the account with its versions, the newest first.
    pub(super) async fn of_policy(cx: &Cx<'_>, policy: &PolicyRecord) -> Result<Self, IamError> {
        let account = cx.account()?;
        let mut versions = Vec::new();
        for version in policy.versions.iter().rev() {
            // One without its document was deleted after the policy was read.
            if let Some(text) = cx.identities().document(account, policy, version.number).await? {
                versions.push(ShownVersion::own(policy, version, Some(text)));
            }
        }
        Ok(Self::Policy(ShownPolicy::own(account, policy), versions))
    }

    /// A policy that comes with the server.
    pub(super) async fn of_ready_made(cx: &Cx<'_>, policy: &ReadyMade) -> Result<Self, IamError> {
        let shown = ShownPolicy::ready_made(cx, policy).await?;
        Ok(Self::Policy(shown, vec![ShownVersion::ready_made(Some(policy.document.to_owned()))]))
    }

    /// The member of the answer that it stands in.
    pub(super) fn list(&self) -> &'static str {
        match self {
            Self::User(_) => "UserDetailList",
            Self::Group(_) => "GroupDetailList",
            Self::Role(..) => "RoleDetailList",
            Self::Policy(..) => "Policies",
        }
    }

    pub(super) fn write(&self, w: &mut Writer, account: &AccountId) {
        match self {
            Self::User(user) => write_user(w, account, user),
            Self::Group(group) => write_group(w, account, group),
            Self::Role(role, last) => write_role(w, account, role, last.as_ref()),
            Self::Policy(policy, versions) => {
                policy.write_described(w);
                members(w, "PolicyVersionList", versions, |w, version| version.write(w));
            }
        }
    }
}

fn write_user(w: &mut Writer, account: &AccountId, user: &UserRecord) {
    w.leaf("Path", &user.path).leaf("UserName", &user.name).leaf("UserId", &user.id).leaf("Arn", &user.arn(account));
    time(w, "CreateDate", Timestamp(user.created_ms));
    // A user without inline policies has no list of them, as AWS answers it.
    if !user.inline.is_empty() {
        write_inline(w, "UserPolicyList", &user.inline);
    }
    text_members(w, "GroupList", &user.groups);
    write_attached(w, &user.attached);
    write_boundary(w, user.boundary.as_deref());
    tags(w, pairs(&user.tags));
}

fn write_group(w: &mut Writer, account: &AccountId, group: &GroupRecord) {
    w.leaf("Path", &group.path).leaf("GroupName", &group.name);
    w.leaf("GroupId", &group.id).leaf("Arn", &group.arn(account));
    time(w, "CreateDate", Timestamp(group.created_ms));
    write_inline(w, "GroupPolicyList", &group.inline);
    write_attached(w, &group.attached);
}

fn write_role(w: &mut Writer, account: &AccountId, role: &RoleRecord, last: Option<&LastUse>) {
    w.leaf("Path", &role.path).leaf("RoleName", &role.name).leaf("RoleId", &role.id).leaf("Arn", &role.arn(account));
    time(w, "CreateDate", Timestamp(role.created_ms));
    document(w, "AssumeRolePolicyDocument", &role.trust);
    text_members(w, "InstanceProfileList", [""; 0]);
    write_inline(w, "RolePolicyList", &role.inline);
    write_attached(w, &role.attached);
    write_boundary(w, role.boundary.as_deref());
    tags(w, pairs(&role.tags));
    write_last_use(w, last);
}

fn write_inline(w: &mut Writer, name: &str, policies: &[InlinePolicy]) {
    members(w, name, policies, |w, policy| {
        w.leaf("PolicyName", &policy.name);
        document(w, "PolicyDocument", &policy.document);
    });
}

fn write_attached(w: &mut Writer, arns: &[String]) {
    members(w, "AttachedManagedPolicies", arns, |w, arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        w.leaf("PolicyName", name).leaf("PolicyArn", arn);
    });
}
