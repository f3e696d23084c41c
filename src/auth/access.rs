//! Callers, grants and the decision between them.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, REFERER, USER_AGENT};

use super::context::RequestContext;
use super::refusal::{LastRefusal, Refusal};
use super::{CallerKind, Principal};
use crate::names::{AccountId, Region};
use crate::policy::{self, Context, Decision, Policy, Target, evaluate};
use crate::sources::Timestamp;
use crate::wire::{Edge, TlsInfo};

/// Who asks. Made by [`super::authenticate()`], [`Access::as_web_identity`], [`system`], [`service`] and
/// [`assumed`] only.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Arc<Principal>,
    access_key_id: Option<String>,
}

/// How a request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// `Authorization: AWS4-HMAC-SHA256 …`
    V4Header,
    /// A presigned URL, `X-Amz-Signature`.
    V4Query,
    /// The policy of an upload form, `x-amz-signature`.
    V4Form,
    /// `Authorization: AWS …`
    V2Header,
    /// A presigned URL of Signature Version 2.
    V2Query,
    /// The policy of an upload form, `signature`.
    V2Form,
    /// Not signed.
    Anonymous,
}

impl SignatureKind {
    /// Version 4, in any of its forms.
    pub fn is_v4(self) -> bool {
        match self {
            Self::V4Header | Self::V4Query | Self::V4Form => true,
            Self::V2Header | Self::V2Query | Self::V2Form | Self::Anonymous => false,
        }
    }

    /// Version 2, in any of its forms.
    pub fn is_v2(self) -> bool {
        match self {
            Self::V2Header | Self::V2Query | Self::V2Form => true,
            Self::V4Header | Self::V4Query | Self::V4Form | Self::Anonymous => false,
        }
    }
}

/// What is known of a request besides who sent it: for conditions and the audit trail.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Request id.
    pub request_id: String,
    /// When it arrived.
    pub received: Timestamp,
    /// The client's address.
    pub source_ip: IpAddr,
    /// `User-Agent`, cut at 1,024 bytes.
    pub user_agent: String,
    /// `Referer`, cut at 1,024 bytes.
    pub referer: Option<String>,
    /// `aws:SecureTransport`.
    pub secure: bool,
    /// SSE-C and KMS are taken (see [`Edge::confidential`]).
    pub confidential: bool,
    /// TLS, if it ended here.
    pub tls: Option<TlsInfo>,
    /// The host that was asked for.
    pub host: String,
    /// The Region of the credential scope; the home Region for others.
    pub region: Region,
    /// How it was signed.
    pub signature: SignatureKind,
    /// When it was signed, if the signature says so.
    pub signed: Option<Timestamp>,
}

/// What is kept of a header, in bytes.
const HEADER_KEPT_BYTES: usize = 1024;

impl RequestFacts {
    /// Puts together what the edge and the signature tell.
    pub(super) fn new(
        edge: &Edge,
        headers: &HeaderMap,
        region: Region,
        how: (SignatureKind, Option<Timestamp>),
    ) -> Self {
        let kept = |name: HeaderName| {
            let value = String::from_utf8_lossy(headers.get(name)?.as_bytes());
            Some(value[..value.floor_char_boundary(HEADER_KEPT_BYTES)].to_owned())
        };
        Self {
            request_id: edge.request_id.to_string(),
            received: edge.received,
            source_ip: edge.source_ip,
            user_agent: kept(USER_AGENT).unwrap_or_default(),
            referer: kept(REFERER),
            secure: edge.secure,
            confidential: edge.confidential,
            tls: edge.tls.clone(),
            host: edge.host.clone(),
            region,
            signature: how.0,
            signed: how.1,
        }
    }
}

/// A thing that can be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its ARN, or `*` for calls that name none.
    pub arn: String,
    /// The account that owns it.
    pub owner: AccountId,
}

/// A caller with a request: what asks for grants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Asking>);

#[derive(Debug)]
struct Asking {
    caller: Caller,
    facts: RequestFacts,
    /// Shared by all accesses of one request.
    refused: Arc<LastRefusal>,
}

/// The caller may not do that. The text is AWS's wording for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// E.g. `User: arn:… is not authorized to perform: s3:PutObject on resource: "arn:…" because …`.
    pub message: String,
}

/// Proof that `action` on `resource` was allowed to the caller of `access`.
#[derive(Debug, Clone)]
pub struct Grant {
    action: &'static str,
    resource: Resource,
    access: Access,
}

impl Caller {
    /// For `authenticate` alone.
    pub(super) fn new(principal: Arc<Principal>, access_key_id: Option<String>) -> Self {
        Self { principal, access_key_id }
    }

    /// The principal with its policies.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// What kind of principal.
    pub fn kind(&self) -> &CallerKind {
        self.principal.kind()
    }

    /// Its account; none for anonymous callers, jobs and services.
    pub fn account(&self) -> Option<&AccountId> {
        self.principal.account()
    }

    /// The access key that signed.
    pub fn access_key_id(&self) -> Option<&str> {
        self.access_key_id.as_deref()
    }

    /// The principal's ARN; `anonymous` or the job's name where there is none.
    pub fn arn(&self) -> &str {
        self.principal.arn()
    }
}

impl Access {
    /// For `authenticate`, `system` and `service` alone.
    pub(super) fn new(caller: Caller, facts: RequestFacts) -> Self {
        Self(Arc::new(Asking { caller, facts, refused: Arc::default() }))
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    fn principal(&self) -> &Principal {
        &self.0.caller.principal
    }

    /// With which request.
    pub fn facts(&self) -> &RequestFacts {
        &self.0.facts
    }

    /// The same request, asked by the bearer of an identity provider's token: for AssumeRoleWithWebIdentity alone, which
    /// nobody signs and which verifies the token.
    #[must_use]
    pub fn as_web_identity(&self, bearer: Principal) -> Self {
        let caller = Caller::new(Arc::new(bearer), None);
        Self(Arc::new(Asking { caller, facts: self.facts().clone(), refused: Arc::clone(&self.0.refused) }))
    }

    /// Why leave was refused, if the last time that this request asked for it ended so. For the trail, never for the
    /// client.
    pub fn refusal(&self) -> Option<Refusal> {
        self.0.refused.get()
    }

    /// Asks the policies whether the caller may do `action` on `resource`: those that stand behind the caller, and
    /// what `target` says stands before the resource. `adds` are the condition keys that the operation knows beside
    /// those of every request. The program's own jobs may do all.
    pub fn authorize(
        &self,
        action: &'static str,
        resource: Resource,
        target: &Target<'_>,
        adds: &dyn Context,
    ) -> Result<Grant, Denied> {
        let facts = self.facts();
        let context = RequestContext::new(self.principal(), facts, action, adds);
        let asked = self.asked(action, &resource, &context);
        if let Some(asked) = &asked {
            let own = self.principal().policies();
            let decision = evaluate(asked, &own, target);
            self.0.refused.note(Refusal::of(&decision, action, &resource.arn));
            if !decision.is_allowed() {
                tracing::debug!(request_id = facts.request_id, action, resource = resource.arn, ?decision, "denied");
                return Err(Denied { message: decision.denial(asked) });
            }
        }
        Ok(Grant { action, resource, access: self.clone() })
    }

    /// As [`Self::authorize`], for the one action that a policy need not allow, since something else decides on it
    /// (`kms:RetireGrant`): refuses only what a policy denies. Tells also whether the caller's own policies allow it.
    pub fn authorize_unless_denied(
        &self,
        action: &'static str,
        resource: Resource,
        target: &Target<'_>,
        adds: &dyn Context,
    ) -> Result<(Grant, bool), Denied> {
        let context = RequestContext::new(self.principal(), self.facts(), action, adds);
        let mut allowed = true;
        if let Some(asked) = &self.asked(action, &resource, &context) {
            let own = self.principal().policies();
            let decision = evaluate(asked, &own, target);
            if matches!(decision, Decision::ExplicitDeny(_)) {
                self.0.refused.note(Refusal::of(&decision, action, &resource.arn));
                return Err(Denied { message: decision.denial(asked) });
            }
            let at_home = policy::Request { owner: asked.subject.account, ..*asked };
            allowed = evaluate(&at_home, &own, &Target::Account).is_allowed();
        }
        Ok((Grant { action, resource, access: self.clone() }, allowed))
    }

    /// Whether a decision on this caller can follow from `key`, as far as the caller's own policies go: see
    /// [`Policy::names_key`].
    pub fn policies_name_key(&self, key: policy::Key) -> bool {
        self.principal().policies().name_key(key)
    }

    /// Who asks, as the policy engine wants it; none for the program's own jobs.
    pub fn subject(&self) -> Option<policy::Subject<'_>> {
        self.principal().subject()
    }

    /// The lock-out check for a new key policy: whether the caller could still call PutKeyPolicy on `resource`.
    pub fn could_manage_key(&self, resource: &Resource, new: &Policy, adds: &dyn Context) -> bool {
        let context = RequestContext::new(self.principal(), self.facts(), "kms:PutKeyPolicy", adds);
        let own = self.principal().policies();
        self.asked("kms:PutKeyPolicy", resource, &context)
            .is_none_or(|asked| policy::keeps_key_manageable(&asked, &own, new))
    }

    /// None for the program's own jobs.
    fn asked<'a>(
        &'a self,
        action: &'a str,
        resource: &'a Resource,
        context: &'a dyn Context,
    ) -> Option<policy::Request<'a>> {
        let subject = self.principal().subject()?;
        Some(policy::Request { subject, action, resource: &resource.arn, owner: resource.owner.as_str(), context })
    }
}

impl Grant {
    /// The IAM action that was allowed, e.g. `s3:PutObject`.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// On what.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// To whom, in which request.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Panics unless this grant is for `action` on `arn`: a slip between check and use is a bug, never a client's
    /// doing.
    pub fn assert_covers(&self, action: &str, arn: &str) {
        assert!(
            self.action == action && self.resource.arn == arn,
            "a grant of {} on {} was used for {action} on {arn}",
            self.action,
            self.resource.arn,
        );
    }
}

/// The access of a background job.
pub fn system(job: &'static str, region: Region, now: Timestamp) -> Access {
    Access::new(Caller::new(Arc::new(Principal::job(job)), None), internal(region, now))
}

/// The access of S3 itself on behalf of a bucket: of the service `name`, e.g. `logging.s3.amazonaws.com`, with the bucket
/// as `aws:SourceArn` and its owner as `aws:SourceAccount`. It may do nothing but what the policy (or ACL) of the bucket
/// or key that it reaches for lets that service do.
pub fn service(
    name: &'static str,
    (source_arn, source_account): (String, AccountId),
    region: Region,
    now: Timestamp,
) -> Access {
    let principal = Principal::service(name, source_arn, source_account);
    Access::new(Caller::new(Arc::new(principal), None), internal(region, now))
}

/// The access of a role that S3 itself has assumed, which the role's trust policy has allowed to [`service`].
pub fn assumed(role: Principal, region: Region, now: Timestamp) -> Access {
    let facts = RequestFacts { signature: SignatureKind::V4Header, ..internal(region, now) };
    Access::new(Caller::new(Arc::new(role), None), facts)
}

/// Of what no client has asked for.
fn internal(region: Region, now: Timestamp) -> RequestFacts {
    RequestFacts {
        request_id: String::new(),
        received: now,
        source_ip: IpAddr::from([127, 0, 0, 1]),
        user_agent: "AWS Internal".to_owned(),
        referer: None,
        secure: true,
        confidential: true,
        tls: None,
        host: String::new(),
        region,
        signature: SignatureKind::Anonymous,
        signed: None,
    }
}

#[cfg(test)]
impl Access {
    /// The same caller with another request, for tests of other layers.
    pub(crate) fn as_request(&self, request_id: &str) -> Self {
        let facts = RequestFacts { request_id: request_id.to_owned(), ..self.facts().clone() };
        Self::new(self.caller().clone(), facts)
    }
}
