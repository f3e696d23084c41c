//! A second evaluator, written from the rules alone: it works on the documents as JSON, recursively and without any care
//! for time. What the engine decides is compared with it.

use serde_json::Value as Json;

use super::TextContext;
use crate::policy::{Subject, SubjectKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    ExplicitDeny,
    ImplicitDeny,
}

/// A request and all policies that speak about it.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) subject: Subject<'static>,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) context: TextContext,
    pub(super) identity: Vec<Json>,
    pub(super) boundary: Option<Json>,
    pub(super) session: Vec<Json>,
    pub(super) on: Option<Json>,
    /// What `on` is the policy of.
    pub(super) place: Place,
    /// The ACL of a bucket or an object: grantee and permission, both as S3 names them.
    pub(super) acl: Vec<(String, String)>,
    /// It is an object of the other account, in the owner's bucket.
    pub(super) others: bool,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Bucket,
    Key,
    Role,
}

pub(super) const OWNER: &str = "111122223333";
const OTHER: &str = "444455556666";

/// How a statement names the subject: a higher grade leaves less to its own policies.
const ACCOUNT: u8 = 1;
const ROLE: u8 = 2;
const DIRECT: u8 = 3;

pub(super) fn decide(world: &World) -> Verdict {
    let subject = &world.subject;
    let root = subject.kind == SubjectKind::Root;
    let anonymous = subject.kind == SubjectKind::Anonymous;
    let mut own: Vec<&Json> = Vec::new();
    if !root {
        own.extend(world.identity.iter().chain(&world.boundary).chain(&world.session));
    }
    let primary = world.place != Place::Bucket;
    let on: Vec<&Json> = world.on.iter().filter(|_| !(primary && anonymous)).collect();
    let denies = |policies: &[&Json]| policies.iter().any(|policy| grade(policy, "Deny", world) > 0);
    let own_policy = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];
    let spared = root && !primary && subject.account == OWNER && own_policy.contains(&world.action.as_str());
    if denies(&own) || (!spared && denies(&on)) {
        return Verdict::ExplicitDeny;
    }

    let allows = |policies: &[&Json]| policies.iter().map(|policy| grade(policy, "Allow", world)).max().unwrap_or(0);
    let identity = root || allows(&world.identity.iter().collect::<Vec<_>>()) > 0;
    let boundary = root || world.boundary.as_ref().is_none_or(|policy| allows(&[policy]) > 0);
    let whole = world.session.is_empty() && subject.kind != SubjectKind::FederatedUser;
    let session = root || whole || allows(&world.session.iter().collect::<Vec<_>>()) > 0;
    let bucket = world.place == Place::Bucket;
    let others = world.others && bucket;
    let by_policy = if (spared && denies(&on)) || others { 0 } else { allows(&on) };
    let named = if bucket { by_policy.max(acl_grade(world)) } else { by_policy };
    let owner = if others { OTHER } else { OWNER };
    let has_identity =
        !matches!(subject.kind, SubjectKind::Anonymous | SubjectKind::WebIdentity { .. } | SubjectKind::Service { .. });
    let allowed = if !has_identity {
        named == DIRECT
    } else if subject.account == owner {
        named == DIRECT
            || (named == ROLE && boundary && session)
            || ((named > 0 || !primary) && identity && boundary && session)
    } else {
        named > 0 && identity && boundary && session
    };
    if allowed { Verdict::Allow } else { Verdict::ImplicitDeny }
}

/// What the ACL gives to the subject for the action.
fn acl_grade(world: &World) -> u8 {
    let subject = &world.subject;
    let needed = match world.action.as_str() {
        "s3:GetObject" => "READ",
        "s3:PutObject" => "WRITE",
        _ => return 0,
    };
    let grade = |(grantee, permission): &(String, String)| {
        let group = grantee.rsplit('/').next().unwrap();
        match group {
            _ if permission != needed && permission != "FULL_CONTROL" => 0,
            "AllUsers" => DIRECT,
            "AuthenticatedUsers" if subject.kind != SubjectKind::Anonymous => DIRECT,
            id if id.len() == 64 && id == subject.canonical_id => ACCOUNT,
            _ => 0,
        }
    };
    world.acl.iter().map(grade).max().unwrap_or(0)
}

fn list(value: &Json) -> Vec<String> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_array().map_or_else(|| vec![text(value)], |list| list.iter().map(text).collect())
}

/// The best grade of the statements of `effect` that apply; 0 if none does.
fn grade(policy: &Json, effect: &str, world: &World) -> u8 {
    applying(policy, effect, world).into_iter().map(|(_, grade)| grade).max().unwrap_or(0)
}

/// The statements of `effect` that apply, by their place, with their grade.
pub(super) fn applying(policy: &Json, effect: &str, world: &World) -> Vec<(usize, u8)> {
    let statements = match &policy["Statement"] {
        Json::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let variables = policy["Version"] == "2012-10-17";
    let applies = |(_, statement): &(usize, &Json)| {
        statement["Effect"] == effect
            && action_fits(statement, world)
            && resource_fits(statement, world, variables)
            && conditions_hold(statement, world, variables)
    };
    let grades = statements.iter().enumerate().filter(applies);
    grades.map(|(at, statement)| (at, principal_grade(statement, world))).filter(|(_, grade)| *grade > 0).collect()
}

fn action_fits(statement: &Json, world: &World) -> bool {
    let fits = |patterns: &Json| {
        list(patterns).iter().any(|pattern| {
            let pattern = if pattern == "*" { "*:*" } else { pattern };
            let (service, name) = pattern.split_once(':').unwrap();
            let (asked_service, asked) = world.action.split_once(':').unwrap();
            (service == "*" || service.eq_ignore_ascii_case(asked_service))
                && glob(&plain(&name.to_lowercase(), true), &asked.to_lowercase().chars().collect::<Vec<_>>())
        })
    };
    statement.get("Action").map_or_else(|| !fits(&statement["NotAction"]), fits)
}

fn resource_fits(statement: &Json, world: &World, variables: bool) -> bool {
    let (negated, patterns) = match statement.get("Resource") {
        Some(patterns) => (false, patterns),
        None if world.place == Place::Role && statement.get("Principal").is_some() => return true,
        None => (true, &statement["NotResource"]),
    };
    let results: Vec<_> =
        list(patterns).iter().map(|p| Some(arn_fits(&expand(p, true, variables, world)?, &world.resource))).collect();
    truth(&results, negated, statement)
}

/// Whether any is true, or with `negated` none; what is unknown counts against an Allow if negated.
fn truth(results: &[Option<bool>], negated: bool, statement: &Json) -> bool {
    let any = results.contains(&Some(true));
    if negated { !any && (!results.contains(&None) || statement["Effect"] == "Deny") } else { any }
}

fn principal_grade(statement: &Json, world: &World) -> u8 {
    let subject = &world.subject;
    let role = match subject.kind {
        SubjectKind::RoleSession { role_arn } => role_arn,
        _ => "-",
    };
    let account_arn = format!("arn:aws:iam::{}:root", subject.account);
    let entries = |value: &Json| match value {
        Json::Object(types) => types.iter().flat_map(|(_, value)| list(value)).collect(),
        other => list(other),
    };
    if let (Some(value), SubjectKind::WebIdentity { provider }) = (statement.get("Principal"), subject.kind) {
        let listed = value.get("Federated").map(list).unwrap_or_default();
        let everyone = statement["Effect"] == "Deny" && entries(value).iter().any(|entry| entry == "*");
        return if everyone || listed.iter().any(|entry| entry == provider) { DIRECT } else { 0 };
    }
    if let Some(value) = statement.get("Principal") {
        let grade = |entry: &String| match entry.as_str() {
            "*" => DIRECT,
            entry if entry == subject.arn => DIRECT,
            entry if entry == role => ROLE,
            entry if entry == subject.account || entry == account_arn => ACCOUNT,
            entry => match subject.kind {
                SubjectKind::Service { name } if name == entry => DIRECT,
                _ => 0,
            },
        };
        return entries(value).iter().map(grade).max().unwrap_or(0);
    }
    let Some(value) = statement.get("NotPrincipal") else { return DIRECT };
    let entries: Vec<String> = entries(value);
    let has = |entry: &str| entries.iter().any(|listed| listed == entry);
    let account = has(subject.account) || has(&account_arn);
    let excepted = match subject.kind {
        SubjectKind::Anonymous => false,
        SubjectKind::Root => account,
        SubjectKind::RoleSession { .. } => account && has(role) && has(subject.arn),
        SubjectKind::Service { name } => has(name),
        _ => account && has(subject.arn),
    };
    if world.boundary.is_some() && subject.kind != SubjectKind::Root || !(excepted || has("*")) { DIRECT } else { 0 }
}

fn conditions_hold(statement: &Json, world: &World, variables: bool) -> bool {
    let Some(Json::Object(operators)) = statement.get("Condition") else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, operands)| {
            condition_holds(operator, &values(key, world), &list(operands), statement, world, variables)
        })
    })
}

fn condition_holds(
    operator: &str,
    values: &[String],
    operands: &[String],
    statement: &Json,
    world: &World,
    variables: bool,
) -> bool {
    let (quantifier, name) = operator.split_once(':').unwrap_or(("", operator));
    let base = name.trim_end_matches("IfExists");
    if base == "Null" {
        return operands.iter().any(|wanted| (wanted == "true") == values.is_empty());
    }
    let negated = base.contains("Not");
    if values.is_empty() {
        return name != base || quantifier == "ForAllValues" || (quantifier.is_empty() && negated);
    }
    let positive = base.replace("Not", "");
    let admitted = |value: &String| {
        let results: Vec<_> =
            operands.iter().map(|operand| compare(&positive, value, operand, world, variables)).collect();
        truth(&results, negated, statement)
    };
    match quantifier {
        "ForAllValues" => values.iter().all(admitted),
        "" if negated => values.iter().all(admitted),
        _ => values.iter().any(admitted),
    }
}

fn compare(operator: &str, value: &str, operand: &str, world: &World, variables: bool) -> Option<bool> {
    let literal = |fold: bool| {
        let text: String = expand(operand, false, variables, world)?.iter().map(|token| token.unwrap().1).collect();
        Some(if fold { text.eq_ignore_ascii_case(value) } else { text == value })
    };
    let number = || Some((value.parse::<i32>().ok()?, operand.parse::<i32>().unwrap()));
    let date = || Some((seconds(value)?, seconds(operand).unwrap()));
    match operator {
        "StringEquals" => literal(false),
        "StringEqualsIgnoreCase" | "Bool" => literal(true),
        "StringLike" => Some(glob(&expand(operand, true, variables, world)?, &value.chars().collect::<Vec<_>>())),
        "ArnLike" | "ArnEquals" => Some(arn_fits(&expand(operand, true, variables, world)?, value)),
        "NumericEquals" => number().map(|(a, b)| a == b),
        "NumericLessThan" => number().map(|(a, b)| a < b),
        "NumericLessThanEquals" => number().map(|(a, b)| a <= b),
        "NumericGreaterThan" => number().map(|(a, b)| a > b),
        "NumericGreaterThanEquals" => number().map(|(a, b)| a >= b),
        "DateEquals" => date().map(|(a, b)| a == b),
        "DateLessThan" => date().map(|(a, b)| a < b),
        "DateLessThanEquals" => date().map(|(a, b)| a <= b),
        "DateGreaterThan" => date().map(|(a, b)| a > b),
        "DateGreaterThanEquals" => date().map(|(a, b)| a >= b),
        "IpAddress" => {
            let (range, prefix) =
                operand.split_once('/').map_or((operand, 128), |(range, n)| (range, n.parse().unwrap()));
            let (range, address) = (bits(range).unwrap(), bits(value)?);
            Some(range.len() == address.len() && range.iter().zip(&address).take(prefix).all(|(a, b)| a == b))
        }
        "BinaryEquals" => Some([("red", "cmVk"), ("x", "eA==")].contains(&(value, operand))),
        other => panic!("{other} is not generated"),
    }
}

fn values(key: &str, world: &World) -> Vec<String> {
    let subject = &world.subject;
    let own = match (key.to_lowercase().as_str(), subject.kind) {
        ("aws:username", SubjectKind::User { name }) => name,
        ("aws:principalarn", SubjectKind::RoleSession { role_arn }) => role_arn,
        ("aws:principalarn", _) => subject.arn,
        ("aws:principalaccount", _) => subject.account,
        ("aws:resourceaccount", _) => OWNER,
        _ => "",
    };
    let own = [own].into_iter().filter(|text| !text.is_empty()).map(str::to_owned);
    let found = world.context.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
    own.chain(found.flat_map(|(_, texts)| texts.all().to_vec())).collect()
}

/// Seconds since 1970 of `YYYY-MM-DDThh:mm:ssZ`, or of a number of seconds.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_of = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: i64 = days_of[..usize::try_from(month - 1).ok()?].iter().sum();
    let clock = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    Some((years + months + day - 1) * 86_400 + clock)
}

/// The bits of an address, first to last.
fn bits(text: &str) -> Option<Vec<bool>> {
    let bytes = match text.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    };
    Some(bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect())
}

/// A character, with whether it is a wildcard.
type Token = Option<(bool, char)>;

fn plain(text: &str, wildcards: bool) -> Vec<Token> {
    text.chars().map(|c| Some((wildcards && matches!(c, '*' | '?'), c))).collect()
}

fn expand(text: &str, wildcards: bool, variables: bool, world: &World) -> Option<Vec<Token>> {
    let Some((before, rest)) = text.split_once("${").filter(|_| variables) else { return Some(plain(text, wildcards)) };
    let (inside, after) = rest.split_once('}').unwrap();
    let value = if matches!(inside, "*" | "?" | "$") {
        inside.to_owned()
    } else {
        let (key, default) = inside.split_once(", ").map_or((inside, None), |(key, text)| (key, Some(text)));
        match (values(key, world).as_slice(), default) {
            ([value], _) => value.clone(),
            (_, Some(default)) => default.trim_matches('\'').to_owned(),
            (_, None) => return None,
        }
    };
    let mut out = plain(before, wildcards);
    out.extend(plain(&value, false));
    out.extend(expand(after, wildcards, variables, world)?);
    Some(out)
}

fn arn_fits(pattern: &[Token], arn: &str) -> bool {
    let colon = Some((false, ':'));
    let segments = 6.min(1 + pattern.iter().filter(|token| **token == colon).count());
    let arn: Vec<Vec<char>> = arn.splitn(segments, ':').map(|segment| segment.chars().collect()).collect();
    let pattern: Vec<&[Token]> = pattern.splitn(segments, |token| *token == colon).collect();
    arn.len() == segments && pattern.iter().zip(&arn).all(|(pattern, segment)| glob(pattern, segment))
}

fn glob(pattern: &[Token], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(Some((true, '*'))), _) => glob(&pattern[1..], text) || (!text.is_empty() && glob(pattern, &text[1..])),
        (Some(Some((true, _))), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some(Some((false, p))), Some(t)) => p == t && glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}
