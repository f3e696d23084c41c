//! RotateKeyOnDemand: new material; what older material sealed still opens.

use super::KEY_ID_CHARS;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;

pub(in crate::kms) struct Input {
    key_id: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key_id: fields.required_text("KeyId", KEY_ID_CHARS) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let key = cx.resolve_managed(&input.key_id).await?;
    let grant = cx.grant("kms:RotateKeyOnDemand", &key)?;
    cx.keyring.rotate_on_demand(&grant, &cx.call, &key).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([("KeyId", key.metadata.arn.into())]))
}
