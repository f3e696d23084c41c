//! UpdateRole: the description, the longest session, or both.

use super::{read_session_seconds, read_signin_seconds, refuse_signin};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::iam::shapes::ROLE_DESCRIPTION;
use crate::identity::{RoleChange, RoleRecord};

pub(in crate::iam) struct Input {
    role: NameOf<RoleRecord>,
    description: Option<String>,
    max_session_seconds: Option<u32>,
    max_signin_seconds: Option<u32>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        // No role has a longest sign-in: to take it away changes nothing.
        fields.flag("ResetMaxSigninSessionDuration");
        Self {
            role: NameOf::read(fields),
            description: fields.text("Description", &ROLE_DESCRIPTION),
            max_session_seconds: read_session_seconds(fields),
            max_signin_seconds: read_signin_seconds(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { holder, grant } = input.role.granted(cx, &Adds::new()).await?;
    refuse_signin(input.max_signin_seconds)?;
    let Input { description, max_session_seconds, .. } = input;
    let change = RoleChange { description, max_session_seconds, trust: None };
    let (_, draft) = cx.identities().update_role(&grant, &holder.name, change).await?;
    // The model has a result of this, without members.
    cx.done(Reply::result(|_| ()), draft).await
}
