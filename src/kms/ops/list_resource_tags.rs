//! ListResourceTags: the tags of a key.

use serde_json::{Value, json};

use super::{KEY_ID_CHARS, LIMIT, MARKER_CHARS};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;

/// Default and maximum of a page.
const PAGE_MAX: u32 = 50;

pub(in crate::kms) struct Input {
    key_id: String,
    limit: usize,
    marker: Option<String>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key_id: fields.required_text("KeyId", KEY_ID_CHARS),
            limit: fields.number("Limit", LIMIT).unwrap_or(PAGE_MAX).min(PAGE_MAX) as usize,
            marker: fields.text("Marker", MARKER_CHARS),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let key = cx.resolve_managed(&input.key_id).await?;
    let grant = cx.grant("kms:ListResourceTags", &key)?;
    let page = cx.keyring.key_tags(&grant, &cx.call, &key, input.limit, input.marker.as_deref()).await;
    let page = page.map_err(Refusal::recorded)?;
    let tag = |(name, value): (String, String)| json!({ "TagKey": name, "TagValue": value });
    Ok(Reply::of([
        ("Tags", page.items.into_iter().map(tag).collect::<Vec<Value>>().into()),
        ("Truncated", page.next_marker.is_some().into()),
        ("NextMarker", page.next_marker.into()),
    ]))
}
