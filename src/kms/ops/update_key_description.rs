//! UpdateKeyDescription.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    description: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: ManagedKey::read(fields), description: fields.required_text("Description", 0..=8192) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let updated = cx.keyring.update_description(&found.grant, &cx.call, &found.key, &input.description).await;
    updated.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
