//! CreateUser.

use serde_json::json;

use super::{record_user, write_user};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, PATH, USER_NAME, read_tags};
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::NewUser;
use crate::names::iam_arn;
use crate::policy::Key;

pub(in crate::iam) struct Input {
    name: String,
    path: String,
    boundary: Option<String>,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            path: fields.text("Path", &PATH).unwrap_or_else(|| "/".to_owned()),
            name: fields.required("UserName", &USER_NAME),
            boundary: fields.text("PermissionsBoundary", &ARN),
            tags: read_tags(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let arn = iam_arn(cx.account()?, "user", &input.path, &input.name);
    let adds = Adds::new().optional(Key::IamPermissionsBoundary, input.boundary.as_deref()).request_tags(&input.tags);
    let grant = cx.grant_telling(&arn, &adds)?;
    if !input.tags.is_empty() {
        cx.grant_for("iam:TagUser", &arn, &adds)?;
    }
    check_tags(&input.tags)?;
    let tags = stored_tags(&input.tags);
    let new = NewUser { name: input.name, path: input.path, boundary: input.boundary, tags };
    let (user, draft) = cx.identities().create_user(&grant, &new).await?;
    let account = cx.account()?;
    let reply = Reply::result(|w| {
        w.node("User", |w| write_user(w, account, &user));
    });
    cx.done(reply.recording(json!({ "user": record_user(account, &user) })), draft).await
}
