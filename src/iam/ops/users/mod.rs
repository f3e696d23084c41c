//! Of IAM: users, what is attached to them, their inline policies, boundaries and tags.

mod create_user;
mod get_user;
mod list_users;

use serde_json::{Value, json};

use crate::auth::{CallerKind, Grant};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::reply::{Writer, tags};
use crate::iam::table::{Row, changes, refused, tells};
use crate::iam::tags::pairs;
use crate::identity::UserRecord;
use crate::names::{AccountId, iam_arn};
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

pub(in crate::iam) static ROWS: &[Row] = &[
    refused!(Iam, "AttachUserPolicy"),
    changes!(Iam, "CreateUser", create_user),
    refused!(Iam, "DeleteUser"),
    refused!(Iam, "DeleteUserPermissionsBoundary"),
    refused!(Iam, "DeleteUserPolicy"),
    refused!(Iam, "DetachUserPolicy"),
    tells!(Iam, "GetUser", get_user),
    refused!(Iam, "GetUserPolicy"),
    refused!(Iam, "ListAttachedUserPolicies"),
    refused!(Iam, "ListUserPolicies"),
    refused!(Iam, "ListUserTags"),
    tells!(Iam, "ListUsers", list_users),
    refused!(Iam, "PutUserPermissionsBoundary"),
    refused!(Iam, "PutUserPolicy"),
    refused!(Iam, "TagUser"),
    refused!(Iam, "UntagUser"),
    refused!(Iam, "UpdateUser"),
];

/// A user with leave to do the row's action on it.
pub(in crate::iam) struct GrantedUser {
    pub(in crate::iam) user: UserRecord,
    pub(in crate::iam) grant: Grant,
}

/// The user of this name, with leave to do the row's action on it. `adds` gets the user's tags.
///
/// Leave comes before existence: of a name that nobody has, it is asked for on the ARN that it would have without a
/// path, so that who may not ask does not learn who there is.
pub(in crate::iam) async fn named(cx: &Cx<'_>, name: &str, adds: &Adds<'_>) -> Result<GrantedUser, IamError> {
    let account = cx.account()?;
    match cx.identities().user(account, name).await {
        Ok(user) => {
            let adds = adds.clone().resource_tags(pairs(&user.tags));
            let grant = cx.grant_telling(&user.arn(account), &adds)?;
            Ok(GrantedUser { grant, user })
        }
        Err(error) => {
            cx.grant_telling(&iam_arn(account, "user", "/", name), adds)?;
            Err(error.into())
        }
    }
}

/// As [`named`]; without a name the caller itself, if that is a user.
pub(in crate::iam) async fn named_or_own(
    cx: &Cx<'_>,
    name: Option<String>,
    adds: &Adds<'_>,
) -> Result<GrantedUser, IamError> {
    match (name, cx.access.caller().kind()) {
        (Some(name), _) => named(cx, &name, adds).await,
        (None, CallerKind::User { name }) => named(cx, name, adds).await,
        (None, _) => {
            Err(IamError::new(code::VALIDATION_ERROR, "Must specify userName when calling with non-User credentials"))
        }
    }
}

/// A user as GetUser gives it.
pub(in crate::iam) fn write_user(w: &mut Writer, account: &AccountId, user: &UserRecord) {
    write_listed_user(w, account, user);
    if let Some(arn) = &user.boundary {
        w.node("PermissionsBoundary", |w| {
            w.leaf("PermissionsBoundaryType", "Policy").leaf("PermissionsBoundaryArn", arn);
        });
    }
    if !user.tags.is_empty() {
        tags(w, pairs(&user.tags));
    }
}

/// A user as lists give it: without boundary and tags, as AWS documents.
pub(in crate::iam) fn write_listed_user(w: &mut Writer, account: &AccountId, user: &UserRecord) {
    w.leaf("Path", &user.path).leaf("UserName", &user.name).leaf("UserId", &user.id);
    w.leaf("Arn", &user.arn(account)).leaf("CreateDate", &iso8601_seconds(Timestamp(user.created_ms)));
}

/// `responseElements.user`
fn record_user(account: &AccountId, user: &UserRecord) -> Value {
    json!({
        "path": user.path, "userName": user.name, "userId": user.id, "arn": user.arn(account),
        "createDate": iso8601_seconds(Timestamp(user.created_ms)),
    })
}
