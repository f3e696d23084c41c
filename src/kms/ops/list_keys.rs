//! ListKeys: ids and ARNs of the account's keys in the Region.

use serde_json::json;

use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::Paging;

const LIMIT_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;
/// Of the words of `ResourceOwners`: keys of the caller's account.
const OWN: &str = "SELF";

pub(in crate::kms) struct Input {
    paging: Paging,
    shared_only: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let owners = fields.words("ResourceOwners", 1..=2, &[OWN, "OTHER_ACCOUNTS_VIA_RAM"]);
        Self {
            paging: Paging::read(fields, LIMIT_DEFAULT, PAGE_MAX),
            shared_only: !owners.is_empty() && !owners.contains(&OWN),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grant = cx.grant_on("kms:ListKeys", "*")?;
    if input.shared_only {
        return Err(KmsError::unsupported("Keys shared by other accounts are not supported.").into());
    }
    let Paging { limit, marker } = input.paging;
    let page = cx.keyring.list_keys(&grant, &cx.call, limit, marker.as_deref()).await;
    let page = page.map_err(Refusal::recorded)?;
    Ok(Reply::page("Keys", page, |(id, arn)| json!({ "KeyId": id, "KeyArn": arn })))
}
