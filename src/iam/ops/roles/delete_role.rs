//! DeleteRole: of one that has no policies any more. Its sessions end with it.

use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::identity::RoleRecord;

pub(in crate::iam) struct Input(NameOf<RoleRecord>);

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self(NameOf::read(fields))
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { holder, grant } = input.0.granted(cx, &Adds::new()).await?;
    let draft = cx.identities().delete_role(&grant, &holder.name).await?;
    cx.done(Reply::empty(), draft).await
}
