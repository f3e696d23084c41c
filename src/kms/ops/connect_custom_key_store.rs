//! ConnectCustomKeyStore: Begins to connect a store; DescribeCustomKeyStores tells how it ended.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::key_stores::OneStore;
use crate::kms::reply::Reply;

pub(in crate::kms) type Input = OneStore;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grant = cx.grant_on("kms:ConnectCustomKeyStore", "*")?;
    cx.keyring.connect_key_store(&grant, &cx.call, &input.id).await.map_err(Refusal::recorded)?;
    Ok(Reply::no_properties())
}
