//! CreateOpenIDConnectProvider. The issuer is not asked for anything yet.

use http::Uri;
use serde_json::json;

use super::{check_client_ids, check_thumbprints, read_client_ids, read_thumbprints};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, tags};
use crate::iam::shapes::{ANY, OIDC_PROVIDER_URL, read_tags};
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::NewProvider;

pub(in crate::iam) struct Input {
    url: String,
    client_ids: Vec<String>,
    thumbprints: Vec<String>,
    tags: Vec<(String, String)>,
    identity_center: bool,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        let instance = fields.text("IdentityCenterInstanceArn", &ANY).is_some();
        Self {
            url: fields.required("Url", &OIDC_PROVIDER_URL),
            client_ids: read_client_ids(fields),
            thumbprints: read_thumbprints(fields, false),
            tags: read_tags(fields),
            identity_center: instance || fields.has("ContextProvider"),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let account = cx.account()?;
    // A URL that is none has leave asked for it too, so that who may do nothing learns nothing.
    let named = input.url.strip_prefix("https://").unwrap_or(&input.url);
    let arn = format!("arn:aws:iam::{account}:oidc-provider/{named}");
    let adds = Adds::new().request_tags(&input.tags);
    let grant = cx.grant_telling(&arn, &adds)?;
    if !input.tags.is_empty() {
        cx.grant_for("iam:TagOpenIDConnectProvider", &arn, &adds)?;
    }
    if input.identity_center {
        let text = "ContextProvider and IdentityCenterInstanceArn are not served: this server has no Identity Center.";
        return Err(IamError::validation(text));
    }
    // As AWS words it, as far as is known.
    let url = checked(&input.url).ok_or_else(|| IamError::validation("Invalid Open ID Connect Provider URL"))?;
    check_client_ids(&input.client_ids)?;
    check_thumbprints(&input.thumbprints)?;
    check_tags(&input.tags)?;
    let new = NewProvider {
        url,
        client_ids: input.client_ids,
        thumbprints: input.thumbprints,
        tags: stored_tags(&input.tags),
    };
    let (provider, draft) = cx.identities().create_provider(&grant, &new).await?;
    let arn = provider.arn(account);
    let reply = Reply::result(|w| {
        w.leaf("OpenIDConnectProviderArn", &arn);
        if !input.tags.is_empty() {
            tags(w, input.tags.iter().map(|(key, value)| (key, value)));
        }
    });
    cx.done(reply.recording(json!({ "openIDConnectProviderArn": arn })), draft).await
}

/// Host and path of an issuer's URL. It is https, with neither user nor query nor fragment (OpenID Connect Discovery
/// 1.0, section 3), and a host in lower case, so that it has one spelling. Unlike on AWS it may have a port.
fn checked(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let uri: Uri = url.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let authority = uri.authority()?.as_str();
    let plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"?#@\\\"<>{}|^`*%".contains(&b));
    let lower = !host.bytes().any(|b| b.is_ascii_uppercase());
    let port = authority.len() == host.len() || uri.port_u16().is_some_and(|port| port != 443);
    (plain && lower && port && !rest.contains("//") && !rest.contains("/.")).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_issuers() {
        for good in [
            "idp.example.com",
            "token.actions.githubusercontent.com",
            "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B716D3041E",
            "tenant.auth0.com/",
            "localhost:8443",
            "127.0.0.1:8443/a",
        ] {
            assert_eq!(checked(&format!("https://{good}")).as_deref(), Some(good));
        }
        for bad in [
            "http://idp.example.com",
            "HTTPS://idp.example.com",
            "idp.example.com",
            "https://",
            "https:///a",
            "https://IdP.example.com",
            "https://idp.example.com?x",
            "https://idp.example.com/#x",
            "https://user@idp.example.com",
            "https://idp.example.com:443",
            "https://idp.example.com:",
            "https://idp.example.com:99999",
            "https://idp.example.com//a",
            "https://idp.example.com/../a",
            "https://idp.example.com/a b",
            "https://idp.example.com/%2e",
            "https://idp.example.com/*",
            "https://idp.ex\u{430}mple.com",
        ] {
            assert_eq!(checked(bad), None, "{bad}");
        }
    }
}
