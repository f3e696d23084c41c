//! Decrypt: opens a ciphertext. The key is the one that the ciphertext names, and leave is asked for that one.

use super::{
    CIPHERTEXT_BYTES, KEY_ID_CHARS, SYMMETRIC, check_algorithm, check_recipient, read_algorithm, read_ignore_ciphertext,
};
use crate::crypto::SecretBytes;
use crate::keyring::{EncryptionContext, KeyringError, ResolvedKey};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;

pub(in crate::kms) struct Input {
    /// None only with `IGNORE_CIPHERTEXT`.
    ciphertext: Option<SecretBytes>,
    key_id: Option<String>,
    context: EncryptionContext,
    algorithm: &'static str,
    recipient: bool,
    dry_run: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        fields.grant_tokens();
        let dry_run = fields.flag("DryRun");
        let ignore = read_ignore_ciphertext(fields);
        let ciphertext = if ignore {
            check_ignore(fields, dry_run, "KeyId");
            None
        } else {
            Some(fields.required_blob("CiphertextBlob", CIPHERTEXT_BYTES))
        };
        Self {
            ciphertext,
            key_id: fields.text("KeyId", KEY_ID_CHARS),
            context: fields.context("EncryptionContext"),
            algorithm: read_algorithm(fields, "EncryptionAlgorithm"),
            recipient: fields.has("Recipient"),
            dry_run,
        }
    }
}

/// `IGNORE_CIPHERTEXT` is for dry runs, and needs the key to be named.
pub(super) fn check_ignore(fields: &mut Fields, dry_run: bool, key_member: &str) {
    if !dry_run {
        fields.fault("DryRunModifiers", "'[IGNORE_CIPHERTEXT]'", "Member must be used with DryRun only");
    }
    if !fields.has(key_member) {
        fields.fault(key_member, "null", "Member must not be null");
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    let key = find_key(cx, input.key_id.as_deref(), input.ciphertext.as_ref(), "kms:Decrypt").await?;
    let grant = cx.grant("kms:Decrypt", &key)?;
    check_algorithm(input.algorithm)?;
    let usage = cx.usage(&grant, &key, &input.context, input.dry_run);
    let opened = match &input.ciphertext {
        Some(ciphertext) => cx.keyring.open(&usage, ciphertext.expose()).await,
        None => cx.keyring.open_nothing(&usage).await,
    };
    let opened = opened.map_err(Refusal::recorded)?;
    let reply = Reply::of([
        ("KeyId", key.metadata.arn.clone().into()),
        ("EncryptionAlgorithm", SYMMETRIC.into()),
        ("KeyMaterialId", opened.material_id.into()),
    ]);
    Ok(reply.with_plaintext(opened.plaintext))
}

/// The key that sealed a ciphertext. One that is named has to be that one.
pub(super) async fn find_key(
    cx: &Cx<'_>,
    named: Option<&str>,
    ciphertext: Option<&SecretBytes>,
    action: &'static str,
) -> Result<ResolvedKey, Refusal> {
    let named = match named {
        Some(name) => Some(cx.resolve_for(name, action).await?),
        None => None,
    };
    let sealer = match ciphertext {
        Some(ciphertext) => Some(cx.resolve_ciphertext(ciphertext.expose()).await?),
        None => None,
    };
    match (named, sealer) {
        (Some(named), Some(sealer)) if named.metadata.arn != sealer.metadata.arn => {
            // Only who may use the key learns that it was another one.
            cx.grant(action, &sealer)?;
            Err(KmsError::from(KeyringError::IncorrectKey).into())
        }
        (_, Some(key)) | (Some(key), None) => Ok(key),
        (None, None) => Err(KmsError::validation("Either CiphertextBlob or KeyId must be given.").into()),
    }
}
