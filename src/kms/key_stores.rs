//! What the inputs of the operations on custom key stores have in common.

use std::ops::RangeInclusive;

use super::error::KmsError;
use super::input::Fields;
use crate::crypto::SecretBytes;
use crate::keyring::ProxyCredential;
use crate::names::is_cluster_id;

/// Characters of a `CustomKeyStoreId`.
pub(super) const KEY_STORE_ID_CHARS: RangeInclusive<usize> = 1..=64;
/// Characters of a `CustomKeyStoreName`.
pub(super) const NAME_CHARS: RangeInclusive<usize> = 1..=256;

const CLUSTER_ID: &str = "cluster-[2-7a-zA-Z]{11,16}";
const ENDPOINT: &str = "^https://[a-zA-Z0-9.-]+$";
const PATH: &str = r"^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$";
const ACCESS_KEY_ID: &str = "^[A-Z2-7]+$";
const SECRET: &str = r"^[a-zA-Z0-9\/+=]+$";

/// The whole input of an operation on one store: `CustomKeyStoreId`.
pub(super) struct OneStore {
    pub(super) id: String,
}

/// The members that say what is behind a store, as CreateCustomKeyStore and UpdateCustomKeyStore have them.
pub(super) struct BackendMembers {
    pub(super) cluster_id: Option<String>,
    pub(super) pin: Option<SecretBytes>,
    pub(super) endpoint: Option<String>,
    pub(super) path: Option<String>,
    pub(super) credential: Option<ProxyCredential>,
    pub(super) connectivity: Option<&'static str>,
    pub(super) vpc_service: bool,
}

impl OneStore {
    pub(super) fn read(fields: &mut Fields) -> Self {
        Self { id: fields.required_text("CustomKeyStoreId", KEY_STORE_ID_CHARS) }
    }
}

impl BackendMembers {
    pub(super) fn read(fields: &mut Fields) -> Self {
        let mut formed = |name: &str, length: RangeInclusive<usize>, pattern: &str, fits: fn(&str) -> bool| {
            let text = fields.text(name, length)?;
            fields.check_form(name, &text, pattern, fits);
            Some(text)
        };
        let cluster_id = formed("CloudHsmClusterId", 19..=24, CLUSTER_ID, is_cluster_id);
        let endpoint = formed("XksProxyUriEndpoint", 10..=128, ENDPOINT, is_endpoint);
        let path = formed("XksProxyUriPath", 10..=128, PATH, is_path);
        let vpc_service = ["XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner"];
        Self {
            cluster_id,
            endpoint,
            path,
            pin: fields.secret_text("KeyStorePassword", 7..=32),
            credential: read_credential(fields),
            connectivity: fields.word("XksProxyConnectivity", &["PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"]),
            vpc_service: vpc_service.iter().any(|name| fields.has(name)),
        }
    }

    /// A VPC endpoint service is a thing of AWS's networks: there is none here, and no public endpoint in its place.
    pub(super) fn check_connectivity(&self) -> Result<(), KmsError> {
        if self.connectivity == Some("VPC_ENDPOINT_SERVICE") || self.vpc_service {
            return Err(KmsError::unsupported(
                "XksProxyConnectivity VPC_ENDPOINT_SERVICE is not supported: there are no VPC endpoint services \
                 outside AWS. Use PUBLIC_ENDPOINT with an endpoint that this server reaches.",
            ));
        }
        Ok(())
    }
}

fn read_credential(fields: &mut Fields) -> Option<ProxyCredential> {
    const ID: &str = "xksProxyAuthenticationCredential.accessKeyId";
    const RAW: &str = "xksProxyAuthenticationCredential.rawSecretAccessKey";
    if !fields.flatten("XksProxyAuthenticationCredential") {
        return None;
    }
    let mut member = |name: &str, length: RangeInclusive<usize>, pattern: &str, allows: fn(u8) -> bool| {
        let Some(text) = fields.secret_text(name, length) else {
            fields.fault(name, "null", "Member must not be null");
            return SecretBytes::new(Vec::new());
        };
        if !text.expose().iter().copied().all(allows) {
            fields.secret_fault(name, &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        text
    };
    let id = member(ID, 20..=30, ACCESS_KEY_ID, |b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
    let secret = member(RAW, 43..=64, SECRET, |b| b.is_ascii_alphanumeric() || b"/+=".contains(&b));
    let access_key_id = String::from_utf8_lossy(id.expose()).into_owned();
    Some(ProxyCredential { access_key_id, secret })
}

fn is_endpoint(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b".-".contains(&b);
    text.strip_prefix("https://").is_some_and(|host| !host.is_empty() && host.bytes().all(legal))
}

fn is_path(text: &str) -> bool {
    let Some((prefix, version)) = text.rsplit_once("/kms/xks/v") else { return false };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"/_-".contains(&b);
    let prefix_fits = prefix.is_empty() || (prefix.len() > 1 && prefix.starts_with('/') && prefix.bytes().all(legal));
    prefix_fits && (1..=2).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for good in ["/kms/xks/v1", "/kms/xks/v12", "/a/kms/xks/v1", "/a-b/_C/9/kms/xks/v1", "/kms/xks/v1/kms/xks/v1"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "kms/xks/v1", "/kms/xks/v", "/kms/xks/v123", "/kms/xks/v1/", "//kms/xks/v1", "/a.b/kms/xks/v1"]
        {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(is_endpoint("https://xks.example.com") && is_endpoint("https://127.0.0.1"));
        for bad in ["http://a.example", "https://", "https://a:443", "https://a/b", "https://[::1]", "HTTPS://a"] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
