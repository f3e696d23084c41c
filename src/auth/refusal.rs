//! Why leave was refused, for those who read the trail. The client is told what AWS tells it, which may be nothing.

use std::sync::{Mutex, PoisonError};

use crate::policy::{Decision, Layer};

/// A decision against a caller, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was to be done, e.g. `s3:GetObject`.
    pub action: &'static str,
    /// On what: an ARN, or `*`.
    pub resource: String,
    /// The statement that denies; none: no policy of this kind allows it.
    pub denied_by: Option<DenyingStatement>,
    /// The kind of policy that denies or lacks an Allow, e.g. `identity-based policy`.
    pub policy_type: &'static str,
}

/// A statement with the effect Deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyingStatement {
    /// The name under which its policy is attached; empty for a resource's policy.
    pub policy: String,
    /// Its place, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
}

/// How the last decision about a request ended.
#[derive(Debug, Default)]
pub(super) struct LastRefusal(Mutex<Option<Refusal>>);

impl LastRefusal {
    /// Notes a refusal, or that leave was given: what was refused before did not end the request.
    pub(super) fn note(&self, refusal: Option<Refusal>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    pub(super) fn get(&self) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Refusal {
    /// None of a decision that allows.
    pub(super) fn of(decision: &Decision<'_>, action: &'static str, resource: &str) -> Option<Self> {
        let (layer, denied_by) = match decision {
            Decision::Allow(_) => return None,
            Decision::ExplicitDeny(by) => {
                let policy = by.policy.to_owned();
                let statement = DenyingStatement { policy, statement: by.statement, sid: by.sid.map(str::to_owned) };
                (by.layer, Some(statement))
            }
            Decision::ImplicitDeny(layer) => (*layer, None),
        };
        Some(Self { action, resource: resource.to_owned(), denied_by, policy_type: policy_type(layer) })
    }
}

/// As AWS's messages call it.
fn policy_type(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity-based policy",
        Layer::Resource | Layer::Grant | Layer::Acl => "resource-based policy",
        Layer::Trust => "role trust policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
    }
}
