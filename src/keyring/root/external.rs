//! A root under a key of an external key service that speaks the AWS KMS API: AWS itself, or another Strongroom.
//!
//! The root's secret lies in the list of roots as that service's ciphertext. Where the service is and who asks comes
//! from the settings.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::{RootError, RootSecret, hex};
use crate::client::Endpoint;
use crate::crypto::{SecretBytes, SecretKey, sha256};
use crate::sigv4::{SignedParts, Signer, sign_headers};
use crate::sources::Sources;

/// The encryption context of a root at the other service. Frozen: ciphertexts under it exist.
const CONTEXT: (&str, &str) = ("strongroom", "root of trust v1");
/// Longest file of credentials that is read, in bytes.
const CREDENTIALS_MAX_BYTES: u64 = 16 * 1024;

/// Where the service is and who asks: `root_kms_*` of the settings.
#[derive(Debug, Clone)]
pub struct KeyService {
    /// URL without a path.
    pub endpoint: String,
    /// The service's Region.
    pub region: String,
    /// A JSON object with `access_key_id`, `secret_access_key` and perhaps `session_token`; mode 0600.
    pub credentials_file: PathBuf,
    /// Certificates to believe, PEM; `None`: the system's.
    pub ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Credentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: Option<&'a str>,
}

impl KeyService {
    /// Has the service seal a root's secret under its key `key_id`.
    pub async fn seal(&self, key_id: &str, secret: &RootSecret, sources: &Sources) -> Result<Vec<u8>, RootError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "CiphertextBlob")]
            ciphertext: String,
        }
        let plaintext = SecretBytes::new(STANDARD.encode(secret.key().expose()).into_bytes());
        let head = json!({ "KeyId": key_id, "EncryptionContext": { CONTEXT.0: CONTEXT.1 } }).to_string();
        // Put together by hand: a JSON value would keep a copy of the secret that nobody wipes.
        let head = head.strip_suffix('}').unwrap_or(&head);
        let body = [head.as_bytes(), b",\"Plaintext\":\"", plaintext.expose(), b"\"}"].concat();
        let answer = self.call("Encrypt", SecretBytes::new(body), sources).await?;
        let answer: Answer = serde_json::from_slice(answer.expose()).map_err(|_| self.nonsense())?;
        let sealed = STANDARD.decode(answer.ciphertext).map_err(|_| self.nonsense())?;
        // What the service does not open again must not become a root.
        let opened = self.open(key_id, &sealed, sources).await?;
        if opened.id() == secret.id() { Ok(sealed) } else { Err(self.nonsense()) }
    }

    /// Has the service open what it has sealed.
    pub async fn open(&self, key_id: &str, sealed: &[u8], sources: &Sources) -> Result<RootSecret, RootError> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            /// Borrowed: the text is nowhere but in the body, which is wiped.
            #[serde(rename = "Plaintext")]
            plaintext: &'a str,
        }
        let body = json!({
            "KeyId": key_id,
            "EncryptionContext": { CONTEXT.0: CONTEXT.1 },
            "CiphertextBlob": STANDARD.encode(sealed),
        });
        let answer = self.call("Decrypt", SecretBytes::new(body.to_string().into_bytes()), sources).await?;
        let answer: Answer<'_> = serde_json::from_slice(answer.expose()).map_err(|_| self.nonsense())?;
        let plain = SecretBytes::new(STANDARD.decode(answer.plaintext).map_err(|_| self.nonsense())?);
        SecretKey::from_slice(plain.expose()).map(RootSecret::of_key).ok_or_else(|| self.nonsense())
    }

    async fn call(&self, operation: &str, body: SecretBytes, sources: &Sources) -> Result<SecretBytes, RootError> {
        let failed = |error: String| RootError::Io(format!("the key service at {}: {error}", self.endpoint));
        let endpoint = Endpoint::parse(&self.endpoint, self.ca_file.as_deref()).map_err(failed)?;
        let headers = self.sign(endpoint.host_header(), operation, body.expose(), sources)?;
        let answer = endpoint.post(headers, Bytes::from_owner(Wiped(body))).await.map_err(failed)?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        #[derive(Deserialize)]
        struct Refusal {
            #[serde(rename = "__type")]
            code: String,
            #[serde(default, alias = "Message")]
            message: String,
        }
        let refusal: Option<Refusal> = serde_json::from_slice(answer.body.expose()).ok();
        let shown = refusal.map_or_else(|| answer.status.to_string(), |r| format!("{}: {}", r.code, r.message));
        Err(failed(format!("{operation} was refused with {shown}")))
    }

    /// Signature Version 4 over all headers.
    fn sign(&self, host: &str, operation: &str, body: &[u8], sources: &Sources) -> Result<HeaderMap, RootError> {
        let file = read_private(&self.credentials_file)?;
        let shown = self.credentials_file.display();
        let wrong = || RootError::Malformed(format!("{shown} is no JSON object with access_key_id, secret_access_key"));
        let credentials: Credentials<'_> = serde_json::from_slice(file.expose()).map_err(|_| wrong())?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = format!("TrentService.{operation}");
        headers.insert("x-amz-target", HeaderValue::from_str(&target).map_err(|_| wrong())?);
        if let Some(token) = credentials.session_token {
            headers.insert("x-amz-security-token", HeaderValue::from_str(token).map_err(|_| wrong())?);
        }
        let secret = SecretBytes::new(credentials.secret_access_key.as_bytes().to_vec());
        // What goes into a header without a check there.
        let access_key_id = credentials.access_key_id;
        if !access_key_id.bytes().chain(self.region.bytes()).all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        let signer =
            Signer { access_key_id, secret: &secret, region: &self.region, service: "kms", now: sources.now() };
        let parts = SignedParts { method: "POST", path: "/", query: "", headers: &headers, host };
        Ok(sign_headers(&signer, &parts, &hex(&sha256(body))).0)
    }

    fn nonsense(&self) -> RootError {
        RootError::Io(format!("the key service at {} answered something else than it was asked for", self.endpoint))
    }
}

/// A body that is wiped when it was sent. What hyper and TLS copy of it into their buffers is not.
struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// A file that only its owner can read.
pub fn read_private(path: &Path) -> Result<SecretBytes, RootError> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let shown = path.display();
    let unread = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => RootError::Missing(format!("{shown} is missing")),
        _ => RootError::Io(format!("cannot read {shown}: {error}")),
    };
    let file = std::fs::File::open(path).map_err(unread)?;
    let mode = file.metadata().map_err(unread)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(RootError::Permissions(format!(
            "{shown} can be read or changed by others (mode {:04o}): run chmod 600 {shown}, and change the secret in it \
             if others may have read it",
            mode & 0o7777
        )));
    }
    let mut text = Vec::with_capacity(4096);
    file.take(CREDENTIALS_MAX_BYTES).read_to_end(&mut text).map_err(unread)?;
    Ok(SecretBytes::new(text))
}
