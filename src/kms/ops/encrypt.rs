//! Encrypt: seals up to 4,096 bytes.

use super::{KEY_ID_CHARS, SYMMETRIC, check_algorithm, read_algorithm};
use crate::crypto::SecretBytes;
use crate::keyring::EncryptionContext;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};

pub(in crate::kms) struct Input {
    key_id: String,
    plaintext: SecretBytes,
    context: EncryptionContext,
    algorithm: &'static str,
    dry_run: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        fields.grant_tokens();
        Self {
            plaintext: fields.required_blob("Plaintext", 1..=4096),
            key_id: fields.required_text("KeyId", KEY_ID_CHARS),
            context: fields.context("EncryptionContext"),
            algorithm: read_algorithm(fields, "EncryptionAlgorithm"),
            dry_run: fields.flag("DryRun"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let key = cx.resolve(&input.key_id).await?;
    let grant = cx.grant("kms:Encrypt", &key)?;
    check_algorithm(input.algorithm)?;
    let usage = cx.usage(&grant, &key, &input.context, input.dry_run);
    let sealed = cx.keyring.encrypt(&usage, input.plaintext.expose()).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("CiphertextBlob", blob(&sealed.ciphertext)),
        ("KeyId", key.metadata.arn.clone().into()),
        ("EncryptionAlgorithm", SYMMETRIC.into()),
    ]))
}
