//! SimulatePrincipalPolicy: what the policies of a user, group or role decide, with those of the request beside them.

use super::asked::{Asked, Given};
use super::excluded::Excluded;
use super::{POLICIES_READ_MAX, policies_of};
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, POLICY_DOCUMENT};

pub(in crate::iam) struct Input {
    source: String,
    policies: Vec<String>,
    excluded: Vec<Excluded>,
    asked: Asked,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            source: fields.required("PolicySourceArn", &ARN),
            policies: fields.texts("PolicyInputList", 0..=POLICIES_READ_MAX, &POLICY_DOCUMENT),
            excluded: fields.structures("PolicyExclusionList", 0..=256, Excluded::read),
            asked: Asked::read(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let mut own = policies_of(cx, &input.source).await?;
    for excluded in &input.excluded {
        excluded.remove_from(&mut own)?;
    }
    let given = Given {
        identity: own.identity.into_iter().map(|sourced| sourced.policy).collect(),
        boundary: own.boundary.map(|sourced| sourced.policy),
        caller: Some(input.source),
        account: cx.account()?.to_string(),
    };
    input.asked.simulate(given, &input.policies).await
}
