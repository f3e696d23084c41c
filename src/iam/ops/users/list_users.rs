//! ListUsers: those of the settings among them.

use futures_util::FutureExt as _;

use super::write_listed_user;
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::reply::{Reply, page};
use crate::identity::UserRecord;

pub(in crate::iam) use crate::iam::ops::by_path::Input;

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let (account, identities) = (cx.account()?, cx.identities());
    let read =
        |after: Option<String>, limit| async move { identities.users(account, after.as_deref(), limit).await }.boxed();
    let found = input.page(cx, "user", read, |user: &UserRecord| &user.path).await?;
    Ok(Reply::result(|w| page(w, "Users", found, |w, user| write_listed_user(w, account, &user))))
}
