//! ListPolicyTags: in the order of their keys.

use super::by_arn;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{ARN, Paging};
use crate::identity::ManagedPolicy;

pub(in crate::iam) struct Input {
    arn: String,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let tags = match by_arn(cx, &input.arn, &Adds::new()).await?.policy {
        ManagedPolicy::Own(policy) => policy.tags,
        ManagedPolicy::ReadyMade(_) => Vec::new(),
    };
    let tags = input.paging.cut(tags, |tag| tag.key.to_lowercase())?;
    Ok(Reply::result(|w| {
        page(w, "Tags", tags, |w, tag| {
            w.leaf("Key", &tag.key).leaf("Value", &tag.value);
        });
    }))
}
