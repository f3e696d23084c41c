//! Decapsulate: the shared secret that a ciphertext carries.

use super::CIPHERTEXT_BYTES;
use crate::crypto::SecretBytes;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::UsedKey;
use crate::names::EncapsulationAlgorithm;

pub(in crate::kms) struct Input {
    key: UsedKey,
    ciphertext: SecretBytes,
    algorithm: EncapsulationAlgorithm,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            ciphertext: fields.required_blob("SharedSecretCiphertextBlob", CIPHERTEXT_BYTES),
            algorithm: fields.required_choice("EncapsulationAlgorithm"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.used(&input.key).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let secret = cx.keyring.decapsulate(&usage, input.algorithm, input.ciphertext.expose()).await;
    let reply = Reply::of([("KeyId", found.arn()), ("EncapsulationAlgorithm", input.algorithm.as_str().into())]);
    Ok(reply.with_secret("SharedSecret", secret.map_err(Refusal::recorded)?))
}
