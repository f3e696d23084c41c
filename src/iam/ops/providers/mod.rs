//! Of IAM: OpenID Connect providers.

use crate::iam::table::{Row, refused};

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "AddClientIDToOpenIDConnectProvider"),
    refused!(Iam, "CreateOpenIDConnectProvider"),
    refused!(Iam, "DeleteOpenIDConnectProvider"),
    refused!(Iam, "GetOpenIDConnectProvider"),
    refused!(Iam, "ListOpenIDConnectProviderTags"),
    refused!(Iam, "ListOpenIDConnectProviders"),
    refused!(Iam, "RemoveClientIDFromOpenIDConnectProvider"),
    refused!(Iam, "TagOpenIDConnectProvider"),
    refused!(Iam, "UntagOpenIDConnectProvider"),
    refused!(Iam, "UpdateOpenIDConnectProviderThumbprint"),
];
