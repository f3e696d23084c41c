//! ReEncrypt: opens a ciphertext under one key and seals it under another; the plaintext stays inside.

use super::decrypt::{check_ignore, find_key};
use super::{CIPHERTEXT_BYTES, KEY_ID_CHARS, SYMMETRIC, check_algorithm, read_algorithm, read_ignore_ciphertext};
use crate::crypto::SecretBytes;
use crate::keyring::EncryptionContext;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};

pub(in crate::kms) struct Input {
    /// None only with `IGNORE_CIPHERTEXT`.
    ciphertext: Option<SecretBytes>,
    source_key: Option<String>,
    source_context: EncryptionContext,
    source_algorithm: &'static str,
    target_key: String,
    target_context: EncryptionContext,
    target_algorithm: &'static str,
    dry_run: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        fields.grant_tokens();
        let dry_run = fields.flag("DryRun");
        let ciphertext = if read_ignore_ciphertext(fields) {
            check_ignore(fields, dry_run, "SourceKeyId");
            None
        } else {
            Some(fields.required_blob("CiphertextBlob", CIPHERTEXT_BYTES))
        };
        Self {
            ciphertext,
            source_key: fields.text("SourceKeyId", KEY_ID_CHARS),
            source_context: fields.context("SourceEncryptionContext"),
            source_algorithm: read_algorithm(fields, "SourceEncryptionAlgorithm"),
            target_key: fields.required_text("DestinationKeyId", KEY_ID_CHARS),
            target_context: fields.context("DestinationEncryptionContext"),
            target_algorithm: read_algorithm(fields, "DestinationEncryptionAlgorithm"),
            dry_run,
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let ciphertext = input.ciphertext.as_ref();
    let source = find_key(cx, input.source_key.as_deref(), ciphertext, "kms:ReEncryptFrom").await?;
    let target = cx.resolve_for(&input.target_key, "kms:ReEncryptTo").await?;
    let from_grant = cx.grant("kms:ReEncryptFrom", &source)?;
    let to_grant = cx.grant("kms:ReEncryptTo", &target)?;
    check_algorithm(input.source_algorithm)?;
    check_algorithm(input.target_algorithm)?;
    let from = cx.usage(&from_grant, &source, &input.source_context, input.dry_run);
    let to = cx.usage(&to_grant, &target, &input.target_context, input.dry_run);
    let sealed = cx.keyring.re_encrypt(&from, &to, ciphertext.map(SecretBytes::expose)).await;
    let (source_material, sealed) = sealed.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("CiphertextBlob", blob(&sealed.ciphertext)),
        ("SourceKeyId", source.metadata.arn.clone().into()),
        ("KeyId", target.metadata.arn.clone().into()),
        ("SourceEncryptionAlgorithm", SYMMETRIC.into()),
        ("DestinationEncryptionAlgorithm", SYMMETRIC.into()),
        ("SourceKeyMaterialId", source_material.into()),
        ("DestinationKeyMaterialId", sealed.material_id.into()),
    ]))
}
