//! ListGroupsForUser.

use super::write_group;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::NameOf;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::Paging;
use crate::identity::{GroupRecord, UserRecord};

pub(in crate::iam) struct Input {
    user: NameOf<UserRecord>,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { user: NameOf::read(fields), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    let user = input.user.granted(cx, &Adds::new()).await?.holder;
    let mut groups = Vec::new();
    for name in &user.groups {
        // One that is missing was removed after its user was read.
        groups.extend(cx.identities().entity::<GroupRecord>(account, &[name]).await?);
    }
    let groups = input.paging.cut(groups, |group| group.name.to_ascii_lowercase())?;
    Ok(Reply::result(|w| page(w, "Groups", groups, |w, group| write_group(w, account, &group))))
}
