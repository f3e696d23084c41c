//! RetireGrant: ends a grant, by whom the grant itself says.

use super::list_grants::read_grant_id;
use crate::keyring::Retirer;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, GRANT_TOKEN_CHARS};
use crate::kms::reply::Reply;
use crate::kms::shapes::KEY_ID_CHARS;
use crate::policy::Subject;

pub(in crate::kms) struct Input {
    token: Option<String>,
    key_id: Option<String>,
    grant_id: Option<String>,
    dry_run: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            token: fields.text("GrantToken", GRANT_TOKEN_CHARS),
            key_id: fields.text("KeyId", KEY_ID_CHARS),
            grant_id: read_grant_id(fields),
            dry_run: fields.flag("DryRun"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let (key, grant_id) = match (input.token, input.key_id, input.grant_id) {
        (Some(token), None, None) => cx.keyring.grant_of_token(&token).map_err(KmsError::from)?,
        (None, Some(key), Some(id)) => (key, id),
        // AWS's text is not recorded.
        _ => return Err(KmsError::validation("Either GrantToken or both KeyId and GrantId must be specified.").into()),
    };
    let key = cx.resolve_managed(&key).await?;
    let (grant, delegated) = cx.keyring.authorize_retirement(cx.access, &key).await.map_err(KmsError::from)?;
    let by = Retirer { subject: cx.access.subject().unwrap_or(Subject::ANONYMOUS), delegated };
    let retired = cx.keyring.retire_grant(&grant, &cx.call, &key, &grant_id, &by, input.dry_run).await;
    retired.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
