//! UpdateAccessKey: active or not. One that is not signs no further request.

use super::owner_to_change;
use crate::iam::cx::{Changed, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ACCESS_KEY_ID, EXISTING_USER_NAME};

pub(in crate::iam) struct Input {
    name: Option<String>,
    id: String,
    status: &'static str,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.text("UserName", &EXISTING_USER_NAME),
            id: fields.required("AccessKeyId", &ACCESS_KEY_ID),
            status: fields.required_word("Status", &["Active", "Inactive", "Expired"]),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let granted = owner_to_change(cx, input.name).await?;
    let active = match input.status {
        "Active" => true,
        "Inactive" => false,
        // A word of the model that nobody can set. AWS's text is not recorded.
        other => {
            let text = format!("The status {other} cannot be set. Use Active or Inactive.");
            return Err(IamError::new(code::INVALID_INPUT, text));
        }
    };
    let key = (granted.holder.name.as_str(), input.id.as_str());
    let draft = cx.identities().update_access_key(&granted.grant, key, active).await?;
    cx.done(Reply::empty(), draft).await
}
