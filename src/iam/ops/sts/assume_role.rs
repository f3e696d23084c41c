//! AssumeRole: credentials of a role, of the caller's account or another one.
//!
//! CloudTrail writes such a call across accounts into the trails of both. There is one record here, the caller's; the
//! role's account stands in its `resources`.

use super::roles::{self, Inherited, Wish, answer};
use super::sessions::{
    DURATION_MIN_SECONDS, ROLE_DURATION_MAX_SECONDS, SESSION_TAGS_MAX, SessionPolicies, read_session_tags, refuse_mfa,
};
use crate::auth::{Access, CallerKind};
use crate::iam::cx::Cx;
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{
    CONTEXT_ASSERTION, ROLE_ARN, ROLE_SESSION_NAME, SERIAL_NUMBER, SOURCE_IDENTITY, STS_EXTERNAL_ID, TAG_KEY,
    TOKEN_CODE,
};
use crate::policy::Key;

/// `MinimumSessionTokenSize` in bytes: more than any token has is not asked for.
pub(super) const TOKEN_SIZE_MAX: u32 = 4_096;
/// Most `ProvidedContexts`.
const CONTEXTS_MAX: usize = 5;

pub(in crate::iam) struct Input {
    role_arn: String,
    external_id: Option<String>,
    mfa: bool,
    contexts: bool,
    minimum_size: Option<u32>,
    seconds: Option<u32>,
    session_name: String,
    policies: SessionPolicies,
    tags: Vec<(String, String)>,
    transitive: Vec<String>,
    source_identity: Option<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        let contexts = fields.has("ProvidedContexts");
        fields.structures("ProvidedContexts", 0..=CONTEXTS_MAX, |f| {
            (f.text("ProviderArn", &ROLE_ARN), f.text("ContextAssertion", &CONTEXT_ASSERTION))
        });
        let serial = fields.text("SerialNumber", &SERIAL_NUMBER).is_some();
        Self {
            role_arn: fields.required("RoleArn", &ROLE_ARN),
            session_name: fields.required("RoleSessionName", &ROLE_SESSION_NAME),
            policies: SessionPolicies::read(fields, false),
            seconds: fields.number("DurationSeconds", DURATION_MIN_SECONDS..=ROLE_DURATION_MAX_SECONDS),
            tags: read_session_tags(fields),
            transitive: fields.texts("TransitiveTagKeys", 0..=SESSION_TAGS_MAX, &TAG_KEY),
            external_id: fields.text("ExternalId", &STS_EXTERNAL_ID),
            mfa: fields.secret("TokenCode", &TOKEN_CODE).is_some() || serial,
            source_identity: fields.text("SourceIdentity", &SOURCE_IDENTITY),
            minimum_size: fields.number("MinimumSessionTokenSize", 0..=TOKEN_SIZE_MAX),
            contexts,
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    cx.account()?;
    if matches!(cx.access.caller().kind(), CallerKind::Root) {
        return Err(IamError::new(code::ACCESS_DENIED, "Roles may not be assumed by root accounts."));
    }
    refuse_mfa(input.mfa)?;
    refuse_unserved(input.contexts, input.minimum_size)?;
    let documents = input.policies.documents()?;
    let wish = Wish {
        session_name: input.session_name,
        seconds: input.seconds,
        policies: input.policies,
        documents,
        tags: input.tags,
        transitive: input.transitive,
        source_identity: input.source_identity,
        federated_provider: None,
    };
    wish.check_tags()?;
    let inherited = inherited(cx.access);
    check_inherited(&wish, &inherited)?;
    let account = roles::account_of(&input.role_arn)?;
    let adds = wish.adds().optional(Key::StsExternalId, input.external_id.as_deref());
    // A role that there is not and one that does not let the caller in answer alike.
    let found = roles::find(cx, &account, &input.role_arn).await?;
    let found = found.filter(|found| found.lets(cx.access, "sts:AssumeRole", &adds));
    let denied = |action: &str| {
        let (arn, role) = (cx.access.caller().arn(), &input.role_arn);
        let text = format!("User: {arn} is not authorized to perform: {action} on resource: {role}");
        IamError::new(code::ACCESS_DENIED, text)
    };
    let found = found.ok_or_else(|| denied("sts:AssumeRole"))?;
    found.lets_besides(cx.access, &wish, &inherited, &adds).map_err(denied)?;
    let source_identity = wish.source_identity.clone().or_else(|| inherited.source_identity.clone());
    let made = found.assume(cx, &wish, inherited).await?;
    Ok(answer(&made, source_identity.as_deref(), |_| ()))
}

/// What a session that `access` asks for has from the session that it asks with.
fn inherited(access: &Access) -> Inherited {
    let principal = access.caller().principal();
    let Some(session) = principal.session() else { return Inherited::default() };
    let transitive = |key: &str| session.transitive_tags.iter().any(|own| own.eq_ignore_ascii_case(key));
    Inherited {
        tags: principal.tags().iter().filter(|(key, _)| transitive(key)).cloned().collect(),
        source_identity: session.source_identity.clone(),
        chained: matches!(principal.kind(), CallerKind::Role { .. }),
    }
}

/// What is inherited can't be set otherwise.
fn check_inherited(wish: &Wish, inherited: &Inherited) -> Result<(), IamError> {
    let set = |key: &str| wish.tags.iter().any(|(tag, _)| tag.eq_ignore_ascii_case(key));
    if inherited.tags.iter().any(|(key, _)| set(key)) {
        let text = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                    key from the calling session.";
        return Err(IamError::new(code::INVALID_PARAMETER_VALUE, text));
    }
    match (&wish.source_identity, &inherited.source_identity) {
        (Some(new), Some(old)) if new != old => {
            // AWS's text is not recorded.
            let text = format!("The source identity of the calling session is {old} and cannot be changed.");
            Err(IamError::new(code::INVALID_PARAMETER_VALUE, text))
        }
        _ => Ok(()),
    }
}

/// Members of the model that are not served are refused, not passed over.
pub(super) fn refuse_unserved(contexts: bool, minimum_size: Option<u32>) -> Result<(), IamError> {
    if contexts {
        let text = "ProvidedContexts is not served: this server has no context providers.";
        return Err(IamError::validation(text));
    }
    if minimum_size.is_some_and(|size| size > 0) {
        let text = "MinimumSessionTokenSize is not served: session tokens here have the length that they need.";
        return Err(IamError::validation(text));
    }
    Ok(())
}
