//! DeleteImportedKeyMaterial: takes material out of a key; the same material can be imported again.

use super::import_key_material::read_material_id;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    material_id: Option<String>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: ManagedKey::read(fields), material_id: read_material_id(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let id = input.material_id.as_deref();
    let deleted = cx.keyring.delete_imported(&found.grant, &cx.call, &found.key, id).await;
    Ok(Reply::of([("KeyId", found.arn()), ("KeyMaterialId", deleted.map_err(Refusal::recorded)?.into())]))
}
