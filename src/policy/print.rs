//! A policy as canonical JSON: members in the order of AWS's grammar, single values outside arrays, no spaces.

use serde_json::{Map, Value};

use super::document::{Clause, Effect, Policy, Statement};
use super::principal::Principal;

impl Policy {
    /// The document in canonical form. Parsing it gives this policy again.
    pub fn print(&self) -> String {
        let mut document = Map::new();
        document.insert("Version".to_owned(), self.version.text().into());
        if let Some(id) = &self.id {
            document.insert("Id".to_owned(), (**id).into());
        }
        document.insert("Statement".to_owned(), self.statements.iter().map(statement).collect());
        Value::Object(document).to_string()
    }
}

fn statement(statement: &Statement) -> Value {
    let mut members = Map::new();
    if let Some(sid) = &statement.sid {
        members.insert("Sid".to_owned(), (**sid).into());
    }
    let effect = match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    members.insert("Effect".to_owned(), effect.into());
    if let Some(clause) = &statement.principal {
        members.insert(name("Principal", clause), principals(&clause.items));
    }
    let actions = statement.action.items.iter().map(|action| action.source());
    members.insert(name("Action", &statement.action), values(actions));
    if let Some(clause) = &statement.resource {
        members.insert(name("Resource", clause), values(clause.items.iter().map(|arn| arn.template().source())));
    }
    if !statement.conditions.is_empty() {
        members.insert("Condition".to_owned(), conditions(statement));
    }
    members.into()
}

fn name<T>(element: &str, clause: &Clause<T>) -> String {
    if clause.negated { format!("Not{element}") } else { element.to_owned() }
}

fn values<'a>(mut texts: impl ExactSizeIterator<Item = &'a str>) -> Value {
    match (texts.len(), texts.next()) {
        (1, Some(text)) => text.into(),
        (_, first) => first.into_iter().chain(texts).collect(),
    }
}

fn principals(principals: &[Principal]) -> Value {
    let mut types: Vec<(&str, Vec<&str>)> = Vec::new();
    for principal in principals {
        let Some((kind, text)) = principal.written() else { return "*".into() };
        match types.iter_mut().find(|(listed, _)| *listed == kind) {
            Some((_, texts)) => texts.push(text),
            None => types.push((kind, vec![text])),
        }
    }
    let members = types.into_iter().map(|(kind, texts)| (kind.to_owned(), values(texts.into_iter())));
    Value::Object(members.collect())
}

fn conditions(statement: &Statement) -> Value {
    let mut operators = Map::new();
    for condition in &statement.conditions {
        let keys = operators.entry(condition.operator_name()).or_insert_with(|| Map::new().into());
        if let Value::Object(keys) = keys {
            keys.insert(condition.key().written().to_owned(), values(condition.values()));
        }
    }
    operators.into()
}
