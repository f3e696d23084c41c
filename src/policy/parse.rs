//! From a document's bytes to a [`Policy`].
//!
//! The grammar is that of the IAM user guide. Services word faults differently: IAM's own identity policies go through
//! an older validator (`Syntax errors in policy.`), bucket and trust policies share a newer one (`Missing required
//! field …`). For KMS the messages about principals are recorded; where no wording is, the newer validator's is used.

use serde_json::{Map, Value};

use super::condition::{Condition, parse_operator};
use super::document::{Action, ActionPattern, Clause, Effect, Kind, Policy, Statement, Version, keys_of};
use super::error::PolicyError;
use super::key::NamedKey;
use super::pattern::{ArnPattern, Template, Variables, Wildcards};
use super::principal::{Principal, is_partition};
use crate::wire::parse_strict_json;

impl Kind {
    /// The longest document, in bytes. AWS's quotas for IAM are lower and depend on where the policy is attached
    /// (6,144 characters for a managed one, spaces not counted); they are IAM's to apply.
    pub fn limit_bytes(self) -> usize {
        match self {
            Self::Identity | Self::Trust => 131_072,
            Self::Session => 2_048,
            Self::Key => 32_768,
            Self::Bucket => 20_480,
        }
    }

    /// Whether the older validator speaks, which knows one text for every fault of syntax.
    fn is_identity(self) -> bool {
        matches!(self, Self::Identity | Self::Session)
    }
}

impl Policy {
    /// Reads a document. A member that occurs twice, an element that the language does not have, and a value that
    /// could never match are errors.
    pub fn parse(bytes: &[u8], kind: Kind) -> Result<Self, PolicyError> {
        if bytes.len() > kind.limit_bytes() {
            return Err(PolicyError::TooLarge { limit_bytes: kind.limit_bytes() });
        }
        let parser = Parser { kind };
        if kind == Kind::Bucket && bytes.first() != Some(&b'{') {
            return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| parser.syntax())?;
        let Some(Value::Object(document)) = parse_strict_json(bytes) else { return Err(parser.syntax()) };
        parser.known_members(&document, &["Version", "Id", "Statement"])?;
        let version = parser.version(document.get("Version"))?;
        let id = document.get("Id").map(|id| id.as_str().ok_or_else(|| parser.syntax())).transpose()?;
        let statements = parser.statements(document.get("Statement"), version.variables())?;
        let keys = keys_of(&statements);
        Ok(Self { kind, version, id: id.map(Box::from), statements, keys, text: text.into() })
    }
}

fn malformed(message: impl Into<String>) -> PolicyError {
    PolicyError::Malformed(message.into())
}

/// What IAM says where an older parser of its own fails, without more.
fn legacy() -> PolicyError {
    malformed("The policy failed legacy parsing")
}

/// What a trust policy may speak of.
const ASSUME_ROLE_ACTIONS: [&str; 6] =
    ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "SetContext", "SetSourceIdentity", "TagSession"];

/// What resources of IAM begin with, in the order of its message.
const IAM_PATHS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// What IAM checks of its own resources. `name` is the last segment of the ARN `text`. A beginning that a wildcard or a
/// variable leaves open passes: whether AWS refuses it is not recorded.
fn iam_resource(text: &str, name: Option<&str>) -> Result<(), PolicyError> {
    if text.split(':').nth(3).is_some_and(|region| !region.is_empty() && region != "*") {
        return Err(malformed(format!("IAM resource {text} cannot contain region information.")));
    }
    let Some(name) = name else { return Ok(()) };
    let known = IAM_PATHS.iter().any(|path| name.starts_with(path));
    let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
    if known || kind.contains(['*', '?', '$']) {
        return Ok(());
    }
    Err(malformed(format!("IAM resource path must either be \"*\" or start with {}.", IAM_PATHS.join(", "))))
}

#[derive(Clone, Copy)]
struct Parser {
    kind: Kind,
}

impl Parser {
    fn syntax(self) -> PolicyError {
        malformed(if self.kind.is_identity() {
            "Syntax errors in policy."
        } else {
            "This policy contains invalid Json"
        })
    }

    /// The text of the newer validator, or the older one's for any fault.
    fn fault(self, newer: impl Into<String>) -> PolicyError {
        if self.kind.is_identity() { self.syntax() } else { malformed(newer) }
    }

    fn known_members(self, members: &Map<String, Value>, known: &[&str]) -> Result<(), PolicyError> {
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(self.fault(format!("Unknown field {name}"))),
            None => Ok(()),
        }
    }

    fn version(self, version: Option<&Value>) -> Result<Version, PolicyError> {
        let version = match version {
            None => Version::V2008,
            Some(Value::String(text)) if text == Version::V2008.text() => Version::V2008,
            Some(Value::String(text)) if text == Version::V2012.text() => Version::V2012,
            Some(_) => return Err(self.fault("The policy must contain a valid version string")),
        };
        if self.kind.is_identity() && version == Version::V2008 {
            return Err(malformed("Policy document must be version 2012-10-17 or greater."));
        }
        Ok(version)
    }

    fn statements(self, statements: Option<&Value>, variables: Variables) -> Result<Box<[Statement]>, PolicyError> {
        let statements = match statements {
            None => return Err(self.fault("Missing required field Statement")),
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        if statements.is_empty() {
            return Err(self.fault("Could not parse the policy: Statement is empty!"));
        }
        let mut sids = Vec::new();
        let mut parsed = Vec::with_capacity(statements.len());
        for statement in statements {
            let Value::Object(members) = statement else { return Err(self.syntax()) };
            let statement = self.statement(members, variables)?;
            if let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) {
                if sids.contains(&sid.to_owned()) {
                    match self.kind {
                        // They are not known to demand it.
                        Kind::Bucket | Kind::Key => {}
                        Kind::Trust => return Err(malformed("The Statement Ids in the policy are not unique")),
                        Kind::Identity | Kind::Session => {
                            return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
                        }
                    }
                }
                sids.push(sid.to_owned());
            }
            parsed.push(statement);
        }
        Ok(parsed.into())
    }

    fn statement(self, members: &Map<String, Value>, variables: Variables) -> Result<Statement, PolicyError> {
        const MEMBERS: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        self.known_members(members, &MEMBERS)?;
        let sid = self.sid(members.get("Sid"))?;
        let effect = self.effect(members.get("Effect"))?;
        let principal = self.principal(members, effect)?;
        let action = self.actions(members)?;
        let resource = self.resources(members, variables)?;
        let conditions = self.conditions(members.get("Condition"), variables)?;
        Ok(Statement { sid, effect, principal, action, resource, conditions })
    }

    fn sid(self, sid: Option<&Value>) -> Result<Option<Box<str>>, PolicyError> {
        match sid {
            None => Ok(None),
            Some(Value::String(sid)) => {
                if self.kind.is_identity() && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    return Err(malformed(
                        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                         expression [0-9A-Za-z]*",
                    ));
                }
                Ok(Some(sid.as_str().into()))
            }
            Some(_) => Err(self.syntax()),
        }
    }

    fn effect(self, effect: Option<&Value>) -> Result<Effect, PolicyError> {
        match effect {
            None => Err(self.fault("Missing required field Effect")),
            Some(Value::String(text)) => match text.as_str() {
                "Allow" => Ok(Effect::Allow),
                "Deny" => Ok(Effect::Deny),
                other if self.kind.is_identity() && ["allow", "deny"].contains(&&*other.to_ascii_lowercase()) => {
                    Err(legacy())
                }
                other => Err(self.fault(format!("Invalid effect: {other}"))),
            },
            Some(_) => Err(self.syntax()),
        }
    }

    /// The element or its negated twin, of which only one may be there.
    fn element<'a>(
        self,
        members: &'a Map<String, Value>,
        name: &str,
        negated: &str,
    ) -> Result<Option<(bool, &'a Value)>, PolicyError> {
        match (members.get(name), members.get(negated)) {
            (Some(_), Some(_)) => Err(self.fault(format!("Statement has both {name} and {negated}"))),
            (Some(value), None) => Ok(Some((false, value))),
            (None, Some(value)) => Ok(Some((true, value))),
            (None, None) => Ok(None),
        }
    }

    /// A text or a list of texts.
    fn texts(self, value: &Value) -> Result<Vec<&str>, PolicyError> {
        match value {
            Value::String(text) => Ok(vec![text]),
            Value::Array(list) => list.iter().map(|text| text.as_str().ok_or_else(|| self.syntax())).collect(),
            _ => Err(self.syntax()),
        }
    }

    fn principal(self, members: &Map<String, Value>, effect: Effect) -> Result<Option<Clause<Principal>>, PolicyError> {
        let element = self.element(members, "Principal", "NotPrincipal")?;
        if self.kind.is_identity() {
            return match element {
                None => Ok(None),
                Some(_) => Err(malformed("Policy document should not specify a principal.")),
            };
        }
        let Some((negated, value)) = element else {
            return Err(malformed(match self.kind {
                Kind::Key => "Policy contains a statement with no principal.",
                _ => "Missing required field Principal",
            }));
        };
        if negated && effect == Effect::Allow {
            return Err(malformed("Allow with NotPrincipal is not allowed."));
        }
        if negated && self.kind == Kind::Trust {
            return Err(malformed("AssumeRole policy must not contain NotPrincipal field."));
        }
        let items = match value {
            // Recorded of CreateRole, which takes {"AWS": "*"}.
            Value::String(text) if text == "*" && self.kind == Kind::Trust => {
                return Err(malformed("AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\"."));
            }
            Value::String(text) if text == "*" => vec![Principal::Everyone { alone: true }],
            Value::String(text) => return Err(self.bad_principal("AWS", text)),
            Value::Object(types) => self.principals(types)?,
            _ => return Err(self.syntax()),
        };
        if items.is_empty() {
            return Err(malformed(match self.kind {
                Kind::Key => "Policy contains a statement with no principal.",
                _ => "Missing required field Principal cannot be empty!",
            }));
        }
        Ok(Some(Clause { negated, items: items.into() }))
    }

    fn principals(self, types: &Map<String, Value>) -> Result<Vec<Principal>, PolicyError> {
        let mut all = Vec::new();
        for (kind, value) in types {
            for text in self.texts(value)? {
                let principal = match (kind.as_str(), self.kind) {
                    ("AWS", _) => Principal::parse_aws(text),
                    ("Service", _) => Principal::parse_service(text),
                    ("Federated", Kind::Trust) => Principal::parse_federated(text),
                    ("CanonicalUser", Kind::Bucket) => Principal::parse_canonical(text),
                    _ => None,
                };
                all.push(principal.ok_or_else(|| self.bad_principal(kind, text))?);
            }
        }
        Ok(all)
    }

    fn bad_principal(self, kind: &str, text: &str) -> PolicyError {
        malformed(match self.kind {
            Kind::Key => "Policy contains a statement with one or more invalid principals.".to_owned(),
            Kind::Trust => format!("Invalid principal in policy: \"{}\":\"{text}\"", kind.to_ascii_uppercase()),
            Kind::Bucket | Kind::Identity | Kind::Session => "Invalid principal in policy".to_owned(),
        })
    }

    fn actions(self, members: &Map<String, Value>) -> Result<Clause<ActionPattern>, PolicyError> {
        let element = self.element(members, "Action", "NotAction")?;
        let (negated, texts) = match element {
            Some((negated, value)) => (negated, self.texts(value)?),
            None => (false, Vec::new()),
        };
        // KMS takes a statement without Action, which then does nothing; so for Resource.
        if texts.is_empty() && (self.kind != Kind::Key || negated) {
            return Err(malformed(match self.kind {
                Kind::Identity | Kind::Session => "Policy statement must contain actions.",
                Kind::Key | Kind::Bucket | Kind::Trust => "Missing required field Action",
            }));
        }
        let items = texts.into_iter().map(|text| self.action(text)).collect::<Result<_, _>>()?;
        Ok(Clause { negated, items })
    }

    fn action(self, text: &str) -> Result<ActionPattern, PolicyError> {
        let newer = self.kind == Kind::Bucket;
        let fault = |older: String| malformed(if newer { "Policy has invalid action".to_owned() } else { older });
        let (service, name) = match text.split_once(':') {
            None if text == "*" => ("*", "*"),
            None => {
                let older = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
                return Err(fault(older.to_owned()));
            }
            Some((_, name)) if name.contains(':') => {
                return Err(fault("Actions/Condition can contain only one colon.".to_owned()));
            }
            Some(parts) => parts,
        };
        let vendor = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if service != "*" && (service.is_empty() || !service.bytes().all(vendor)) {
            return Err(fault(format!("Vendor {service} is not valid")));
        }
        if name.is_empty() || (newer && service != "*" && !service.eq_ignore_ascii_case("s3")) {
            return Err(fault(format!("Action {text} is not valid")));
        }
        // No variables in actions, so that the pattern is fixed.
        let template = Template::parse(name, Wildcards::Yes, Variables::No).map_err(|_| self.syntax())?;
        let pattern = ActionPattern::new(text, service, template.beginning());
        let assumes = |name| pattern.matches(Action { service: "sts", name });
        if self.kind == Kind::Trust && (service == "*" || !ASSUME_ROLE_ACTIONS.into_iter().any(assumes)) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
        Ok(pattern)
    }

    fn resources(
        self,
        members: &Map<String, Value>,
        variables: Variables,
    ) -> Result<Option<Clause<ArnPattern>>, PolicyError> {
        let element = self.element(members, "Resource", "NotResource")?;
        if self.kind == Kind::Trust {
            return match element {
                None => Ok(None),
                Some((false, _)) => Err(malformed("Has prohibited field Resource")),
                Some((true, _)) => Err(malformed("AssumeRole policy must not contain resources.")),
            };
        }
        let (negated, texts) = match element {
            Some((negated, value)) => (negated, self.texts(value)?),
            None => (false, Vec::new()),
        };
        if texts.is_empty() && (self.kind != Kind::Key || negated) {
            return Err(malformed(match self.kind {
                Kind::Identity | Kind::Session => "Policy statement must contain resources.",
                Kind::Key | Kind::Bucket | Kind::Trust => "Missing required field Resource",
            }));
        }
        let items = texts.into_iter().map(|text| self.resource(text, variables)).collect::<Result<_, _>>()?;
        Ok(Some(Clause { negated, items }))
    }

    fn resource(self, text: &str, variables: Variables) -> Result<ArnPattern, PolicyError> {
        let fault = |older: String| {
            malformed(if self.kind == Kind::Bucket { "Policy has invalid resource".to_owned() } else { older })
        };
        let not_arn = || fault(format!("Resource {text} must be in ARN format or \"*\"."));
        let template = Template::parse(text, Wildcards::Yes, variables).map_err(|_| self.syntax())?;
        if text != "*" {
            let mut segments = text.splitn(6, ':');
            if segments.next() != Some("arn") {
                return Err(not_arn());
            }
            let (partition, service) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
            if !is_partition(partition) && partition != "*" {
                // AWS shows a short ARN as what it stands for.
                let rest: Vec<&str> = [service].into_iter().chain(segments).chain(["*"; 4]).take(4).collect();
                let shown = format!("arn:{partition}:{}", rest.join(":"));
                return Err(fault(format!("Partition \"{partition}\" is not valid for resource \"{shown}\".")));
            }
            let vendor = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
            if service.is_empty() || !service.bytes().all(vendor) {
                return Err(fault("Resource vendor must be fully qualified and cannot contain regexes.".to_owned()));
            }
            // Variables may stand in the last segment only. Elsewhere they would never match, in a Deny unnoticed.
            let before_last = segments.by_ref().take(2).any(|segment| segment.contains("${"));
            if before_last && variables == Variables::Yes {
                return Err(not_arn());
            }
            // A short ARN stands for all that it begins, and says so with a star.
            let name = segments.next();
            if name.is_none() && !text.ends_with('*') {
                return Err(fault("The policy failed legacy parsing".to_owned()));
            }
            if self.kind.is_identity() && service == "iam" {
                iam_resource(text, name)?;
            }
        }
        Ok(ArnPattern::new(template))
    }

    fn conditions(self, block: Option<&Value>, variables: Variables) -> Result<Box<[Condition]>, PolicyError> {
        let operators = match block {
            None => return Ok(Box::default()),
            Some(Value::Object(operators)) => operators,
            Some(_) => return Err(self.syntax()),
        };
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let operator =
                parse_operator(name).ok_or_else(|| self.fault(format!("Invalid Condition type : {name}")))?;
            let Value::Object(keys) = keys else { return Err(self.syntax()) };
            for (key, values) in keys {
                // S3 refuses keys of other services and slips of the pen, but takes any global key.
                let global = key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
                if self.kind == Kind::Bucket && !global && NamedKey::new(key).key().is_none() {
                    return Err(malformed("Policy has an invalid condition key"));
                }
                let values = self.operands(values)?;
                let condition = Condition::new(operator, key, &values, variables);
                conditions.push(condition.map_err(|_| self.bad_operand(name, key))?);
            }
        }
        Ok(conditions.into())
    }

    /// Texts; AWS takes numbers and booleans outside quotes too.
    fn operands(self, value: &Value) -> Result<Vec<String>, PolicyError> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(self.syntax()),
        };
        match value {
            Value::Array(list) => list.iter().map(text).collect(),
            one => Ok(vec![text(one)?]),
        }
    }

    fn bad_operand(self, operator: &str, key: &str) -> PolicyError {
        match operator {
            _ if operator.contains("IpAddress") => self.fault("Invalid IP address in Conditions"),
            _ if operator.contains("Date") && self.kind.is_identity() => legacy(),
            _ => self.fault(format!("Invalid value for {operator} on {key}")),
        }
    }
}
