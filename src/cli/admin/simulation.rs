//! Questions to SimulatePrincipalPolicy, and the same asked here of principals that IAM does not simulate: an account's
//! root, other accounts, services, and everyone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::{Api, CallError, Element, members, text};
use crate::policy::{
    Attached, Kind, Policy, SimulatedContext, SimulatedPolicy, Simulation, SourceType, Subject, Verdict,
    parse_resource_policy,
};

/// A statement that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct By {
    /// `SourcePolicyId`
    pub(super) policy: String,
    /// `SourcePolicyType`
    pub(super) kind: String,
    /// The line of the policy's text that it begins in.
    pub(super) line: String,
}

/// What comes of one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) resource: String,
    /// `allowed`, `implicitDeny` or `explicitDeny`
    pub(super) decision: String,
    pub(super) by: Vec<By>,
    /// Condition keys that statements ask for and that were not given.
    pub(super) missing: Vec<String>,
    /// Whether the permissions boundary allows it; none without one.
    pub(super) within_boundary: Option<bool>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) action: &'a str,
    pub(super) resources: &'a [String],
    /// The policy of all resources.
    pub(super) resource_policy: Option<&'a str>,
    /// The account that owns them.
    pub(super) owner: &'a str,
    /// Condition keys: name, type, value.
    pub(super) context: &'a [(String, &'static str, String)],
}

/// Asks IAM about a user or a role of the own account.
pub(super) async fn of_principal(api: &Api, arn: &str, asked: Asked<'_>) -> Result<Vec<Outcome>, CallError> {
    let mut params = vec![("PolicySourceArn".to_owned(), arn), ("ActionNames.member.1".to_owned(), asked.action)];
    for (at, resource) in (1..).zip(asked.resources) {
        params.push((format!("ResourceArns.member.{at}"), resource));
    }
    for (at, (name, kind, value)) in (1..).zip(asked.context) {
        let entry = format!("ContextEntries.member.{at}");
        params.push((format!("{entry}.ContextKeyName"), name));
        params.push((format!("{entry}.ContextKeyType"), kind));
        params.push((format!("{entry}.ContextKeyValues.member.1"), value));
    }
    let root = format!("arn:aws:iam::{}:root", asked.owner);
    if let Some(policy) = asked.resource_policy {
        params.push(("ResourcePolicy".to_owned(), policy));
        params.push(("ResourceOwner".to_owned(), &root));
    }
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let results = api.all("SimulatePrincipalPolicy", &params, "EvaluationResults").await?;
    Ok(results.iter().flat_map(outcomes).collect())
}

/// Of one `EvaluationResult`: each resource, or the one that was asked for.
fn outcomes(result: &Element) -> Vec<Outcome> {
    let specific = members(result, "ResourceSpecificResults");
    if specific.is_empty() {
        return vec![outcome(result, "EvalDecision")];
    }
    specific.iter().map(|one| outcome(one, "EvalResourceDecision")).collect()
}

fn outcome(result: &Element, decision: &str) -> Outcome {
    let by = members(result, "MatchedStatements").iter().map(|statement| By {
        policy: text(statement, "SourcePolicyId").to_owned(),
        kind: text(statement, "SourcePolicyType").to_owned(),
        line: statement.child("StartPosition").map_or("", |start| text(start, "Line")).to_owned(),
    });
    let boundary = result.child("PermissionsBoundaryDecisionDetail");
    Outcome {
        resource: text(result, "EvalResourceName").to_owned(),
        decision: text(result, decision).to_owned(),
        by: by.collect(),
        missing: members(result, "MissingContextValues").iter().map(|key| key.text.trim().to_owned()).collect(),
        within_boundary: boundary.map(|boundary| text(boundary, "AllowedByPermissionsBoundary") == "true"),
    }
}

/// Asks here what the resources' policy alone says of `subject`: of principals of other accounts it is taken that their
/// own account lets them do everything.
pub(super) fn of_stranger(subject: Subject<'_>, asked: Asked<'_>) -> Result<Vec<Outcome>, String> {
    // A simulation asks the caller's side alone where it is given no policy of the resource. Here there is none, and what
    // has none is closed to other accounts.
    if asked.resource_policy.is_none() && subject.account != asked.owner {
        return Ok(asked.resources.iter().map(|resource| Outcome::closed(resource)).collect());
    }
    let everything = br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let identity = Policy::parse(everything, Kind::Identity).map_err(|error| format!("{error:?}"))?;
    let simulated = |name: &str, policy: Policy, source| SimulatedPolicy {
        attached: Attached { name: name.into(), policy: Arc::new(policy) },
        source,
    };
    let identity = [simulated("its own account's", identity, SourceType::None)];
    let policy = asked.resource_policy.map(|text| parse_resource_policy(text.as_bytes()));
    let policy = policy.transpose().map_err(|error| format!("the resource's policy can't be read: {error:?}"))?;
    let resource_policy = policy.map(|policy| simulated("ResourcePolicy", policy, SourceType::Resource));
    let mut context = SimulatedContext::default();
    for (name, kind, value) in asked.context {
        context.add(name, kind, &[value]).map_err(|error| error.to_string())?;
    }
    let simulation = Simulation {
        subject,
        identity: &identity,
        boundary: None,
        resource_policy: resource_policy.as_ref(),
        resource_owner: Some(asked.owner),
        context: &context,
    };
    let evaluation = simulation.evaluate(asked.action, asked.resources);
    Ok(evaluation
        .resources
        .into_iter()
        .map(|one| {
            let by = one.matched.iter().filter(|by| by.source != SourceType::None).map(|by| By {
                policy: by.policy_id.to_string(),
                kind: by.policy_type().to_owned(),
                line: by.start.line.to_string(),
            });
            Outcome {
                by: by.collect(),
                resource: one.resource,
                decision: one.decision.text().to_owned(),
                missing: one.missing,
                within_boundary: None,
            }
        })
        .collect())
}

impl Outcome {
    /// Nothing allows it.
    fn closed(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            decision: Verdict::ImplicitDeny.text().to_owned(),
            by: Vec::new(),
            missing: Vec::new(),
            within_boundary: None,
        }
    }

    /// Whether it is allowed with what was given.
    pub(super) fn is_allowed(&self) -> bool {
        self.decision == Verdict::Allowed.text()
    }

    /// `yes`, `no`, or `depends on` what.
    pub(super) fn word(&self) -> String {
        match (self.missing.is_empty(), self.is_allowed()) {
            (true, true) => "yes".to_owned(),
            (true, false) => "no".to_owned(),
            (false, _) => format!("depends on {}", self.missing.join(", ")),
        }
    }

    /// By which statements.
    pub(super) fn reason(&self) -> String {
        let named: Vec<String> = self.by.iter().map(By::words).collect();
        match self.decision.as_str() {
            "allowed" if named.is_empty() => "may do everything in its account".to_owned(),
            "allowed" => named.join("; "),
            "explicitDeny" => format!("denied by {}", named.join("; ")),
            _ if self.within_boundary == Some(false) && !named.is_empty() => {
                format!("the permissions boundary does not allow it, though {} does", named.join("; "))
            }
            _ if !named.is_empty() => {
                format!("{} alone is not enough, and no policy of the caller's allows it", named.join("; "))
            }
            _ => "no policy allows it".to_owned(),
        }
    }

    /// With IAM's names.
    pub(super) fn json(&self) -> Value {
        json!({
            "EvalResourceName": self.resource,
            "EvalDecision": self.decision,
            "MissingContextValues": self.missing,
            "MatchedStatements": self.by.iter().map(|by| json!({
                "SourcePolicyId": by.policy, "SourcePolicyType": by.kind, "StartLine": by.line,
            })).collect::<Vec<_>>(),
        })
    }
}

impl By {
    fn words(&self) -> String {
        let policy = match self.policy.as_str() {
            "ResourcePolicy" => "the resource's policy".to_owned(),
            name => format!("policy {name}"),
        };
        if self.line.is_empty() { policy } else { format!("{policy} (line {})", self.line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SubjectKind;
    use crate::wire::xml::parse;

    #[test]
    fn results_are_read_for_each_resource() {
        let result = "<member><EvalActionName>s3:GetObject</EvalActionName><EvalResourceName>*</EvalResourceName>\
            <EvalDecision>implicitDeny</EvalDecision><MatchedStatements/><MissingContextValues><member>aws:SourceIp</member>\
            </MissingContextValues>{more}</member>";
        let one = outcomes(&parse(result.replace("{more}", "").as_bytes()).unwrap());
        assert_eq!(one.len(), 1);
        assert_eq!((one[0].word().as_str(), one[0].is_allowed()), ("depends on aws:SourceIp", false));
        let specific = "<ResourceSpecificResults><member><EvalResourceName>arn:b</EvalResourceName><EvalResourceDecision>\
            explicitDeny</EvalResourceDecision><MatchedStatements><member><SourcePolicyId>p</SourcePolicyId><SourcePolicyType>\
            IAM Policy</SourcePolicyType><StartPosition><Line>3</Line><Column>1</Column></StartPosition></member>\
            </MatchedStatements><MissingContextValues/><PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>\
            false</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail></member></ResourceSpecificResults>";
        let one = outcomes(&parse(result.replace("{more}", specific).as_bytes()).unwrap());
        assert_eq!((one[0].resource.as_str(), one[0].word().as_str()), ("arn:b", "no"));
        assert_eq!(one[0].reason(), "denied by policy p (line 3)");
        assert_eq!(one[0].within_boundary, Some(false));
    }

    #[test]
    fn strangers_are_asked_here() {
        let policy = r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/open/*"},
            {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
             "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}]}"#;
        let resources = ["arn:aws:s3:::b/*".to_owned(), "arn:aws:s3:::b/open/*".to_owned()];
        let words = |kind, account, arn, resource_policy, context: &[(String, &'static str, String)]| {
            let subject = Subject { kind, account, canonical_id: "", arn, user_id: "" };
            let asked = Asked {
                action: "s3:GetObject",
                resources: &resources,
                resource_policy,
                owner: "111122223333",
                context,
            };
            let outcomes = of_stranger(subject, asked).unwrap();
            outcomes.iter().map(Outcome::word).collect::<Vec<_>>()
        };
        assert_eq!(words(SubjectKind::Anonymous, "", "", Some(policy), &[]), ["no", "yes"]);
        let root = "arn:aws:iam::444455556666:root";
        let other = |context: &[_]| words(SubjectKind::Root, "444455556666", root, Some(policy), context);
        assert_eq!(other(&[]), ["depends on aws:SourceIp", "depends on aws:SourceIp"]);
        let from = ("aws:SourceIp".to_owned(), "ip", "192.0.2.7".to_owned());
        assert_eq!(other(&[from]), ["yes", "yes"]);
        let own = "arn:aws:iam::111122223333:root";
        assert_eq!(words(SubjectKind::Root, "111122223333", own, None, &[]), ["yes", "yes"]);
        assert_eq!(words(SubjectKind::Root, "444455556666", root, None, &[]), ["no", "no"]);
    }
}
