//! Parameters of a call, checked as AWS's service model states them and refused in AWS's words.
//!
//! Every reader returns a value at once, so that an operation reads as a list of its members; what was wrong is
//! collected and answered by [`Fields::finish`], all faults in one text as AWS does it. A value of a member that had
//! a fault means nothing; `finish` stands between it and any use.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::error::KmsError;
use super::words::Word;
use crate::crypto::SecretBytes;
use crate::keyring::EncryptionContext;
use crate::sources::Timestamp;
use crate::wire::lower_camel;

/// Largest encryption context: characters of its JSON form (KMS developer guide, "Encryption context").
const CONTEXT_MAX_CHARS: usize = 8192;
/// Characters of a grant token.
pub(super) const GRANT_TOKEN_CHARS: RangeInclusive<usize> = 1..=8192;
/// A value is shown up to here in an error.
const SHOWN_MAX_CHARS: usize = 256;

/// The members of a request.
#[derive(Debug)]
pub(super) struct Fields {
    members: Map<String, Value>,
    /// Before the names of members in faults: of a structure's own.
    path: String,
    /// `GrantTokens`.
    tokens: Vec<String>,
    faults: Vec<String>,
    wrong_type: Option<String>,
    /// A word for the China Regions.
    china: Option<String>,
}

/// A character rule and the regular expression that AWS shows for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    pub(super) shown: &'static str,
    pub(super) allows: fn(char) -> bool,
}

impl Fields {
    pub(super) fn new(members: Map<String, Value>) -> Self {
        Self { members, path: String::new(), tokens: Vec::new(), faults: Vec::new(), wrong_type: None, china: None }
    }

    /// A structure of members; none if absent.
    pub(super) fn structure<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let value = self.take(name)?;
        self.inside(self.at(name), value, read)
    }

    /// The structures of a list; absent: none.
    pub(super) fn structures<T>(
        &mut self,
        name: &str,
        items: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let mut structures = Vec::new();
        for (at, item) in (1..).zip(self.list(name, items)) {
            structures.extend(self.inside(format!("{}.{at}.member", self.at(name)), item, &mut read));
        }
        structures
    }

    fn inside<T>(&mut self, path: String, value: Value, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let Value::Object(members) = value else {
            self.wrong_type(&value, "a Structure");
            return None;
        };
        let mut inner = Self { path: path + ".", ..Self::new(members) };
        let value = read(&mut inner);
        self.faults.append(&mut inner.faults);
        self.wrong_type = self.wrong_type.take().or(inner.wrong_type);
        self.china = self.china.take().or(inner.china);
        Some(value)
    }

    /// Text of a length in characters; none if absent.
    pub(super) fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.string(name)?;
        self.check_length(name, &text, text.chars().count(), &length);
        Some(text)
    }

    /// As [`Self::text`], and absence is a fault.
    pub(super) fn required_text(&mut self, name: &str, length: RangeInclusive<usize>) -> String {
        self.text(name, length).unwrap_or_else(|| self.missing(name))
    }

    /// Checks the characters of a text that was read.
    pub(super) fn check_pattern(&mut self, name: &str, text: &str, pattern: Pattern) {
        if !text.chars().all(pattern.allows) {
            self.fault(
                name,
                &quoted(text),
                &format!("Member must satisfy regular expression pattern: {}", pattern.shown),
            );
        }
    }

    /// One of a set of words.
    pub(super) fn word(&mut self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.string(name)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let set = words.join(", ");
            self.fault(name, &quoted(&text), &format!("Member must satisfy enum value set: [{set}]"));
        }
        found
    }

    /// One of an enum's words.
    pub(super) fn choice<T: Word>(&mut self, name: &str) -> Option<T> {
        self.choice_among(name, |_| true)
    }

    /// One of those words of an enum that `fits` takes.
    pub(super) fn choice_among<T: Word>(&mut self, name: &str, fits: impl Fn(T) -> bool) -> Option<T> {
        let text = self.string(name)?;
        let words = || T::ALL.iter().copied().filter(|word| fits(*word));
        let found = words().find(|word| word.as_str() == text);
        if found.is_some() {
            return found;
        }
        if T::CHINA.contains(&text.as_str()) {
            self.china.get_or_insert(text);
            return None;
        }
        let set: Vec<_> = words().map(T::as_str).chain(T::CHINA.iter().copied()).collect();
        let rule = format!("Member must satisfy enum value set: [{}]", set.join(", "));
        self.fault(name, &quoted(&text), &rule);
        None
    }

    /// As [`Self::choice`], and absence is a fault.
    pub(super) fn required_choice<T: Word>(&mut self, name: &str) -> T {
        self.required_choice_among(name, |_| true)
    }

    /// As [`Self::choice_among`], and absence is a fault.
    pub(super) fn required_choice_among<T: Word>(&mut self, name: &str, fits: impl Fn(T) -> bool) -> T {
        if !self.has(name) {
            self.missing(name);
        }
        self.choice_among(name, fits).unwrap_or(T::ALL[0])
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.take(name)?;
        let Some(number) = value.as_i64() else {
            self.wrong_type(&value, "an Integer");
            return None;
        };
        let bound = if number < i64::from(*range.start()) {
            format!("greater than or equal to {}", range.start())
        } else if number > i64::from(*range.end()) {
            format!("less than or equal to {}", range.end())
        } else {
            return u32::try_from(number).ok();
        };
        self.fault(name, &format!("'{number}'"), &format!("Member must have value {bound}"));
        None
    }

    /// A time, in seconds since the epoch with or without a fraction.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let value = self.take(name)?;
        match value.as_f64().map(|seconds| seconds * 1000.0) {
            // Beyond this a double no longer holds milliseconds; no date of the service comes near.
            Some(ms) if ms.abs() < 9e15 => Some(Timestamp(ms.round() as i64)),
            _ => {
                self.wrong_type(&value, "a Timestamp");
                None
            }
        }
    }

    /// A truth value; absent counts as false.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                self.wrong_type(&other, "a Boolean");
                false
            }
        }
    }

    /// Bytes, base64 on the wire; the text they came in is wiped.
    pub(super) fn blob(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<SecretBytes> {
        let encoded = SecretBytes::new(self.string(name)?.into_bytes());
        let Ok(bytes) = STANDARD.decode(encoded.expose()).map(SecretBytes::new) else {
            self.wrong_type.get_or_insert_with(|| "A blob is not valid base64".to_owned());
            return None;
        };
        // The bytes are never shown: they may be what was to be kept secret.
        let length_ok = length.contains(&bytes.expose().len());
        if !length_ok {
            self.fault_unshown(name, &length_rule(bytes.expose().len(), &length));
        }
        length_ok.then_some(bytes)
    }

    /// As [`Self::blob`], and absence is a fault.
    pub(super) fn required_blob(&mut self, name: &str, length: RangeInclusive<usize>) -> SecretBytes {
        if !self.has(name) {
            self.missing(name);
        }
        self.blob(name, length).unwrap_or_else(|| SecretBytes::new(Vec::new()))
    }

    /// An encryption context; absent: empty.
    pub(super) fn context(&mut self, name: &str) -> EncryptionContext {
        let mut context = EncryptionContext::new();
        match self.take(name) {
            None => {}
            Some(Value::Object(pairs)) => {
                if Value::Object(pairs.clone()).to_string().chars().count() > CONTEXT_MAX_CHARS {
                    self.fault_unshown(
                        name,
                        &format!("Member must have length less than or equal to {CONTEXT_MAX_CHARS}"),
                    );
                }
                for (key, value) in pairs {
                    match value {
                        Value::String(value) => _ = context.insert(key, value),
                        other => self.wrong_type(&other, "a String"),
                    }
                }
            }
            Some(other) => self.wrong_type(&other, "a Map"),
        }
        context
    }

    /// Grant tokens: 0 to 10 texts of 1 to 8,192 characters. [`Self::take_grant_tokens`] hands them on.
    pub(super) fn grant_tokens(&mut self) {
        self.tokens = self.texts("GrantTokens", 0..=10);
        if !self.tokens.iter().all(|token| GRANT_TOKEN_CHARS.contains(&token.chars().count())) {
            let rule = "Member must satisfy constraint: [Member must have length less than or equal to 8192, Member \
                        must have length greater than or equal to 1]";
            self.fault_unshown("GrantTokens", rule);
        }
    }

    /// The grant tokens that were read.
    pub(super) fn take_grant_tokens(&mut self) -> Vec<String> {
        std::mem::take(&mut self.tokens)
    }

    /// The texts of a list; absent: none.
    pub(super) fn texts(&mut self, name: &str, items: RangeInclusive<usize>) -> Vec<String> {
        let mut texts = Vec::new();
        for item in self.list(name, items) {
            match item {
                Value::String(text) => texts.push(text),
                other => self.wrong_type(&other, "a String"),
            }
        }
        texts
    }

    /// Those words of a list that stand in `words`; absent: none. Any other is a fault.
    pub(super) fn words(
        &mut self,
        name: &str,
        items: RangeInclusive<usize>,
        words: &[&'static str],
    ) -> Vec<&'static str> {
        let texts = self.texts(name, items);
        let known: Vec<_> = texts.iter().filter_map(|text| words.iter().find(|word| *word == text).copied()).collect();
        if known.len() < texts.len() {
            let rule = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            let rule = format!("Member must satisfy constraint: [{rule}]");
            self.fault(name, &quoted(&format!("[{}]", texts.join(", "))), &rule);
        }
        known
    }

    /// The items of a list; absent: none.
    fn list(&mut self, name: &str, items: RangeInclusive<usize>) -> Vec<Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(found)) => {
                if !items.contains(&found.len()) {
                    let rule = length_rule(found.len(), &items);
                    if found.is_empty() { self.fault(name, "'[]'", &rule) } else { self.fault_unshown(name, &rule) }
                }
                found
            }
            Some(other) => {
                self.wrong_type(&other, "a List");
                Vec::new()
            }
        }
    }

    /// Text that must not be shown, of a length in characters.
    pub(super) fn secret_text(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<SecretBytes> {
        let text = SecretBytes::new(self.string(name)?.into_bytes());
        let chars = std::str::from_utf8(text.expose()).map_or(0, |text| text.chars().count());
        if !length.contains(&chars) {
            self.secret_fault(name, &length_rule(chars, &length));
        }
        Some(text)
    }

    /// As [`Self::fault`], of a member that must not be shown.
    pub(super) fn secret_fault(&mut self, name: &str, rule: &str) {
        self.faults.push(format!("Value at '{}' failed to satisfy constraint: {rule}", lower_camel(name)));
    }

    /// Puts the members of a structure beside the others, under names as AWS shows them in faults: `outer.inner`.
    /// Whether the structure was there.
    pub(super) fn flatten(&mut self, name: &str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Object(members)) => {
                let outer = lower_camel(name);
                let named = |(inner, value): (String, Value)| (format!("{outer}.{}", lower_camel(&inner)), value);
                self.members.extend(members.into_iter().map(named));
                true
            }
            Some(other) => {
                self.wrong_type(&other, "a Structure");
                false
            }
        }
    }

    /// Checks the form of a text that was read, where no rule of single characters says it.
    pub(super) fn check_form(&mut self, name: &str, text: &str, pattern: &str, fits: impl FnOnce(&str) -> bool) {
        if !fits(text) {
            let rule = format!("Member must satisfy regular expression pattern: {pattern}");
            self.fault(name, &quoted(text), &rule);
        }
    }

    /// Whether a member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// Notes a fault of a member in AWS's form; `value` as shown, with its quotes.
    pub(super) fn fault(&mut self, name: &str, value: &str, rule: &str) {
        self.faults.push(format!("Value {value} at '{}' failed to satisfy constraint: {rule}", self.at(name)));
    }

    /// As [`Self::fault`], of a value that is not shown.
    pub(super) fn fault_unshown(&mut self, name: &str, rule: &str) {
        self.faults.push(format!("Value at '{}' failed to satisfy constraint: {rule}", self.at(name)));
    }

    fn at(&self, name: &str) -> String {
        format!("{}{}", self.path, lower_camel(name))
    }

    /// All faults as one error, or proof that the values mean something.
    pub(super) fn finish(self) -> Result<(), KmsError> {
        if let Some(text) = self.wrong_type {
            return Err(KmsError::new("SerializationException", text));
        }
        match (self.faults.len(), self.china) {
            (0, None) => Ok(()),
            // AWS's text is not recorded.
            (0, Some(word)) => Err(KmsError::unsupported(format!("{word} is supported in China Regions only."))),
            (1, _) => Err(KmsError::validation(format!("1 validation error detected: {}", self.faults[0]))),
            (n, _) => Err(KmsError::validation(format!("{n} validation errors detected: {}", self.faults.join("; ")))),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn string(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(&other, "a String");
                None
            }
        }
    }

    fn missing(&mut self, name: &str) -> String {
        self.fault(name, "null", "Member must not be null");
        String::new()
    }

    /// Checks the length of a text that was read, in characters.
    pub(super) fn check_chars(&mut self, name: &str, text: &str, length: RangeInclusive<usize>) {
        self.check_length(name, text, text.chars().count(), &length);
    }

    fn check_length(&mut self, name: &str, text: &str, chars: usize, length: &RangeInclusive<usize>) {
        if !length.contains(&chars) {
            self.fault(name, &quoted(text), &length_rule(chars, length));
        }
    }

    fn wrong_type(&mut self, value: &Value, wanted: &str) {
        let text = match value {
            Value::Null => format!("NULL_VALUE can not be converted to {wanted}"),
            Value::Bool(true) => format!("TRUE_VALUE can not be converted to {wanted}"),
            Value::Bool(false) => format!("FALSE_VALUE can not be converted to {wanted}"),
            Value::Number(_) => format!("NUMBER_VALUE can not be converted to {wanted}"),
            Value::String(_) => format!("STRING_VALUE can not be converted to {wanted}"),
            Value::Array(_) | Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        };
        self.wrong_type.get_or_insert(text);
    }
}

fn length_rule(chars: usize, length: &RangeInclusive<usize>) -> String {
    if chars < *length.start() {
        format!("Member must have length greater than or equal to {}", length.start())
    } else {
        format!("Member must have length less than or equal to {}", length.end())
    }
}

fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("'{shown}'")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(members) => Fields::new(members),
            _ => unreachable!("tests give objects"),
        }
    }

    fn fault(read: impl FnOnce(&mut Fields), value: Value) -> (&'static str, String) {
        let mut fields = fields(value);
        read(&mut fields);
        let error = fields.finish().unwrap_err();
        (error.code, error.message.unwrap_or_default())
    }

    #[test]
    fn limits_and_one_more() {
        let mut good = fields(json!({ "T": "é".repeat(8), "N": 7, "B": STANDARD.encode([0; 4096]) }));
        assert!(good.text("T", 1..=8).is_some());
        assert_eq!(good.number("N", 7..=30), Some(7));
        assert_eq!(good.blob("B", 1..=4096).unwrap().expose().len(), 4096);
        assert_eq!(good.finish(), Ok(()));
        let long = fault(|f| _ = f.text("KeyId", 1..=8), json!({ "KeyId": "123456789" }));
        let text = "1 validation error detected: Value '123456789' at 'keyId' failed to satisfy constraint: Member \
                    must have length less than or equal to 8";
        assert_eq!(long, ("ValidationException", text.to_owned()));
        let days = fault(|f| _ = f.number("Days", 7..=30), json!({ "Days": 31 }));
        assert!(days.1.ends_with(
            "Value '31' at 'days' failed to satisfy constraint: Member must have value less than or equal to 30"
        ));
        let blob = fault(|f| _ = f.blob("Plaintext", 1..=4096), json!({ "Plaintext": STANDARD.encode([0x41; 4097]) }));
        assert!(!blob.1.contains("QUFB") && blob.1.contains("'plaintext'"), "{}", blob.1);
    }

    #[test]
    fn faults_are_collected() {
        let both = fault(
            |f| {
                f.required_text("AliasName", 1..=256);
                f.required_text("TargetKeyId", 1..=2048);
            },
            json!({ "AliasName": null }),
        );
        let text = "2 validation errors detected: Value null at 'aliasName' failed to satisfy constraint: Member must \
                    not be null; Value null at 'targetKeyId' failed to satisfy constraint: Member must not be null";
        assert_eq!(both, ("ValidationException", text.to_owned()));
    }

    #[test]
    fn wrong_types() {
        let cases = [
            (json!({ "X": 1 }), "NUMBER_VALUE can not be converted to a String"),
            (json!({ "X": {} }), "Start of structure or map found where not expected."),
        ];
        for (value, text) in cases {
            assert_eq!(fault(|f| _ = f.text("X", 0..=9), value), ("SerializationException", text.to_owned()));
        }
        let number = fault(|f| _ = f.number("X", 0..=9), json!({ "X": 1.5 }));
        assert_eq!(number.0, "SerializationException");
        assert_eq!(fault(|f| _ = f.blob("X", 0..=9), json!({ "X": "%%" })).0, "SerializationException");
        assert_eq!(fault(|f| _ = f.context("X"), json!({ "X": { "a": 1 } })).0, "SerializationException");
        assert_eq!(fault(|f| _ = f.flag("X"), json!({ "X": "true" })).0, "SerializationException");
    }

    #[test]
    fn members_of_structures() {
        let mut good = fields(json!({ "Constraints": { "SourceArn": "a" } }));
        assert_eq!(good.structure("Constraints", |f| f.text("SourceArn", 1..=8)), Some(Some("a".to_owned())));
        assert_eq!(good.structure("Other", |_| ()), None);
        assert_eq!(good.finish(), Ok(()));
        let read = |f: &mut Fields| _ = f.structure("Constraints", |f| f.text("SourceArn", 1..=1));
        let long = "1 validation error detected: Value 'ab' at 'constraints.sourceArn' failed to satisfy constraint: \
                    Member must have length less than or equal to 1";
        let at = |value: Value| fault(read, json!({ "Constraints": value }));
        assert_eq!(at(json!({ "SourceArn": "ab" })), ("ValidationException", long.to_owned()));
        assert_eq!(at(json!({ "SourceArn": 1 })).0, "SerializationException");
        assert_eq!(at(json!("text")).0, "SerializationException");
    }

    #[test]
    fn context_limit() {
        let context = |chars: usize| json!({ "C": { "k": "v".repeat(chars) } });
        // {"k":""} has 8 characters.
        let mut at_limit = fields(context(CONTEXT_MAX_CHARS - 8));
        assert_eq!(at_limit.context("C").len(), 1);
        assert_eq!(at_limit.finish(), Ok(()));
        assert_eq!(fault(|f| _ = f.context("C"), context(CONTEXT_MAX_CHARS - 7)).0, "ValidationException");
    }
}
