//! DeleteGroup.

use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::identity::GroupRecord;

pub(in crate::iam) struct Input {
    group: NameOf<GroupRecord>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { group: NameOf::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { grant, holder: group } = input.group.granted(cx, &Adds::new()).await?;
    let draft = cx.identities().delete_group(&grant, &group.name).await?;
    cx.done(Reply::empty(), draft).await
}
