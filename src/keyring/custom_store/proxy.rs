//! Requests to an external key store proxy: signed, over TLS, each within the time that is set.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use tokio_rustls::TlsConnector;

use super::failure::ProxyFailure;
use super::record::ProxyRecord;
use super::wire::{self, Encrypted, RequestMetadata, Unfit};
use crate::client::{Answer, Endpoint, ExchangeError, Trust, connector};
use crate::crypto::{SecretBytes, sha256};
use crate::names::{Region, hex};
use crate::sigv4::{SignedParts, Signer, sign_headers};
use crate::sources::Sources;

/// The service of the signatures' scope.
const SERVICE: &str = "kms-xks-proxy";
/// The port that AWS KMS uses.
pub const XKS_PORT_DEFAULT: u16 = 443;
/// The time that AWS KMS waits for a proxy, the connection included.
pub const XKS_TIMEOUT_DEFAULT: Duration = Duration::from_millis(250);

/// How proxies are reached: `xks_*` of the settings.
#[expect(missing_debug_implementations, reason = "a TLS configuration says nothing")]
pub struct ProxyClient {
    ca_file: Option<PathBuf>,
    port: u16,
    limit: Duration,
    connector: OnceLock<Result<TlsConnector, String>>,
}

impl Default for ProxyClient {
    fn default() -> Self {
        Self::new(None, XKS_PORT_DEFAULT, XKS_TIMEOUT_DEFAULT)
    }
}

impl ProxyClient {
    /// Believes the system's certificates and those of `ca_file` (PEM); `limit` is for a whole request.
    pub fn new(ca_file: Option<PathBuf>, port: u16, limit: Duration) -> Self {
        Self { ca_file, port, limit, connector: OnceLock::new() }
    }

    /// Reads the certificates, so that what is wrong with them shows before a proxy is needed.
    pub fn check(&self) -> Result<(), String> {
        self.connector().map(drop)
    }

    /// Read once: a session with a proxy can then be resumed by the next request.
    fn connector(&self) -> Result<TlsConnector, String> {
        let trust = self.ca_file.as_deref().map_or(Trust::System, |file: &Path| Trust::SystemAnd(file));
        self.connector.get_or_init(|| connector(trust)).clone()
    }
}

/// One proxy, with what it takes to ask it.
pub(in crate::keyring) struct Proxy<'a> {
    pub(in crate::keyring) client: &'a ProxyClient,
    pub(in crate::keyring) sources: &'a Sources,
    pub(in crate::keyring) region: &'a Region,
    pub(in crate::keyring) at: &'a ProxyRecord,
    pub(in crate::keyring) secret: &'a SecretBytes,
}

impl Proxy<'_> {
    /// GetHealthStatus: the proxy knows the credential and somebody behind it is in service.
    pub(in crate::keyring) async fn check_health(&self, metadata: &RequestMetadata) -> Result<(), ProxyFailure> {
        let body = self.ask("/health", wire::render_question(metadata)).await?;
        wire::parse_health(body.expose()).inspect_err(|failure| self.log("health", *failure, "the answer"))
    }

    /// GetKeyMetadata: whether a KMS key can be made of an external key.
    pub(super) async fn check_key(
        &self,
        key: &str,
        metadata: &RequestMetadata,
    ) -> Result<Result<(), Unfit>, ProxyFailure> {
        let body = self.ask(&format!("/keys/{key}/metadata"), wire::render_question(metadata)).await?;
        wire::parse_key_metadata(body.expose()).inspect_err(|failure| self.log("metadata", *failure, "the answer"))
    }

    /// Encrypt.
    pub(super) async fn encrypt(
        &self,
        key: &str,
        metadata: &RequestMetadata,
        plain: &[u8],
        aad: &[u8],
    ) -> Result<Encrypted, ProxyFailure> {
        let request = wire::render_encrypt(metadata, plain, aad);
        let body = self.ask(&format!("/keys/{key}/encrypt"), request).await?;
        let parsed = wire::parse_encrypted(body.expose(), plain.len(), aad);
        parsed.inspect_err(|failure| self.log("encrypt", *failure, "the answer"))
    }

    /// Decrypt.
    pub(super) async fn decrypt(
        &self,
        key: &str,
        metadata: &RequestMetadata,
        encrypted: &Encrypted,
        aad: &[u8],
    ) -> Result<Vec<u8>, ProxyFailure> {
        let request = wire::render_decrypt(metadata, encrypted, aad);
        let body = self.ask(&format!("/keys/{key}/decrypt"), request).await?;
        let parsed = wire::parse_decrypted(body.expose(), encrypted.ciphertext.len());
        parsed.inspect_err(|failure| self.log("decrypt", *failure, "the answer"))
    }

    /// One request, never repeated: whether to try again is the caller's to decide, who knows how long it has waited.
    async fn ask(&self, operation: &str, body: String) -> Result<SecretBytes, ProxyFailure> {
        let answer = self.post(operation, body).await.map_err(|error| {
            let failure = match error {
                ExchangeError::Unreachable(_) | ExchangeError::Broken(_) => ProxyFailure::Unreachable,
                ExchangeError::Tls(_) => ProxyFailure::Tls,
                ExchangeError::TimedOut(_) => ProxyFailure::TimedOut,
            };
            self.log(operation, failure, &error.to_string());
            failure
        })?;
        if answer.status == http::StatusCode::OK {
            return Ok(answer.body);
        }
        let (failure, words) = wire::parse_failure(answer.body.expose());
        self.log(operation, failure, &format!("{}: {words}", answer.status));
        Err(failure)
    }

    async fn post(&self, operation: &str, body: String) -> Result<Answer, ExchangeError> {
        let connector = self.client.connector().map_err(ExchangeError::Tls)?;
        let host = self.at.endpoint.strip_prefix("https://").unwrap_or(&self.at.endpoint);
        let endpoint = Endpoint::https(host, self.client.port, connector);
        let path = format!("{}{operation}", self.at.path);
        let headers = self.sign(endpoint.host_header(), &path, body.as_bytes());
        endpoint.post_to(&path, headers, Bytes::from(body), self.client.limit).await
    }

    /// Signature Version 4 over `host` and `x-amz-date`, as the specification has it.
    fn sign(&self, host: &str, path: &str, body: &[u8]) -> HeaderMap {
        let (access_key_id, secret, now) = (self.at.access_key_id.as_str(), self.secret, self.sources.now());
        let signer = Signer { access_key_id, secret, region: self.region.as_str(), service: SERVICE, now };
        let parts = SignedParts { method: "POST", path, query: "", headers: &HeaderMap::new(), host };
        let mut headers = sign_headers(&signer, &parts, &hex(&sha256(body))).0;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers
    }

    fn log(&self, operation: &str, failure: ProxyFailure, words: &str) {
        let endpoint = &self.at.endpoint;
        tracing::warn!(endpoint, operation, ?failure, words, "an external key store proxy did not do what was asked");
    }
}
