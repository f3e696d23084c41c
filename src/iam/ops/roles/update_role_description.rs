//! UpdateRoleDescription, which UpdateRole has taken the place of.

use super::{record_role, write_role};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::iam::shapes::ROLE_DESCRIPTION;
use crate::identity::{RoleChange, RoleRecord};

pub(in crate::iam) struct Input {
    role: NameOf<RoleRecord>,
    description: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { role: NameOf::read(fields), description: fields.required("Description", &ROLE_DESCRIPTION) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { holder, grant } = input.role.granted(cx, &Adds::new()).await?;
    let change = RoleChange { description: Some(input.description), ..RoleChange::default() };
    let (role, draft) = cx.identities().update_role(&grant, &holder.name, change).await?;
    let account = cx.account()?;
    let reply = Reply::result(|w| {
        w.node("Role", |w| write_role(w, account, &role));
    });
    cx.done(reply.recording(serde_json::json!({ "role": record_role(account, &role) })), draft).await
}
