//! GetContextKeysForPrincipalPolicy: the condition keys that the policies of a user, group or role name, and those of the
//! request.

use super::{POLICIES_READ_MAX, parse_all, policies_of};
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, text_members};
use crate::iam::shapes::{ARN, POLICY_DOCUMENT};
use crate::policy::context_keys;

pub(in crate::iam) struct Input {
    source: String,
    policies: Vec<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            source: fields.required("PolicySourceArn", &ARN),
            policies: fields.texts("PolicyInputList", 0..=POLICIES_READ_MAX, &POLICY_DOCUMENT),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let own = policies_of(cx, &input.source).await?;
    let given = parse_all("PolicyInputList", &input.policies)?;
    let own = own.identity.iter().chain(&own.boundary).map(|sourced| &*sourced.policy.attached.policy);
    let keys = context_keys(own.chain(&given));
    Ok(Reply::result(|w| text_members(w, "ContextKeyNames", keys)))
}
