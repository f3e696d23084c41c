//! GetCallerIdentity: who signed the request. It needs no permission, and none can be denied (as AWS documents).

use crate::iam::cx::{Cx, missing_token};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;

pub(in crate::iam) struct Input;

impl Input {
    pub(in crate::iam) fn read(_: &mut Fields<'_>) -> Self {
        Self
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, _: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    let subject = cx.access.subject().ok_or_else(missing_token)?;
    Ok(Reply::result(|w| {
        w.leaf("Arn", subject.arn).leaf("UserId", subject.user_id).leaf("Account", account.as_str());
    }))
}
