//! DescribeKey: a key's metadata, in every state.

use serde_json::{Value, json};

use super::KEY_ID_CHARS;
use crate::keyring::{KeyMetadata, KeyState};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};

pub(in crate::kms) struct Input {
    key_id: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        fields.grant_tokens();
        Self { key_id: fields.required_text("KeyId", KEY_ID_CHARS) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let key = cx.resolve(&input.key_id).await?;
    let grant = cx.grant("kms:DescribeKey", &key)?;
    let metadata = cx.keyring.describe_key(&grant, &cx.call, &key).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([("KeyMetadata", render_metadata(&metadata))]))
}

/// `KeyMetadata` of the model. `DeletionDate` is there only while the key waits for its deletion.
pub(super) fn render_metadata(metadata: &KeyMetadata) -> Value {
    let mut shown = json!({
        "AWSAccountId": metadata.account.as_str(),
        "KeyId": metadata.key_id,
        "Arn": metadata.arn,
        "CreationDate": epoch_seconds(metadata.created),
        "Enabled": metadata.state == KeyState::Enabled,
        "Description": metadata.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": metadata.state.name(),
        "Origin": "AWS_KMS",
        "KeyManager": if metadata.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "CurrentKeyMaterialId": metadata.current_material_id,
    });
    if let Some(deletion) = metadata.deletion {
        shown["DeletionDate"] = epoch_seconds(deletion);
    }
    shown
}
