//! UpdateUser: another name, another path, or both.

use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::iam::shapes::{PATH, USER_NAME};
use crate::iam::tags::pairs;
use crate::identity::UserRecord;
use crate::names::iam_arn;

pub(in crate::iam) struct Input {
    user: NameOf<UserRecord>,
    new_path: Option<String>,
    new_name: Option<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            user: NameOf::read(fields),
            new_path: fields.text("NewPath", &PATH),
            new_name: fields.text("NewUserName", &USER_NAME),
        }
    }
}

/// Leave is asked for on what the user is and on what it is to be, as AWS does.
pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { grant, holder: user } = input.user.granted(cx, &Adds::new()).await?;
    let (name, path) = (input.new_name.as_deref(), input.new_path.as_deref());
    let new_arn = iam_arn(cx.account()?, "user", path.unwrap_or(&user.path), name.unwrap_or(&user.name));
    let new_grant = cx.grant_telling(&new_arn, &Adds::new().resource_tags(pairs(&user.tags)))?;
    let draft = cx.identities().update_user(&grant, &new_grant, &user.name, (name, path)).await?;
    cx.done(Reply::empty(), draft).await
}
