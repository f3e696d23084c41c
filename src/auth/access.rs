//! Callers, grants and the decision between them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::names::{AccountId, Region};
use crate::sources::Timestamp;
use crate::wire::{Edge, TlsInfo};

/// What kind of principal a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerKind {
    /// The account's root.
    Root,
    /// An IAM user of the account.
    User {
        /// Its name.
        name: String,
    },
    /// Nobody signed the request.
    Anonymous,
    /// A job of this program (sweeper, rotation), by name.
    System {
        /// The job.
        job: &'static str,
    },
}

/// Who asks. Made by [`super::authenticate()`] and [`system`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    kind: CallerKind,
    account: Option<AccountId>,
    access_key_id: Option<String>,
}

/// How a request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// `Authorization: AWS4-HMAC-SHA256 …`
    V4Header,
    /// A presigned URL, `X-Amz-Signature`.
    V4Query,
    /// A presigned URL of Signature Version 2.
    V2Query,
    /// Not signed.
    Anonymous,
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
}

impl RequestFacts {
    /// Puts together what the edge and the signature tell.
    pub fn new(edge: &Edge, user_agent: &str, region: Region, signature: SignatureKind) -> Self {
        let mut end = user_agent.len().min(1024);
        while !user_agent.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            request_id: edge.request_id.to_string(),
            received: edge.received,
            source_ip: edge.source_ip,
            user_agent: user_agent[..end].to_owned(),
            secure: edge.secure,
            confidential: edge.confidential,
            tls: edge.tls.clone(),
            host: edge.host.clone(),
            region,
            signature,
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
pub struct Access(Arc<(Caller, RequestFacts)>);

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
    pub(super) fn new(kind: CallerKind, account: Option<AccountId>, access_key_id: Option<String>) -> Self {
        Self { kind, account, access_key_id }
    }

    /// What kind of principal.
    pub fn kind(&self) -> &CallerKind {
        &self.kind
    }

    /// Its account; none for anonymous callers and jobs.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// The access key that signed.
    pub fn access_key_id(&self) -> Option<&str> {
        self.access_key_id.as_deref()
    }

    /// The principal's ARN; `anonymous` or the job's name where there is none.
    pub fn arn(&self) -> String {
        match (&self.kind, &self.account) {
            (CallerKind::Root, Some(account)) => crate::names::iam_root_arn(account),
            (CallerKind::User { name }, Some(account)) => crate::names::iam_user_arn(account, name),
            (CallerKind::System { job }, _) => format!("strongroom:{job}"),
            _ => "anonymous".to_owned(),
        }
    }
}

impl Access {
    /// For `authenticate` and `system` alone.
    pub(super) fn new(caller: Caller, facts: RequestFacts) -> Self {
        Self(Arc::new((caller, facts)))
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.0.0
    }

    /// With which request.
    pub fn facts(&self) -> &RequestFacts {
        &self.0.1
    }

    /// Decides. Until the policy engine comes: an account's root may do all in its account, a job may do all,
    /// everyone else nothing.
    pub fn authorize(&self, action: &'static str, resource: Resource) -> Result<Grant, Denied> {
        let caller = self.caller();
        let allowed = match caller.kind() {
            CallerKind::Root => caller.account() == Some(&resource.owner),
            CallerKind::System { .. } => true,
            CallerKind::User { .. } | CallerKind::Anonymous => false,
        };
        if allowed {
            return Ok(Grant { action, resource, access: self.clone() });
        }
        Err(Denied { message: denial(caller, action, &resource) })
    }
}

fn denial(caller: &Caller, action: &str, resource: &Resource) -> String {
    if *caller.kind() == CallerKind::Anonymous {
        return "Access Denied".to_owned();
    }
    let because = if caller.account() == Some(&resource.owner) { "identity-based" } else { "resource-based" };
    let (arn, target) = (caller.arn(), &resource.arn);
    let quote = if action.starts_with("s3:") { "\"" } else { "" };
    format!(
        "User: {arn} is not authorized to perform: {action} on resource: {quote}{target}{quote} \
         because no {because} policy allows the {action} action"
    )
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
    let facts = RequestFacts {
        request_id: String::new(),
        received: now,
        source_ip: IpAddr::from([127, 0, 0, 1]),
        user_agent: "AWS Internal".to_owned(),
        secure: true,
        confidential: true,
        tls: None,
        host: String::new(),
        region,
        signature: SignatureKind::Anonymous,
    };
    Access::new(Caller::new(CallerKind::System { job }, None, None), facts)
}
