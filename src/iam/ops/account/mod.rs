//! Of IAM: the account as a whole.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "CreateAccountAlias"),
    refused!(Iam, "DeleteAccountAlias"),
    refused!(Iam, "GetAccountAuthorizationDetails"),
    refused!(Iam, "GetAccountSummary"),
    refused!(Iam, "ListAccountAliases"),
];
