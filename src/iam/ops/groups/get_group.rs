//! GetGroup: a group and who is in it.

use super::write_group;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::NameOf;
use crate::iam::ops::users::write_listed_user;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::Paging;
use crate::identity::GroupRecord;

pub(in crate::iam) struct Input {
    group: NameOf<GroupRecord>,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { group: NameOf::read(fields), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    let group = input.group.granted(cx, &Adds::new()).await?.holder;
    let (after, limit) = (input.paging.after()?, input.paging.limit() + 1);
    let users = cx.identities().group_members(account, &group.name, after.as_deref(), limit).await?;
    let users = input.paging.page(users);
    Ok(Reply::result(|w| {
        w.node("Group", |w| write_group(w, account, &group));
        page(w, "Users", users, |w, user| write_listed_user(w, account, &user));
    }))
}
