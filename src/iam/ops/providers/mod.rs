//! Of IAM: OpenID Connect providers.
//!
//! Thumbprints are kept and told, and never looked at: as AWS does for issuers whose certificate a known authority has
//! signed. Certificates are believed of the system's authorities and those of the setting `oidc_ca_file`. A provider made
//! without thumbprints has none; AWS would fetch the certificate's.

mod add_client_id;
mod create_provider;
mod delete_provider;
mod get_provider;
mod list_provider_tags;
mod list_providers;
mod remove_client_id;
mod tag_provider;
mod untag_provider;
mod update_thumbprint;

use crate::auth::Grant;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::shapes::{ARN, CLIENT_ID, THUMBPRINT};
use crate::iam::table::{Row, changes, tells};
use crate::iam::tags::pairs;
use crate::identity::limits::{CLIENT_IDS_MAX, THUMBPRINTS_MAX};
use crate::identity::{IdentityError, ProviderRecord, provider_absent, provider_url};

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "AddClientIDToOpenIDConnectProvider", add_client_id),
    changes!(Iam, "CreateOpenIDConnectProvider", create_provider),
    changes!(Iam, "DeleteOpenIDConnectProvider", delete_provider),
    tells!(Iam, "GetOpenIDConnectProvider", get_provider),
    tells!(Iam, "ListOpenIDConnectProviderTags", list_provider_tags),
    tells!(Iam, "ListOpenIDConnectProviders", list_providers),
    changes!(Iam, "RemoveClientIDFromOpenIDConnectProvider", remove_client_id),
    changes!(Iam, "TagOpenIDConnectProvider", tag_provider),
    changes!(Iam, "UntagOpenIDConnectProvider", untag_provider),
    changes!(Iam, "UpdateOpenIDConnectProviderThumbprint", update_thumbprint),
];

/// Lists are read up to here; too many have an error of their own.
const LIST_READ_MAX: usize = 1_000;

/// `OpenIDConnectProviderArn`
fn read_arn(fields: &mut Fields<'_>) -> String {
    fields.required("OpenIDConnectProviderArn", &ARN)
}

fn read_thumbprints(fields: &mut Fields<'_>, required: bool) -> Vec<String> {
    match required {
        true => fields.required_texts("ThumbprintList", 0..=LIST_READ_MAX, &THUMBPRINT),
        false => fields.texts("ThumbprintList", 0..=LIST_READ_MAX, &THUMBPRINT),
    }
}

fn read_client_ids(fields: &mut Fields<'_>) -> Vec<String> {
    fields.texts("ClientIDList", 0..=LIST_READ_MAX, &CLIENT_ID)
}

fn check_thumbprints(thumbprints: &[String]) -> Result<(), IamError> {
    if thumbprints.len() > THUMBPRINTS_MAX {
        return Err(IdentityError::quota("ThumbprintsPerOpenIdConnectProvider", THUMBPRINTS_MAX).into());
    }
    match thumbprints.iter().all(|text| text.bytes().all(|b| b.is_ascii_hexdigit())) {
        true => Ok(()),
        // AWS's text is not recorded.
        false => Err(IamError::validation("A thumbprint is the SHA-1 of a certificate, 40 hexadecimal digits.")),
    }
}

fn check_client_ids(client_ids: &[String]) -> Result<(), IamError> {
    match client_ids.len() > CLIENT_IDS_MAX {
        true => Err(IdentityError::quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_MAX).into()),
        false => Ok(()),
    }
}

/// The URL of the provider of this ARN, with leave to do the row's action on it, and the provider if there is one. Leave
/// comes before existence.
async fn asked_for(
    cx: &Cx<'_>,
    arn: &str,
    adds: &Adds<'_>,
) -> Result<(String, Grant, Option<ProviderRecord>), IamError> {
    let account = cx.account()?;
    let Some(url) = provider_url(arn, account) else {
        cx.grant_telling(arn, adds)?;
        // AWS's text is not recorded.
        return Err(IamError::validation(format!(
            "{arn} is not the ARN of an OpenID Connect provider of this account."
        )));
    };
    let provider = cx.identities().provider(account, url).await?;
    let tags = provider.as_ref().map(|provider| &provider.tags[..]).unwrap_or_default();
    let grant = cx.grant_telling(arn, &adds.clone().resource_tags(pairs(tags)))?;
    Ok((url.to_owned(), grant, provider))
}

/// As [`asked_for`]; that there is none is `NoSuchEntity`.
async fn existing(cx: &Cx<'_>, arn: &str, adds: &Adds<'_>) -> Result<(ProviderRecord, Grant), IamError> {
    let (url, grant, provider) = asked_for(cx, arn, adds).await?;
    match provider {
        Some(provider) => Ok((provider, grant)),
        None => Err(provider_absent(cx.account()?, &url).into()),
    }
}
