//! ListKeyPolicies: the names of a key's policies, of which there is one.

use serde_json::Value;

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::{ManagedKey, Paging};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: ManagedKey::read(fields), paging: Paging::read(fields, LIMIT_DEFAULT, LIMIT_MAX) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let marker = input.paging.marker.as_deref();
    let page = cx.keyring.key_policy_names(&found.grant, &cx.call, &found.key, marker).await;
    Ok(Reply::page("PolicyNames", page.map_err(Refusal::recorded)?, Value::from))
}
