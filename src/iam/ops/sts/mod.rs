//! Of STS: temporary credentials, and who somebody is.

mod get_access_key_info;
mod get_caller_identity;

use crate::iam::table::{Row, refused, tells};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Sts, "AssumeRole"),
    refused!(Sts, "AssumeRoleWithSAML", Anyone),
    refused!(Sts, "AssumeRoleWithWebIdentity", Anyone),
    refused!(Sts, "AssumeRoot"),
    refused!(Sts, "DecodeAuthorizationMessage"),
    tells!(Sts, "GetAccessKeyInfo", get_access_key_info),
    tells!(Sts, "GetCallerIdentity", get_caller_identity),
    refused!(Sts, "GetDelegatedAccessToken"),
    refused!(Sts, "GetFederationToken"),
    refused!(Sts, "GetScopedCredentials"),
    refused!(Sts, "GetSessionToken"),
    refused!(Sts, "GetWebIdentityToken"),
];
