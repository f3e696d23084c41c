//! AddUserToGroup. Leave is asked for on the group alone, as AWS does.

use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::iam::shapes::EXISTING_USER_NAME;
use crate::identity::GroupRecord;

pub(in crate::iam) struct Input {
    group: NameOf<GroupRecord>,
    user: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { group: NameOf::read(fields), user: fields.required("UserName", &EXISTING_USER_NAME) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { grant, holder: group } = input.group.granted(cx, &Adds::new()).await?;
    match cx.identities().add_user_to_group(&grant, &group.name, &input.user).await? {
        Some(draft) => cx.done(Reply::empty(), draft).await,
        None => cx.unchanged(Reply::empty()).await,
    }
}
