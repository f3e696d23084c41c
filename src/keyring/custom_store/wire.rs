//! What is said to an external key store proxy and what it answers: the AWS KMS XKS proxy API, version 1, pure.
//!
//! Source: github.com/aws/aws-kms-xksproxy-api-spec. Nothing here is secret: what a proxy encrypts is sealed already.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::ProxyFailure;
use crate::crypto::{constant_time_eq, sha256};

/// The only algorithm of version 1.
const ALGORITHM: &str = "AES_GCM";
/// Most bytes of `ciphertextMetadata`.
pub(super) const METADATA_MAX_BYTES: usize = 20;
/// Bytes of `authenticationTag`.
pub(super) const TAG_BYTES: usize = 16;
/// Bytes of `initializationVector`: one of the two.
pub(super) const IV_BYTES: [usize; 2] = [12, 16];
/// Most entries of `keyUsage` and of `ekmFleetDetails`.
const ENTRIES_MAX: usize = 10;

/// Who asked KMS for what: `requestMetadata`, in every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keyring) struct RequestMetadata {
    /// `awsPrincipalArn`; not with GetHealthStatus.
    pub(in crate::keyring) principal: Option<String>,
    /// `kmsKeyArn`; not before there is a key.
    pub(in crate::keyring) key_arn: Option<String>,
    /// `kmsOperation`.
    pub(in crate::keyring) operation: &'static str,
    /// `kmsRequestId`.
    pub(in crate::keyring) request_id: String,
    /// `kmsViaService`, e.g. `s3.us-east-1.amazonaws.com`.
    pub(in crate::keyring) via_service: Option<String>,
}

/// What a proxy made of a plaintext. Its parts go into the KMS ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keyring) struct Encrypted {
    /// As long as the plaintext.
    pub(in crate::keyring) ciphertext: Vec<u8>,
    /// At most [`METADATA_MAX_BYTES`].
    pub(in crate::keyring) metadata: Vec<u8>,
    /// One of [`IV_BYTES`].
    pub(in crate::keyring) iv: Vec<u8>,
    pub(in crate::keyring) tag: [u8; TAG_BYTES],
}

impl RequestMetadata {
    fn render(&self) -> Value {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                shown.insert(name.to_owned(), value.into());
            }
        };
        put("awsPrincipalArn", self.principal.as_deref());
        put("kmsKeyArn", self.key_arn.as_deref());
        put("kmsOperation", Some(self.operation));
        put("kmsRequestId", Some(&self.request_id));
        put("kmsViaService", self.via_service.as_deref());
        shown.into()
    }
}

/// The body of GetHealthStatus and GetKeyMetadata.
pub(super) fn render_question(metadata: &RequestMetadata) -> String {
    json!({ "requestMetadata": metadata.render() }).to_string()
}

/// The body of Encrypt. The proxy is asked to prove what it answers: `ciphertextDataIntegrityValue`.
pub(super) fn render_encrypt(metadata: &RequestMetadata, plain: &[u8], aad: &[u8]) -> String {
    json!({
        "requestMetadata": metadata.render(),
        "additionalAuthenticatedData": STANDARD.encode(aad),
        "plaintext": STANDARD.encode(plain),
        "encryptionAlgorithm": ALGORITHM,
        "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
    })
    .to_string()
}

/// The body of Decrypt.
pub(super) fn render_decrypt(metadata: &RequestMetadata, encrypted: &Encrypted, aad: &[u8]) -> String {
    let mut body = json!({
        "requestMetadata": metadata.render(),
        "additionalAuthenticatedData": STANDARD.encode(aad),
        "encryptionAlgorithm": ALGORITHM,
        "ciphertext": STANDARD.encode(&encrypted.ciphertext),
        "initializationVector": STANDARD.encode(&encrypted.iv),
        "authenticationTag": STANDARD.encode(encrypted.tag),
    });
    if !encrypted.metadata.is_empty() {
        body["ciphertextMetadata"] = STANDARD.encode(&encrypted.metadata).into();
    }
    body.to_string()
}

/// The failure that an answer with another status than 200 tells of, and the proxy's own words for the log.
pub(super) fn parse_failure(body: &[u8]) -> (ProxyFailure, String) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        error_name: String,
        #[serde(default)]
        error_message: String,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => {
            let words = format!("{} {}", printable(&answer.error_name), printable(&answer.error_message));
            (ProxyFailure::named(&answer.error_name), words.trim_end().to_owned())
        }
        Err(_) => (ProxyFailure::Malformed, "the answer is no JSON object with errorName".to_owned()),
    }
}

/// Longest text of a proxy that the log keeps: the specification's limit of `errorMessage`.
const WORDS_MAX_CHARS: usize = 512;

/// A foreign text must not write lines of its own into the log.
fn printable(text: &str) -> String {
    text.chars().filter(|c| (' '..='~').contains(c)).take(WORDS_MAX_CHARS).collect()
}

/// Checks an answer to GetHealthStatus: whole, and somebody behind the proxy is in service.
pub(super) fn parse_health(body: &[u8]) -> Result<(), ProxyFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "all members are required; what most of them say is for the proxy's vendor")]
    struct Answer {
        xks_proxy_fleet_size: u64,
        xks_proxy_vendor: String,
        xks_proxy_model: String,
        ekm_vendor: String,
        ekm_fleet_details: Vec<Instance>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "required as well")]
    struct Instance {
        id: String,
        model: String,
        health_status: Health,
    }
    #[derive(Deserialize, PartialEq, Eq)]
    #[serde(rename_all = "UPPERCASE")]
    enum Health {
        Active,
        Degraded,
        Unavailable,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| ProxyFailure::Malformed)?;
    let fleet = &answer.ekm_fleet_details;
    if !(1..=ENTRIES_MAX).contains(&fleet.len()) {
        return Err(ProxyFailure::Malformed);
    }
    match fleet.iter().all(|instance| instance.health_status == Health::Unavailable) {
        true => Err(ProxyFailure::AllUnavailable),
        false => Ok(()),
    }
}

/// What is wrong with an external key that a KMS key is to be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Not AES-256.
    Spec,
    /// Does not both encrypt and decrypt.
    Usage,
    /// Not enabled.
    Status,
}

/// Checks an answer to GetKeyMetadata: the external key is whole and fit to be used.
pub(super) fn parse_key_metadata(body: &[u8]) -> Result<Result<(), Unfit>, ProxyFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        key_spec: String,
        key_usage: Vec<String>,
        key_status: Status,
    }
    #[derive(Deserialize, PartialEq, Eq)]
    #[serde(rename_all = "UPPERCASE")]
    enum Status {
        Enabled,
        Disabled,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| ProxyFailure::Malformed)?;
    if answer.key_usage.len() > ENTRIES_MAX {
        return Err(ProxyFailure::Malformed);
    }
    let serves = |usage: &str| answer.key_usage.iter().any(|served| served == usage);
    Ok(if answer.key_spec != "AES_256" {
        Err(Unfit::Spec)
    } else if !serves("ENCRYPT") || !serves("DECRYPT") {
        Err(Unfit::Usage)
    } else if answer.key_status != Status::Enabled {
        Err(Unfit::Status)
    } else {
        Ok(())
    })
}

/// Reads an answer to Encrypt of a plaintext of `plain_len` bytes: lengths as specified, and the integrity value that
/// was asked for is that of what came.
pub(super) fn parse_encrypted(body: &[u8], plain_len: usize, aad: &[u8]) -> Result<Encrypted, ProxyFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        ciphertext: String,
        #[serde(default)]
        ciphertext_metadata: String,
        initialization_vector: String,
        authentication_tag: String,
        ciphertext_data_integrity_value: String,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| ProxyFailure::Malformed)?;
    let (ciphertext, metadata) = (decode(&answer.ciphertext)?, decode(&answer.ciphertext_metadata)?);
    let (iv, tag) = (decode(&answer.initialization_vector)?, decode(&answer.authentication_tag)?);
    let integrity = decode(&answer.ciphertext_data_integrity_value)?;
    let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| ProxyFailure::Malformed)?;
    let lengths_fit =
        ciphertext.len() == plain_len && metadata.len() <= METADATA_MAX_BYTES && IV_BYTES.contains(&iv.len());
    let expected = sha256(&[aad, &metadata, &iv, &ciphertext, &tag].concat());
    if !lengths_fit || !constant_time_eq(&expected, &integrity) {
        return Err(ProxyFailure::Malformed);
    }
    Ok(Encrypted { ciphertext, metadata, iv, tag })
}

/// Reads an answer to Decrypt of a ciphertext of `cipher_len` bytes.
pub(super) fn parse_decrypted(body: &[u8], cipher_len: usize) -> Result<Vec<u8>, ProxyFailure> {
    #[derive(Deserialize)]
    struct Answer {
        plaintext: String,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| ProxyFailure::Malformed)?;
    let plain = decode(&answer.plaintext)?;
    if plain.len() == cipher_len { Ok(plain) } else { Err(ProxyFailure::Malformed) }
}

fn decode(text: &str) -> Result<Vec<u8>, ProxyFailure> {
    STANDARD.decode(text).map_err(|_| ProxyFailure::Malformed)
}

#[cfg(test)]
mod tests;
