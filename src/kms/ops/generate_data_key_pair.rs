//! GenerateDataKeyPair: a key pair for use outside, its private key in clear and sealed.

use super::{SYMMETRIC, check_recipient};
use crate::keyring::{DataKeyPair, EncryptionContext, Told};
use crate::kms::cx::{Cx, Granted};
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::UsedKey;
use crate::names::KeySpec;
use crate::policy::{Key, Value};

/// Also that of GenerateDataKeyPairWithoutPlaintext.
pub(in crate::kms) struct Input {
    pub(super) key: UsedKey,
    pub(super) context: EncryptionContext,
    pub(super) spec: KeySpec,
    pub(super) recipient: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            context: fields.context("EncryptionContext"),
            spec: fields.required_choice_among("KeyPairSpec", |spec: KeySpec| spec.abilities().data_key_pair),
            recipient: fields.has("Recipient"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    let keys = [SYMMETRIC, (Key::KmsDataKeyPairSpec, Value::Text(input.spec.as_str()))];
    let found = cx.used_telling(&input.key, Told::sealing(&keys, &input.context)).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let made = cx.keyring.generate_pair(&usage, &input.context, input.spec).await.map_err(Refusal::recorded)?;
    Ok(render_pair(&found, input.spec, &made).with_secret("PrivateKeyPlaintext", made.private_key))
}

/// What both operations tell.
pub(super) fn render_pair(found: &Granted, spec: KeySpec, made: &DataKeyPair) -> Reply {
    Reply::of([
        ("PrivateKeyCiphertextBlob", blob(&made.private_ciphertext)),
        ("PublicKey", blob(&made.public_key)),
        ("KeyId", found.arn()),
        ("KeyPairSpec", spec.as_str().into()),
        ("KeyMaterialId", made.material_id.clone().into()),
    ])
}
