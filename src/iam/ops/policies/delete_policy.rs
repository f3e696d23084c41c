//! DeletePolicy: of one that is attached to nothing and has its default version alone.

use super::to_change;
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::ARN;

pub(in crate::iam) struct Input {
    arn: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (_, grant) = to_change(cx, &input.arn, &Adds::new()).await?;
    let draft = cx.identities().delete_policy(&grant, &input.arn).await?;
    cx.done(Reply::empty(), draft).await
}
