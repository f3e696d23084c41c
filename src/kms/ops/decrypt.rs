//! Decrypt: opens a ciphertext. The key is the one that the ciphertext names, and leave is asked for that one.

use super::{CIPHERTEXT_BYTES, check_recipient, read_algorithm, read_ignore_ciphertext};
use crate::crypto::SecretBytes;
use crate::keyring::{EncryptionContext, KeyringError, ResolvedKey, Sealing, Told};
use crate::kms::cx::{Cx, Granted, alias_in};
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::KEY_ID_CHARS;
use crate::names::EncryptionAlgorithm;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    /// None only with `IGNORE_CIPHERTEXT`.
    ciphertext: Option<SecretBytes>,
    key_id: Option<String>,
    context: EncryptionContext,
    algorithm: EncryptionAlgorithm,
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
    let source = Source {
        named: input.key_id.as_deref(),
        ciphertext: input.ciphertext.as_ref(),
        algorithm: input.algorithm,
        action: "kms:Decrypt",
    };
    let keys = [(Key::KmsEncryptionAlgorithm, Value::Text(input.algorithm.as_str()))];
    let told = Told::sealing(&keys, &input.context);
    let key = find_key(cx, source, &told).await?;
    let found = leave_to_open(cx, source, key, &told).await?;
    let usage = found.usage(cx, input.dry_run);
    let sealing = Sealing { algorithm: input.algorithm, context: &input.context };
    let opened = match &input.ciphertext {
        Some(ciphertext) => cx.keyring.open(&usage, sealing, ciphertext.expose()).await,
        None => cx.keyring.open_nothing(&usage, sealing).await,
    };
    let opened = opened.map_err(Refusal::recorded)?;
    let reply = Reply::of([
        ("KeyId", found.arn()),
        ("EncryptionAlgorithm", input.algorithm.as_str().into()),
        ("KeyMaterialId", opened.material_id.into()),
    ]);
    Ok(reply.with_secret("Plaintext", opened.plaintext))
}

/// Leave to open a ciphertext with a key that was found. Whoever only has the ciphertext does not learn whether a key
/// of another account, which does not let them, exists.
pub(super) async fn leave_to_open(
    cx: &Cx<'_>,
    source: Source<'_>,
    key: ResolvedKey,
    told: &Told<'_>,
) -> Result<Granted, Refusal> {
    let told = Told { alias: source.named.and_then(alias_in), ..*told };
    let unknown = source.named.is_none() && key.metadata.account != *cx.account;
    match cx.keyring.authorize(cx.access, source.action, &key, &told).await {
        Ok(grant) => Ok(Granted { grant, key }),
        Err(KeyringError::Denied(_)) if unknown => Err(KmsError::from(KeyringError::unknown_sealer()).into()),
        Err(error) => Err(KmsError::from(error).into()),
    }
}

/// What is known of the key that is to open a ciphertext.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) named: Option<&'a str>,
    pub(super) ciphertext: Option<&'a SecretBytes>,
    pub(super) algorithm: EncryptionAlgorithm,
    /// Asked for, and named where there is no such key.
    pub(super) action: &'static str,
}

/// The key to open a ciphertext with. A symmetric ciphertext names its key, and one that the caller names has to be
/// that one; nothing in an RSA ciphertext does, so the caller must.
pub(super) async fn find_key(cx: &Cx<'_>, source: Source<'_>, told: &Told<'_>) -> Result<ResolvedKey, Refusal> {
    let named = match source.named {
        Some(name) => Some(cx.resolve_for(name, source.action).await?),
        None => None,
    };
    let symmetric = source.algorithm == EncryptionAlgorithm::SymmetricDefault;
    let named = match named {
        Some(key) if !symmetric || !key.metadata.kind.is_symmetric() => return Ok(key),
        // AWS's text is not recorded.
        None if !symmetric => {
            let text = format!("A KeyId is required with algorithm {}.", source.algorithm);
            return Err(KmsError::validation(text).into());
        }
        named => named,
    };
    if let Some(key) = named.as_ref().filter(|key| key.metadata.account != *cx.account) {
        // That another account has such a key learns, and sees in its trail, only whom that key lets in.
        leave_to_open(cx, source, key.clone(), told).await?;
    }
    let sealer = match source.ciphertext {
        Some(ciphertext) => Some(cx.resolve_ciphertext(ciphertext.expose()).await?),
        None => None,
    };
    match (named, sealer) {
        (Some(named), Some(sealer)) if named.metadata.arn != sealer.metadata.arn => {
            // Only who may use the key learns that it was another one.
            leave_to_open(cx, Source { named: None, ..source }, sealer, told).await?;
            Err(KmsError::from(KeyringError::IncorrectKey).into())
        }
        (_, Some(key)) | (Some(key), None) => Ok(key),
        (None, None) => Err(KmsError::validation("Either CiphertextBlob or KeyId must be given.").into()),
    }
}
