//! Of IAM: access keys of users.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "CreateAccessKey"),
    refused!(Iam, "DeleteAccessKey"),
    refused!(Iam, "GetAccessKeyLastUsed"),
    refused!(Iam, "ListAccessKeys"),
    refused!(Iam, "UpdateAccessKey"),
];
