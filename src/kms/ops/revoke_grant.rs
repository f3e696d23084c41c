//! RevokeGrant: ends a grant, by whom policies say.

use super::list_grants::read_grant_id;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;

pub(in crate::kms) struct Input {
    key: ManagedKey,
    grant_id: String,
    dry_run: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        if !fields.has("GrantId") {
            fields.fault("GrantId", "null", "Member must not be null");
        }
        Self {
            key: ManagedKey::read(fields),
            grant_id: read_grant_id(fields).unwrap_or_default(),
            dry_run: fields.flag("DryRun"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let revoked = cx.keyring.revoke_grant(&found.grant, &cx.call, &found.key, &input.grant_id, input.dry_run).await;
    revoked.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
