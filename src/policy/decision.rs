//! What was decided and why, and how AWS tells a client.

use super::evaluate::Request;
use super::principal::SubjectKind;
use crate::names::ALL_BUCKETS;

/// A decision with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Allowed, by this statement or grant.
    Allow(Source<'a>),
    /// Denied by a statement that says so.
    ExplicitDeny(Source<'a>),
    /// Denied because no policy of this layer allows it.
    ImplicitDeny(Layer),
}

/// The statement or grant that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// What kind of policy it is part of.
    pub layer: Layer,
    /// The name under which the policy is attached, or the grant's id; empty for a resource's policy and for what root
    /// may do by itself.
    pub policy: &'a str,
    /// Its place, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<&'a str>,
}

/// Kinds of policies, by their part in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Identity policies.
    Identity,
    /// The policy of a bucket or key.
    Resource,
    /// The trust policy of a role.
    Trust,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// A grant on a key.
    Grant,
    /// The access control list of a bucket or an object.
    Acl,
}

impl Decision<'_> {
    /// Whether it may be done.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// What AWS tells the client, for a decision that is not an Allow.
    ///
    /// S3 says nothing but `Access Denied` to callers of other accounts and to those who did not sign. KMS does not
    /// tell callers of other accounts whether a key is missing or its policy does not allow them.
    pub fn denial(&self, request: &Request<'_>) -> String {
        // An object in the account's bucket that another account owns: AWS's text is not recorded.
        if *self == Self::ImplicitDeny(Layer::Acl) {
            return "Access Denied".to_owned();
        }
        let subject = &request.subject;
        let (action, resource) = (request.action, request.resource);
        let s3 = action.starts_with("s3:");
        let foreign = subject.account != request.owner;
        if subject.kind == SubjectKind::Anonymous || (s3 && foreign) {
            return "Access Denied".to_owned();
        }
        let user = match subject.kind {
            SubjectKind::WebIdentity { provider } => provider,
            SubjectKind::Service { name } => name,
            _ => subject.arn,
        };
        let layer = match *self {
            Self::Allow(source) | Self::ExplicitDeny(source) => source.layer,
            Self::ImplicitDeny(layer) => layer,
        };
        if foreign && layer == Layer::Resource && action.starts_with("kms:") {
            return format!(
                "User: {user} is not authorized to perform: {action} on this resource because the resource does not \
                 exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly \
                 denies access"
            );
        }
        let quote = if s3 { "\"" } else { "" };
        let on = match resource {
            // As recorded from ListBuckets.
            ALL_BUCKETS => String::new(),
            _ => format!(" on resource: {quote}{resource}{quote}"),
        };
        let denied = format!("User: {user} is not authorized to perform: {action}{on}");
        match self {
            Self::ExplicitDeny(_) => format!("{denied} with an explicit deny in {}", layer.with_article()),
            Self::Allow(_) | Self::ImplicitDeny(_) => {
                format!("{denied} because no {} allows the {action} action", layer.name())
            }
        }
    }
}

impl Layer {
    /// As AWS's messages call it.
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            // Grants and ACLs never deny, so that they are never named to a client.
            Self::Resource | Self::Grant | Self::Acl => "resource-based policy",
            Self::Trust => "role trust policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        }
    }

    fn with_article(self) -> String {
        match self {
            Self::Identity => format!("an {}", self.name()),
            Self::Trust => format!("the {}", self.name()),
            Self::Resource | Self::Grant | Self::Acl | Self::Boundary | Self::Session => format!("a {}", self.name()),
        }
    }
}
