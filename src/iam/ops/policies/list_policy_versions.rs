//! ListPolicyVersions: the newest first, without documents.

use super::{ShownVersion, by_arn};
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
    let versions = match by_arn(cx, &input.arn, &Adds::new()).await?.policy {
        ManagedPolicy::ReadyMade(_) => vec![(0, ShownVersion::ready_made(None))],
        ManagedPolicy::Own(policy) => {
            let all = policy.versions.iter();
            all.map(|version| (version.number, ShownVersion::own(&policy, version, None))).collect()
        }
    };
    let versions = input.paging.cut(versions, |(number, _)| format!("{:010}", u32::MAX - number))?;
    Ok(Reply::result(|w| page(w, "Versions", versions, |w, (_, version)| version.write(w))))
}
