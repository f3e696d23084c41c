//! DisableKey: stops every use of a key at once.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::Reply;
pub(in crate::kms) use crate::kms::shapes::ManagedKey as Input;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key_id).await?;
    cx.keyring.disable_key(&found.grant, &cx.call, &found.key).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
