//! ListGroups.

use futures_util::FutureExt as _;

use super::write_group;
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::reply::{Reply, page};
use crate::identity::GroupRecord;

pub(in crate::iam) use crate::iam::ops::by_path::Input;

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let (account, identities) = (cx.account()?, cx.identities());
    let read = |after: Option<String>, limit| {
        async move { identities.entities::<GroupRecord>(account, &[], after.as_deref(), limit).await }.boxed()
    };
    let found = input.page(cx, "group", read, |group: &GroupRecord| &group.path).await?;
    Ok(Reply::result(|w| page(w, "Groups", found, |w, group| write_group(w, account, &group))))
}
