//! `strongroom policy who-can`: who may do something to a bucket, an object, a key.
//!
//! Users and roles are asked about one by one (SimulatePrincipalPolicy with the resource's policy); whom the resource's
//! policy names besides is found in it and asked about here. A resource that ends in `*` stands for all below it; what
//! some policy says of a part alone is asked about too, so that a part that may be read does not count as "no".

use clap::Args;
use serde_json::{Value, json};

use super::acl::Before;
use super::api::{Api, Element, text};
use super::connection::Connected;
use super::documents::own_account;
use super::print;
use super::simulation::{Asked, Outcome, of_principal, of_stranger};
use super::strangers::{Stranger, named_in};
use crate::cli::Failure;
use crate::policy::{Subject, SubjectKind, resource_template};

/// Parts of a resource that are asked about.
const PARTS_MAX: usize = 50;
const DETAILS: &str = "GetAccountAuthorizationDetails";

/// Say who may do something: every user and role of the account, and by the resource's policy others
///
/// As things are now, for a request without the circumstances that conditions may ask for: where an answer depends on
/// them it says so, and --context gives them. Service control is not asked: what a session policy takes away, and grants on
/// KMS keys, are not seen.
#[derive(Args)]
pub(super) struct WhoCan {
    /// read, list, write, delete, or an action such as s3:GetObjectTagging or kms:Decrypt
    #[arg(value_name = "ACTION")]
    action: String,
    /// A bucket, BUCKET/KEY, or an ARN; may end in * for all below it
    #[arg(value_name = "RESOURCE")]
    resource: String,
    /// A condition key of the request, e.g. aws:SourceIp=192.0.2.7; several are possible
    #[arg(long = "context", value_name = "KEY=VALUE", value_parser = parse_context)]
    context: Vec<(String, &'static str, String)>,
    /// Only who may, in whole or in part
    #[arg(long)]
    only_allowed: bool,
}

/// The type of a condition key's value follows from the key; texts are taken by most.
pub(super) fn parse_context(text: &str) -> Result<(String, &'static str, String), String> {
    let (name, value) = text.split_once('=').ok_or("a condition key is given as KEY=VALUE")?;
    let kind = match name.to_ascii_lowercase().as_str() {
        "aws:sourceip" => "ip",
        "aws:securetransport" | "aws:viaawsservice" => "boolean",
        "aws:currenttime" | "aws:tokenissuetime" => "date",
        "aws:epochtime" | "s3:max-keys" | "s3:signatureage" => "numeric",
        _ => "string",
    };
    Ok((name.to_owned(), kind, value.to_owned()))
}

/// Somebody, and what comes of the asked resource and of its parts.
struct Row {
    who: String,
    /// The resource that was asked about, then parts of it of which something else is said.
    outcomes: Vec<Outcome>,
    /// In place of what the policies say.
    because: Option<String>,
}

pub(super) async fn run(connected: &Connected, command: &WhoCan) -> Result<(), Failure> {
    let api = &connected.api;
    let (action, resource) = target(&command.action, &command.resource)?;
    let account = own_account(api).await?;
    let before = before(api, &resource).await?;
    let lists = ["UserDetailList", "RoleDetailList", "GroupDetailList", "Policies"];
    let details = api.all_of(DETAILS, &[], &lists).await?;
    let mut resources = vec![resource.clone()];
    resources.extend(parts(&resource, &patterns(&details, &before)));
    let asked = Asked {
        action: &action,
        resources: &resources,
        resource_policy: before.policy.as_deref(),
        owner: &account,
        context: &command.context,
    };
    let mut rows = vec![root_row(&account, asked)?];
    for (kind, list) in ["user", "role"].iter().zip(&details) {
        for one in list {
            rows.push(principal_row(api, kind, one, asked).await?);
        }
    }
    for stranger in named_in(&before.statements(), &account) {
        rows.push(stranger_row(&stranger, &before, asked)?);
    }
    rows.extend(acl_rows(&before, &action, &resource));
    if command.only_allowed {
        rows.retain(|row| row.outcomes.iter().any(|outcome| outcome.word() != "no"));
    }
    rows.sort_by_key(|row| row.order());
    let json: Vec<Value> = rows.iter().map(Row::json).collect();
    let json = json!({ "Action": action, "Resource": resource, "Principals": json });
    print::show(connected.output, &json, || shown(&action, &resource, &rows, &before))
}

fn shown(action: &str, resource: &str, rows: &[Row], before: &Before) -> String {
    let lines: Vec<_> = rows.iter().flat_map(Row::lines).collect();
    let mut out = format!("{action} on {resource}\n\n{}", print::table(["WHO", "MAY", "BECAUSE"], &lines, "nobody"));
    if before.objects_have_acls() && action.eq_ignore_ascii_case("s3:GetObject") {
        out.push_str(&format!(
            "\n\nObjects of this bucket have ACLs of their own (ownership {}), which may let others read single objects.",
            before.ownership
        ));
    }
    out
}

/// The action and the resource's ARN of words.
fn target(action: &str, resource: &str) -> Result<(String, String), Failure> {
    let action = match action {
        "read" => "s3:GetObject",
        "list" => "s3:ListBucket",
        "write" => "s3:PutObject",
        "delete" => "s3:DeleteObject",
        action if action.split_once(':').is_some_and(|(s, name)| !s.is_empty() && !name.is_empty()) => action,
        other => {
            return Err(Failure::Usage(format!(
                "{other:?} is no action: give read, list, write, delete, or one such as s3:GetObjectTagging"
            )));
        }
    };
    if resource.starts_with("arn:") {
        return Ok((action.to_owned(), resource.to_owned()));
    }
    if !action.starts_with("s3:") {
        return Err(Failure::Usage(format!("give the ARN of what {action} is to be done to")));
    }
    let on_objects = resource_template(action).contains('/');
    let below = if on_objects && !resource.contains('/') { "/*" } else { "" };
    Ok((action.to_owned(), format!("arn:aws:s3:::{resource}{below}")))
}

/// What stands before the resource: of a bucket all, of a key its policy.
pub(super) async fn before(api: &Api, resource: &str) -> Result<Before, Failure> {
    if let Some(path) = resource.strip_prefix("arn:aws:s3:::") {
        let bucket = path.split('/').next().unwrap_or_default();
        if bucket.is_empty() || bucket.contains(['*', '?']) {
            return Ok(Before::default());
        }
        return Ok(Before::of_bucket(api, bucket).await?);
    }
    if resource.starts_with("arn:aws:kms:") && resource.contains(":key/") {
        let told = api.kms("GetKeyPolicy", &json!({ "KeyId": resource, "PolicyName": "default" })).await?;
        let policy = told.get("Policy").and_then(Value::as_str).map(str::to_owned);
        return Ok(Before::of_policy(policy));
    }
    Ok(Before::default())
}

/// All resources that statements of the account's policies and of the resource's own name.
fn patterns(details: &[Vec<Element>], before: &Before) -> Vec<String> {
    fn collect(element: &Element, out: &mut Vec<Value>) {
        if element.name.ends_with("Document") && element.name != "AssumeRolePolicyDocument" {
            out.extend(print::document(element.text.trim()));
        }
        element.children.iter().for_each(|child| collect(child, out));
    }
    let mut documents = Vec::new();
    details.iter().flatten().for_each(|detail| collect(detail, &mut documents));
    let listed = |value: &Value| -> Vec<Value> {
        match value {
            Value::Array(all) => all.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        }
    };
    let statements = documents.iter().flat_map(|document| listed(&document["Statement"])).chain(before.statements());
    let resources = statements.flat_map(|s| [listed(&s["Resource"]), listed(&s["NotResource"])].concat());
    let mut all: Vec<String> = resources.filter_map(|r| r.as_str().map(str::to_owned)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The patterns that name a part of what is asked about.
fn parts(resource: &str, patterns: &[String]) -> Vec<String> {
    let Some(above) = resource.strip_suffix('*') else { return Vec::new() };
    let narrower = patterns.iter().filter(|p| p.starts_with(above) && *p != resource && p.len() > above.len());
    narrower.take(PARTS_MAX).cloned().collect()
}

fn root_row(account: &str, asked: Asked<'_>) -> Result<Row, Failure> {
    let arn = format!("arn:aws:iam::{account}:root");
    let subject = Subject { kind: SubjectKind::Root, account, canonical_id: "", arn: &arn, user_id: account };
    let outcomes = of_stranger(subject, asked).map_err(Failure::Failed)?;
    Ok(Row::new(format!("root of {account}"), outcomes))
}

async fn principal_row(api: &Api, kind: &str, one: &Element, asked: Asked<'_>) -> Result<Row, Failure> {
    let name = match kind {
        "user" => text(one, "UserName"),
        _ => text(one, "RoleName"),
    };
    // What a user's name is part of is a part for each user.
    let resources: Vec<String> =
        asked.resources.iter().map(|resource| resource.replace("${aws:username}", name)).collect();
    let asked = Asked { resources: &resources, ..asked };
    let outcomes = of_principal(api, text(one, "Arn"), asked).await?;
    Ok(Row::new(format!("{kind} {name}"), outcomes))
}

fn stranger_row(stranger: &Stranger, before: &Before, asked: Asked<'_>) -> Result<Row, Failure> {
    let outcomes = of_stranger(stranger.subject(), asked).map_err(Failure::Failed)?;
    let mut row = Row::new(stranger.who.clone(), outcomes);
    if before.restricted && before.is_public && !stranger.is_service() {
        row.because = Some("RestrictPublicBuckets keeps strangers out of a bucket with a public policy".to_owned());
    }
    Ok(row)
}

fn acl_rows(before: &Before, action: &str, resource: &str) -> Vec<Row> {
    let row = |(who, permission): (String, String)| Row {
        who,
        outcomes: vec![Outcome {
            resource: resource.to_owned(),
            decision: "allowed".to_owned(),
            by: Vec::new(),
            missing: Vec::new(),
            within_boundary: None,
        }],
        because: Some(format!("{permission} in the bucket's ACL")),
    };
    before.by_acl(action).into_iter().map(row).collect()
}

impl Row {
    fn new(who: String, mut outcomes: Vec<Outcome>) -> Self {
        if let Some((whole, parts)) = outcomes.split_first() {
            let (word, mut kept) = (whole.word(), vec![whole.clone()]);
            kept.extend(parts.iter().filter(|part| part.word() != word).cloned());
            outcomes = kept;
        }
        Self { who, outcomes, because: None }
    }

    fn is_shut_out(&self) -> bool {
        self.because.as_deref().is_some_and(|because| because.starts_with("RestrictPublicBuckets"))
    }

    /// Those who may come first.
    fn order(&self) -> usize {
        let word = self.outcomes.first().map(Outcome::word).unwrap_or_default();
        match word.as_str() {
            _ if self.is_shut_out() => 3,
            "yes" => 0,
            "no" if self.outcomes.len() < 2 => 3,
            "no" => 2,
            _ => 1,
        }
    }

    fn lines(&self) -> Vec<[String; 3]> {
        let Some((whole, parts)) = self.outcomes.split_first() else { return Vec::new() };
        if self.is_shut_out() {
            return vec![[self.who.clone(), "no".to_owned(), self.because.clone().unwrap_or_default()]];
        }
        let because = self.because.clone().unwrap_or_else(|| whole.reason());
        let mut lines = vec![[self.who.clone(), whole.word(), because]];
        lines.extend(parts.iter().map(|part| [format!("  {}", part.resource), part.word(), part.reason()]));
        lines
    }

    fn json(&self) -> Value {
        let outcomes: Vec<Value> = self.outcomes.iter().map(Outcome::json).collect();
        let mut json = json!({ "Who": self.who, "Results": outcomes });
        if let Some(because) = &self.because {
            json["Because"] = json!(because);
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_actions_and_resources() {
        for (action, resource, asked) in [
            ("read", "b", Some("s3:GetObject arn:aws:s3:::b/*")),
            ("read", "b/k", Some("s3:GetObject arn:aws:s3:::b/k")),
            ("list", "b", Some("s3:ListBucket arn:aws:s3:::b")),
            ("s3:GetBucketPolicy", "b", Some("s3:GetBucketPolicy arn:aws:s3:::b")),
            ("s3:GetObject", "arn:aws:s3:::b/x*", Some("s3:GetObject arn:aws:s3:::b/x*")),
            ("kms:Decrypt", "arn:aws:kms:r:1:key/k", Some("kms:Decrypt arn:aws:kms:r:1:key/k")),
            ("kms:Decrypt", "k", None),
            ("reed", "b", None),
            ("s3:", "b", None),
        ] {
            let found = target(action, resource).map(|(action, resource)| format!("{action} {resource}"));
            assert_eq!(found.ok().as_deref(), asked, "{action} {resource}");
        }
    }

    #[test]
    fn parts_of_a_bucket() {
        let patterns = ["*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a/*", "arn:aws:s3:::bb/*"];
        let patterns = patterns.map(str::to_owned);
        assert_eq!(parts("arn:aws:s3:::b/*", &patterns), ["arn:aws:s3:::b/a/*"]);
        assert!(parts("arn:aws:s3:::b/k", &patterns).is_empty());
    }

    #[test]
    fn what_is_shown_of_somebody() {
        let outcome = |resource: &str, decision: &str, missing: &[&str]| Outcome {
            resource: resource.to_owned(),
            decision: decision.to_owned(),
            by: Vec::new(),
            missing: missing.iter().map(|key| (*key).to_owned()).collect(),
            within_boundary: None,
        };
        let row = Row::new(
            "user a".to_owned(),
            vec![
                outcome("b/*", "implicitDeny", &[]),
                outcome("b/x", "allowed", &[]),
                outcome("b/y", "implicitDeny", &[]),
            ],
        );
        let lines: Vec<String> = row.lines().iter().map(|line| line[..2].join(": ")).collect();
        assert_eq!((lines, row.order()), (vec!["user a: no".to_owned(), "  b/x: yes".to_owned()], 2));
        let depends = Row::new(String::new(), vec![outcome("b/*", "allowed", &["aws:SourceIp"])]);
        assert_eq!((depends.lines()[0][1].as_str(), depends.order()), ("depends on aws:SourceIp", 1));
        assert_eq!(parse_context("aws:SourceIp=192.0.2.1").unwrap().1, "ip");
        assert!(parse_context("aws:SourceIp").is_err());
    }
}
