//! Of IAM: what policies would decide.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "GetContextKeysForCustomPolicy"),
    refused!(Iam, "GetContextKeysForPrincipalPolicy"),
    refused!(Iam, "SimulateCustomPolicy"),
    refused!(Iam, "SimulatePrincipalPolicy"),
];
