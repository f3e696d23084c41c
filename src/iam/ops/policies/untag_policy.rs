//! UntagPolicy: takes tags from a managed policy; keys that it does not have are no fault.

use super::to_change;
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, read_tag_keys};
use crate::identity::PolicyRecord;

pub(in crate::iam) struct Input {
    arn: String,
    keys: Vec<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN), keys: read_tag_keys(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (policy, grant) = to_change(cx, &input.arn, &Adds::new().tag_keys(&input.keys)).await?;
    let draft = cx.identities().untag::<PolicyRecord>(&grant, &policy.name, &input.keys).await?;
    cx.done(Reply::empty(), draft).await
}
