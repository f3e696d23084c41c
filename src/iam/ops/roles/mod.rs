//! Of IAM: roles, their trust policies, what is attached to them, their inline policies, boundaries and tags.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "AttachRolePolicy"),
    refused!(Iam, "CreateRole"),
    refused!(Iam, "DeleteRole"),
    refused!(Iam, "DeleteRolePermissionsBoundary"),
    refused!(Iam, "DeleteRolePolicy"),
    refused!(Iam, "DetachRolePolicy"),
    refused!(Iam, "GetRole"),
    refused!(Iam, "GetRolePolicy"),
    refused!(Iam, "ListAttachedRolePolicies"),
    refused!(Iam, "ListRolePolicies"),
    refused!(Iam, "ListRoleTags"),
    refused!(Iam, "ListRoles"),
    refused!(Iam, "PutRolePermissionsBoundary"),
    refused!(Iam, "PutRolePolicy"),
    refused!(Iam, "TagRole"),
    refused!(Iam, "UntagRole"),
    refused!(Iam, "UpdateAssumeRolePolicy"),
    refused!(Iam, "UpdateRole"),
    refused!(Iam, "UpdateRoleDescription"),
];
