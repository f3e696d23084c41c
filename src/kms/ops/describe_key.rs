//! DescribeKey: a key's metadata, in every state.

use serde_json::{Value, json};

use super::KEY_ID_CHARS;
use crate::keyring::{KeyMetadata, KeyState, MultiRegion};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::names::{Region, kms_key_arn};

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
        "Origin": metadata.origin.name(),
        "KeyManager": if metadata.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": metadata.multi_region.is_some(),
    });
    if let Some(id) = &metadata.current_material_id {
        shown["CurrentKeyMaterialId"] = id.as_str().into();
    }
    if let Some(expiration) = metadata.expiration {
        shown["ExpirationModel"] = expiration.model().into();
        if let Some(at) = expiration.valid_to() {
            shown["ValidTo"] = epoch_seconds(at);
        }
    }
    if let Some(set) = &metadata.multi_region {
        shown["MultiRegionConfiguration"] = render_set(metadata, set);
    }
    if let Some(days) = metadata.pending_window_days {
        shown["PendingDeletionWindowInDays"] = days.into();
    }
    if let Some(deletion) = metadata.deletion {
        shown["DeletionDate"] = epoch_seconds(deletion);
    }
    shown
}

fn render_set(metadata: &KeyMetadata, set: &MultiRegion) -> Value {
    let member = |region: &Region| json!({ "Arn": kms_key_arn(region, &metadata.account, &metadata.key_id), "Region": region.as_str() });
    json!({
        "MultiRegionKeyType": if set.primary == metadata.region { "PRIMARY" } else { "REPLICA" },
        "PrimaryKey": member(&set.primary),
        "ReplicaKeys": set.replicas.iter().map(member).collect::<Vec<Value>>(),
    })
}
