//! Of STS: temporary credentials, and who somebody is.

mod assume_role;
mod assume_role_with_web_identity;
mod decode_authorization_message;
mod get_access_key_info;
mod get_caller_identity;
mod get_federation_token;
mod get_session_token;
mod roles;
mod sessions;

use crate::iam::table::{Row, refused, tells};

pub(in crate::iam) static ROWS: &[Row] = &[
    tells!(Sts, "AssumeRole", assume_role),
    refused!(Sts, "AssumeRoleWithSAML", Anyone),
    tells!(Sts, "AssumeRoleWithWebIdentity", assume_role_with_web_identity, Anyone),
    refused!(Sts, "AssumeRoot"),
    tells!(Sts, "DecodeAuthorizationMessage", decode_authorization_message),
    tells!(Sts, "GetAccessKeyInfo", get_access_key_info),
    tells!(Sts, "GetCallerIdentity", get_caller_identity),
    refused!(Sts, "GetDelegatedAccessToken"),
    tells!(Sts, "GetFederationToken", get_federation_token),
    refused!(Sts, "GetScopedCredentials"),
    tells!(Sts, "GetSessionToken", get_session_token),
    refused!(Sts, "GetWebIdentityToken"),
];
