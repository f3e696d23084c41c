//! UpdateGroup: another name, another path, or both.

use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::iam::shapes::{GROUP_NAME, PATH};
use crate::identity::GroupRecord;
use crate::names::iam_arn;

pub(in crate::iam) struct Input {
    group: NameOf<GroupRecord>,
    new_path: Option<String>,
    new_name: Option<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            group: NameOf::read(fields),
            new_path: fields.text("NewPath", &PATH),
            new_name: fields.text("NewGroupName", &GROUP_NAME),
        }
    }
}

/// Leave is asked for on what the group is and on what it is to be, as AWS does.
pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { grant, holder: group } = input.group.granted(cx, &Adds::new()).await?;
    let (name, path) = (input.new_name.as_deref(), input.new_path.as_deref());
    let new_arn = iam_arn(cx.account()?, "group", path.unwrap_or(&group.path), name.unwrap_or(&group.name));
    let new_grant = cx.grant(&new_arn)?;
    let draft = cx.identities().update_group(&grant, &new_grant, &group.name, (name, path)).await?;
    cx.done(Reply::empty(), draft).await
}
