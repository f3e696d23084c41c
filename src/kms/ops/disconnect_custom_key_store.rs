//! DisconnectCustomKeyStore: The keys of a store can't be used until it is connected again.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::key_stores::OneStore;
use crate::kms::reply::Reply;

pub(in crate::kms) type Input = OneStore;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grant = cx.grant_on("kms:DisconnectCustomKeyStore", "*")?;
    cx.keyring.disconnect_key_store(&grant, &cx.call, &input.id).await.map_err(Refusal::recorded)?;
    Ok(Reply::no_properties())
}
