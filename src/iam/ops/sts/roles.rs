//! A role that is to be assumed: what the two ways of assuming one have in common.

use serde_json::json;

use super::sessions::write_credentials;
use super::sessions::{
    HOUR_SECONDS, SESSION_TAGS_MAX, SessionPolicies, record_session, with_transitive, write_assumed,
};
use crate::auth::{Access, Issuer, IssuerKind, Resource};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::reply::{Reply, Writer};
use crate::iam::tags::{check_tags, pairs, stored_tags};
use crate::identity::{NewSession, RoleRecord, SessionOf, TemporaryCredentials};
use crate::names::AccountId;
use crate::policy::{Key, Kind, Policy, Target};

/// A role that exists.
pub(super) struct Found {
    account: AccountId,
    role: RoleRecord,
    arn: String,
    trust: Policy,
}

/// What a session of a role is asked to have.
pub(super) struct Wish {
    pub(super) session_name: String,
    pub(super) seconds: Option<u32>,
    pub(super) policies: SessionPolicies,
    pub(super) documents: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive: Vec<String>,
    pub(super) source_identity: Option<String>,
    pub(super) federated_provider: Option<String>,
}

/// What a session has from the one that it is asked for with.
#[derive(Default)]
pub(super) struct Inherited {
    /// Transitive tags.
    pub(super) tags: Vec<(String, String)>,
    pub(super) source_identity: Option<String>,
    /// The caller is itself a session of a role.
    pub(super) chained: bool,
}

/// The account in the ARN of a role; `ValidationError` if it is no such ARN.
pub(super) fn account_of(arn: &str) -> Result<AccountId, IamError> {
    let parsed = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    let account = parsed.filter(|(_, name)| !name.is_empty()).and_then(|(account, _)| AccountId::parse(account).ok());
    account.ok_or_else(|| IamError::validation("Request ARN is invalid"))
}

/// The role of this ARN, if there is one.
pub(super) async fn find(cx: &Cx<'_>, account: &AccountId, arn: &str) -> Result<Option<Found>, IamError> {
    let Some(role) = cx.identities().role_by_arn(account, arn).await? else { return Ok(None) };
    let trust = Policy::parse(role.trust.as_bytes(), Kind::Trust)
        .map_err(|error| IamError::internal(format!("the stored trust policy of {arn}: {error}")))?;
    Ok(Some(Found { account: account.clone(), arn: role.arn(account), role, trust }))
}

impl Found {
    /// Whether policies let `access` do `action` on the role.
    pub(super) fn lets(&self, access: &Access, action: &'static str, adds: &Adds<'_>) -> bool {
        let resource = Resource { arn: self.arn.clone(), owner: self.account.clone() };
        let adds = adds.clone().resource_tags(pairs(&self.role.tags));
        access.authorize(action, resource, &Target::Role { trust: &self.trust }, &adds).is_ok()
    }

    /// Asks for what the session is to have besides: tags and a source identity need a leave of their own, for what is
    /// inherited too. The error is the action that is not allowed.
    pub(super) fn lets_besides(
        &self,
        access: &Access,
        wish: &Wish,
        inherited: &Inherited,
        adds: &Adds<'_>,
    ) -> Result<(), &'static str> {
        let tagged = !wish.tags.is_empty() || !inherited.tags.is_empty();
        let named = wish.source_identity.is_some() || inherited.source_identity.is_some();
        for (needed, action) in [(tagged, "sts:TagSession"), (named, "sts:SetSourceIdentity")] {
            if needed && !self.lets(access, action, adds) {
                return Err(action);
            }
        }
        Ok(())
    }

    /// Makes the session. Everything has been allowed.
    pub(super) async fn assume(
        &self,
        cx: &Cx<'_>,
        wish: &Wish,
        inherited: Inherited,
    ) -> Result<TemporaryCredentials, IamError> {
        let seconds = self.seconds(wish.seconds, inherited.chained)?;
        wish.policies.check_arns(cx, &self.account).await?;
        let mut transitive = wish.transitive.clone();
        transitive.extend(inherited.tags.iter().map(|(key, _)| key.clone()));
        let tags = [wish.tags.clone(), inherited.tags].concat();
        if tags.len() > SESSION_TAGS_MAX {
            // AWS's text is not recorded.
            let text = format!("A session can have {SESSION_TAGS_MAX} tags, those that it inherits included.");
            return Err(IamError::validation(text));
        }
        cx.about("AWS::IAM::Role", &self.account, &self.arn);
        Ok(cx.identities().new_session(&NewSession {
            account: self.account.clone(),
            of: SessionOf::Role { name: self.role.name.clone(), session: wish.session_name.clone() },
            issuer: Issuer {
                kind: IssuerKind::Role,
                arn: self.arn.clone(),
                id: self.role.id.clone(),
                name: Some(self.role.name.clone()),
            },
            seconds,
            policies: wish.documents.clone(),
            policy_arns: wish.policies.arns.clone(),
            tags: stored_tags(&tags),
            transitive_tags: transitive,
            source_identity: wish.source_identity.clone().or(inherited.source_identity),
            federated_provider: wish.federated_provider.clone(),
        })?)
    }

    fn seconds(&self, asked: Option<u32>, chained: bool) -> Result<u32, IamError> {
        let seconds = asked.unwrap_or(HOUR_SECONDS);
        if chained && seconds > HOUR_SECONDS {
            return Err(IamError::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        if seconds > self.role.max_session_seconds {
            return Err(IamError::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        Ok(seconds)
    }
}

impl Wish {
    /// What can be said of tags without knowing who asks.
    pub(super) fn check_tags(&self) -> Result<(), IamError> {
        check_tags(&self.tags)?;
        let named = |key: &String| self.tags.iter().any(|(tag, _)| tag.eq_ignore_ascii_case(key));
        if !self.transitive.iter().all(named) {
            let text = "The specified transitive tag key must be included in the requested tags.";
            return Err(IamError::new(code::INVALID_PARAMETER_VALUE, text));
        }
        Ok(())
    }

    /// The condition keys of a session that is to be made.
    pub(super) fn adds(&self) -> Adds<'_> {
        let adds = Adds::new()
            .text(Key::StsRoleSessionName, &self.session_name)
            .optional(Key::StsSourceIdentity, self.source_identity.as_deref())
            .request_tags(&self.tags);
        with_transitive(adds, &self.transitive)
    }
}

/// The answer with its record. `more` writes what stands between the credentials and the assumed role.
pub(super) fn answer(
    made: &TemporaryCredentials,
    source_identity: Option<&str>,
    more: impl FnOnce(&mut Writer),
) -> Reply {
    let reply = Reply::result(|w| {
        write_credentials(w, made);
        more(w);
        write_assumed(w, made, source_identity);
    });
    let who = json!({
        "assumedRoleUser": { "assumedRoleId": made.user_id, "arn": made.arn },
        "packedPolicySize": made.packed_percent,
        "sourceIdentity": source_identity,
    });
    reply.recording(record_session(made, who))
}
