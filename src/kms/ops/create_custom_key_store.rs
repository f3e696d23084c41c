//! CreateCustomKeyStore: a store over an external key store proxy or a PKCS#11 token, not connected yet.

use crate::keyring::{NewBackend, NewKeyStore};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_stores::{BackendMembers, NAME_CHARS};
use crate::kms::reply::Reply;

pub(in crate::kms) struct Input {
    name: String,
    kind: Option<&'static str>,
    trust_anchor: Option<String>,
    backend: BackendMembers,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.required_text("CustomKeyStoreName", NAME_CHARS),
            kind: fields.word("CustomKeyStoreType", &["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]),
            trust_anchor: fields.text("TrustAnchorCertificate", 1..=5000),
            backend: BackendMembers::read(fields),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    input.backend.check_connectivity()?;
    let grant = cx.grant_on("kms:CreateCustomKeyStore", "*")?;
    let name = input.name.clone();
    let backend = if input.kind == Some("EXTERNAL_KEY_STORE") { read_proxy(input)? } else { read_token(input)? };
    let made = cx.keyring.create_key_store(&grant, &cx.call, NewKeyStore { name, backend }).await;
    Ok(Reply::of([("CustomKeyStoreId", made.map_err(Refusal::recorded)?.into())]))
}

fn read_proxy(input: Input) -> Result<NewBackend, KmsError> {
    let BackendMembers { cluster_id, pin, endpoint, path, credential, connectivity, vpc_service: _ } = input.backend;
    if cluster_id.is_some() || pin.is_some() || input.trust_anchor.is_some() {
        return Err(foreign("EXTERNAL_KEY_STORE"));
    }
    required(connectivity, "XksProxyConnectivity")?;
    Ok(NewBackend::Proxy {
        endpoint: required(endpoint, "XksProxyUriEndpoint")?,
        path: required(path, "XksProxyUriPath")?,
        credential: required(credential, "XksProxyAuthenticationCredential")?,
    })
}

fn read_token(input: Input) -> Result<NewBackend, KmsError> {
    let BackendMembers { cluster_id, pin, endpoint, path, credential, connectivity, vpc_service: _ } = input.backend;
    if endpoint.is_some() || path.is_some() || credential.is_some() || connectivity.is_some() {
        return Err(foreign("AWS_CLOUDHSM"));
    }
    Ok(NewBackend::Token {
        cluster_id: required(cluster_id, "CloudHsmClusterId")?,
        trust_anchor: required(input.trust_anchor, "TrustAnchorCertificate")?,
        pin: required(pin, "KeyStorePassword")?,
    })
}

// AWS's texts are not recorded.

fn required<T>(member: Option<T>, name: &str) -> Result<T, KmsError> {
    member.ok_or_else(|| KmsError::validation(format!("{name} is required for this type of custom key store.")))
}

fn foreign(kind: &str) -> KmsError {
    KmsError::validation(format!("A parameter of the request is not valid for a custom key store of type {kind}."))
}
