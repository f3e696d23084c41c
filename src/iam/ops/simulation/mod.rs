//! Of IAM: what policies would decide.

mod answer;
mod asked;
mod excluded;
mod get_context_keys_for_custom_policy;
mod get_context_keys_for_principal_policy;
mod simulate_custom_policy;
mod simulate_principal_policy;

use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::table::{Row, tells};
use crate::iam::tags::pairs;
use crate::identity::{Identities, SourcedPolicies};
use crate::policy::{Kind, Policy, PolicyQuota, counted_chars};

pub(in crate::iam) static ROWS: &[Row] = &[
    tells!(Iam, "GetContextKeysForCustomPolicy", get_context_keys_for_custom_policy),
    tells!(Iam, "GetContextKeysForPrincipalPolicy", get_context_keys_for_principal_policy),
    tells!(Iam, "SimulateCustomPolicy", simulate_custom_policy),
    tells!(Iam, "SimulatePrincipalPolicy", simulate_principal_policy),
];

/// Policies of a list in a request. The model says nothing of their number; a request has no room for more.
const POLICIES_READ_MAX: usize = 1000;

fn invalid(text: impl Into<String>) -> IamError {
    IamError::new(code::INVALID_INPUT, text)
}

/// What AWS answers to an ARN of something else than a user, group or role.
fn no_entity_arn(arn: &str) -> IamError {
    invalid(format!("Invalid Entity Arn: {arn} does not clearly define entity type and name."))
}

/// The policies of the user, group or role with this ARN, with leave for the row's action on it. Leave comes before
/// existence.
async fn policies_of(cx: &Cx<'_>, arn: &str) -> Result<SourcedPolicies, IamError> {
    let found = cx.identities().sourced_policies(cx.account()?, arn).await;
    let tags = if let Ok(Some(found)) = &found { &found.tags[..] } else { &[] };
    cx.grant_telling(arn, &Adds::new().resource_tags(pairs(tags)))?;
    match found? {
        Some(policies) => Ok(policies),
        // Of another account: what there is it does not tell. AWS's text is not recorded.
        None if Identities::is_entity_arn(arn) => {
            Err(IamError::no_such_entity(format!("The entity with ARN {arn} cannot be found.")))
        }
        None => Err(no_entity_arn(arn)),
    }
}

/// The documents of a list. AWS's text is not recorded.
fn parse_all(list: &str, documents: &[String]) -> Result<Vec<Policy>, IamError> {
    let parsed = (1..).zip(documents).map(|(n, document)| {
        // No identity has a longer one.
        let quota = PolicyQuota::RoleInline;
        if quota.check(counted_chars(document)).is_err() {
            let limit = quota.limit_chars();
            return Err(invalid(format!("The policy {list}.{n} is longer than {limit} characters but white space.")));
        }
        let policy = Policy::parse(document.as_bytes(), Kind::Identity);
        policy.map_err(|error| invalid(format!("The policy {list}.{n} is not valid: {error}")))
    });
    parsed.collect()
}
