//! GetContextKeysForCustomPolicy: the condition keys that policies of the request name.

use super::{POLICIES_READ_MAX, parse_all};
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, text_members};
use crate::iam::shapes::POLICY_DOCUMENT;
use crate::policy::context_keys;

pub(in crate::iam) struct Input {
    policies: Vec<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { policies: fields.required_texts("PolicyInputList", 0..=POLICIES_READ_MAX, &POLICY_DOCUMENT) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    let policies = parse_all("PolicyInputList", &input.policies)?;
    let keys = context_keys(&policies);
    Ok(Reply::result(|w| text_members(w, "ContextKeyNames", keys)))
}
