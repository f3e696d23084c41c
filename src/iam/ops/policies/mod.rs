//! Of IAM: managed policies, their versions, entities and tags.

mod create_policy;
mod create_policy_version;
mod delete_policy;
mod delete_policy_version;
mod get_policy;
mod get_policy_version;
mod list_entities_for_policy;
mod list_policies;
mod list_policy_tags;
mod list_policy_versions;
mod set_default_policy_version;
mod tag_policy;
mod untag_policy;

use serde_json::{Value, json};

use crate::auth::Grant;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::reply::{Writer, document, optional, tags, time};
use crate::iam::table::{Row, changes, tells};
use crate::iam::tags::pairs;
use crate::identity::{IdentityError, ManagedPolicy, PolicyRecord, PolicyVersion};
use crate::names::AccountId;
use crate::policy::{Kind, MANAGED_CREATED, MANAGED_PATH, MANAGED_VERSION, Policy, PolicyError, PolicyQuota};
use crate::policy::{ReadyMade, counted_chars};
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "CreatePolicy", create_policy),
    changes!(Iam, "CreatePolicyVersion", create_policy_version),
    changes!(Iam, "DeletePolicy", delete_policy),
    changes!(Iam, "DeletePolicyVersion", delete_policy_version),
    tells!(Iam, "GetPolicy", get_policy),
    tells!(Iam, "GetPolicyVersion", get_policy_version),
    tells!(Iam, "ListEntitiesForPolicy", list_entities_for_policy),
    tells!(Iam, "ListPolicies", list_policies),
    tells!(Iam, "ListPolicyTags", list_policy_tags),
    tells!(Iam, "ListPolicyVersions", list_policy_versions),
    changes!(Iam, "SetDefaultPolicyVersion", set_default_policy_version),
    changes!(Iam, "TagPolicy", tag_policy),
    changes!(Iam, "UntagPolicy", untag_policy),
];

/// `PolicyUsageFilter`
pub(in crate::iam) const USAGES: [&str; 2] = ["PermissionsPolicy", "PermissionsBoundary"];

/// A managed policy with leave to do the row's action on it.
struct GrantedPolicy {
    policy: ManagedPolicy,
    grant: Grant,
}

/// The managed policy of this ARN, with leave to do the row's action on it; leave comes before existence. `adds` gets
/// the policy's tags.
async fn by_arn(cx: &Cx<'_>, arn: &str, adds: &Adds<'_>) -> Result<GrantedPolicy, IamError> {
    match cx.identities().policy(cx.account()?, arn).await {
        Ok(policy) => {
            let own = if let ManagedPolicy::Own(policy) = &policy { &policy.tags[..] } else { &[] };
            let adds = adds.clone().resource_tags(pairs(own));
            let grant = cx.grant_telling(arn, &adds)?;
            Ok(GrantedPolicy { policy, grant })
        }
        Err(error) => {
            cx.grant_telling(arn, adds)?;
            if !is_policy_arn(arn) {
                return Err(IamError::new(code::INVALID_INPUT, format!("ARN {arn} is not valid.")));
            }
            Err(error.into())
        }
    }
}

/// As [`by_arn`], of a policy that is to be changed: those that come with the server can't be.
async fn to_change(cx: &Cx<'_>, arn: &str, adds: &Adds<'_>) -> Result<(PolicyRecord, Grant), IamError> {
    match by_arn(cx, arn, adds).await? {
        GrantedPolicy { policy: ManagedPolicy::Own(policy), grant } => Ok((policy, grant)),
        GrantedPolicy { policy: ManagedPolicy::ReadyMade(_), .. } => {
            Err(IdentityError::Unmodifiable(format!("Policy {arn} comes with the server and can not be changed."))
                .into())
        }
    }
}

fn is_policy_arn(arn: &str) -> bool {
    let rest = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'));
    rest.is_some_and(|(_, resource)| resource.starts_with("policy/"))
}

/// A new version's document, which has to be an identity policy within the limit.
fn check_document(text: &str) -> Result<(), IamError> {
    Policy::parse(text.as_bytes(), Kind::Identity).map_err(|error| refused(error, PolicyQuota::Managed, ""))?;
    PolicyQuota::Managed.check(counted_chars(text)).map_err(|error| refused(error, PolicyQuota::Managed, ""))
}

/// What IAM answers to a document that it refuses; `name` is that of its user, group or role.
pub(in crate::iam) fn refused(error: PolicyError, quota: PolicyQuota, name: &str) -> IamError {
    match error {
        PolicyError::TooLarge { .. } => IamError::new(code::LIMIT_EXCEEDED, quota.message(name)),
        PolicyError::Malformed(text) => IamError::new(code::MALFORMED_POLICY_DOCUMENT, text),
    }
}

/// `v2` as a number. Behind a point the model allows what no version has.
fn version_number(id: &str) -> Option<u32> {
    id.strip_prefix('v')?.parse().ok()
}

/// A policy as answers show it, its tags and description apart.
pub(in crate::iam) struct ShownPolicy {
    name: String,
    id: String,
    pub(in crate::iam) arn: String,
    path: String,
    default_version: String,
    pub(in crate::iam) attachments: usize,
    pub(in crate::iam) boundaries: usize,
    description: Option<String>,
    created: Timestamp,
    updated: Timestamp,
}

impl ShownPolicy {
    pub(in crate::iam) fn own(account: &AccountId, policy: &PolicyRecord) -> Self {
        Self {
            name: policy.name.clone(),
            id: policy.id.clone(),
            arn: policy.arn(account),
            path: policy.path.clone(),
            default_version: format!("v{}", policy.default_version),
            attachments: policy.attachments as usize,
            boundaries: policy.boundaries as usize,
            description: policy.description.clone(),
            created: Timestamp(policy.created_ms),
            updated: Timestamp(policy.updated_ms),
        }
    }

    pub(in crate::iam) async fn ready_made(cx: &Cx<'_>, policy: &ReadyMade) -> Result<Self, IamError> {
        let arn = policy.arn();
        let (attachments, boundaries) = cx.identities().count_attachments(cx.account()?, &arn).await?;
        Ok(Self {
            name: policy.policy_name().to_owned(),
            id: policy.policy_id(),
            arn,
            path: MANAGED_PATH.to_owned(),
            default_version: MANAGED_VERSION.to_owned(),
            attachments,
            boundaries,
            description: Some(policy.about.to_owned()),
            created: MANAGED_CREATED,
            updated: MANAGED_CREATED,
        })
    }

    /// Without its description, as lists have it.
    pub(in crate::iam) fn write(&self, w: &mut Writer) {
        w.leaf("PolicyName", &self.name).leaf("PolicyId", &self.id).leaf("Arn", &self.arn).leaf("Path", &self.path);
        w.leaf("DefaultVersionId", &self.default_version);
        w.leaf("AttachmentCount", &self.attachments.to_string());
        w.leaf("PermissionsBoundaryUsageCount", &self.boundaries.to_string());
        w.flag("IsAttachable", true);
        time(w, "CreateDate", self.created);
        time(w, "UpdateDate", self.updated);
    }

    /// With its description.
    pub(in crate::iam) fn write_described(&self, w: &mut Writer) {
        self.write(w);
        optional(w, "Description", self.description.as_deref());
    }

    /// `responseElements.policy`
    fn record(&self) -> Value {
        json!({
            "policyName": self.name, "policyId": self.id, "arn": self.arn, "path": self.path,
            "defaultVersionId": self.default_version, "attachmentCount": self.attachments,
            "permissionsBoundaryUsageCount": self.boundaries, "isAttachable": true,
            "createDate": iso8601_seconds(self.created), "updateDate": iso8601_seconds(self.updated),
        })
    }
}

/// `Tags` of a policy.
fn write_tags(w: &mut Writer, policy: &PolicyRecord) {
    tags(w, pairs(&policy.tags));
}

/// A version of a policy as answers show it.
pub(in crate::iam) struct ShownVersion {
    id: String,
    is_default: bool,
    created: Timestamp,
    document: Option<String>,
}

impl ShownVersion {
    /// `document`: none where the answer has none.
    pub(in crate::iam) fn own(policy: &PolicyRecord, version: &PolicyVersion, document: Option<String>) -> Self {
        Self {
            id: format!("v{}", version.number),
            is_default: version.number == policy.default_version,
            created: Timestamp(version.created_ms),
            document,
        }
    }

    /// The only version of a policy that comes with the server.
    pub(in crate::iam) fn ready_made(document: Option<String>) -> Self {
        Self { id: MANAGED_VERSION.to_owned(), is_default: true, created: MANAGED_CREATED, document }
    }

    pub(in crate::iam) fn write(&self, w: &mut Writer) {
        if let Some(text) = &self.document {
            document(w, "Document", text);
        }
        w.leaf("VersionId", &self.id);
        w.flag("IsDefaultVersion", self.is_default);
        time(w, "CreateDate", self.created);
    }
}

/// That a policy has no such version.
fn version_absent(arn: &str, version: &str) -> IamError {
    IamError::no_such_entity(format!("Policy {arn} version {version} does not exist or is not attachable."))
}
