//! SetDefaultPolicyVersion: which version is in force, from the next request on.

use super::{to_change, version_absent, version_number};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, POLICY_VERSION_ID};

pub(in crate::iam) struct Input {
    arn: String,
    version: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN), version: fields.required("VersionId", &POLICY_VERSION_ID) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (_, grant) = to_change(cx, &input.arn, &Adds::new()).await?;
    let number = version_number(&input.version).ok_or_else(|| version_absent(&input.arn, &input.version))?;
    let draft = cx.identities().set_default_policy_version(&grant, &input.arn, number).await?;
    cx.done(Reply::empty(), draft).await
}
