//! Managed policies: AttachUserPolicy, DetachUserPolicy, ListAttachedUserPolicies, and the same of groups and roles.

use super::{Granted, Holder, NameOf};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{ARN, POLICY_PATH, Paging};
use crate::policy::Key;

/// Of AttachUserPolicy and DetachUserPolicy.
pub(in crate::iam) struct One<H> {
    holder: NameOf<H>,
    arn: String,
}

impl<H: Holder> One<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read_short(fields), arn: fields.required("PolicyArn", &ARN) }
    }

    async fn granted(&self, cx: &Cx<'_>) -> Result<Granted<H>, IamError> {
        self.holder.granted_bounded(cx, &Adds::new().text(Key::IamPolicyArn, &self.arn)).await
    }
}

pub(in crate::iam) async fn attach<H: Holder>(cx: &Cx<'_>, input: One<H>) -> Result<Changed, IamError> {
    let Granted { grant, holder } = input.granted(cx).await?;
    match cx.identities().attach_policy::<H>(&grant, holder.name(), &input.arn).await? {
        Some(draft) => cx.done(Reply::empty(), draft).await,
        None => cx.unchanged(Reply::empty()).await,
    }
}

pub(in crate::iam) async fn detach<H: Holder>(cx: &Cx<'_>, input: One<H>) -> Result<Changed, IamError> {
    let Granted { grant, holder } = input.granted(cx).await?;
    let draft = cx.identities().detach_policy::<H>(&grant, holder.name(), &input.arn).await?;
    cx.done(Reply::empty(), draft).await
}

pub(in crate::iam) struct List<H> {
    holder: NameOf<H>,
    path_prefix: String,
    paging: Paging,
}

impl<H: Holder> List<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            holder: NameOf::read_short(fields),
            path_prefix: fields.text("PathPrefix", &POLICY_PATH).unwrap_or_else(|| "/".to_owned()),
            paging: Paging::read(fields),
        }
    }
}

pub(in crate::iam) async fn list<H: Holder>(cx: &Cx<'_>, input: List<H>) -> Result<Reply, IamError> {
    let mut holder = input.holder.granted(cx, &Adds::new()).await?.holder;
    let mut arns = std::mem::take(holder.attached());
    arns.retain(|arn| path_and_name(arn).is_some_and(|(path, _)| path.starts_with(&input.path_prefix)));
    let arns = input.paging.cut(arns, String::clone)?;
    Ok(Reply::result(|w| {
        page(w, "AttachedPolicies", arns, |w, arn| {
            let name = path_and_name(&arn).map_or("", |(_, name)| name);
            w.leaf("PolicyName", name).leaf("PolicyArn", &arn);
        });
    }))
}

/// Path and name in `arn:aws:iam::ACCOUNT:policy/PATH/NAME`; the account of AWS's own policies is `aws`.
fn path_and_name(arn: &str) -> Option<(&str, &str)> {
    let (account, rest) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let of_customer = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let rest = rest.strip_prefix("policy")?;
    let (path, name) = rest.split_at(rest.rfind('/')? + 1);
    (path.starts_with('/') && !name.is_empty() && (of_customer || account == "aws")).then_some((path, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_policies() {
        let cases = [
            ("arn:aws:iam::aws:policy/ReadOnlyAccess", Some(("/", "ReadOnlyAccess"))),
            ("arn:aws:iam::111122223333:policy/a/b/c", Some(("/a/b/", "c"))),
            ("arn:aws:iam::111122223333:policy/a/", None),
            ("arn:aws:iam::111122223333:policy", None),
            ("arn:aws:iam::111122223333:policyx/a", None),
            ("arn:aws:iam::11112222333:policy/a", None),
            ("arn:aws:iam::111122223333:role/a", None),
            ("arn:aws:s3:::policy/a", None),
            ("ReadOnlyAccess", None),
        ];
        for (arn, expected) in cases {
            assert_eq!(path_and_name(arn), expected, "{arn}");
        }
    }
}
