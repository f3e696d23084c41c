//! GetRole: a role with its last use.

use super::{last_use, write_last_use, write_role};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::NameOf;
use crate::iam::reply::Reply;
use crate::identity::RoleRecord;

pub(in crate::iam) struct Input(NameOf<RoleRecord>);

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self(NameOf::read(fields))
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let role = input.0.granted(cx, &Adds::new()).await?.holder;
    let (account, last) = (cx.account()?, last_use(cx, &role).await?);
    Ok(Reply::result(|w| {
        w.node("Role", |w| {
            write_role(w, account, &role);
            write_last_use(w, last.as_ref());
        });
    }))
}
