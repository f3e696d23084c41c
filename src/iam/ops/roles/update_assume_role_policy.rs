//! UpdateAssumeRolePolicy: another trust policy. Sessions that were given out live on.

use super::check_trust;
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::{Granted, NameOf};
use crate::iam::reply::Reply;
use crate::iam::shapes::POLICY_DOCUMENT;
use crate::identity::{RoleChange, RoleRecord};

pub(in crate::iam) struct Input {
    role: NameOf<RoleRecord>,
    trust: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { role: NameOf::read(fields), trust: fields.required("PolicyDocument", &POLICY_DOCUMENT) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let Granted { holder, grant } = input.role.granted(cx, &Adds::new()).await?;
    check_trust(cx, &input.trust).await?;
    let change = RoleChange { trust: Some(input.trust), ..RoleChange::default() };
    let (_, draft) = cx.identities().update_role(&grant, &holder.name, change).await?;
    cx.done(Reply::empty(), draft).await
}
