//! Of IAM: groups, their members, what is attached to them and their inline policies.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "AddUserToGroup"),
    refused!(Iam, "AttachGroupPolicy"),
    refused!(Iam, "CreateGroup"),
    refused!(Iam, "DeleteGroup"),
    refused!(Iam, "DeleteGroupPolicy"),
    refused!(Iam, "DetachGroupPolicy"),
    refused!(Iam, "GetGroup"),
    refused!(Iam, "GetGroupPolicy"),
    refused!(Iam, "ListAttachedGroupPolicies"),
    refused!(Iam, "ListGroupPolicies"),
    refused!(Iam, "ListGroups"),
    refused!(Iam, "ListGroupsForUser"),
    refused!(Iam, "PutGroupPolicy"),
    refused!(Iam, "RemoveUserFromGroup"),
    refused!(Iam, "UpdateGroup"),
];
