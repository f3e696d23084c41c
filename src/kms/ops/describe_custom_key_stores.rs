//! DescribeCustomKeyStores: the stores of the account in the Region, or one of them.

use serde_json::{Value, json};

use crate::keyring::{Backend, ConnectionState, KeyStore, KeyStoreFilter};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_stores::{KEY_STORE_ID_CHARS, NAME_CHARS};
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::Paging;

/// More than an account can have: a page has them all unless a limit is given.
const PAGE: u32 = 100;

pub(in crate::kms) struct Input {
    id: Option<String>,
    name: Option<String>,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            id: fields.text("CustomKeyStoreId", KEY_STORE_ID_CHARS),
            name: fields.text("CustomKeyStoreName", NAME_CHARS),
            paging: Paging::read(fields, PAGE, PAGE),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let filter = match (input.id, input.name) {
        (None, None) => KeyStoreFilter::All,
        (Some(id), None) => KeyStoreFilter::Id(id),
        (None, Some(name)) => KeyStoreFilter::Name(name),
        (Some(_), Some(_)) => {
            // AWS's text is not recorded.
            let text = "You can specify CustomKeyStoreId or CustomKeyStoreName, but not both.";
            return Err(KmsError::validation(text).into());
        }
    };
    let grant = cx.grant_on("kms:DescribeCustomKeyStores", "*")?;
    let Paging { limit, marker } = input.paging;
    let page = cx.keyring.describe_key_stores(&grant, &cx.call, &filter, limit, marker.as_deref()).await;
    Ok(Reply::page("CustomKeyStores", page.map_err(Refusal::recorded)?, render_store))
}

/// `CustomKeyStoresListEntry` of the model. Secrets are never told.
fn render_store(store: KeyStore) -> Value {
    let mut shown = json!({
        "CustomKeyStoreId": store.id,
        "CustomKeyStoreName": store.name,
        "ConnectionState": store.connection.name(),
        "CreationDate": epoch_seconds(store.created),
    });
    if let ConnectionState::Failed(error) = store.connection {
        shown["ConnectionErrorCode"] = error.name().into();
    }
    match store.backend {
        Backend::Proxy { endpoint, path, access_key_id } => {
            shown["CustomKeyStoreType"] = "EXTERNAL_KEY_STORE".into();
            shown["XksProxyConfiguration"] = json!({
                "Connectivity": "PUBLIC_ENDPOINT", "AccessKeyId": access_key_id, "UriEndpoint": endpoint, "UriPath": path,
            });
        }
        Backend::Token { cluster_id, trust_anchor } => {
            shown["CustomKeyStoreType"] = "AWS_CLOUDHSM".into();
            shown["CloudHsmClusterId"] = cluster_id.into();
            shown["TrustAnchorCertificate"] = trust_anchor.into();
        }
    }
    shown
}
