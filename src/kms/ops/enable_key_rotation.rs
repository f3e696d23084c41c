//! EnableKeyRotation: turns automatic rotation on, or changes its period.

use crate::keyring::ROTATION_PERIOD_DAYS;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    period_days: Option<u32>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let period_days = fields.number("RotationPeriodInDays", ROTATION_PERIOD_DAYS);
        Self { key: ManagedKey::read(fields), period_days }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let enabled = cx.keyring.enable_rotation(&found.grant, &cx.call, &found.key, input.period_days).await;
    enabled.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
