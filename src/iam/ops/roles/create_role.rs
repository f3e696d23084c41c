//! CreateRole: a role whose trust policy names principals that exist.

use serde_json::json;

use super::{SESSION_DEFAULT_SECONDS, check_trust, read_session_seconds, read_signin_seconds, refuse_signin};
use super::{record_role, write_role};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, PATH, POLICY_DOCUMENT, ROLE_DESCRIPTION, ROLE_NAME, read_tags};
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::NewRole;
use crate::names::iam_arn;
use crate::policy::Key;

pub(in crate::iam) struct Input {
    name: String,
    path: String,
    trust: String,
    description: Option<String>,
    max_session_seconds: Option<u32>,
    max_signin_seconds: Option<u32>,
    boundary: Option<String>,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            path: fields.text("Path", &PATH).unwrap_or_else(|| "/".to_owned()),
            name: fields.required("RoleName", &ROLE_NAME),
            trust: fields.required("AssumeRolePolicyDocument", &POLICY_DOCUMENT),
            description: fields.text("Description", &ROLE_DESCRIPTION),
            max_session_seconds: read_session_seconds(fields),
            max_signin_seconds: read_signin_seconds(fields),
            boundary: fields.text("PermissionsBoundary", &ARN),
            tags: read_tags(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let account = cx.account()?;
    let arn = iam_arn(account, "role", &input.path, &input.name);
    let adds = Adds::new().optional(Key::IamPermissionsBoundary, input.boundary.as_deref()).request_tags(&input.tags);
    let grant = cx.grant_telling(&arn, &adds)?;
    if !input.tags.is_empty() {
        cx.grant_for("iam:TagRole", &arn, &adds)?;
    }
    refuse_signin(input.max_signin_seconds)?;
    check_tags(&input.tags)?;
    check_trust(cx, &input.trust).await?;
    let new = NewRole {
        name: input.name,
        path: input.path,
        trust: input.trust,
        description: input.description,
        max_session_seconds: input.max_session_seconds.unwrap_or(SESSION_DEFAULT_SECONDS),
        boundary: input.boundary,
        tags: stored_tags(&input.tags),
    };
    let (role, draft) = cx.identities().create_role(&grant, &new).await?;
    let reply = Reply::result(|w| {
        w.node("Role", |w| write_role(w, account, &role));
    });
    cx.done(reply.recording(json!({ "role": record_role(account, &role) })), draft).await
}
