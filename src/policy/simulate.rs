//! What SimulatePrincipalPolicy and SimulateCustomPolicy answer: the decision about a request that nobody made, with
//! every statement that speaks about it.
//!
//! [`evaluate`] decides and the statements are asked by its own matching, so that a simulation can't differ from what a
//! request would get. What is shown beside the decision follows the API reference of IAM, its examples, and answers that
//! users have recorded; where these leave something open, it says so below.

mod context;
mod position;
mod resource;

use std::collections::HashSet;

use super::document::{Action, Effect, Policy, Statement};
use super::evaluate::{Attached, Request, SubjectPolicies, Target, evaluate};
use super::principal::{Arn, Subject, SubjectKind, is_account_id};
use super::{Decision, Layer};
use crate::policy::context::Facts;

pub use context::{BadContextEntry, SimulatedContext};
use context::{OfResource, has_name};
pub use position::Position;
pub use resource::{parse_resource_policy, resource_template};

/// Where a policy of a simulation comes from: `PolicySourceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceType {
    /// An inline policy of a user.
    User,
    /// An inline policy of a group.
    Group,
    /// An inline policy of a role.
    Role,
    /// A managed policy that comes with the service.
    AwsManaged,
    /// A managed policy of the account.
    UserManaged,
    /// The policy of a resource.
    Resource,
    /// Given with the request.
    None,
}

/// A policy with what names it in the answer.
#[derive(Debug, Clone)]
pub struct SimulatedPolicy {
    /// The policy; its name is the `SourcePolicyId`: a managed policy's name, `user_NAME_POLICY` of an inline one
    /// ([`SourceType::inline_id`]), `PolicyInputList.1`, `ResourcePolicy`.
    pub attached: Attached,
    /// Where it comes from.
    pub source: SourceType,
}

/// What is simulated, but for actions and resources.
#[derive(Debug, Clone, Copy)]
pub struct Simulation<'a> {
    /// As whom ([`simulated_caller`]).
    pub subject: Subject<'a>,
    /// Its identity policies.
    pub identity: &'a [SimulatedPolicy],
    /// Its permissions boundary. IAM takes one at most.
    pub boundary: Option<&'a SimulatedPolicy>,
    /// The policy that every resource is taken to have ([`parse_resource_policy`]).
    pub resource_policy: Option<&'a SimulatedPolicy>,
    /// `ResourceOwner`, an account id or the ARN of its root: who owns resources whose ARN names no account. The
    /// caller's account if it is not given.
    pub resource_owner: Option<&'a str>,
    /// The condition keys that are given.
    pub context: &'a SimulatedContext,
}

/// How a simulation ends. Later ones are more restrictive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// `allowed`
    Allowed,
    /// `implicitDeny`
    ImplicitDeny,
    /// `explicitDeny`
    ExplicitDeny,
}

/// A statement that speaks about the simulated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// `SourcePolicyId`
    pub policy_id: Box<str>,
    /// Where the policy comes from.
    pub source: SourceType,
    /// Its part in the decision: identity policy, boundary or resource's policy.
    pub layer: Layer,
    /// The statement's place in the policy, from 0.
    pub statement: usize,
    /// Where it begins in the policy's text.
    pub start: Position,
    /// Where it ends: behind its last character.
    pub end: Position,
}

/// The answer for one action on one resource: `ResourceSpecificResult`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEvaluation {
    /// The resource as it was asked for.
    pub resource: String,
    /// The decision.
    pub decision: Verdict,
    /// The statements that deny, if any does; otherwise those of the resource's and of identity policies that allow,
    /// also where that is not enough.
    pub matched: Vec<Matched>,
    /// Condition keys that statements about this action and resource name and that have no value, as written.
    pub missing: Vec<String>,
    /// What each kind of policy says, by the name that [`Layer`]s have in IAM's answers. Filled across accounts only.
    pub details: Vec<(&'static str, Verdict)>,
    /// `AllowedByPermissionsBoundary`; none without a boundary.
    pub allowed_by_boundary: Option<bool>,
}

/// The answer for one action: `EvaluationResult`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The action as it was asked for.
    pub action: String,
    /// `EvalResourceName`: `*`, the one resource, or of several what their ARNs look like.
    pub resource: String,
    /// The most restrictive decision about any of the resources.
    pub decision: Verdict,
    /// The statements that brought about this decision; none if nothing did.
    pub matched: Vec<Matched>,
    /// Of all resources, without repetition.
    pub missing: Vec<String>,
    /// The most restrictive of each kind; none if the only resource is `*` and the caller's own account is asked.
    pub details: Option<Vec<(&'static str, Verdict)>>,
    /// Whether the boundary allows all; none without a boundary.
    pub allowed_by_boundary: Option<bool>,
    /// Each resource; empty if the only one is `*`.
    pub resources: Vec<ResourceEvaluation>,
}

/// The caller that the ARN of a user, group or role stands for. None for other ARNs: IAM simulates no sessions, no
/// federated users and no services. A group has no name or id of its own that policies could ask for.
pub fn simulated_caller(arn: &str) -> Option<Subject<'_>> {
    let parts = Arn::split(arn).filter(|parts| parts.service == "iam" && parts.region.is_empty())?;
    let (kind, name) = parts.resource.split_once('/').filter(|_| is_account_id(parts.account))?;
    let name = name.rsplit('/').next().filter(|name| !name.is_empty())?;
    let kind = match kind {
        "user" => SubjectKind::User { name },
        "group" => SubjectKind::User { name: "" },
        "role" => SubjectKind::RoleSession { role_arn: arn },
        _ => return None,
    };
    Some(Subject { kind, account: parts.account, canonical_id: "", arn, user_id: "" })
}

/// The condition keys that documents name, in conditions and variables, as they are written there and each once:
/// what GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy answer.
pub fn context_keys<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Vec<String> {
    let mut keys = Names::default();
    let statements = policies.into_iter().flat_map(|policy| &policy.statements);
    statements.flat_map(Statement::named_keys).for_each(|key| keys.add(key.written()));
    keys.order
}

/// Names in the order in which they come, each once, in whatever case.
#[derive(Default)]
struct Names {
    order: Vec<String>,
    known: HashSet<String>,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.known.insert(name.to_ascii_lowercase()) {
            self.order.push(name.to_owned());
        }
    }
}

impl SourceType {
    /// As the API reference has it.
    pub fn text(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::AwsManaged => "aws-managed",
            Self::UserManaged => "user-managed",
            Self::Resource => "resource",
            Self::None => "none",
        }
    }

    /// The id of an inline policy `policy` of the user, group or role called `name`.
    pub fn inline_id(self, name: &str, policy: &str) -> String {
        format!("{}_{name}_{policy}", self.text())
    }
}

impl Verdict {
    /// `PolicyEvaluationDecisionType`
    pub fn text(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

impl Matched {
    /// What IAM answers as `SourcePolicyType`. The API reference lists the words of [`SourceType`], but its own examples
    /// and all recorded answers have these.
    pub fn policy_type(&self) -> &'static str {
        policy_type(self.layer)
    }
}

fn policy_type(layer: Layer) -> &'static str {
    match layer {
        Layer::Boundary => "Permissions Boundary Policy",
        Layer::Resource | Layer::Trust | Layer::Grant | Layer::Acl => "Resource Policy",
        Layer::Identity | Layer::Session => "IAM Policy",
    }
}

impl Simulation<'_> {
    /// Simulates `action` on each of `resources`; on `*` if there is none.
    pub fn evaluate(&self, action: &str, resources: &[String]) -> Evaluation {
        let everything = ["*".to_owned()];
        let resources = if resources.is_empty() { &everything } else { resources };
        let all: Vec<_> = resources.iter().map(|resource| self.on_resource(action, resource)).collect();
        let decision = all.iter().map(|one| one.decision).max().unwrap_or(Verdict::ImplicitDeny);
        let mut sum = Evaluation {
            action: action.to_owned(),
            resource: match resources {
                [one] => one.clone(),
                _ => resource_template(action).to_owned(),
            },
            decision,
            matched: Vec::new(),
            missing: Vec::new(),
            details: Some(Vec::new()),
            allowed_by_boundary: self.boundary.map(|_| all.iter().all(|one| one.allowed_by_boundary == Some(true))),
            resources: Vec::new(),
        };
        let mut details: Vec<(&'static str, Verdict)> = Vec::new();
        let mut missing = Names::default();
        for one in &all {
            if decision != Verdict::ImplicitDeny && one.decision == decision {
                let new = one.matched.iter().filter(|matched| !sum.matched.contains(matched));
                sum.matched.extend(new.cloned().collect::<Vec<_>>());
            }
            one.missing.iter().for_each(|name| missing.add(name));
            for &(kind, verdict) in &one.details {
                match details.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, known)) => *known = verdict.max(*known),
                    None => details.push((kind, verdict)),
                }
            }
        }
        sum.missing = missing.order;
        let unnamed = resources == everything;
        sum.details = (!unnamed || !details.is_empty()).then_some(details);
        if !unnamed {
            sum.resources = all;
        }
        sum
    }

    /// Who owns a resource.
    fn owner<'b>(&'b self, resource: &'b str) -> &'b str {
        let named = resource.split(':').nth(4).filter(|account| is_account_id(account));
        let given = || self.resource_owner.map(|owner| Arn::split(owner).map_or(owner, |arn| arn.account));
        named.or_else(given).unwrap_or(self.subject.account)
    }

    fn on_resource(&self, action: &str, resource: &str) -> ResourceEvaluation {
        let owner = self.owner(resource);
        let attach = |policies: &[SimulatedPolicy]| -> Vec<Attached> {
            policies.iter().map(|policy| policy.attached.clone()).collect()
        };
        let (identity, boundary) = (attach(self.identity), self.boundary.map(|policy| &policy.attached));
        let own = SubjectPolicies { identity: &identity, boundary, session: &[] };
        let context = OfResource { given: self.context, owner };
        let request = Request {
            subject: self.subject,
            action,
            resource,
            // IAM looks for no policy that it was not given: without one, only the caller's side is asked.
            owner: if self.resource_policy.is_some() { owner } else { self.subject.account },
            context: &context,
        };
        let decision = match evaluate(&request, &own, &self.target(action)) {
            Decision::Allow(_) => Verdict::Allowed,
            Decision::ExplicitDeny(_) => Verdict::ExplicitDeny,
            Decision::ImplicitDeny(_) => Verdict::ImplicitDeny,
        };
        let layers = self.layers().map(|(layer, policies)| (layer, self.ask(&request, layer, policies)));
        let of = |layer| layers.iter().filter(move |(at, _)| *at == layer).flat_map(|(_, asked)| &asked.matched);
        let says = |layer| match of(layer).map(|(effect, _)| *effect).max_by_key(|effect| *effect == Effect::Deny) {
            Some(Effect::Deny) => Verdict::ExplicitDeny,
            Some(Effect::Allow) => Verdict::Allowed,
            None => Verdict::ImplicitDeny,
        };
        let wanted = if decision == Verdict::ExplicitDeny { Effect::Deny } else { Effect::Allow };
        let shown = layers.iter().filter(|(layer, _)| wanted == Effect::Deny || *layer != Layer::Boundary);
        let matched = shown.flat_map(|(_, asked)| &asked.matched).filter(|(effect, _)| *effect == wanted);
        let mut missing = Names::default();
        layers.iter().flat_map(|(_, asked)| &asked.missing.order).for_each(|name| missing.add(name));
        let across = request.owner != self.subject.account;
        let kinds = self.layers().into_iter().filter(|(_, policies)| across && !policies.is_empty());
        ResourceEvaluation {
            resource: resource.to_owned(),
            decision,
            matched: matched.map(|(_, matched)| matched.clone()).collect(),
            missing: missing.order,
            details: kinds.map(|(layer, _)| (policy_type(layer), says(layer))).collect(),
            allowed_by_boundary: boundary.map(|_| says(Layer::Boundary) == Verdict::Allowed),
        }
    }

    /// All policies, in the order in which IAM lists their statements.
    fn layers(&self) -> [(Layer, &[SimulatedPolicy]); 3] {
        [
            (Layer::Resource, self.resource_policy.map_or(&[], std::slice::from_ref)),
            (Layer::Identity, self.identity),
            (Layer::Boundary, self.boundary.map_or(&[], std::slice::from_ref)),
        ]
    }

    fn target(&self, action: &str) -> Target<'_> {
        let policy = self.resource_policy.map(|policy| &*policy.attached.policy);
        resource::target(policy, action)
    }

    /// What the statements of `policies` say, each asked as [`evaluate`] asks it.
    fn ask(&self, request: &Request<'_>, layer: Layer, policies: &[SimulatedPolicy]) -> Asked {
        let facts = Facts::new(&request.subject, request.owner, request.context);
        let (action, bounded) = (Action::split(request.action), self.boundary.is_some());
        let mut asked = Asked::default();
        for SimulatedPolicy { attached, source } in policies {
            let mut places = None;
            for (index, statement) in attached.policy.statements.iter().enumerate() {
                asked.note_missing(statement, action, request, &facts, self.context);
                if statement.applies(action, request.resource, &facts, bounded).is_none() {
                    continue;
                }
                let places = places.get_or_insert_with(|| position::of_statements(attached.policy.text()));
                let (start, end) = places.get(index).copied().unwrap_or_default();
                let policy_id = attached.name.clone();
                let matched = Matched { policy_id, source: *source, layer, statement: index, start, end };
                asked.matched.push((statement.effect, matched));
            }
        }
        asked
    }
}

/// What the policies of one layer say.
#[derive(Default)]
struct Asked {
    matched: Vec<(Effect, Matched)>,
    missing: Names,
}

impl Asked {
    /// Notes the keys without a value of a statement whose conditions count: it is about the action, and about the
    /// resource or, for want of a value, perhaps about it.
    fn note_missing(
        &mut self,
        statement: &Statement,
        action: Action<'_>,
        request: &Request<'_>,
        facts: &Facts<'_>,
        given: &SimulatedContext,
    ) {
        // What others are asked for decides nothing here.
        if !statement.acts(action) || statement.names(facts.subject, false).is_none() {
            return;
        }
        let missing: Vec<_> = statement
            .named_keys()
            .filter(|key| {
                let mut known = has_name(given, key.written());
                facts.each(key, &mut |_| known = true);
                !known
            })
            .collect();
        let in_resource = statement.resource.iter().flat_map(|clause| &clause.items);
        let mut variables = in_resource.flat_map(|pattern| pattern.template().variables());
        if variables.any(|variable| missing.contains(&variable)) || statement.covers(request.resource, facts) {
            missing.iter().for_each(|key| self.missing.add(key.written()));
        }
    }
}

#[cfg(test)]
mod tests;
