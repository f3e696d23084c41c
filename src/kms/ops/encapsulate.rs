//! Encapsulate: a fresh shared secret, and its ciphertext for the holder of the private key.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::UsedKey;
use crate::names::EncapsulationAlgorithm;

pub(in crate::kms) struct Input {
    key: UsedKey,
    algorithm: EncapsulationAlgorithm,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: UsedKey::read(fields), algorithm: fields.required_choice("EncapsulationAlgorithm") }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.used(&input.key).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let made = cx.keyring.encapsulate(&usage, input.algorithm).await.map_err(Refusal::recorded)?;
    let reply = Reply::of([
        ("KeyId", found.arn()),
        ("SharedSecretCiphertextBlob", blob(&made.ciphertext)),
        ("EncapsulationAlgorithm", input.algorithm.as_str().into()),
    ]);
    Ok(reply.with_secret("SharedSecret", made.secret))
}
