//! The decision.
//!
//! An explicit deny in any policy decides first. Then, where caller and resource belong to one account, one side is
//! enough: the caller's identity policies within its permissions boundary and session policy, or the resource's policy
//! (of a bucket also its ACL).
//! Keys and roles differ: their own policy is the primary one, and identity policies count only where it names the
//! account. Across accounts both sides have to allow.

use std::sync::Arc;

use super::acl::Acls;
use super::context::{Context, Facts};
use super::decision::{Decision, Layer, Source};
use super::document::{Action, Effect, Policy};
use super::grant::{ContextPairs, KeyGrant};
use super::key::Key;
use super::principal::{Named, Subject, SubjectKind};

/// Who wants to do what.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a context is the caller's, and need not be shown")]
pub struct Request<'a> {
    /// Who asks.
    pub subject: Subject<'a>,
    /// `service:Action`, e.g. `kms:Decrypt`.
    pub action: &'a str,
    /// The resource's ARN, or `*` for calls that name none. Without wildcards.
    pub resource: &'a str,
    /// The account that owns the resource; the caller's own for calls that name none.
    pub owner: &'a str,
    /// The request's condition keys.
    pub context: &'a dyn Context,
}

/// A policy and the name it has where it is attached: a managed policy's ARN, an inline one's name.
#[derive(Debug, Clone)]
pub struct Attached {
    /// For the reason of a decision.
    pub name: Box<str>,
    /// The policy; managed ones are shared by all to whom they are attached.
    pub policy: Arc<Policy>,
}

/// What stands behind the subject.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubjectPolicies<'a> {
    /// Of the user and its groups, or of the role. Ignored for root, who may do all in its account.
    pub identity: &'a [Attached],
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a Attached>,
    /// Handed over when the session was made; none if it was made without. A federated user's session without one
    /// has only what resources' policies give it.
    pub session: &'a [Attached],
}

impl SubjectPolicies<'_> {
    /// As [`Policy::names_key`], of any of them.
    pub fn name_key(&self, key: Key) -> bool {
        let attached = self.identity.iter().chain(self.boundary).chain(self.session);
        attached.into_iter().any(|attached| attached.policy.names_key(key))
    }
}

/// What stands before the resource. There is no default: who asks about a key has to have its policy.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Nothing: resources without a policy of their own, and calls that name none (CreateKey, ListBuckets, IAM).
    Account,
    /// A bucket or an object in it.
    Bucket {
        /// The bucket's policy, if it has one.
        policy: Option<&'a Policy>,
        /// What ACLs say beside it.
        acls: Acls<'a>,
    },
    /// A KMS key.
    Key {
        /// Its policy.
        policy: &'a Policy,
        /// Those grants of the key that may concern the subject; others do no harm but cost time.
        grants: &'a [&'a KeyGrant],
        /// The encryption context of the request, for the grants' constraints.
        encryption_context: ContextPairs<'a>,
    },
    /// A role that is to be assumed.
    Role {
        /// Who may assume it.
        trust: &'a Policy,
    },
}

/// What one layer of policies says when it does not deny.
type Allowed<'a> = Option<(Named, Source<'a>)>;

/// Decides. Takes no memory but a buffer if a policy variable has to be expanded.
pub fn evaluate<'a>(request: &Request<'a>, own: &SubjectPolicies<'a>, target: &Target<'a>) -> Decision<'a> {
    decide(request, own, target).unwrap_or_else(Decision::ExplicitDeny)
}

/// The error is an explicit deny, wherever it is found.
fn decide<'a>(
    request: &Request<'a>,
    own: &SubjectPolicies<'a>,
    target: &Target<'a>,
) -> Result<Decision<'a>, Source<'a>> {
    let root = request.subject.kind == SubjectKind::Root;
    let bounded = own.boundary.is_some() && !root;
    let facts = Facts::new(&request.subject, request.owner, request.context);
    let scan = |layer, policies: &'a [Attached]| {
        let policies = policies.iter().map(|attached| (&*attached.name, &*attached.policy));
        scan(request, &facts, layer, policies, bounded)
    };

    let (identity, boundary, session) = if root {
        // No policy limits root but those of resources.
        let source = Source { layer: Layer::Identity, policy: "", statement: 0, sid: None };
        (Some((Named::Directly, source)), Some(None), Some(None))
    } else {
        let identity = scan(Layer::Identity, own.identity)?;
        let boundary = match own.boundary {
            Some(boundary) => scan(Layer::Boundary, std::slice::from_ref(boundary))?.map(Some),
            None => Some(None),
        };
        // GetFederationToken without a policy makes a session that its user's policies do not reach.
        let unlimited = own.session.is_empty() && request.subject.kind != SubjectKind::FederatedUser;
        let session = if unlimited { Some(None) } else { scan(Layer::Session, own.session)?.map(Some) };
        (identity, boundary, session)
    };
    let resource = resource_side(request, &facts, target, bounded)?;

    let own = OwnSide { identity, within_boundary: boundary.is_some(), within_session: session.is_some() };
    let primary = matches!(target, Target::Key { .. } | Target::Role { .. });
    Ok(combine(request, own, resource, primary, target))
}

/// What the subject's own policies say.
struct OwnSide<'a> {
    identity: Allowed<'a>,
    within_boundary: bool,
    within_session: bool,
}

/// Puts the sides together when nothing denies explicitly. `primary` says that without the resource's policy nothing
/// is allowed.
fn combine<'a>(
    request: &Request<'a>,
    own: OwnSide<'a>,
    resource: Allowed<'a>,
    primary: bool,
    target: &Target<'a>,
) -> Decision<'a> {
    let resource_layer = target.layer();
    let within = |source| match (own.within_boundary, own.within_session) {
        (false, _) => Decision::ImplicitDeny(Layer::Boundary),
        (true, false) => Decision::ImplicitDeny(Layer::Session),
        (true, true) => Decision::Allow(source),
    };
    let by_identity = |own: &OwnSide<'a>| match &own.identity {
        Some((_, source)) => within(*source),
        None => Decision::ImplicitDeny(Layer::Identity),
    };
    if !request.subject.has_identity() {
        return match resource {
            Some((Named::Directly, source)) => Decision::Allow(source),
            Some(_) | None => Decision::ImplicitDeny(resource_layer),
        };
    }
    let same_account = request.subject.account == target.owner(request);
    match resource {
        None if primary || !same_account => Decision::ImplicitDeny(resource_layer),
        None => by_identity(&own),
        Some((Named::Directly, source)) if same_account => Decision::Allow(source),
        Some((Named::ByRole, source)) if same_account => within(source),
        Some(_) => by_identity(&own),
    }
}

impl<'a> Target<'a> {
    fn layer(&self) -> Layer {
        match self {
            Self::Bucket { acls: Acls { other_owner: Some(_), .. }, .. } => Layer::Acl,
            Self::Account | Self::Bucket { .. } | Self::Key { .. } => Layer::Resource,
            Self::Role { .. } => Layer::Trust,
        }
    }

    /// The account whose policies alone are enough.
    fn owner<'r>(&self, request: &Request<'r>) -> &'r str
    where
        'a: 'r,
    {
        match self {
            Self::Bucket { acls, .. } => acls.other_owner.unwrap_or(request.owner),
            _ => request.owner,
        }
    }
}

/// What the resource's policy says, and for a key its grants.
fn resource_side<'a>(
    request: &Request<'a>,
    facts: &Facts<'_>,
    target: &Target<'a>,
    bounded: bool,
) -> Result<Allowed<'a>, Source<'a>> {
    // KMS and STS take no unsigned request, whatever a policy says.
    let unsigned = request.subject.kind == SubjectKind::Anonymous;
    match *target {
        Target::Key { .. } | Target::Role { .. } if unsigned => Ok(None),
        Target::Account => Ok(None),
        Target::Bucket { policy, acls } => {
            let result = scan(request, facts, Layer::Resource, policy.map(|policy| ("", policy)), bounded);
            let by_policy = if owner_cannot_lock_itself_out(request) { result.unwrap_or_default() } else { result? };
            let by_policy = by_policy.filter(|_| acls.other_owner.is_none());
            let by_acl = acls
                .allow(&request.subject, request.action)
                .map(|(named, statement)| (named, Source { layer: Layer::Acl, policy: "", statement, sid: None }));
            Ok(if by_policy.map(|(named, _)| named) < by_acl.map(|(named, _)| named) { by_acl } else { by_policy })
        }
        Target::Role { trust } => scan(request, facts, Layer::Trust, [("", trust)], bounded),
        Target::Key { policy, grants, encryption_context } => {
            let by_policy = scan(request, facts, Layer::Resource, [("", policy)], bounded)?;
            if by_policy.is_some_and(|(named, _)| named == Named::Directly) {
                return Ok(by_policy);
            }
            let operation = Action::split(request.action).name;
            let by_grant = grants.iter().enumerate().filter_map(|(index, grant)| {
                let named = grant.covers(facts, operation, encryption_context)?;
                Some((named, Source { layer: Layer::Grant, policy: grant.id(), statement: index, sid: None }))
            });
            Ok(by_policy.into_iter().chain(by_grant).max_by_key(|(named, _)| *named))
        }
    }
}

/// S3 lets the root of a bucket's account read, replace and delete the bucket's policy even if that denies it.
fn owner_cannot_lock_itself_out(request: &Request<'_>) -> bool {
    request.subject.kind == SubjectKind::Root
        && request.subject.account == request.owner
        && matches!(request.action, "s3:GetBucketPolicy" | "s3:PutBucketPolicy" | "s3:DeleteBucketPolicy")
}

/// Goes through the statements of one layer: the first Deny that applies, or the Allow that names the subject best.
fn scan<'a>(
    request: &Request<'a>,
    facts: &Facts<'_>,
    layer: Layer,
    policies: impl IntoIterator<Item = (&'a str, &'a Policy)>,
    bounded: bool,
) -> Result<Allowed<'a>, Source<'a>> {
    let action = Action::split(request.action);
    let mut best: Allowed<'a> = None;
    for (name, policy) in policies {
        for (index, statement) in policy.statements.iter().enumerate() {
            // Nothing can be better than to be named directly.
            let settled = matches!(best, Some((Named::Directly, _)));
            if statement.effect == Effect::Allow && settled {
                continue;
            }
            let Some(named) = statement.applies(action, request.resource, facts, bounded) else { continue };
            let source = Source { layer, policy: name, statement: index, sid: statement.sid.as_deref() };
            if statement.effect == Effect::Deny {
                return Err(source);
            }
            if best.is_none_or(|(known, _)| named > known) {
                best = Some((named, source));
            }
        }
    }
    Ok(best)
}
