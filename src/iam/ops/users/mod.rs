//! Of IAM: users, what is attached to them, their inline policies, boundaries and tags.

mod attach_user_policy;
mod create_user;
mod delete_user;
mod delete_user_permissions_boundary;
mod delete_user_policy;
mod detach_user_policy;
mod get_user;
mod get_user_policy;
mod list_attached_user_policies;
mod list_user_policies;
mod list_user_tags;
mod list_users;
mod put_user_permissions_boundary;
mod put_user_policy;
mod tag_user;
mod untag_user;
mod update_user;

use serde_json::{Value, json};

use crate::auth::CallerKind;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::ops::holder::{Granted, granted};
use crate::iam::reply::{Writer, tags};
use crate::iam::table::{Row, changes, tells};
use crate::iam::tags::pairs;
use crate::identity::UserRecord;
use crate::names::AccountId;
use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

pub(in crate::iam) static ROWS: &[Row] = &[
    changes!(Iam, "AttachUserPolicy", attach_user_policy),
    changes!(Iam, "CreateUser", create_user),
    changes!(Iam, "DeleteUser", delete_user),
    changes!(Iam, "DeleteUserPermissionsBoundary", delete_user_permissions_boundary),
    changes!(Iam, "DeleteUserPolicy", delete_user_policy),
    changes!(Iam, "DetachUserPolicy", detach_user_policy),
    tells!(Iam, "GetUser", get_user),
    tells!(Iam, "GetUserPolicy", get_user_policy),
    tells!(Iam, "ListAttachedUserPolicies", list_attached_user_policies),
    tells!(Iam, "ListUserPolicies", list_user_policies),
    tells!(Iam, "ListUserTags", list_user_tags),
    tells!(Iam, "ListUsers", list_users),
    changes!(Iam, "PutUserPermissionsBoundary", put_user_permissions_boundary),
    changes!(Iam, "PutUserPolicy", put_user_policy),
    changes!(Iam, "TagUser", tag_user),
    changes!(Iam, "UntagUser", untag_user),
    changes!(Iam, "UpdateUser", update_user),
];

/// The user of this name with leave to do the row's action on it; without a name the caller itself, if that is a user.
pub(in crate::iam) async fn named_or_own(
    cx: &Cx<'_>,
    name: Option<String>,
    adds: &Adds<'_>,
) -> Result<Granted<UserRecord>, IamError> {
    match (name, cx.access.caller().kind()) {
        (Some(name), _) => granted(cx, &name, adds).await,
        (None, CallerKind::User { name }) => granted(cx, name, adds).await,
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
