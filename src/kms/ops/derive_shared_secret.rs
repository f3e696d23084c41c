//! DeriveSharedSecret: ECDH with a peer's public key.

use super::{PUBLIC_KEY_BYTES, check_recipient};
use crate::crypto::SecretBytes;
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::UsedKey;
use crate::names::KeyAgreementAlgorithm;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    key: UsedKey,
    peer: SecretBytes,
    algorithm: KeyAgreementAlgorithm,
    recipient: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            peer: fields.required_blob("PublicKey", PUBLIC_KEY_BYTES),
            algorithm: fields.required_choice("KeyAgreementAlgorithm"),
            recipient: fields.has("Recipient"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    let found = cx
        .used_telling(&input.key, Told::of(&[(Key::KmsKeyAgreementAlgorithm, Value::Text(input.algorithm.as_str()))]))
        .await?;
    let usage = found.usage(cx, input.key.dry_run);
    let secret = cx.keyring.derive_shared_secret(&usage, input.algorithm, input.peer.expose()).await;
    let reply = Reply::of([
        ("KeyId", found.arn()),
        ("KeyAgreementAlgorithm", input.algorithm.as_str().into()),
        ("KeyOrigin", found.key.metadata.origin.name().into()),
    ]);
    Ok(reply.with_secret("SharedSecret", secret.map_err(Refusal::recorded)?))
}
