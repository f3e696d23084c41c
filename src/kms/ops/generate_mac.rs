//! GenerateMac: the HMAC of a message.

use super::MESSAGE_BYTES;
use crate::crypto::SecretBytes;
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::UsedKey;
use crate::names::MacAlgorithm;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    key: UsedKey,
    message: SecretBytes,
    algorithm: MacAlgorithm,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            message: fields.required_blob("Message", MESSAGE_BYTES),
            algorithm: fields.required_choice("MacAlgorithm"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found =
        cx.used_telling(&input.key, Told::of(&[(Key::KmsMacAlgorithm, Value::Text(input.algorithm.as_str()))])).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let mac = cx.keyring.generate_mac(&usage, input.algorithm, input.message.expose()).await;
    Ok(Reply::of([
        ("Mac", blob(&mac.map_err(Refusal::recorded)?)),
        ("MacAlgorithm", input.algorithm.as_str().into()),
        ("KeyId", found.arn()),
    ]))
}
