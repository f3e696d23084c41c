//! TagPolicy: adds tags to a managed policy, or gives those of the same keys new values.

use super::to_change;
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, read_required_tags};
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::PolicyRecord;

pub(in crate::iam) struct Input {
    arn: String,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN), tags: read_required_tags(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (policy, grant) = to_change(cx, &input.arn, &Adds::new().request_tags(&input.tags)).await?;
    check_tags(&input.tags)?;
    let tags = stored_tags(&input.tags);
    let draft = cx.identities().tag::<PolicyRecord>(&grant, &policy.name, &tags).await?;
    cx.done(Reply::empty(), draft).await
}
