//! GetUser: of a name, or the caller's own.

use super::{named_or_own, write_user};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::EXISTING_USER_NAME;

pub(in crate::iam) struct Input {
    name: Option<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.text("UserName", &EXISTING_USER_NAME) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let user = named_or_own(cx, input.name, &Adds::new()).await?.holder;
    let account = cx.account()?;
    Ok(Reply::result(|w| {
        w.node("User", |w| write_user(w, account, &user));
    }))
}
