//! What both simulations ask: actions on resources, as whom, under what circumstances.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::answer::write_evaluation;
use super::{POLICIES_READ_MAX, invalid, no_entity_arn, parse_all};
use crate::iam::error::{IamError, code};
use crate::iam::input::{Fields, PARAMETERS_MAX};
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{
    ACTION_NAME, ANY, CONTEXT_KEY_NAME, POLICY_DOCUMENT, Page, Paging, RESOURCE_HANDLING_OPTION, RESOURCE_NAME,
};
use crate::names::{AccountId, iam_root_arn};
use crate::policy::{
    Attached, Evaluation, Policy, SimulatedContext, SimulatedPolicy, Simulation, SourceType, Subject, SubjectKind,
    parse_resource_policy, simulated_caller,
};

/// Decisions of a page at most, but for those about one action: many resources make pages shorter than asked for, which
/// AWS allows itself.
const DECISIONS_MAX: usize = 1000;
/// Statements that are asked for a page at most, each as often as there are decisions; as many can stand in an answer.
const STATEMENTS_MAX: usize = 200_000;

/// Simulations that run at once, since they take the threads that objects are read on, and how long others wait.
static RUNNING: Semaphore = Semaphore::const_new(2);
const WAIT: Duration = Duration::from_secs(5);
/// The longest value of a context key, in characters: patterns are matched against it in time that is their product.
const CONTEXT_VALUE_MAX_CHARS: usize = 2_048;

/// `ContextKeyType`
const CONTEXT_TYPES: [&str; 12] = [
    "string",
    "stringList",
    "numeric",
    "numericList",
    "boolean",
    "booleanList",
    "ip",
    "ipList",
    "binary",
    "binaryList",
    "date",
    "dateList",
];

/// The members that both have.
pub(super) struct Asked {
    boundaries: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    resource_policy: Option<String>,
    resource_owner: Option<String>,
    caller: Option<String>,
    context: Vec<ContextEntry>,
    handling: Option<String>,
    paging: Paging,
}

struct ContextEntry {
    name: Option<String>,
    kind: Option<&'static str>,
    values: Vec<String>,
}

/// What the simulated caller has of its own.
pub(super) struct Given {
    pub(super) identity: Vec<SimulatedPolicy>,
    pub(super) boundary: Option<SimulatedPolicy>,
    /// The ARN of the user, group or role.
    pub(super) caller: Option<String>,
    /// Of a caller that is not known.
    pub(super) account: String,
}

impl Asked {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let boundaries = "PermissionsBoundaryPolicyInputList";
        Self {
            boundaries: fields.texts(boundaries, 0..=POLICIES_READ_MAX, &POLICY_DOCUMENT),
            actions: fields.required_texts("ActionNames", 0..=PARAMETERS_MAX, &ACTION_NAME),
            resources: fields.texts("ResourceArns", 0..=PARAMETERS_MAX, &RESOURCE_NAME),
            resource_policy: fields.text("ResourcePolicy", &POLICY_DOCUMENT),
            resource_owner: fields.text("ResourceOwner", &RESOURCE_NAME),
            caller: fields.text("CallerArn", &RESOURCE_NAME),
            context: fields.structures("ContextEntries", 0..=PARAMETERS_MAX, |entry| ContextEntry {
                name: entry.text("ContextKeyName", &CONTEXT_KEY_NAME),
                kind: entry.word("ContextKeyType", &CONTEXT_TYPES),
                values: entry.texts("ContextKeyValues", 0..=PARAMETERS_MAX, &ANY),
            }),
            handling: fields.text("ResourceHandlingOption", &RESOURCE_HANDLING_OPTION),
            paging: Paging::read(fields),
        }
    }

    /// Simulates as `given` and with `policies`, and answers.
    pub(super) async fn simulate(self, given: Given, policies: &[String]) -> Result<Reply, IamError> {
        self.check()?;
        let mut identity = given.identity;
        identity.extend(inputs("PolicyInputList", parse_all("PolicyInputList", policies)?));
        let boundaries = parse_all("PermissionsBoundaryPolicyInputList", &self.boundaries)?;
        let boundary = inputs("PermissionsBoundaryPolicyInputList", boundaries).into_iter().next().or(given.boundary);
        let caller = self.caller.clone().or(given.caller);
        let resource_policy = self.resource_policy(caller.is_some())?;
        let context = self.context()?;
        let all = identity.iter().chain(&boundary).chain(&resource_policy);
        let actions = self.page(all.map(|policy| policy.attached.policy.statements()).sum())?;
        let (resources, owner, account) = (self.resources, self.resource_owner, given.account);
        let evaluate = move || -> Result<Page<Evaluation>, IamError> {
            let subject = match &caller {
                Some(arn) => simulated_caller(arn).ok_or_else(|| no_entity_arn(arn))?,
                None => nobody(&account),
            };
            let simulation = Simulation {
                subject,
                identity: &identity,
                boundary: boundary.as_ref(),
                resource_policy: resource_policy.as_ref(),
                resource_owner: owner.as_deref(),
                context: &context,
            };
            let items = actions.items.iter().map(|action| simulation.evaluate(action, &resources));
            Ok(Page { items: items.collect(), marker: actions.marker.clone() })
        };
        let busy = |_| IamError::new(code::THROTTLING, "Rate exceeded: other simulations are running.");
        let _turn = tokio::time::timeout(WAIT, RUNNING.acquire()).await.map_err(busy)?;
        // Many decisions over long policies take a while, in which this thread has others to serve.
        let done = tokio::task::spawn_blocking(evaluate).await;
        let results = done.map_err(|failed| IamError::internal(format!("the simulation was cut off: {failed}")))??;
        Ok(Reply::result(|w| page(w, "EvaluationResults", results, |w, one| write_evaluation(w, &one))))
    }

    /// AWS's texts are not recorded.
    fn check(&self) -> Result<(), IamError> {
        if let Some(option) = &self.handling {
            let text = format!("ResourceHandlingOption {option} is not implemented by this server: it is for EC2.");
            return Err(IamError::not_implemented(text));
        }
        if self.boundaries.len() > 1 {
            return Err(invalid("PermissionsBoundaryPolicyInputList can have one policy."));
        }
        for action in &self.actions {
            let parts = action.split_once(':').filter(|(service, name)| !service.is_empty() && !name.is_empty());
            if parts.is_none() || action.contains(['*', '?']) {
                return Err(invalid(format!("Invalid action name: {action}. It must be service:Operation.")));
            }
        }
        for resource in &self.resources {
            let is_arn = resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
            if !is_arn && resource != "*" {
                return Err(invalid(format!("Resource {resource} must be in ARN format or \"*\".")));
            }
        }
        if let Some(owner) = &self.resource_owner {
            let account = owner.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
            let account = AccountId::parse(account.unwrap_or(owner)).ok();
            let is_owner = account.is_some_and(|account| owner == account.as_str() || *owner == iam_root_arn(&account));
            if !is_owner {
                return Err(invalid(format!("ResourceOwner {owner} is not an account id, or the ARN of a root.")));
            }
        }
        Ok(())
    }

    fn resource_policy(&self, has_caller: bool) -> Result<Option<SimulatedPolicy>, IamError> {
        let Some(text) = &self.resource_policy else { return Ok(None) };
        if !has_caller {
            return Err(invalid("CallerArn is required where there is a ResourcePolicy."));
        }
        let parsed = parse_resource_policy(text.as_bytes());
        let policy = parsed.map_err(|error| invalid(format!("The policy ResourcePolicy is not valid: {error}")))?;
        Ok(Some(simulated("ResourcePolicy", policy, SourceType::Resource)))
    }

    fn context(&self) -> Result<SimulatedContext, IamError> {
        let mut context = SimulatedContext::default();
        for entry in &self.context {
            // One without a name is a value of nothing.
            let Some(name) = &entry.name else { continue };
            if entry.values.iter().any(|value| value.chars().count() > CONTEXT_VALUE_MAX_CHARS) {
                let text = format!("A value of {name} is longer than {CONTEXT_VALUE_MAX_CHARS} characters.");
                return Err(invalid(text));
            }
            context.add(name, entry.kind.unwrap_or_default(), &entry.values).map_err(|error| invalid(error.0))?;
        }
        Ok(context)
    }

    /// The actions of this page, where the policies have so many statements.
    fn page(&self, statements: usize) -> Result<Page<String>, IamError> {
        let resources = self.resources.len().max(1);
        let asked = statements.max(1).saturating_mul(resources);
        if asked > STATEMENTS_MAX {
            return Err(invalid(format!(
                "{statements} statements can not be simulated on {resources} resources at once: the product must not \
                 exceed {STATEMENTS_MAX}."
            )));
        }
        let most = (DECISIONS_MAX / resources).min(STATEMENTS_MAX / asked).max(1);
        let paging = self.paging.clone().at_most(most);
        let actions = self.actions.iter().enumerate().collect();
        let page = paging.cut(actions, |(place, _)| format!("{place:05}"))?;
        Ok(Page { items: page.items.into_iter().map(|(_, action)| action.clone()).collect(), marker: page.marker })
    }
}

/// Policies of a request, which are named by their place in its list, from 1.
fn inputs(list: &str, policies: Vec<Policy>) -> Vec<SimulatedPolicy> {
    let numbered = (1..).zip(policies);
    numbered.map(|(n, policy)| simulated(&format!("{list}.{n}"), policy, SourceType::None)).collect()
}

fn simulated(id: &str, policy: Policy, source: SourceType) -> SimulatedPolicy {
    SimulatedPolicy { attached: Attached { name: id.into(), policy: policy.into() }, source }
}

/// Somebody of an account of whom nothing else is known: what policies ask of its name is missing.
fn nobody(account: &str) -> Subject<'_> {
    Subject { kind: SubjectKind::User { name: "" }, account, canonical_id: "", arn: "", user_id: "" }
}
