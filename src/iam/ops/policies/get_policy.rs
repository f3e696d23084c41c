//! GetPolicy: what a managed policy is, without its document.

use super::{ShownPolicy, by_arn, write_tags};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, tags};
use crate::iam::shapes::ARN;
use crate::identity::ManagedPolicy;

pub(in crate::iam) struct Input {
    arn: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let policy = by_arn(cx, &input.arn, &Adds::new()).await?.policy;
    let shown = match &policy {
        ManagedPolicy::Own(policy) => ShownPolicy::own(cx.account()?, policy),
        ManagedPolicy::ReadyMade(policy) => ShownPolicy::ready_made(cx, policy).await?,
    };
    Ok(Reply::result(|w| {
        w.node("Policy", |w| {
            shown.write_described(w);
            match &policy {
                ManagedPolicy::Own(policy) => write_tags(w, policy),
                ManagedPolicy::ReadyMade(_) => tags(w, [("", ""); 0]),
            }
        });
    }))
}
