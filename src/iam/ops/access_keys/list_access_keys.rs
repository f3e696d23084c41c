//! ListAccessKeys: without their secrets. Those of the settings are shown too.

use super::{owner, status};
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, optional, page, time};
use crate::iam::shapes::{EXISTING_USER_NAME, Paging};
use crate::names::iam_root_arn;
use crate::sources::Timestamp;

pub(in crate::iam) struct Input {
    name: Option<String>,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.text("UserName", &EXISTING_USER_NAME), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    let (name, arn, stored) = match owner(cx, input.name).await? {
        Some(granted) => {
            let user = granted.holder;
            let arn = user.arn(account);
            (Some(user.name), arn, user.keys)
        }
        None => (None, iam_root_arn(account), Vec::new()),
    };
    let all = if stored.is_empty() { cx.identities().seed_keys(&arn) } else { stored };
    // The oldest first.
    let keys = input.paging.cut(all, |key| format!("{:020} {}", key.created_ms, key.id))?;
    Ok(Reply::result(|w| {
        page(w, "AccessKeyMetadata", keys, |w, key| {
            optional(w, "UserName", name.as_deref());
            w.leaf("AccessKeyId", &key.id).leaf("Status", status(&key));
            time(w, "CreateDate", Timestamp(key.created_ms));
        });
    }))
}
