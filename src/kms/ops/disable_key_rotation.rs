//! DisableKeyRotation: turns automatic rotation off.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) type Input = ManagedKey;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key_id).await?;
    cx.keyring.disable_rotation(&found.grant, &cx.call, &found.key).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
