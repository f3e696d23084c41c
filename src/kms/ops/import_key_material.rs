//! ImportKeyMaterial: brings material into a key that was made for it.

use std::ops::RangeInclusive;

use crate::crypto::SecretBytes;
use crate::keyring::{Import, ImportType, Told};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, Pattern};
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::policy::{Key, Value};
use crate::sources::Timestamp;

/// Bytes of `ImportToken` and `EncryptedKeyMaterial`.
const BLOB_BYTES: RangeInclusive<usize> = 1..=6144;
const MODELS: [&str; 2] = ["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"];
const TYPES: [&str; 2] = ["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"];
const DESCRIPTION_PATTERN: Pattern = Pattern {
    shown: "^[a-zA-Z0-9:/_\\s.-]+$",
    allows: |c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":/_.-".contains(c),
};
const ID_PATTERN: Pattern = Pattern { shown: "^[a-f0-9]+$", allows: |c| matches!(c, 'a'..='f' | '0'..='9') };

pub(in crate::kms) struct Input {
    key: ManagedKey,
    token: SecretBytes,
    wrapped: SecretBytes,
    model: Option<&'static str>,
    valid_to: Option<Timestamp>,
    kind: Option<ImportType>,
    description: Option<String>,
    material_id: Option<String>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let description = fields.text("KeyMaterialDescription", 0..=256);
        fields.check_pattern("KeyMaterialDescription", description.as_deref().unwrap_or_default(), DESCRIPTION_PATTERN);
        Self {
            key: ManagedKey::read(fields),
            token: fields.required_blob("ImportToken", BLOB_BYTES),
            wrapped: fields.required_blob("EncryptedKeyMaterial", BLOB_BYTES),
            model: fields.word("ExpirationModel", &MODELS),
            valid_to: fields.time("ValidTo"),
            kind: fields
                .word("ImportType", &TYPES)
                .map(|word| if word == TYPES[0] { ImportType::New } else { ImportType::Existing }),
            description,
            material_id: read_material_id(fields),
        }
    }
}

/// `KeyMaterialId`.
pub(super) fn read_material_id(fields: &mut Fields) -> Option<String> {
    let id = fields.text("KeyMaterialId", 64..=64)?;
    fields.check_pattern("KeyMaterialId", &id, ID_PATTERN);
    Some(id)
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check(&input)?;
    let model = (Key::KmsExpirationModel, Value::Text(input.model.unwrap_or(MODELS[0])));
    let keys: &[_] = match input.valid_to {
        Some(at) => &[model, (Key::KmsValidTo, Value::Time(at))],
        None => &[model],
    };
    let found = cx.managed_telling(&input.key.key_id, Told::of(keys)).await?;
    let import = Import {
        token: input.token.expose(),
        wrapped: input.wrapped.expose(),
        valid_to: input.valid_to,
        kind: input.kind,
        description: input.description.as_deref(),
        material_id: input.material_id.as_deref(),
    };
    let imported = cx.keyring.import_material(&found.grant, &cx.call, &found.key, import).await;
    let imported = imported.map_err(Refusal::recorded)?;
    Ok(Reply::of([("KeyId", found.arn()), ("KeyMaterialId", imported.material_id.into())]))
}

/// What the members have to be among themselves. The texts but the first are not recorded from AWS.
fn check(input: &Input) -> Result<(), KmsError> {
    let expires = input.model != Some(MODELS[1]);
    let text = match input {
        Input { valid_to: None, .. } if expires => {
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
        }
        Input { valid_to: Some(_), .. } if !expires => {
            "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"
        }
        Input { kind: Some(ImportType::New), material_id: Some(_), .. } => {
            "A KeyMaterialId must not be set if the ImportType is NEW_KEY_MATERIAL"
        }
        _ => return Ok(()),
    };
    Err(KmsError::validation(text))
}
