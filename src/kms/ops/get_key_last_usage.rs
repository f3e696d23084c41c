//! GetKeyLastUsage: the last successful cryptographic operation with a key.

use serde_json::json;

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) type Input = ManagedKey;

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key_id).await?;
    let usage = cx.keyring.last_usage(&found.grant, &cx.call, &found.key).await.map_err(Refusal::recorded)?;
    let last = usage.last.map_or_else(
        || json!({}),
        |last| {
            json!({
                "Operation": last.operation,
                "Timestamp": epoch_seconds(last.at),
                "CloudTrailEventId": last.event_id,
                "KmsRequestId": last.request_id,
            })
        },
    );
    Ok(Reply::of([
        ("KeyId", found.key.metadata.key_id.as_str().into()),
        ("KeyLastUsage", last),
        ("TrackingStartDate", epoch_seconds(usage.tracked_since)),
        ("KeyCreationDate", epoch_seconds(usage.created)),
    ]))
}
