//! CreateAccessKey: the one answer that has the secret.

use serde_json::json;

use super::{owner_to_change, status};
use crate::iam::cx::{Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, time};
use crate::iam::shapes::EXISTING_USER_NAME;
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

pub(in crate::iam) struct Input {
    name: Option<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.text("UserName", &EXISTING_USER_NAME) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let granted = owner_to_change(cx, input.name).await?;
    let (new, draft) = cx.identities().create_access_key(&granted.grant, &granted.holder.name).await?;
    let (user, key) = (&new.user.name, &new.entry);
    let secret = std::str::from_utf8(new.secret.expose()).map_err(|_| IamError::internal("a secret is no text"))?;
    let reply = Reply::result(|w| {
        w.node("AccessKey", |w| {
            w.leaf("UserName", user).leaf("AccessKeyId", &key.id).leaf("Status", status(key));
            w.leaf("SecretAccessKey", secret);
            time(w, "CreateDate", Timestamp(key.created_ms));
        });
    });
    let shown = json!({ "accessKey": {
        "userName": user, "accessKeyId": key.id, "status": status(key),
        "createDate": iso8601_seconds(Timestamp(key.created_ms)),
    } });
    cx.done(reply.recording(shown), draft).await
}
