//! ScheduleKeyDeletion: stops every use of a key and destroys it after a waiting period.

use super::KEY_ID_CHARS;
use crate::keyring::PENDING_WINDOW_DEFAULT_DAYS;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};

pub(in crate::kms) struct Input {
    key_id: String,
    days: u32,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        // The model says 1 to 365, the service takes 7 to 30.
        let days = fields.number("PendingWindowInDays", 7..=30).unwrap_or(PENDING_WINDOW_DEFAULT_DAYS);
        Self { key_id: fields.required_text("KeyId", KEY_ID_CHARS), days }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let key = cx.resolve_managed(&input.key_id).await?;
    let grant = cx.grant("kms:ScheduleKeyDeletion", &key)?;
    let scheduled = cx.keyring.schedule_deletion(&grant, &cx.call, &key, input.days).await;
    let scheduled = scheduled.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("KeyId", key.metadata.arn.into()),
        ("DeletionDate", scheduled.deletion.map(epoch_seconds).into()),
        ("KeyState", scheduled.state.name().into()),
        ("PendingWindowInDays", input.days.into()),
    ]))
}
