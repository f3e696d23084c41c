//! EnableKeyRotation: turns automatic rotation on, or changes its period.

use crate::keyring::{ROTATION_PERIOD_DAYS, Told};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::policy::{Key, Value};

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
    let period = input.period_days.map(|days| [(Key::KmsRotationPeriodInDays, Value::Number(days.into()))]);
    let told = Told::of(period.as_ref().map_or(&[], |period| period));
    let found = cx.managed_telling(&input.key.key_id, told).await?;
    let enabled = cx.keyring.enable_rotation(&found.grant, &cx.call, &found.key, input.period_days).await;
    enabled.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
