//! Inline policies: PutUserPolicy, GetUserPolicy, DeleteUserPolicy, ListUserPolicies, and the same of groups and roles.

use super::{Granted, Holder, NameOf, write_name};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, document, page};
use crate::iam::shapes::{POLICY_DOCUMENT, POLICY_NAME, Paging};
use crate::identity::inline_absent;
use crate::policy::{Kind, Policy, PolicyError};

pub(in crate::iam) struct Put<H> {
    holder: NameOf<H>,
    policy: String,
    document: String,
}

impl<H: Holder> Put<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            holder: NameOf::read(fields),
            policy: fields.required("PolicyName", &POLICY_NAME),
            document: fields.required("PolicyDocument", &POLICY_DOCUMENT),
        }
    }
}

pub(in crate::iam) async fn put<H: Holder>(cx: &Cx<'_>, input: Put<H>) -> Result<Changed, IamError> {
    let Put { holder, policy, document } = input;
    let Granted { grant, holder } = holder.granted_bounded(cx, &Adds::new()).await?;
    Policy::parse(document.as_bytes(), Kind::Identity).map_err(|error| match error {
        PolicyError::Malformed(text) => IamError::new(code::MALFORMED_POLICY_DOCUMENT, text),
        PolicyError::TooLarge { .. } => IamError::new(code::LIMIT_EXCEEDED, H::QUOTA.message(holder.name())),
    })?;
    let draft = cx.identities().put_inline_policy::<H>(&grant, holder.name(), &policy, &document).await?;
    cx.done(Reply::empty(), draft).await
}

/// Of GetUserPolicy and DeleteUserPolicy.
pub(in crate::iam) struct One<H> {
    holder: NameOf<H>,
    policy: String,
}

impl<H: Holder> One<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read(fields), policy: fields.required("PolicyName", &POLICY_NAME) }
    }
}

pub(in crate::iam) async fn get<H: Holder>(cx: &Cx<'_>, input: One<H>) -> Result<Reply, IamError> {
    let mut holder = input.holder.granted(cx, &Adds::new()).await?.holder;
    let inline = std::mem::take(holder.inline());
    let found = inline.into_iter().find(|policy| policy.name == input.policy);
    let policy = found.ok_or_else(|| inline_absent::<H>(&input.policy))?;
    Ok(Reply::result(|w| {
        write_name(w, &holder);
        w.leaf("PolicyName", &policy.name);
        document(w, "PolicyDocument", &policy.document);
    }))
}

pub(in crate::iam) async fn delete<H: Holder>(cx: &Cx<'_>, input: One<H>) -> Result<Changed, IamError> {
    let Granted { grant, holder } = input.holder.granted_bounded(cx, &Adds::new()).await?;
    let draft = cx.identities().delete_inline_policy::<H>(&grant, holder.name(), &input.policy).await?;
    cx.done(Reply::empty(), draft).await
}

pub(in crate::iam) struct List<H> {
    holder: NameOf<H>,
    paging: Paging,
}

impl<H: Holder> List<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read(fields), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn list<H: Holder>(cx: &Cx<'_>, input: List<H>) -> Result<Reply, IamError> {
    let mut holder = input.holder.granted(cx, &Adds::new()).await?.holder;
    let inline = std::mem::take(holder.inline());
    let names = input.paging.cut(inline, |policy| policy.name.clone())?;
    Ok(Reply::result(|w| page(w, "PolicyNames", names, |w, policy| w.text(&policy.name))))
}
