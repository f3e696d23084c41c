//! Whom a resource's policy lets in that is not of the resource's account.

use serde_json::Value;

use crate::names::AccountId;
use crate::policy::{Subject, SubjectKind};

/// An account that stands for any: nobody has it.
const ANY_ACCOUNT: &str = "000000000000";

/// Somebody whom a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stranger {
    /// As shown.
    pub(super) who: String,
    arn: String,
    account: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Root,
    User(String),
    /// The role's ARN.
    Role(String),
    Service,
}

/// Those whom the Allow statements name, each once: whether they may is to be asked.
pub(super) fn named_in(statements: &[Value], own_account: &str) -> Vec<Stranger> {
    let mut found: Vec<Stranger> = Vec::new();
    let mut add = |stranger: Stranger| {
        if !found.contains(&stranger) {
            found.push(stranger);
        }
    };
    for statement in statements.iter().filter(|statement| statement["Effect"] == "Allow") {
        // Who is not named there may be anybody.
        if !statement["NotPrincipal"].is_null() {
            Stranger::anybody().into_iter().for_each(&mut add);
        }
        for (kind, name) in principals(&statement["Principal"]) {
            match (kind.as_str(), name.as_str()) {
                ("*" | "AWS", "*") => Stranger::anybody().into_iter().for_each(&mut add),
                ("AWS", name) => {
                    Stranger::of_arn(name).filter(|s| s.account != own_account).into_iter().for_each(&mut add)
                }
                ("Service", name) => add(Stranger {
                    who: format!("service {name}"),
                    arn: name.to_owned(),
                    account: String::new(),
                    kind: Kind::Service,
                }),
                // Canonical users are other accounts; their numbers can't be asked for.
                _ => {}
            }
        }
    }
    found
}

/// Kind and name of each principal: `"*"`, or lists by kind.
fn principals(value: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    match value {
        Value::String(text) => out.push(("*".to_owned(), text.clone())),
        Value::Object(kinds) => {
            for (kind, names) in kinds {
                let names = names.as_array().cloned().unwrap_or_else(|| vec![names.clone()]);
                out.extend(names.iter().filter_map(Value::as_str).map(|name| (kind.clone(), name.to_owned())));
            }
        }
        _ => {}
    }
    out
}

impl Stranger {
    pub(super) fn anybody() -> [Self; 2] {
        let unsigned = Self {
            who: "everyone, unsigned".to_owned(),
            arn: String::new(),
            account: String::new(),
            kind: Kind::Unsigned,
        };
        let signed = Self {
            who: "any other account".to_owned(),
            arn: format!("arn:aws:iam::{ANY_ACCOUNT}:root"),
            account: ANY_ACCOUNT.to_owned(),
            kind: Kind::Root,
        };
        [unsigned, signed]
    }

    /// Of an account's number, or an ARN of a principal.
    pub(super) fn of_arn(named: &str) -> Option<Self> {
        if AccountId::parse(named).is_ok() {
            return Self::of_arn(&format!("arn:aws:iam::{named}:root"));
        }
        let parts: Vec<&str> = named.splitn(6, ':').collect();
        let ["arn", _, service, _, account, resource] = parts[..] else { return None };
        let last = resource.rsplit('/').next().unwrap_or_default();
        let (who, kind) = match (service, resource.split('/').next().unwrap_or_default()) {
            ("iam", "root") => (format!("account {account}"), Kind::Root),
            ("iam", "user") => (named.to_owned(), Kind::User(last.to_owned())),
            ("iam", "role") => (named.to_owned(), Kind::Role(named.to_owned())),
            ("sts", "assumed-role") => {
                let role = resource.split('/').nth(1).unwrap_or_default();
                (named.to_owned(), Kind::Role(format!("arn:aws:iam::{account}:role/{role}")))
            }
            _ => return None,
        };
        Some(Self { who, arn: named.to_owned(), account: account.to_owned(), kind })
    }

    pub(super) fn is_service(&self) -> bool {
        self.kind == Kind::Service
    }

    /// As the policy engine wants it.
    pub(super) fn subject(&self) -> Subject<'_> {
        let kind = match &self.kind {
            Kind::Unsigned => SubjectKind::Anonymous,
            Kind::Root => SubjectKind::Root,
            Kind::User(name) => SubjectKind::User { name },
            Kind::Role(role_arn) => SubjectKind::RoleSession { role_arn },
            Kind::Service => SubjectKind::Service { name: &self.arn },
        };
        Subject { kind, account: &self.account, canonical_id: "", arn: &self.arn, user_id: "" }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whom_a_policy_names() {
        let who = |principal: Value| {
            let statements = [json!({"Effect": "Allow", "Principal": principal})];
            named_in(&statements, "111122223333").into_iter().map(|s| s.who).collect::<Vec<_>>()
        };
        assert_eq!(who(json!("*")), ["everyone, unsigned", "any other account"]);
        assert_eq!(who(json!({"AWS": "*"})), ["everyone, unsigned", "any other account"]);
        assert_eq!(who(json!({"AWS": ["444455556666", "arn:aws:iam::444455556666:root"]})), ["account 444455556666"]);
        assert_eq!(who(json!({"AWS": "arn:aws:iam::111122223333:user/own"})), [""; 0]);
        let role = "arn:aws:sts::444455556666:assumed-role/r/s";
        assert_eq!(who(json!({"AWS": role, "Service": "logs.amazonaws.com"})), [role, "service logs.amazonaws.com"]);
        let denied =
            [json!({"Effect": "Deny", "Principal": "*"}), json!({"Effect": "Allow", "NotPrincipal": {"AWS": "x"}})];
        assert_eq!(named_in(&denied[..1], "1").len(), 0);
        assert_eq!(named_in(&denied, "1").len(), 2);
    }
}
