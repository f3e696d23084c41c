//! Permissions boundaries: PutUserPermissionsBoundary, DeleteUserPermissionsBoundary, and the same of roles.

use super::{Granted, Holder, NameOf};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::ARN;
use crate::identity::Bounded;
use crate::policy::Key;

pub(in crate::iam) struct Put<H> {
    holder: NameOf<H>,
    arn: String,
}

impl<H: Holder> Put<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read_short(fields), arn: fields.required("PermissionsBoundary", &ARN) }
    }
}

pub(in crate::iam) async fn put<H: Holder + Bounded>(cx: &Cx<'_>, input: Put<H>) -> Result<Changed, IamError> {
    // Of this action the key tells the boundary that is to be.
    let adds = Adds::new().text(Key::IamPermissionsBoundary, &input.arn);
    let Granted { grant, holder } = input.holder.granted(cx, &adds).await?;
    match cx.identities().set_boundary::<H>(&grant, holder.name(), Some(&input.arn)).await? {
        Some(draft) => cx.done(Reply::empty(), draft).await,
        None => cx.unchanged(Reply::empty()).await,
    }
}

pub(in crate::iam) struct Delete<H>(NameOf<H>);

impl<H: Holder> Delete<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self(NameOf::read_short(fields))
    }
}

pub(in crate::iam) async fn delete<H: Holder + Bounded>(cx: &Cx<'_>, input: Delete<H>) -> Result<Changed, IamError> {
    let Granted { grant, holder } = input.0.granted_bounded(cx, &Adds::new()).await?;
    match cx.identities().set_boundary::<H>(&grant, holder.name(), None).await? {
        Some(draft) => cx.done(Reply::empty(), draft).await,
        None => cx.unchanged(Reply::empty()).await,
    }
}
