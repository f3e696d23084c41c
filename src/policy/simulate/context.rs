//! The condition keys that are given to a simulation.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::policy::value::{Cidr, Decimal, parse_date};
use crate::policy::{Context, Key, Value};

/// Condition keys with the values that a simulation is to have for them. What is given counts before what would follow
/// from the simulated caller.
#[derive(Debug, Clone, Default)]
pub struct SimulatedContext(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    name: Box<str>,
    values: Vec<Given>,
}

#[derive(Debug, Clone)]
enum Given {
    Text(Box<str>),
    Bytes(Vec<u8>),
}

/// A context entry that IAM refuses, with a text for the client. AWS's wording is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadContextEntry(pub String);

impl fmt::Display for BadContextEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadContextEntry {}

impl SimulatedContext {
    /// Adds an entry: `kind` is its `ContextKeyType` (`string`, `numericList`, …; `string` if it is empty). Several
    /// values need one of the lists; without a value the key stays absent.
    pub fn add(&mut self, name: &str, kind: &str, values: &[impl AsRef<str>]) -> Result<(), BadContextEntry> {
        let (scalar, many) = kind.strip_suffix("List").map_or((kind, false), |scalar| (scalar, true));
        if !many && values.len() > 1 {
            return Err(BadContextEntry(format!("Context key {name} of type {kind} takes one value")));
        }
        if self.0.iter().any(|entry| entry.name.eq_ignore_ascii_case(name)) {
            return Err(BadContextEntry(format!("Context key {name} is given twice")));
        }
        let read = |text: &str| {
            let fits = match scalar {
                "" | "string" => true,
                "numeric" => Decimal::parse(text).is_some(),
                "boolean" => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
                "ip" => Cidr::parse(text).is_some(),
                "date" => parse_date(text).is_some(),
                "binary" => return BASE64.decode(text).ok().map(Given::Bytes),
                _ => false,
            };
            fits.then(|| Given::Text(text.into()))
        };
        let read = |text: &str| read(text).ok_or_else(|| BadContextEntry(format!("{text} is no {scalar}, for {name}")));
        let values = values.iter().map(|value| read(value.as_ref())).collect::<Result<_, _>>()?;
        self.0.push(Entry { name: name.into(), values });
        Ok(())
    }

    /// Whether the entry is for `key` with `parameter`.
    fn named(entry: &Entry, key: Key, parameter: &str) -> bool {
        let prefix = key.name().len();
        let written = (entry.name.get(..prefix), entry.name.get(prefix..));
        matches!(written, (Some(name), Some(rest))
            if name.eq_ignore_ascii_case(key.name()) && rest.eq_ignore_ascii_case(parameter))
    }
}

/// Whether an entry has this name, known or not.
pub(super) fn has_name(context: &SimulatedContext, name: &str) -> bool {
    context.0.iter().any(|entry| entry.name.eq_ignore_ascii_case(name) && !entry.values.is_empty())
}

impl Context for SimulatedContext {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let entries = self.0.iter().filter(|entry| Self::named(entry, key, parameter));
        entries.flat_map(|entry| &entry.values).for_each(|value| {
            each(match value {
                Given::Text(text) => Value::Text(text),
                Given::Bytes(bytes) => Value::Bytes(bytes),
            });
        });
    }

    fn overrides(&self, key: Key) -> bool {
        self.0.iter().any(|entry| Self::named(entry, key, ""))
    }
}

/// The context for one resource, whose owner is known.
pub(super) struct OfResource<'a> {
    pub(super) given: &'a SimulatedContext,
    pub(super) owner: &'a str,
}

impl Context for OfResource<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        if matches!(key, Key::AwsResourceAccount | Key::S3ResourceAccount) && !self.given.overrides(key) {
            return each(Value::Text(self.owner));
        }
        self.given.each(key, parameter, each);
    }

    fn overrides(&self, key: Key) -> bool {
        matches!(key, Key::AwsResourceAccount | Key::S3ResourceAccount) || self.given.overrides(key)
    }
}
