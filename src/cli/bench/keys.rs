//! Operations of the key service under load: one key, and for each operation the same request again and again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::client::{Answer, Call, Client, Failure};
use super::plan::Operation;
use super::{BenchArgs, BenchError, sign};
use crate::crypto;

/// Encrypt's limit.
pub(super) const PLAINTEXT_MAX_BYTES: u64 = 4096;

/// The key, and what is asked of it.
pub(super) struct KeyCalls {
    key_id: String,
    /// By this run, which schedules its deletion at the end.
    made: bool,
    generate: Prepared,
    decrypt: Prepared,
    encrypt: Prepared,
}

/// A request without its signature; the hash of its body is computed once.
struct Prepared {
    headers: [(&'static str, String); 2],
    body: Bytes,
    payload_hash: String,
}

impl Prepared {
    fn new(operation: &str, input: &Value) -> Self {
        let body = Bytes::from(input.to_string());
        let headers = [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", format!("TrentService.{operation}")),
        ];
        Self { headers, payload_hash: sign::hex(&crypto::sha256(&body)), body }
    }

    async fn call(&self, client: &mut Client, wants_body: bool) -> Result<Answer, Failure> {
        let (headers, payload_hash) = (&self.headers, &self.payload_hash);
        let body = self.body.clone();
        client.call(&Call { method: Method::POST, path: "/", query: "", headers, payload_hash, body, wants_body }).await
    }
}

impl KeyCalls {
    /// Makes a key unless one is named, and a data key to decrypt. `content` is what is encrypted.
    pub(super) async fn prepare(client: &mut Client, args: &BenchArgs, content: &[u8]) -> Result<Self, BenchError> {
        let failed = |e: Failure| BenchError::Request("cannot prepare the key", e.detail);
        let key_id = match &args.kms_key {
            Some(key) => key.clone(),
            None => {
                let create = Prepared::new("CreateKey", &json!({ "Description": "strongroom bench" }));
                let made = create.call(client, true).await.map_err(failed)?;
                text(&made, &["KeyMetadata", "KeyId"]).map_err(failed)?
            }
        };
        let generate = Prepared::new("GenerateDataKey", &json!({ "KeyId": key_id, "KeySpec": "AES_256" }));
        let made = generate.call(client, true).await.map_err(failed)?;
        let sealed = text(&made, &["CiphertextBlob"]).map_err(failed)?;
        let encrypt = json!({ "KeyId": key_id, "Plaintext": BASE64.encode(content) });
        Ok(Self {
            made: args.kms_key.is_none(),
            generate,
            decrypt: Prepared::new("Decrypt", &json!({ "CiphertextBlob": sealed })),
            encrypt: Prepared::new("Encrypt", &encrypt),
            key_id,
        })
    }

    /// One operation; `None` for those of S3.
    pub(super) async fn perform(&self, client: &mut Client, operation: Operation) -> Option<Result<u64, Failure>> {
        let prepared = match operation {
            Operation::DataKey => &self.generate,
            Operation::Decrypt => &self.decrypt,
            Operation::Encrypt => &self.encrypt,
            Operation::Put | Operation::Get | Operation::Head | Operation::Delete | Operation::List => return None,
        };
        Some(prepared.call(client, false).await.map(|_| 0))
    }

    /// Schedules the deletion of a key that this run has made.
    pub(super) async fn tidy_up(&self, client: &mut Client) -> Result<(), BenchError> {
        if !self.made {
            return Ok(());
        }
        let input = json!({ "KeyId": self.key_id, "PendingWindowInDays": 7 });
        let scheduled = Prepared::new("ScheduleKeyDeletion", &input).call(client, false).await;
        scheduled.map(|_| ()).map_err(|e| BenchError::Request("cannot schedule the key's deletion", e.detail))
    }
}

fn text(answer: &Answer, path: &[&str]) -> Result<String, Failure> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let member = path.iter().fold(&body, |value, name| &value[*name]);
    let missing = || Failure::of("Answer", format!("the answer has no {}", path.join(".")));
    member.as_str().map(str::to_owned).ok_or_else(missing)
}
