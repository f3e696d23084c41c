//! Verify: whether a signature holds. One that does not is an error, never an answer.

use super::{MESSAGE_BYTES, SIGNATURE_BYTES, message_keys};
use crate::crypto::SecretBytes;
use crate::keyring::{Message, Told};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::UsedKey;
use crate::names::{MessageType, SigningAlgorithm};

pub(in crate::kms) struct Input {
    key: UsedKey,
    message: SecretBytes,
    message_type: MessageType,
    signature: SecretBytes,
    algorithm: SigningAlgorithm,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            message: fields.required_blob("Message", MESSAGE_BYTES),
            message_type: fields.choice("MessageType").unwrap_or(MessageType::Raw),
            signature: fields.required_blob("Signature", SIGNATURE_BYTES),
            algorithm: fields.required_choice("SigningAlgorithm"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.used_telling(&input.key, Told::of(&message_keys(input.algorithm, input.message_type))).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let Input { algorithm, message_type, .. } = input;
    let message = Message { algorithm, message_type, bytes: input.message.expose() };
    cx.keyring.verify(&usage, message, input.signature.expose()).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("KeyId", found.arn()),
        ("SignatureValid", true.into()),
        ("SigningAlgorithm", algorithm.as_str().into()),
    ]))
}
