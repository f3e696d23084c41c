//! ScheduleKeyDeletion: stops every use of a key and destroys it after a waiting period.

use crate::keyring::{PENDING_WINDOW_DEFAULT_DAYS, Told};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::ManagedKey;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    key: ManagedKey,
    days: u32,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        // The model says 1 to 365, the service takes 7 to 30.
        let days = fields.number("PendingWindowInDays", 7..=30).unwrap_or(PENDING_WINDOW_DEFAULT_DAYS);
        Self { key: ManagedKey::read(fields), days }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx
        .managed_telling(
            &input.key.key_id,
            Told::of(&[(Key::KmsScheduleKeyDeletionPendingWindowInDays, Value::Number(input.days.into()))]),
        )
        .await?;
    let scheduled = cx.keyring.schedule_deletion(&found.grant, &cx.call, &found.key, input.days).await;
    let scheduled = scheduled.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("KeyId", found.arn()),
        ("DeletionDate", scheduled.deletion.map(epoch_seconds).into()),
        ("KeyState", scheduled.state.name().into()),
        ("PendingWindowInDays", input.days.into()),
    ]))
}
