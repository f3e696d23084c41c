//! SimulateCustomPolicy: what policies of the request would decide.

use super::POLICIES_READ_MAX;
use super::asked::{Asked, Given};
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::POLICY_DOCUMENT;

pub(in crate::iam) struct Input {
    policies: Vec<String>,
    of_organization: bool,
    asked: Asked,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            policies: fields.required_texts("PolicyInputList", 0..=POLICIES_READ_MAX, &POLICY_DOCUMENT),
            of_organization: fields.has("OrderedOrganizationPolicyInputList"),
            asked: Asked::read(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    if input.of_organization {
        return Err(IamError::not_implemented(
            "OrderedOrganizationPolicyInputList is not implemented by this server: it has no organizations.",
        ));
    }
    let given = Given { identity: Vec::new(), boundary: None, caller: None, account: cx.account()?.to_string() };
    input.asked.simulate(given, &input.policies).await
}
