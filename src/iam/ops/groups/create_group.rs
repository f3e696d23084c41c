//! CreateGroup.

use serde_json::json;

use super::{record_group, write_group};
use crate::iam::cx::{Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{GROUP_NAME, PATH};
use crate::names::iam_arn;

pub(in crate::iam) struct Input {
    name: String,
    path: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            path: fields.text("Path", &PATH).unwrap_or_else(|| "/".to_owned()),
            name: fields.required("GroupName", &GROUP_NAME),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let account = cx.account()?;
    let grant = cx.grant(&iam_arn(account, "group", &input.path, &input.name))?;
    let (group, draft) = cx.identities().create_group(&grant, &input.name, &input.path).await?;
    let reply = Reply::result(|w| {
        w.node("Group", |w| write_group(w, account, &group));
    });
    cx.done(reply.recording(json!({ "group": record_group(account, &group) })), draft).await
}
