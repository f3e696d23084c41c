//! Encrypt: seals up to 4,096 bytes.

use super::{PLAINTEXT_BYTES, read_algorithm};
use crate::crypto::SecretBytes;
use crate::keyring::{EncryptionContext, Sealing, Told};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::UsedKey;
use crate::names::EncryptionAlgorithm;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    key: UsedKey,
    plaintext: SecretBytes,
    context: EncryptionContext,
    algorithm: EncryptionAlgorithm,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            plaintext: fields.required_blob("Plaintext", PLAINTEXT_BYTES),
            key: UsedKey::read(fields),
            context: fields.context("EncryptionContext"),
            algorithm: read_algorithm(fields, "EncryptionAlgorithm"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx
        .used_telling(
            &input.key,
            Told::sealing(&[(Key::KmsEncryptionAlgorithm, Value::Text(input.algorithm.as_str()))], &input.context),
        )
        .await?;
    let usage = found.usage(cx, input.key.dry_run);
    let sealing = Sealing { algorithm: input.algorithm, context: &input.context };
    let sealed = cx.keyring.encrypt(&usage, sealing, input.plaintext.expose()).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("CiphertextBlob", blob(&sealed.ciphertext)),
        ("KeyId", found.arn()),
        ("EncryptionAlgorithm", input.algorithm.as_str().into()),
    ]))
}
