//! GetKeyRotationStatus: whether, how often and when next a key gets new material by itself.

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) type Input = ManagedKey;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key_id).await?;
    let status = cx.keyring.rotation_status(&found.grant, &cx.call, &found.key).await.map_err(Refusal::recorded)?;
    // A rotation on demand is over when its call returns: OnDemandRotationStartDate never is.
    Ok(Reply::of([
        ("KeyId", found.key.metadata.key_id.as_str().into()),
        ("KeyRotationEnabled", status.automatic.is_some().into()),
        ("RotationPeriodInDays", status.automatic.map(|(days, _)| days).into()),
        ("NextRotationDate", status.automatic.map(|(_, next)| epoch_seconds(next)).into()),
    ]))
}
