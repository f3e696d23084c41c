//! Who can ask, and what is attached to them.

use std::sync::{Arc, LazyLock};

use super::Account;
use crate::names::{AccountId, iam_root_arn, iam_user_arn, iam_user_id};
use crate::policy::{Attached, Subject, SubjectKind, SubjectPolicies};

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

/// A principal as policies see it: made once, when it is loaded, and shared by all of its requests.
#[derive(Debug, Clone)]
pub struct Principal {
    kind: CallerKind,
    account: Option<AccountId>,
    canonical_id: String,
    arn: String,
    user_id: String,
    /// Its identity policies.
    policies: Vec<Attached>,
}

static ANONYMOUS: LazyLock<Arc<Principal>> = LazyLock::new(|| {
    let subject = Subject::ANONYMOUS;
    Arc::new(Principal {
        kind: CallerKind::Anonymous,
        account: None,
        canonical_id: subject.canonical_id.to_owned(),
        arn: "anonymous".to_owned(),
        user_id: subject.user_id.to_owned(),
        policies: Vec::new(),
    })
});

impl Principal {
    /// The root of an account. No identity policy is attached to it and none limits it.
    pub fn root(account: &Account) -> Self {
        Self {
            kind: CallerKind::Root,
            account: Some(account.id.clone()),
            canonical_id: account.canonical_id.to_string(),
            arn: iam_root_arn(&account.id),
            user_id: account.id.to_string(),
            policies: Vec::new(),
        }
    }

    /// A user of an account with its identity policies.
    pub fn user(account: &Account, name: &str, policies: Vec<Attached>) -> Self {
        Self {
            kind: CallerKind::User { name: name.to_owned() },
            account: Some(account.id.clone()),
            canonical_id: account.canonical_id.to_string(),
            arn: iam_user_arn(&account.id, name),
            user_id: iam_user_id(&account.id, name),
            policies,
        }
    }

    pub(super) fn anonymous() -> Arc<Self> {
        Arc::clone(&ANONYMOUS)
    }

    pub(super) fn job(job: &'static str) -> Self {
        Self {
            kind: CallerKind::System { job },
            account: None,
            canonical_id: String::new(),
            arn: format!("strongroom:{job}"),
            user_id: String::new(),
            policies: Vec::new(),
        }
    }

    /// What kind of principal.
    pub fn kind(&self) -> &CallerKind {
        &self.kind
    }

    /// Its account; none for anonymous callers and jobs.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// Its ARN; `anonymous` or the job's name where there is none.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// As the policy engine wants it; none for the program's own jobs, of which no policy speaks.
    pub(super) fn subject(&self) -> Option<Subject<'_>> {
        let kind = match &self.kind {
            CallerKind::Root => SubjectKind::Root,
            CallerKind::User { name } => SubjectKind::User { name },
            CallerKind::Anonymous => return Some(Subject::ANONYMOUS),
            CallerKind::System { .. } => return None,
        };
        let account = self.account.as_ref().map_or("", AccountId::as_str);
        Some(Subject { kind, account, canonical_id: &self.canonical_id, arn: &self.arn, user_id: &self.user_id })
    }

    /// What stands behind it. Boundaries and sessions come with a stored IAM.
    pub(super) fn policies(&self) -> SubjectPolicies<'_> {
        SubjectPolicies { identity: &self.policies, boundary: None, session: &[] }
    }
}
