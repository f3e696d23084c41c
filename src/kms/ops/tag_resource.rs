//! TagResource: adds tags to a key, or gives those of the same keys new values.

use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::kms::tags::{check_tags, read_tags};

pub(in crate::kms) struct Input {
    key: ManagedKey,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        if !fields.has("Tags") {
            fields.fault("Tags", "null", "Member must not be null");
        }
        Self { key: ManagedKey::read(fields), tags: read_tags(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_tags(&input.tags)?;
    let found = cx.managed_telling(&input.key.key_id, Told { tags: &input.tags, ..Told::default() }).await?;
    let tagged = cx.keyring.tag_key(&found.grant, &cx.call, &found.key, &input.tags).await;
    tagged.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
