//! Of IAM: the account as a whole.

mod create_account_alias;
mod delete_account_alias;
mod details;
mod get_account_authorization_details;
mod get_account_summary;
mod list_account_aliases;

use crate::iam::table::{Row, changes, tells};

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "CreateAccountAlias", create_account_alias),
    changes!(Iam, "DeleteAccountAlias", delete_account_alias),
    tells!(Iam, "GetAccountAuthorizationDetails", get_account_authorization_details),
    tells!(Iam, "GetAccountSummary", get_account_summary),
    tells!(Iam, "ListAccountAliases", list_account_aliases),
];
