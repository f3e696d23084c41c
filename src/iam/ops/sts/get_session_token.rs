//! GetSessionToken: temporary credentials of the caller itself. It needs no permission, and none can be denied (as AWS
//! documents: "You cannot use policies to control authentication operations").

use super::assume_role::{TOKEN_SIZE_MAX, refuse_unserved};
use super::sessions::{
    DURATION_MIN_SECONDS, HOUR_SECONDS, USER_DURATION_DEFAULT_SECONDS, USER_DURATION_MAX_SECONDS, record_session,
    refuse_mfa, write_credentials,
};
use crate::auth::{CallerKind, Issuer, IssuerKind};
use crate::iam::cx::{Cx, missing_token};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{SERIAL_NUMBER, TOKEN_CODE};
use crate::identity::{NewSession, SessionOf};

pub(in crate::iam) struct Input {
    seconds: Option<u32>,
    mfa: bool,
    minimum_size: Option<u32>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        let serial = fields.text("SerialNumber", &SERIAL_NUMBER).is_some();
        Self {
            seconds: fields.number("DurationSeconds", DURATION_MIN_SECONDS..=USER_DURATION_MAX_SECONDS),
            mfa: fields.secret("TokenCode", &TOKEN_CODE).is_some() || serial,
            minimum_size: fields.number("MinimumSessionTokenSize", 0..=TOKEN_SIZE_MAX),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    refuse_mfa(input.mfa)?;
    refuse_unserved(false, input.minimum_size)?;
    let issuer = own_issuer(cx)?;
    let made = cx.identities().new_session(&NewSession {
        account: cx.account()?.clone(),
        of: SessionOf::Caller,
        seconds: seconds(input.seconds, &issuer),
        issuer,
        policies: Vec::new(),
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive_tags: Vec::new(),
        source_identity: None,
        federated_provider: None,
    })?;
    let reply = Reply::result(|w| write_credentials(w, &made));
    Ok(reply.recording(record_session(&made, serde_json::Value::Null)))
}

/// The caller as one whose permissions a session can have: a user or a root. Sessions were refused before.
pub(super) fn own_issuer(cx: &Cx<'_>) -> Result<Issuer, IamError> {
    let principal = cx.access.caller().principal();
    let (kind, name) = match principal.kind() {
        CallerKind::Root => (IssuerKind::Root, None),
        CallerKind::User { name } => (IssuerKind::User, Some(name.clone())),
        _ => return Err(missing_token()),
    };
    Ok(Issuer { kind, arn: principal.arn().to_owned(), id: principal.user_id().to_owned(), name })
}

/// How long a session of a user or root lasts. A root gets no more than an hour, whatever it asks for, as AWS documents.
pub(super) fn seconds(asked: Option<u32>, issuer: &Issuer) -> u32 {
    let most = if issuer.kind == IssuerKind::Root { HOUR_SECONDS } else { USER_DURATION_MAX_SECONDS };
    asked.unwrap_or(USER_DURATION_DEFAULT_SECONDS).min(most)
}
