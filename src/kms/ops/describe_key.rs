//! DescribeKey: a key's metadata, in every state.

use serde_json::{Value, json};

use crate::keyring::{KeyMetadata, KeyState, MultiRegion};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::UsedKey;
use crate::names::{Region, kms_key_arn};

pub(in crate::kms) struct Input {
    key: UsedKey,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: UsedKey::read_without_dry_run(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.used(&input.key).await?;
    let metadata = cx.keyring.describe_key(&found.grant, &cx.call, &found.key).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([("KeyMetadata", render_metadata(&metadata))]))
}

/// `KeyMetadata` of the model. `DeletionDate` is there only while the key waits for its deletion.
pub(super) fn render_metadata(metadata: &KeyMetadata) -> Value {
    let spec = metadata.kind.spec().as_str();
    let mut shown = json!({
        "AWSAccountId": metadata.account.as_str(),
        "KeyId": metadata.key_id,
        "Arn": metadata.arn,
        "CreationDate": epoch_seconds(metadata.created),
        "Enabled": metadata.state == KeyState::Enabled,
        "Description": metadata.description,
        "KeyUsage": metadata.kind.usage().as_str(),
        "KeyState": metadata.state.name(),
        "Origin": metadata.origin.name(),
        "KeyManager": if metadata.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": spec,
        "KeySpec": spec,
        "MultiRegion": metadata.multi_region.is_some(),
    });
    let (list, algorithms) = metadata.kind.algorithms();
    shown[list] = algorithms.into();
    if let Some(id) = &metadata.current_material_id {
        shown["CurrentKeyMaterialId"] = id.as_str().into();
    }
    if let Some(custom) = &metadata.custom {
        shown["CustomKeyStoreId"] = custom.store_id.as_str().into();
        if let Some(cluster_id) = &custom.cluster_id {
            shown["CloudHsmClusterId"] = cluster_id.as_str().into();
        }
        if let Some(id) = &custom.xks_key_id {
            shown["XksKeyConfiguration"] = json!({ "Id": id });
        }
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
