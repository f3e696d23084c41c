//! GetUser: of a name, or the caller's own.

use super::{named_or_own, write_user};
use crate::auth::CallerKind;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, time};
use crate::iam::shapes::EXISTING_USER_NAME;
use crate::names::iam_root_arn;
use crate::sources::Timestamp;

/// When the root of an account was made: it stands in the settings, which do not say.
const ROOT_CREATED: Timestamp = Timestamp(0);

pub(in crate::iam) struct Input {
    name: Option<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.text("UserName", &EXISTING_USER_NAME) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    if input.name.is_none() && *cx.access.caller().kind() == CallerKind::Root {
        let arn = iam_root_arn(account);
        cx.grant(&arn)?;
        // AWS shows neither name nor path of a root.
        return Ok(Reply::result(|w| {
            w.node("User", |w| {
                w.leaf("UserId", account.as_str()).leaf("Arn", &arn);
                time(w, "CreateDate", ROOT_CREATED);
            });
        }));
    }
    let user = named_or_own(cx, input.name, &Adds::new()).await?.holder;
    Ok(Reply::result(|w| {
        w.node("User", |w| write_user(w, account, &user));
    }))
}
