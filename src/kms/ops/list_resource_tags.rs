//! ListResourceTags: the tags of a key.

use serde_json::json;

use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::{ManagedKey, Paging};

/// Default and maximum of a page.
const PAGE_MAX: u32 = 50;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: ManagedKey::read(fields), paging: Paging::read(fields, PAGE_MAX, PAGE_MAX) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let Paging { limit, marker } = input.paging;
    let page = cx.keyring.key_tags(&found.grant, &cx.call, &found.key, limit, marker.as_deref()).await;
    let page = page.map_err(Refusal::recorded)?;
    Ok(Reply::page("Tags", page, |(name, value)| json!({ "TagKey": name, "TagValue": value })))
}
