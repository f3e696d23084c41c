//! The policy of an upload form (S3 API Reference, "POST Policy"): read, and held against the form. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::code::Code;
use super::error::Error;
use crate::sources::Timestamp;
use crate::wire::{parse_iso8601, parse_strict_json};

/// Fields that need no condition, besides those that are to be ignored.
const EXEMPT: [&str; 5] = ["awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"];
const IGNORED_PREFIX: &str = "x-ignore-";
const CONTENT_TYPE: &str = "content-type";

/// Lengths of a file that are allowed, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LengthRange {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl LengthRange {
    /// Any length.
    pub(crate) const ANY: Self = Self { min: 0, max: u64::MAX };
}

/// A policy.
#[derive(Debug)]
pub(crate) struct PostPolicy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct Condition {
    test: Test,
    /// As AWS shows it.
    shown: String,
}

#[derive(Debug)]
enum Test {
    Equal {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    Length(LengthRange),
    /// It names no field or no range: nothing meets it.
    Never,
}

/// The fields of a form: names in lower case, values as they are meant.
pub(crate) type Fields = [(String, String)];

/// The value of a field.
pub(crate) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

impl PostPolicy {
    /// Reads the field `policy`.
    pub(crate) fn parse(base64: &str) -> Result<Self, Error> {
        // Browsers and people break long lines.
        let packed: String = base64.split_ascii_whitespace().collect();
        let json = STANDARD.decode(packed).map_err(|_| invalid("Invalid base64."))?;
        let document = parse_strict_json(&without_dollar_escapes(&json)).ok_or_else(|| invalid("Invalid JSON."))?;
        let Value::Object(members) = &document else { return Err(invalid("Invalid JSON.")) };
        if let Some(unknown) = members.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str())) {
            return Err(invalid(&format!("Unexpected: '{unknown}'.")));
        }
        let expiration = members.get("expiration").ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration = expiration.as_str().and_then(parse_iso8601);
        let expiration = expiration.ok_or_else(|| invalid("Invalid 'expiration' value."))?;
        let conditions = members.get("conditions").ok_or_else(|| invalid("Policy missing conditions."))?;
        let conditions = conditions.as_array().ok_or_else(|| invalid("Invalid 'conditions' value: must be a List."))?;
        let conditions = conditions.iter().map(Condition::parse).collect::<Result<_, _>>()?;
        Ok(Self { expiration, conditions })
    }

    /// Holds the policy against a form for `bucket`, and says which lengths of the file it allows.
    pub(crate) fn check(&self, fields: &Fields, bucket: &str, now: Timestamp) -> Result<LengthRange, Error> {
        if self.expiration <= now {
            return Err(denied("Policy expired."));
        }
        let mut length = LengthRange::ANY;
        for condition in &self.conditions {
            if let Test::Length(range) = condition.test {
                length = LengthRange { min: length.min.max(range.min), max: length.max.min(range.max) };
            }
            if !condition.is_met(fields, bucket) {
                return Err(denied(&format!("Policy Condition failed: {}", condition.shown)));
            }
        }
        let needs_condition = |name: &str| !EXEMPT.contains(&name) && !name.starts_with(IGNORED_PREFIX);
        // The bucket counts as a field of every form (so Ceph's s3-tests have it of AWS): a policy that names none is no
        // leave for all of its signer's buckets.
        let extra = fields.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "bucket");
        let extra = std::iter::once("bucket").chain(extra);
        let extra = extra.filter(|name| needs_condition(name) && !self.conditions.iter().any(|c| c.is_about(name)));
        let extra: Vec<&str> = extra.collect();
        // Not recorded; as the service is known to answer.
        if extra.is_empty() { Ok(length) } else { Err(denied(&format!("Extra input fields: {}", extra.join(", ")))) }
    }
}

impl Condition {
    fn parse(json: &Value) -> Result<Self, Error> {
        match json {
            Value::Object(members) => {
                let mut members = members.iter();
                let (Some((field, value)), None) = (members.next(), members.next()) else {
                    return Err(invalid(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let text =
                    value.as_str().ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
                let shown = shown(&[Value::from("eq"), Value::from(format!("${field}")), value.clone()]);
                let test = Test::Equal { field: field.to_ascii_lowercase(), value: text.to_owned() };
                Ok(Self { test, shown })
            }
            Value::Array(items) => Self::of_list(items),
            _ => Err(invalid("Invalid Condition: must be a List or an Object.")),
        }
    }

    fn of_list(items: &[Value]) -> Result<Self, Error> {
        let [operator, first, second] = items else {
            return Err(invalid("Invalid Condition: wrong number of arguments."));
        };
        let operator = operator.as_str().unwrap_or_default().to_ascii_lowercase();
        let test = match operator.as_str() {
            "eq" | "starts-with" => {
                let (Some(field), Some(value)) = (first.as_str(), second.as_str()) else {
                    return Err(invalid("Invalid Condition: arguments must be strings."));
                };
                let field = field.strip_prefix('$').map(str::to_ascii_lowercase);
                match (field, operator == "eq") {
                    (None, _) => Test::Never,
                    (Some(field), true) => Test::Equal { field, value: value.to_owned() },
                    (Some(field), false) => Test::StartsWith { field, prefix: value.to_owned() },
                }
            }
            "content-length-range" => match (bytes(first), bytes(second)) {
                (Some(min), Some(max)) => Test::Length(LengthRange { min, max }),
                _ => Test::Never,
            },
            _ => return Err(invalid("Invalid Condition: unknown operation.")),
        };
        Ok(Self { test, shown: shown(items) })
    }

    /// Lengths are looked at when the file has come.
    fn is_met(&self, fields: &Fields, bucket: &str) -> bool {
        let sent = |field: &str| if field == "bucket" { Some(bucket) } else { value(fields, field) };
        match &self.test {
            Test::Equal { field, value } => sent(field) == Some(value),
            Test::StartsWith { field, prefix } => sent(field).is_some_and(|sent| {
                // A list of types: each has to fit.
                let is_list = field == CONTENT_TYPE && sent.contains(',');
                let mut values =
                    if is_list { sent.split(',').map(str::trim).collect() } else { vec![sent] }.into_iter();
                values.all(|value| value.starts_with(prefix.as_str()))
            }),
            Test::Length(_) => true,
            Test::Never => false,
        }
    }

    fn is_about(&self, name: &str) -> bool {
        match &self.test {
            Test::Equal { field, .. } | Test::StartsWith { field, .. } => field == name,
            Test::Length(_) | Test::Never => false,
        }
    }
}

/// A number of bytes, also one in quotes.
fn bytes(json: &Value) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.parse().ok())
}

/// A condition in the words of its author, as AWS shows it: a blank after each comma.
fn shown(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    format!("[{}]", items.join(", "))
}

/// In a policy `\$` stands for `$`, which JSON has not.
fn without_dollar_escapes(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut bytes = json.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\') {
            (_, false) => out.push(byte),
            (_, true) => match bytes.next() {
                Some(b'$') => out.push(b'$'),
                next => out.extend([byte].into_iter().chain(next)),
            },
        }
    }
    out
}

fn denied(why: &str) -> Error {
    Error::with_message(Code::AccessDenied, format!("Invalid according to Policy: {why}"))
}

/// Of these texts one is recorded: that of a simple condition with more than one property. The others are not recorded.
fn invalid(why: &str) -> Error {
    Error::with_message(Code::InvalidPolicyDocument, format!("Invalid Policy: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_608_000_000);

    /// Code and message, or the lengths that are allowed.
    fn judged(policy: &str, form: &Value) -> String {
        let encoded = STANDARD.encode(policy);
        let fields = form.as_object().unwrap().iter();
        let fields: Vec<_> = fields.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        match PostPolicy::parse(&encoded).and_then(|policy| policy.check(&fields, "shelf", NOW)) {
            Ok(LengthRange::ANY) => "allowed".to_owned(),
            Ok(LengthRange { min, max }) => format!("allowed {min} to {max}"),
            Err(error) => format!("{}: {}", error.code().name(), error.message()),
        }
    }

    #[test]
    fn policies_and_forms() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/s3/post_policy.json");
        let table: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let cases = table.as_array().unwrap();
        for case in cases {
            // A text is the policy as it stands; else its conditions, to which that of the bucket is added, unless the
            // case is about it.
            let policy = match &case["policy"] {
                Value::String(text) => text.clone(),
                conditions => {
                    let mut conditions = conditions.clone();
                    if case["of_bucket"] != Value::Bool(true) {
                        conditions.as_array_mut().unwrap().push(serde_json::json!({"bucket": "shelf"}));
                    }
                    format!("{{\"expiration\": \"2026-12-01T00:00:00Z\", \"conditions\": {conditions}}}")
                }
            };
            assert_eq!(judged(&policy, &case["form"]), case["expect"].as_str().unwrap(), "{}", case["name"]);
        }
        assert!(cases.len() >= 40, "{}", cases.len());
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for bad in ["", "!", "e30", "e3 0!"] {
            assert_eq!(PostPolicy::parse(bad).unwrap_err().code(), Code::InvalidPolicyDocument, "{bad}");
        }
        let policy = STANDARD.encode("{\"expiration\": \"2026-12-01T00:00:00Z\", \"conditions\": []}");
        let (head, tail) = policy.split_at(20);
        assert!(PostPolicy::parse(&format!("{head}\r\n {tail}\n")).is_ok());
    }
}
