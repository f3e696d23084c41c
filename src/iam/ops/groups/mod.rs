//! Of IAM: groups, their members, what is attached to them and their inline policies.

mod add_user_to_group;
mod attach_group_policy;
mod create_group;
mod delete_group;
mod delete_group_policy;
mod detach_group_policy;
mod get_group;
mod get_group_policy;
mod list_attached_group_policies;
mod list_group_policies;
mod list_groups;
mod list_groups_for_user;
mod put_group_policy;
mod remove_user_from_group;
mod update_group;

use serde_json::{Value, json};

use crate::iam::reply::{Writer, time};
use crate::iam::table::{Row, changes, tells};
use crate::identity::GroupRecord;
use crate::names::AccountId;
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "AddUserToGroup", add_user_to_group),
    changes!(Iam, "AttachGroupPolicy", attach_group_policy),
    changes!(Iam, "CreateGroup", create_group),
    changes!(Iam, "DeleteGroup", delete_group),
    changes!(Iam, "DeleteGroupPolicy", delete_group_policy),
    changes!(Iam, "DetachGroupPolicy", detach_group_policy),
    tells!(Iam, "GetGroup", get_group),
    tells!(Iam, "GetGroupPolicy", get_group_policy),
    tells!(Iam, "ListAttachedGroupPolicies", list_attached_group_policies),
    tells!(Iam, "ListGroupPolicies", list_group_policies),
    tells!(Iam, "ListGroups", list_groups),
    tells!(Iam, "ListGroupsForUser", list_groups_for_user),
    changes!(Iam, "PutGroupPolicy", put_group_policy),
    changes!(Iam, "RemoveUserFromGroup", remove_user_from_group),
    changes!(Iam, "UpdateGroup", update_group),
];

fn write_group(w: &mut Writer, account: &AccountId, group: &GroupRecord) {
    w.leaf("Path", &group.path).leaf("GroupName", &group.name).leaf("GroupId", &group.id);
    w.leaf("Arn", &group.arn(account));
    time(w, "CreateDate", Timestamp(group.created_ms));
}

/// `responseElements.group`
fn record_group(account: &AccountId, group: &GroupRecord) -> Value {
    json!({
        "path": group.path, "groupName": group.name, "groupId": group.id, "arn": group.arn(account),
        "createDate": iso8601_seconds(Timestamp(group.created_ms)),
    })
}
