//! ListKeys: ids and ARNs of the account's keys in the Region.

use serde_json::{Value, json};

use super::{LIMIT, MARKER_CHARS};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;

const LIMIT_DEFAULT: u32 = 100;

pub(in crate::kms) struct Input {
    limit: usize,
    marker: Option<String>,
    shared_only: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let owners = fields.list("ResourceOwners", 2);
        Self {
            limit: fields.number("Limit", LIMIT).unwrap_or(LIMIT_DEFAULT) as usize,
            marker: fields.text("Marker", MARKER_CHARS),
            shared_only: !owners.is_empty() && !owners.contains(&Value::from("SELF")),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let grant = cx.grant_on("kms:ListKeys", "*")?;
    if input.shared_only {
        return Err(KmsError::unsupported("Keys shared by other accounts are not supported.").into());
    }
    let page = cx.keyring.list_keys(&grant, &cx.call, input.limit, input.marker.as_deref()).await;
    let page = page.map_err(Refusal::recorded)?;
    let keys: Vec<Value> = page.items.into_iter().map(|(id, arn)| json!({ "KeyId": id, "KeyArn": arn })).collect();
    Ok(Reply::of([
        ("Keys", keys.into()),
        ("Truncated", page.next_marker.is_some().into()),
        ("NextMarker", page.next_marker.into()),
    ]))
}
