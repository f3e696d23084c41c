//! ListRoles.

use futures_util::FutureExt as _;

use super::write_listed_role;
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::reply::{Reply, page};
use crate::identity::RoleRecord;

pub(in crate::iam) use crate::iam::ops::by_path::Input;

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let (account, identities) = (cx.account()?, cx.identities());
    let read =
        |after: Option<String>, limit| async move { identities.roles(account, after.as_deref(), limit).await }.boxed();
    let found = input.page(cx, "role", read, |role: &RoleRecord| &role.path).await?;
    Ok(Reply::result(|w| page(w, "Roles", found, |w, role| write_listed_role(w, account, &role))))
}
