//! Who can ask, and what is attached to them.

use std::sync::{Arc, LazyLock};

use super::Account;
use crate::names::{AccountId, iam_root_arn, iam_user_arn, iam_user_id};
use crate::policy::{Attached, Subject, SubjectKind, SubjectPolicies};
use crate::sources::Timestamp;

/// What kind of principal a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerKind {
    /// The account's root.
    Root,
    /// An IAM user of the account, also with credentials of GetSessionToken.
    User {
        /// Its name.
        name: String,
    },
    /// A role that was assumed.
    Role {
        /// The role's name.
        name: String,
        /// The session's name.
        session: String,
    },
    /// A session of GetFederationToken.
    FederatedUser {
        /// The name it was given.
        name: String,
    },
    /// The bearer of an identity provider's token, who asks to assume a role.
    WebIdentity {
        /// The provider's ARN.
        provider: String,
        /// `sub` of the token.
        subject: String,
    },
    /// Nobody signed the request.
    Anonymous,
    /// A job of this program (sweeper, rotation), by name.
    System {
        /// The job.
        job: &'static str,
    },
    /// S3 itself, on behalf of a bucket: it may do what the policy of what it reaches for lets this service do.
    Service {
        /// E.g. `logging.s3.amazonaws.com`.
        name: &'static str,
        /// `aws:SourceArn`: the bucket.
        source_arn: String,
        /// `aws:SourceAccount`: the account that owns it.
        source_account: AccountId,
    },
}

/// A principal as policies see it: made once, when it is loaded, and shared by all of its requests.
#[derive(Debug, Clone)]
pub struct Principal {
    kind: CallerKind,
    account: Option<AccountId>,
    canonical_id: String,
    arn: String,
    user_id: String,
    /// Its identity policies.
    policies: Arc<[Attached]>,
    boundary: Option<Attached>,
    /// `aws:PrincipalTag`: keys and values.
    tags: Vec<(String, String)>,
    session: Option<Session>,
}

/// What temporary credentials stand for.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose session it is: the role, user or root whose permissions it has.
    pub issuer: Issuer,
    /// When the credentials were given out: `aws:TokenIssueTime`.
    pub issued: Timestamp,
    /// From when on they are refused.
    pub expires: Timestamp,
    /// Session policies; they limit what the issuer's policies allow. None at all: nothing limits.
    pub policies: Vec<Attached>,
    /// `aws:SourceIdentity`.
    pub source_identity: Option<String>,
    /// `aws:FederatedProvider`: the ARN of the identity provider whose token was exchanged.
    pub federated_provider: Option<String>,
    /// Keys of session tags that a role assumed with this session gets too.
    pub transitive_tags: Vec<String>,
}

/// Whose permissions a session has: CloudTrail's `sessionIssuer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What kind.
    pub kind: IssuerKind,
    /// Its own ARN, with its path.
    pub arn: String,
    /// Its unique id: `AROA…`, `AIDA…`, of a root the account's id.
    pub id: String,
    /// Its name; none of a root.
    pub name: Option<String>,
}

/// Who can give out sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerKind {
    /// An account's root.
    Root,
    /// A user.
    User,
    /// A role.
    Role,
}

static ANONYMOUS: LazyLock<Arc<Principal>> = LazyLock::new(|| {
    let subject = Subject::ANONYMOUS;
    let canonical_id = subject.canonical_id.to_owned();
    let (arn, user_id) = ("anonymous".to_owned(), subject.user_id.to_owned());
    Arc::new(Principal { canonical_id, ..Principal::bare(CallerKind::Anonymous, arn, user_id) })
});

impl Principal {
    fn bare(kind: CallerKind, arn: String, user_id: String) -> Self {
        Self {
            kind,
            account: None,
            canonical_id: String::new(),
            arn,
            user_id,
            policies: Arc::default(),
            boundary: None,
            tags: Vec::new(),
            session: None,
        }
    }

    /// A principal of an account, with nothing attached to it. `user_id` is what `aws:userid` says.
    pub fn new(kind: CallerKind, account: &Account, arn: String, user_id: String) -> Self {
        let canonical_id = account.canonical_id.to_string();
        Self { account: Some(account.id.clone()), canonical_id, ..Self::bare(kind, arn, user_id) }
    }

    /// The root of an account. No identity policy is attached to it and none limits it.
    pub fn root(account: &Account) -> Self {
        Self::new(CallerKind::Root, account, iam_root_arn(&account.id), account.id.to_string())
    }

    /// A user of the settings with its identity policies.
    pub fn user(account: &Account, name: &str, policies: Vec<Attached>) -> Self {
        let (arn, id) = (iam_user_arn(&account.id, name), iam_user_id(&account.id, name));
        Self::new(CallerKind::User { name: name.to_owned() }, account, arn, id).with_policies(policies.into(), None)
    }

    /// The bearer of a token of the identity provider with this ARN. It has no account.
    pub fn web_identity(provider: &str, subject: &str, user_id: String) -> Self {
        let kind = CallerKind::WebIdentity { provider: provider.to_owned(), subject: subject.to_owned() };
        Self::bare(kind, String::new(), user_id)
    }

    /// With these identity policies and this permissions boundary.
    #[must_use]
    pub fn with_policies(self, policies: Arc<[Attached]>, boundary: Option<Attached>) -> Self {
        Self { policies, boundary, ..self }
    }

    /// With these principal tags.
    #[must_use]
    pub fn with_tags(self, tags: Vec<(String, String)>) -> Self {
        Self { tags, ..self }
    }

    /// With temporary credentials.
    #[must_use]
    pub fn with_session(self, session: Session) -> Self {
        Self { session: Some(session), ..self }
    }

    pub(super) fn anonymous() -> Arc<Self> {
        Arc::clone(&ANONYMOUS)
    }

    pub(super) fn job(job: &'static str) -> Self {
        Self::bare(CallerKind::System { job }, format!("strongroom:{job}"), String::new())
    }

    /// See [`CallerKind::Service`].
    pub(super) fn service(name: &'static str, source_arn: String, source_account: AccountId) -> Self {
        Self::bare(CallerKind::Service { name, source_arn, source_account }, name.to_owned(), String::new())
    }

    /// What kind of principal.
    pub fn kind(&self) -> &CallerKind {
        &self.kind
    }

    /// Its account; none for anonymous callers, jobs and services.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// Its ARN; `anonymous` or the job's name where there is none.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Its unique id as `aws:userid` and GetCallerIdentity give it, of a role's session with `:` and the session's name.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Its identity policies.
    pub fn identity_policies(&self) -> &Arc<[Attached]> {
        &self.policies
    }

    /// Its permissions boundary.
    pub fn boundary(&self) -> Option<&Attached> {
        self.boundary.as_ref()
    }

    /// `aws:PrincipalTag`: keys and values.
    pub fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    /// Of temporary credentials.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// As the policy engine wants it; none for the program's own jobs, of which no policy speaks.
    pub fn subject(&self) -> Option<Subject<'_>> {
        let kind = match &self.kind {
            CallerKind::Root => SubjectKind::Root,
            CallerKind::User { name } => SubjectKind::User { name },
            CallerKind::Role { .. } => {
                SubjectKind::RoleSession { role_arn: self.session.as_ref().map_or("", |session| &session.issuer.arn) }
            }
            CallerKind::FederatedUser { .. } => SubjectKind::FederatedUser,
            CallerKind::WebIdentity { provider, .. } => SubjectKind::WebIdentity { provider },
            CallerKind::Anonymous => return Some(Subject::ANONYMOUS),
            CallerKind::Service { name, .. } => {
                return Some(Subject { kind: SubjectKind::Service { name }, ..Subject::NOBODY });
            }
            CallerKind::System { .. } => return None,
        };
        let account = self.account.as_ref().map_or("", AccountId::as_str);
        Some(Subject { kind, account, canonical_id: &self.canonical_id, arn: &self.arn, user_id: &self.user_id })
    }

    /// What stands behind it.
    pub fn policies(&self) -> SubjectPolicies<'_> {
        SubjectPolicies {
            identity: &self.policies,
            boundary: self.boundary.as_ref(),
            session: self.session.as_ref().map_or(&[], |session| &session.policies),
        }
    }
}
