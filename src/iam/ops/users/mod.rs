//! Of IAM: users, what is attached to them, their inline policies, boundaries and tags.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "AttachUserPolicy"),
    refused!(Iam, "CreateUser"),
    refused!(Iam, "DeleteUser"),
    refused!(Iam, "DeleteUserPermissionsBoundary"),
    refused!(Iam, "DeleteUserPolicy"),
    refused!(Iam, "DetachUserPolicy"),
    refused!(Iam, "GetUser"),
    refused!(Iam, "GetUserPolicy"),
    refused!(Iam, "ListAttachedUserPolicies"),
    refused!(Iam, "ListUserPolicies"),
    refused!(Iam, "ListUserTags"),
    refused!(Iam, "ListUsers"),
    refused!(Iam, "PutUserPermissionsBoundary"),
    refused!(Iam, "PutUserPolicy"),
    refused!(Iam, "TagUser"),
    refused!(Iam, "UntagUser"),
    refused!(Iam, "UpdateUser"),
];
