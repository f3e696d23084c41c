//! VerifyMac: whether an HMAC is that of a message. Another one is an error, never an answer.

use super::{MESSAGE_BYTES, SIGNATURE_BYTES};
use crate::crypto::SecretBytes;
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::UsedKey;
use crate::names::MacAlgorithm;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    key: UsedKey,
    message: SecretBytes,
    mac: SecretBytes,
    algorithm: MacAlgorithm,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            message: fields.required_blob("Message", MESSAGE_BYTES),
            mac: fields.required_blob("Mac", SIGNATURE_BYTES),
            algorithm: fields.required_choice("MacAlgorithm"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found =
        cx.used_telling(&input.key, Told::of(&[(Key::KmsMacAlgorithm, Value::Text(input.algorithm.as_str()))])).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let (message, mac) = (input.message.expose(), input.mac.expose());
    cx.keyring.verify_mac(&usage, input.algorithm, message, mac).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("KeyId", found.arn()),
        ("MacValid", true.into()),
        ("MacAlgorithm", input.algorithm.as_str().into()),
    ]))
}
