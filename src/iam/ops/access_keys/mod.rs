//! Of IAM: access keys of users.

mod create_access_key;
mod delete_access_key;
mod get_access_key_last_used;
mod list_access_keys;
mod update_access_key;

use crate::auth::CallerKind;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::ops::holder::Granted;
use crate::iam::ops::users::named_or_own;
use crate::iam::table::{Row, changes, tells};
use crate::identity::{AccessKeyEntry, UserRecord};
use crate::names::iam_root_arn;

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "CreateAccessKey", create_access_key),
    changes!(Iam, "DeleteAccessKey", delete_access_key),
    tells!(Iam, "GetAccessKeyLastUsed", get_access_key_last_used),
    tells!(Iam, "ListAccessKeys", list_access_keys),
    changes!(Iam, "UpdateAccessKey", update_access_key),
];

/// Whose access keys a call is about, with leave to do the row's action: the user of this name; without a name the caller
/// itself. None: the caller is root. Its keys stand in the settings.
async fn owner(cx: &Cx<'_>, name: Option<String>) -> Result<Option<Granted<UserRecord>>, IamError> {
    if name.is_none() && *cx.access.caller().kind() == CallerKind::Root {
        cx.grant(&iam_root_arn(cx.account()?))?;
        return Ok(None);
    }
    named_or_own(cx, name, &Adds::new()).await.map(Some)
}

/// As [`owner`], for a change.
async fn owner_to_change(cx: &Cx<'_>, name: Option<String>) -> Result<Granted<UserRecord>, IamError> {
    owner(cx, name).await?.ok_or_else(|| {
        let text = "The access keys of root stand in the settings of the server, and are changed there only. Name a \
                    user whose keys are to be changed.";
        IamError::new(code::UNMODIFIABLE_ENTITY, text)
    })
}

/// `Status`
fn status(key: &AccessKeyEntry) -> &'static str {
    if key.active { "Active" } else { "Inactive" }
}
