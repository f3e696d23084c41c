//! ListAliases: the account's aliases in the Region, or those of one key.

use serde_json::{Value, json};

use super::{KEY_ID_CHARS, LIMIT, MARKER_CHARS};
use crate::keyring::AliasEntry;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};

const LIMIT_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 100;

pub(in crate::kms) struct Input {
    key_id: Option<String>,
    limit: usize,
    marker: Option<String>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key_id: fields.text("KeyId", KEY_ID_CHARS),
            limit: fields.number("Limit", LIMIT).unwrap_or(LIMIT_DEFAULT).min(PAGE_MAX) as usize,
            marker: fields.text("Marker", MARKER_CHARS),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grant = cx.grant_on("kms:ListAliases", "*")?;
    let key = match &input.key_id {
        Some(id) => Some(cx.resolve_managed(id).await?),
        None => None,
    };
    let marker = input.marker.as_deref();
    let page = cx.keyring.list_aliases(&grant, &cx.call, key.as_ref(), input.limit, marker).await;
    let page = page.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("Aliases", page.items.into_iter().map(render_alias).collect::<Vec<Value>>().into()),
        ("Truncated", page.next_marker.is_some().into()),
        ("NextMarker", page.next_marker.into()),
    ]))
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
