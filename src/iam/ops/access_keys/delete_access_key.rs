//! DeleteAccessKey. It signs no further request.

use super::owner_to_change;
use crate::iam::cx::{Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ACCESS_KEY_ID, EXISTING_USER_NAME};

pub(in crate::iam) struct Input {
    name: Option<String>,
    id: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.text("UserName", &EXISTING_USER_NAME), id: fields.required("AccessKeyId", &ACCESS_KEY_ID) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let granted = owner_to_change(cx, input.name).await?;
    let key = (granted.holder.name.as_str(), input.id.as_str());
    let draft = cx.identities().delete_access_key(&granted.grant, key).await?;
    cx.done(Reply::empty(), draft).await
}
