//! What an operation works with: the gateway's parts, the caller, grants asked for one by one, and the end of a change.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;

use super::error::{IamError, code};
use super::reply::Reply;
use super::table::Row;
use crate::app::App;
use crate::audit::{Event, EventKind, EventResource, Recorded};
use crate::auth::{Access, Grant, Resource};
use crate::identity::{Draft, Identities};
use crate::names::AccountId;
use crate::policy::{self, Context, Key, NoContext, Target};

/// One call.
pub(super) struct Cx<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) access: &'a Access,
    pub(super) row: &'static Row,
    /// `requestParameters`.
    request: Value,
    found: Mutex<Vec<EventResource>>,
    /// Whose trail has the call, if not its caller's.
    recipient: OnceLock<AccountId>,
    /// Who asks by a token of an identity provider.
    bearer: OnceLock<Access>,
}

/// The outcome of an operation that changes something: its answer, and the proof that it is recorded. [`Cx::done`] and
/// [`Cx::unchanged`] make it.
pub(super) struct Changed {
    pub(super) reply: Reply,
    _recorded: Recorded,
}

impl<'a> Cx<'a> {
    pub(super) fn new(app: &'a Arc<App>, access: &'a Access, row: &'static Row, request: Value) -> Self {
        Self { app, access, row, request, found: Mutex::default(), recipient: OnceLock::new(), bearer: OnceLock::new() }
    }

    /// The caller's account. Only operations whose row takes unsigned requests can meet a caller without one.
    pub(super) fn account(&self) -> Result<&'a AccountId, IamError> {
        self.access.caller().account().ok_or_else(missing_token)
    }

    /// The identities that IAM keeps.
    pub(super) fn identities(&self) -> &'a Identities {
        &self.app.identities
    }

    /// Leave to do the row's action on `arn`, which is the caller's account's; `*` where the action names no resource.
    pub(super) fn grant(&self, arn: &str) -> Result<Grant, IamError> {
        self.grant_for(self.row.action, arn, &NoContext)
    }

    /// As [`Self::grant`], of a call that tells policies something of itself.
    pub(super) fn grant_telling(&self, arn: &str, adds: &dyn Context) -> Result<Grant, IamError> {
        self.grant_for(self.row.action, arn, adds)
    }

    /// As [`Self::grant_telling`], for an action that is not the row's (`iam:PassRole`, `iam:TagUser` of a CreateUser
    /// with tags).
    pub(super) fn grant_for(&self, action: &'static str, arn: &str, adds: &dyn Context) -> Result<Grant, IamError> {
        let resource = Resource { arn: arn.to_owned(), owner: self.account()?.clone() };
        Ok(self.access.authorize(action, resource, &Target::Account, adds)?)
    }

    /// Notes what the call is about: `resources` of its record, whether it succeeds or not. `kind` is CloudTrail's,
    /// e.g. `AWS::IAM::Role`. CloudTrail has it of STS's calls on roles; IAM's own have none.
    pub(super) fn about(&self, kind: &'static str, account: &AccountId, arn: &str) {
        let resource = EventResource { account: Some(account.clone()), kind, arn: arn.to_owned() };
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(resource);
    }

    /// Whose trail gets the record of a call that nobody signed (AssumeRoleWithWebIdentity: the role's account). Of
    /// calls that name no account that is known there is no record, only the access log's line. Once a call.
    pub(super) fn tell(&self, account: &AccountId) {
        self.recipient.get_or_init(|| account.clone());
    }

    /// Who asks, now that a token has proved it: for the record. Once a call.
    pub(super) fn borne_by(&self, bearer: &Access) {
        self.bearer.get_or_init(|| bearer.clone());
    }

    /// Ends a change: commits it together with the record of its success.
    ///
    /// A commit that lost a race gives [`IamError::lost_race`]; the shell then runs the operation again from its input,
    /// so nothing may have been done before this but reading.
    pub(super) async fn done(&self, reply: Reply, draft: Draft<'_>) -> Result<Changed, IamError> {
        let event = self.event(reply.response.clone(), None)?;
        let recorded = draft.commit(&event).await?;
        Ok(Changed { reply, _recorded: recorded })
    }

    /// Ends a call that was to change something and found it so already (a policy attached twice): records its success.
    pub(super) async fn unchanged(&self, reply: Reply) -> Result<Changed, IamError> {
        let event = self.event(reply.response.clone(), None)?;
        let recorded = self.app.audit.record(&event).await?;
        Ok(Changed { reply, _recorded: recorded })
    }

    /// Records the success of a call that tells something.
    pub(super) async fn record_told(&self, reply: &Reply) -> Result<(), IamError> {
        let event = self.event(reply.response.clone(), None)?;
        self.app.audit.record(&event).await?;
        Ok(())
    }

    /// Records a refusal, if it is known whose trail it belongs to.
    pub(super) async fn record_refusal(&self, error: &IamError) -> Result<(), IamError> {
        let Ok(event) = self.event(Value::Null, Some(error)) else { return Ok(()) };
        self.app.audit.record(&event).await?;
        Ok(())
    }

    /// Before the operation is run again.
    pub(super) fn forget(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn event(&self, response: Value, error: Option<&IamError>) -> Result<Event, IamError> {
        let caller = self.access.caller().account();
        let recipient = self.recipient.get().or(caller).ok_or_else(missing_token)?;
        Ok(Event {
            access: self.bearer.get().unwrap_or(self.access).clone(),
            source: self.row.service.event_source(),
            name: self.row.name,
            kind: EventKind::ApiCall,
            request: self.request.clone(),
            response,
            additional: Value::Null,
            error: error.map(|error| (error.code.recorded.to_owned(), error.message.clone())),
            read_only: self.row.is_read_only(),
            management: true,
            resources: self.found.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            via_s3: false,
            recipient: recipient.clone(),
        })
    }
}

/// What a call without a signature is told.
pub(super) fn missing_token() -> IamError {
    IamError::new(code::MISSING_AUTHENTICATION_TOKEN, "Request is missing Authentication Token")
}

/// Condition keys that a call tells policies of itself, for [`Cx::grant_telling`].
#[derive(Debug, Clone, Default)]
pub(super) struct Adds<'a>(Vec<(Key, &'a str, policy::Value<'a>)>);

impl<'a> Adds<'a> {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A key with a text, e.g. [`Key::IamPolicyArn`].
    pub(super) fn text(self, key: Key, text: &'a str) -> Self {
        self.value(key, policy::Value::Text(text))
    }

    /// A key with a text, if there is one: an absent key is not the same as an empty one.
    pub(super) fn optional(self, key: Key, text: Option<&'a str>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// A key with a value. Of a key with several values each is added by itself.
    pub(super) fn value(mut self, key: Key, value: policy::Value<'a>) -> Self {
        self.0.push((key, "", value));
        self
    }

    /// A value of a key with a parameter, e.g. [`Key::WebIdentityClaim`].
    pub(super) fn named(mut self, key: Key, parameter: &'a str, value: policy::Value<'a>) -> Self {
        self.0.push((key, parameter, value));
        self
    }

    /// `aws:RequestTag/KEY` and `aws:TagKeys` of tags that are to be set.
    pub(super) fn request_tags(mut self, tags: &'a [(String, String)]) -> Self {
        for (key, value) in tags {
            self.0.push((Key::AwsRequestTag, key, policy::Value::Text(value)));
            self.0.push((Key::AwsTagKeys, "", policy::Value::Text(key)));
        }
        self
    }

    /// `aws:TagKeys` of tags that are to be taken away.
    pub(super) fn tag_keys(mut self, keys: &'a [String]) -> Self {
        self.0.extend(keys.iter().map(|key| (Key::AwsTagKeys, "", policy::Value::Text(key))));
        self
    }

    /// `aws:ResourceTag/KEY` and `iam:ResourceTag/KEY` of the tags that a user, role, policy or provider has.
    pub(super) fn resource_tags(mut self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (key, value) in tags {
            self.0.push((Key::AwsResourceTag, key, policy::Value::Text(value)));
            self.0.push((Key::IamResourceTag, key, policy::Value::Text(value)));
        }
        self
    }
}

impl Context for Adds<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(policy::Value<'_>)) {
        let fits = |added: &&(Key, &str, policy::Value<'_>)| added.0 == key && added.1.eq_ignore_ascii_case(parameter);
        self.0.iter().filter(fits).for_each(|(_, _, value)| each(*value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_tells() {
        let tags = [("Team".to_owned(), "red".to_owned()), ("Stage".to_owned(), "test".to_owned())];
        let adds = Adds::new()
            .text(Key::IamPolicyArn, "arn:p")
            .optional(Key::StsExternalId, None)
            .request_tags(&tags)
            .resource_tags([("Owner", "me")]);
        let told = |key, parameter: &str| {
            let mut found = Vec::new();
            adds.each(key, parameter, &mut |value| found.push(format!("{value:?}")));
            found.join(" ")
        };
        assert_eq!(told(Key::IamPolicyArn, ""), "Text(\"arn:p\")");
        assert_eq!(told(Key::StsExternalId, ""), "");
        assert_eq!(told(Key::AwsRequestTag, "team"), "Text(\"red\")");
        assert_eq!(told(Key::AwsRequestTag, "other"), "");
        assert_eq!(told(Key::AwsTagKeys, ""), "Text(\"Team\") Text(\"Stage\")");
        assert_eq!(told(Key::IamResourceTag, "owner"), "Text(\"me\")");
        assert_eq!(told(Key::AwsResourceTag, "owner"), "Text(\"me\")");
    }
}
