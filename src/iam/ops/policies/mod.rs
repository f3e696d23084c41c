//! Of IAM: managed policies, their versions, entities and tags.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "CreatePolicy"),
    refused!(Iam, "CreatePolicyVersion"),
    refused!(Iam, "DeletePolicy"),
    refused!(Iam, "DeletePolicyVersion"),
    refused!(Iam, "GetPolicy"),
    refused!(Iam, "GetPolicyVersion"),
    refused!(Iam, "ListEntitiesForPolicy"),
    refused!(Iam, "ListPolicies"),
    refused!(Iam, "ListPolicyTags"),
    refused!(Iam, "ListPolicyVersions"),
    refused!(Iam, "SetDefaultPolicyVersion"),
    refused!(Iam, "TagPolicy"),
    refused!(Iam, "UntagPolicy"),
];
