//! ReEncrypt: opens a ciphertext under one key and seals it under another; the plaintext stays inside.

use super::decrypt::{Source, check_ignore, find_key, leave_to_open};
use super::{CIPHERTEXT_BYTES, read_algorithm, read_ignore_ciphertext};
use crate::crypto::SecretBytes;
use crate::keyring::{EncryptionContext, Sealing, Told};
use crate::kms::cx::{Cx, Granted, alias_in};
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::KEY_ID_CHARS;
use crate::names::EncryptionAlgorithm;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    /// None only with `IGNORE_CIPHERTEXT`.
    ciphertext: Option<SecretBytes>,
    source_key: Option<String>,
    source_context: EncryptionContext,
    source_algorithm: EncryptionAlgorithm,
    target_key: String,
    target_context: EncryptionContext,
    target_algorithm: EncryptionAlgorithm,
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
    let (opening_with, named) = (input.source_algorithm, input.source_key.as_deref());
    let source = Source { named, ciphertext, algorithm: opening_with, action: "kms:ReEncryptFrom" };
    let algorithm = (Key::KmsEncryptionAlgorithm, Value::Text(opening_with.as_str()));
    let keys = [algorithm];
    let told = Told::sealing(&keys, &input.source_context);
    let source_key = find_key(cx, source, &told).await?;
    let target = cx.resolve_for(&input.target_key, "kms:ReEncryptTo").await?;
    let same = (Key::KmsReEncryptOnSameKey, Value::Bool(source_key.metadata.arn == target.metadata.arn));
    let keys = [algorithm, same];
    let source = leave_to_open(cx, source, source_key, &Told { keys: &keys, ..told }).await?;
    let algorithm = (Key::KmsEncryptionAlgorithm, Value::Text(input.target_algorithm.as_str()));
    let keys = [algorithm, same];
    let told = Told { alias: alias_in(&input.target_key), ..Told::sealing(&keys, &input.target_context) };
    let target = Granted { grant: cx.grant("kms:ReEncryptTo", &target, &told).await?, key: target };
    let from = source.usage(cx, input.dry_run);
    let to = target.usage(cx, input.dry_run);
    let opening = Sealing { algorithm: opening_with, context: &input.source_context };
    let sealing = Sealing { algorithm: input.target_algorithm, context: &input.target_context };
    let ciphertext = ciphertext.map(SecretBytes::expose);
    let sealed = cx.keyring.re_encrypt((&from, opening), (&to, sealing), ciphertext).await;
    let (source_material, sealed) = sealed.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("CiphertextBlob", blob(&sealed.ciphertext)),
        ("SourceKeyId", source.arn()),
        ("KeyId", target.arn()),
        ("SourceEncryptionAlgorithm", opening_with.as_str().into()),
        ("DestinationEncryptionAlgorithm", input.target_algorithm.as_str().into()),
        ("SourceKeyMaterialId", source_material.into()),
        ("DestinationKeyMaterialId", sealed.material_id.into()),
    ]))
}
