//! ListGrants: the grants of a key.

use serde_json::{Map, Value, json};

use super::create_grant::Parties;
use crate::keyring::{GrantEntry, GrantFilter, GrantTerms, Party};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::{ManagedKey, Paging};
use crate::names::iam_root_arn;

pub(super) const LIMIT_DEFAULT: u32 = 50;
pub(super) const PAGE_MAX: u32 = 100;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    id: Option<String>,
    grantee: Parties,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: ManagedKey::read(fields),
            id: read_grant_id(fields),
            // AWS takes the filter by service from services only. Whoever may list the grants sees all of them anyway.
            grantee: Parties::read(fields, "GranteePrincipal", "GranteeServicePrincipal"),
            paging: Paging::read(fields, LIMIT_DEFAULT, PAGE_MAX),
        }
    }
}

/// `GrantId`.
pub(super) fn read_grant_id(fields: &mut Fields) -> Option<String> {
    fields.text("GrantId", 1..=128)
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grantee = match input.grantee {
        none if none.is_empty() => None,
        named => Some(named.one().ok_or_else(|| {
            let text = "You can specify either GranteePrincipal or GranteeServicePrincipal, but not both.";
            KmsError::validation(text)
        })?),
    };
    let found = cx.managed(&input.key.key_id).await?;
    let filter = GrantFilter { id: input.id, grantee };
    let paging = (input.paging.limit, input.paging.marker.as_deref());
    let page = cx.keyring.list_grants(&found.grant, &cx.call, &found.key, &filter, paging).await;
    Ok(Reply::page("Grants", page.map_err(Refusal::recorded)?, render_grant))
}

/// A `GrantListEntry`.
pub(super) fn render_grant(grant: GrantEntry) -> Value {
    let GrantTerms { grantee, retiring, operations, context, source_arn, name } = grant.terms;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("KeyId", grant.key_arn.into());
    put("GrantId", grant.id.into());
    put("Name", name.unwrap_or_default().into());
    put("CreationDate", epoch_seconds(grant.created));
    put("IssuingAccount", iam_root_arn(&grant.issuing_account).into());
    put("Operations", operations.iter().map(|operation| Value::from(operation.as_str())).collect());
    match grantee {
        Party::Principal(arn) => put("GranteePrincipal", arn.into()),
        Party::Service(name) => put("GranteeServicePrincipal", name.into()),
    };
    match retiring {
        None => None,
        Some(Party::Principal(arn)) => put("RetiringPrincipal", arn.into()),
        Some(Party::Service(name)) => put("RetiringServicePrincipal", name.into()),
    };
    let context = context.map(|context| (context.name().to_owned(), json!(context.pairs())));
    let source = source_arn.map(|arn| ("SourceArn".to_owned(), arn.into()));
    let constraints: Map<String, Value> = context.into_iter().chain(source).collect();
    if !constraints.is_empty() {
        put("Constraints", constraints.into());
    }
    shown.into()
}
