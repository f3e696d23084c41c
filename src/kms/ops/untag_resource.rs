//! UntagResource: removes tags; those that are not there are no error.

use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::kms::tags::read_tag_keys;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    names: Vec<String>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { key: ManagedKey::read(fields), names: read_tag_keys(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed_telling(&input.key.key_id, Told { tag_keys: &input.names, ..Told::default() }).await?;
    let untagged = cx.keyring.untag_key(&found.grant, &cx.call, &found.key, &input.names).await;
    untagged.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
