//! ListRetirableGrants: the grants, on keys of any account, that a principal of the caller's account may retire.

use super::create_grant::Parties;
use super::list_grants::{LIMIT_DEFAULT, PAGE_MAX, render_grant};
use crate::keyring::Party;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::Paging;

pub(in crate::kms) struct Input {
    retiring: Parties,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            retiring: Parties::read(fields, "RetiringPrincipal", "RetiringServicePrincipal"),
            paging: Paging::read(fields, LIMIT_DEFAULT, PAGE_MAX),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let retiring = input.retiring.one().ok_or_else(|| {
        let text = "You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.";
        KmsError::validation(text)
    })?;
    check_account(cx, &retiring)?;
    let grant = cx.grant_on("kms:ListRetirableGrants", retiring.text())?;
    let paging = (input.paging.limit, input.paging.marker.as_deref());
    let page = cx.keyring.list_retirable_grants(&grant, &cx.call, &retiring, paging).await;
    Ok(Reply::page("Grants", page.map_err(Refusal::recorded)?, render_grant))
}

/// The principal has to be one of the caller's account; only services ask for services. AWS's text is not recorded.
fn check_account(cx: &Cx<'_>, retiring: &Party) -> Result<(), KmsError> {
    let own = match retiring {
        Party::Principal(arn) => arn.split(':').nth(4).is_none_or(|account| account == cx.account.as_str()),
        Party::Service(_) => false,
    };
    if own {
        return Ok(());
    }
    let (caller, principal) = (cx.access.caller().arn(), retiring.text());
    let text = format!("User: {caller} is not authorized to perform: kms:ListRetirableGrants on resource: {principal}");
    Err(KmsError::new("AccessDeniedException", text))
}
