//! ListAliases: the account's aliases in the Region, or those of one key.

use serde_json::{Value, json};

use crate::keyring::AliasEntry;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::{KEY_ID_CHARS, Paging};

const LIMIT_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 100;

pub(in crate::kms) struct Input {
    key_id: Option<String>,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key_id: fields.text("KeyId", KEY_ID_CHARS), paging: Paging::read(fields, LIMIT_DEFAULT, PAGE_MAX) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grant = cx.grant_on("kms:ListAliases", "*")?;
    let key = match &input.key_id {
        Some(id) => Some(cx.resolve_managed(id).await?),
        None => None,
    };
    let Paging { limit, marker } = input.paging;
    let page = cx.keyring.list_aliases(&grant, &cx.call, key.as_ref(), limit, marker.as_deref()).await;
    Ok(Reply::page("Aliases", page.map_err(Refusal::recorded)?, render_alias))
}

fn render_alias(alias: AliasEntry) -> Value {
    let mut shown = json!({ "AliasName": alias.name, "AliasArn": alias.arn });
    if let Some(target) = alias.target {
        shown["TargetKeyId"] = target.key_id.into();
        shown["CreationDate"] = epoch_seconds(target.created);
        shown["LastUpdatedDate"] = epoch_seconds(target.updated);
    }
    shown
}
