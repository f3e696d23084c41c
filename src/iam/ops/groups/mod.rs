//! Of IAM: groups, their members, what is attached to them and their inline policies.

mod attach_group_policy;
mod delete_group_policy;
mod detach_group_policy;
mod get_group_policy;
mod list_attached_group_policies;
mod list_group_policies;
mod put_group_policy;

use crate::iam::table::{Row, changes, refused, tells};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "AddUserToGroup"),
    changes!(Iam, "AttachGroupPolicy", attach_group_policy),
    refused!(Iam, "CreateGroup"),
    refused!(Iam, "DeleteGroup"),
    changes!(Iam, "DeleteGroupPolicy", delete_group_policy),
    changes!(Iam, "DetachGroupPolicy", detach_group_policy),
    refused!(Iam, "GetGroup"),
    tells!(Iam, "GetGroupPolicy", get_group_policy),
    tells!(Iam, "ListAttachedGroupPolicies", list_attached_group_policies),
    tells!(Iam, "ListGroupPolicies", list_group_policies),
    refused!(Iam, "ListGroups"),
    refused!(Iam, "ListGroupsForUser"),
    changes!(Iam, "PutGroupPolicy", put_group_policy),
    refused!(Iam, "RemoveUserFromGroup"),
    refused!(Iam, "UpdateGroup"),
];
