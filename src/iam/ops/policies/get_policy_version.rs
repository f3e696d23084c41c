//! GetPolicyVersion: a version of a managed policy with its document.

use super::{ShownVersion, by_arn, version_absent, version_number};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, POLICY_VERSION_ID};
use crate::identity::ManagedPolicy;
use crate::policy::MANAGED_VERSION;

pub(in crate::iam) struct Input {
    arn: String,
    version: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: fields.required("PolicyArn", &ARN), version: fields.required("VersionId", &POLICY_VERSION_ID) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let absent = || version_absent(&input.arn, &input.version);
    let shown = match by_arn(cx, &input.arn, &Adds::new()).await?.policy {
        ManagedPolicy::ReadyMade(policy) if input.version == MANAGED_VERSION => {
            ShownVersion::ready_made(Some(policy.document.to_owned()))
        }
        ManagedPolicy::ReadyMade(_) => return Err(absent()),
        ManagedPolicy::Own(policy) => {
            let number = version_number(&input.version);
            let version = policy.versions.iter().find(|version| Some(version.number) == number).ok_or_else(absent)?;
            // One without its document was deleted after the policy was read.
            let text = cx.identities().document(cx.account()?, &policy, version.number).await?.ok_or_else(absent)?;
            ShownVersion::own(&policy, version, Some(text))
        }
    };
    Ok(Reply::result(|w| {
        w.node("PolicyVersion", |w| shown.write(w));
    }))
}
