//! EnableKey: switches a key on.

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
    let grant = cx.grant("kms:EnableKey", &key)?;
    cx.keyring.enable_key(&grant, &cx.call, &key).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
