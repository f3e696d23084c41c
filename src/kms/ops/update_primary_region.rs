//! UpdatePrimaryRegion: makes a replica the primary key of its set.

use super::replicate_key::{read_region, served};
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::policy::{Key, Value};

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
    let keys = [(Key::KmsPrimaryRegion, Value::Text(region.as_str()))];
    let told = Told::of(&keys);
    let found = cx.managed_telling(&input.key.key_id, told).await?;
    // Leave is needed on both keys, each of which has a policy of its own.
    let replica = cx.keyring.member_in(&found.key, &region).await.map_err(KmsError::from)?;
    let replica_grant = cx.grant("kms:UpdatePrimaryRegion", &replica, &told).await?;
    let updated = cx.keyring.update_primary_region(&found.grant, &replica_grant, &cx.call, &found.key, &region).await;
    updated.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
