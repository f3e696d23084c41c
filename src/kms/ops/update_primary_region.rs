//! UpdatePrimaryRegion: makes a replica the primary key of its set.

use super::replicate_key::{read_region, served};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::names::kms_key_arn;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    region: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: ManagedKey::read(fields), region: read_region(fields, "PrimaryRegion") }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let region = served(cx, &input.region)?;
    let found = cx.managed(&input.key.key_id).await?;
    let metadata = &found.key.metadata;
    let replica_grant =
        cx.grant_on("kms:UpdatePrimaryRegion", &kms_key_arn(&region, &metadata.account, &metadata.key_id))?;
    let updated = cx.keyring.update_primary_region(&found.grant, &replica_grant, &cx.call, &found.key, &region).await;
    updated.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
