//! Parameters of a call, checked as AWS's service models state them and refused in AWS's words.
//!
//! Every reader returns a value at once, so that an operation reads as a list of its members; what was wrong is
//! collected and answered by [`Fields::finish`], all faults in one text as AWS does it. A value of a member that had a
//! fault means nothing; `finish` stands between it and any use.
//!
//! Parameters that no reader asks for are passed over, as AWS's services of this protocol do: a presigned GET has the
//! parameters of its signature among them. So an operation has to read every member of the model, also those that it
//! can't serve, and refuse those.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::error::{IamError, code};
use super::shapes::Shape;
use crate::crypto::SecretBytes;
use crate::wire::{lower_camel, parse_form};

/// Most parameters of a request: a simulation may name hundreds of actions, resources and context keys.
pub(super) const PARAMETERS_MAX: usize = 4096;
/// Longest name of a parameter in bytes; the longest of the models has less than a hundred.
const NAME_MAX_BYTES: usize = 256;
/// A value is shown up to here in an error, in characters.
const SHOWN_MAX_CHARS: usize = 256;

/// The parameters of a request, by name: of its query and its body.
pub(super) struct Params(BTreeMap<String, SecretBytes>);

impl Params {
    /// Reads both. One that comes twice is refused: which one counts would be a matter of opinion.
    pub(super) fn parse(query: &str, body: &[u8]) -> Result<Self, IamError> {
        let malformed = |what: &str| IamError::new(code::MALFORMED_QUERY_STRING, what);
        let mut all = BTreeMap::new();
        for form in [query.as_bytes(), body] {
            let pairs = parse_form(form, PARAMETERS_MAX).map_err(|_| {
                malformed("The parameters are not form-encoded UTF-8, or there are more of them than any call takes.")
            })?;
            for (name, value) in pairs {
                if name.len() > NAME_MAX_BYTES {
                    return Err(malformed("The name of a parameter is too long."));
                }
                if all.contains_key(&name) {
                    return Err(malformed(&format!("The parameter {name} is given more than once.")));
                }
                all.insert(name, value);
            }
        }
        Ok(Self(all))
    }

    /// A parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        // They were UTF-8 when they were parsed.
        self.0.get(name).and_then(|value| std::str::from_utf8(value.expose()).ok())
    }

    /// What comes behind `prefix` in the names that begin so, in their order.
    pub(super) fn behind<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let from = self.0.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from.map_while(move |(name, _)| name.strip_prefix(prefix))
    }
}

/// The members of a structure: at first of the request itself.
pub(super) struct Fields<'a> {
    params: &'a Params,
    /// Before the names of parameters, e.g. `Tags.member.1.`.
    prefix: String,
    /// The same as AWS shows it in faults: `tags.1.member.`.
    shown: String,
    faults: Vec<String>,
    /// A value that can't be read as its type, or a list with a gap: answered alone.
    malformed: Option<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(params: &'a Params) -> Self {
        Self { params, prefix: String::new(), shown: String::new(), faults: Vec::new(), malformed: None }
    }

    /// Text of a shape; none if absent.
    pub(super) fn text(&mut self, name: &str, shape: &Shape) -> Option<String> {
        let text = self.raw(name)?.to_owned();
        for rule in shape.broken(&text) {
            self.fault(name, &quoted(&text), &rule);
        }
        Some(text)
    }

    /// As [`Self::text`], and absence is a fault.
    pub(super) fn required(&mut self, name: &str, shape: &Shape) -> String {
        self.text(name, shape).unwrap_or_else(|| self.missing(name))
    }

    /// As [`Self::text`], of text that is never shown: passwords and tokens. It is wiped after use.
    pub(super) fn secret(&mut self, name: &str, shape: &Shape) -> Option<SecretBytes> {
        let text = self.raw(name)?;
        let rules = shape.broken(text);
        let secret = SecretBytes::new(text.as_bytes().to_vec());
        for rule in rules {
            self.faults.push(format!("Value at '{}' failed to satisfy constraint: {rule}", self.at(name)));
        }
        Some(secret)
    }

    /// As [`Self::secret`], and absence is a fault.
    pub(super) fn required_secret(&mut self, name: &str, shape: &Shape) -> SecretBytes {
        self.secret(name, shape).unwrap_or_else(|| SecretBytes::new(self.missing(name).into_bytes()))
    }

    /// One of a set of words; none if absent.
    pub(super) fn word(&mut self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.raw(name)?.to_owned();
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            self.fault(name, &quoted(&text), &enum_rule(words));
        }
        found
    }

    /// As [`Self::word`], and absence is a fault. Of a fault the first word comes back, which means nothing.
    pub(super) fn required_word(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        if !self.has(name) {
            self.missing(name);
        }
        self.word(name, words).unwrap_or(words[0])
    }

    /// A whole number in a range; none if absent.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let text = self.raw(name)?.to_owned();
        let Ok(number) = text.parse::<i64>() else {
            self.malformed(name, "an Integer");
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

    /// A truth value; none if absent.
    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.raw(name)? {
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.malformed(name, "a Boolean");
                None
            }
        }
    }

    /// As [`Self::boolean`]; absent counts as false.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.boolean(name).unwrap_or(false)
    }

    /// The texts of a list of `NAME.member.1` and so on; absent: none.
    pub(super) fn texts(&mut self, name: &str, items: RangeInclusive<usize>, shape: &Shape) -> Vec<String> {
        let count = self.count(name, &items);
        let item = |n: usize| self.params.text(&format!("{}{name}.member.{n}", self.prefix)).map(str::to_owned);
        let texts: Vec<String> = (1..=count).filter_map(item).collect();
        if texts.len() < count {
            self.malformed(name, "a list of Strings");
        }
        if texts.iter().any(|text| !shape.broken(text).is_empty()) {
            let list = quoted(&format!("[{}]", texts.join(", ")));
            self.fault(name, &list, &format!("Member must satisfy constraint: [{}]", shape.rules().join(", ")));
        }
        texts
    }

    /// As [`Self::texts`], and absence is a fault.
    pub(super) fn required_texts(&mut self, name: &str, items: RangeInclusive<usize>, shape: &Shape) -> Vec<String> {
        self.require_list(name);
        self.texts(name, items, shape)
    }

    /// Those words of a list that stand in `words`; absent: none. Any other is a fault.
    pub(super) fn words(
        &mut self,
        name: &str,
        items: RangeInclusive<usize>,
        words: &[&'static str],
    ) -> Vec<&'static str> {
        let texts = self.texts(name, items, &super::shapes::ANY);
        let known: Vec<_> = texts.iter().filter_map(|text| words.iter().find(|word| *word == text).copied()).collect();
        if known.len() < texts.len() {
            let list = quoted(&format!("[{}]", texts.join(", ")));
            self.fault(name, &list, &format!("Member must satisfy constraint: [{}]", enum_rule(words)));
        }
        known
    }

    /// The structures of a list of `NAME.member.1.Member` and so on; absent: none.
    pub(super) fn structures<T>(
        &mut self,
        name: &str,
        items: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let count = self.count(name, &items);
        let mut structures = Vec::new();
        for n in 1..=count {
            let (prefix, shown) = (format!("{name}.member.{n}."), format!("{}.{n}.member.", lower_camel(name)));
            structures.push(self.inside(&prefix, &shown, &mut read));
        }
        structures
    }

    /// As [`Self::structures`], and absence is a fault.
    pub(super) fn required_structures<T>(
        &mut self,
        name: &str,
        items: RangeInclusive<usize>,
        read: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        self.require_list(name);
        self.structures(name, items, read)
    }

    /// A structure of members `NAME.Member`; none if none of them is there.
    pub(super) fn structure<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let prefix = format!("{name}.");
        self.behind(&prefix).next()?;
        Some(self.inside(&prefix, &format!("{}.", lower_camel(name)), read))
    }

    fn inside<T>(&mut self, prefix: &str, shown: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self {
            prefix: format!("{}{prefix}", self.prefix),
            shown: format!("{}{shown}", self.shown),
            ..Self::new(self.params)
        };
        let value = read(&mut inner);
        self.faults.append(&mut inner.faults);
        self.malformed = self.malformed.take().or(inner.malformed);
        value
    }

    /// Whether a member is there, or items of a list of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some() || self.behind(&format!("{name}.")).next().is_some()
    }

    /// Notes a fault of a member in AWS's form; `value` as shown, with its quotes.
    pub(super) fn fault(&mut self, name: &str, value: &str, rule: &str) {
        self.faults.push(format!("Value {value} at '{}' failed to satisfy constraint: {rule}", self.at(name)));
    }

    /// All faults as one error, or proof that the values mean something.
    pub(super) fn finish(self) -> Result<(), IamError> {
        if let Some(text) = self.malformed {
            return Err(IamError::new(code::MALFORMED_INPUT, text));
        }
        match self.faults.len() {
            0 => Ok(()),
            1 => Err(IamError::validation(format!("1 validation error detected: {}", self.faults[0]))),
            n => Err(IamError::validation(format!("{n} validation errors detected: {}", self.faults.join("; ")))),
        }
    }

    /// Items of a list, which are numbered from 1 on without a gap. `NAME=` is how SDKs send an empty list.
    fn count(&mut self, name: &str, items: &RangeInclusive<usize>) -> usize {
        let indexes: Option<BTreeSet<usize>> = self.behind(&format!("{name}.member.")).map(index).collect();
        let count = match indexes {
            Some(indexes) if indexes.last().is_none_or(|last| *last == indexes.len()) => indexes.len(),
            Some(_) | None => {
                self.malformed.get_or_insert_with(|| {
                    format!("The items of {}{name} are to be numbered 1, 2, 3 and so on, without a gap.", self.prefix)
                });
                return 0;
            }
        };
        if self.has(name) && !items.contains(&count) {
            self.fault(name, "'[…]'", &length_rule(count, items));
        }
        count
    }

    fn require_list(&mut self, name: &str) {
        if !self.has(name) {
            self.missing(name);
        }
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.params.text(&format!("{}{name}", self.prefix))
    }

    fn behind(&self, prefix: &str) -> std::vec::IntoIter<&'a str> {
        let prefix = format!("{}{prefix}", self.prefix);
        let names =
            self.params.0.range::<str, _>((std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded));
        names.map_while(|(name, _)| name.strip_prefix(prefix.as_str())).collect::<Vec<_>>().into_iter()
    }

    fn at(&self, name: &str) -> String {
        format!("{}{}", self.shown, lower_camel(name))
    }

    fn missing(&mut self, name: &str) -> String {
        self.fault(name, "null", "Member must not be null");
        String::new()
    }

    /// AWS's text is not recorded.
    fn malformed(&mut self, name: &str, wanted: &str) {
        let text = format!("The value of {}{name} can not be converted to {wanted}", self.prefix);
        self.malformed.get_or_insert(text);
    }
}

/// The number of an item from what comes behind `member.`: digits alone, without leading zeros.
fn index(behind: &str) -> Option<usize> {
    let digits = behind.split('.').next().unwrap_or_default();
    let index: usize = digits.parse().ok()?;
    (index > 0 && index <= PARAMETERS_MAX && digits == index.to_string()).then_some(index)
}

fn enum_rule(words: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", words.join(", "))
}

/// What AWS says of a length that is not in its range.
pub(super) fn length_rule(found: usize, length: &RangeInclusive<usize>) -> String {
    if found < *length.start() {
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
    use super::*;
    use crate::iam::shapes::{ROLE_ARN, TAG_KEY, TAG_VALUE, USER_NAME};

    /// Code and message, or what was read.
    fn read<T>(body: &str, read: impl FnOnce(&mut Fields<'_>) -> T) -> Result<T, (&'static str, String)> {
        let told = |error: IamError| (error.code.name, error.message);
        let params = Params::parse("", body.as_bytes()).map_err(told)?;
        let mut fields = Fields::new(&params);
        let value = read(&mut fields);
        fields.finish().map_err(told)?;
        Ok(value)
    }

    fn invalid<T>(text: &str) -> Result<T, (&'static str, String)> {
        Err(("ValidationError", text.to_owned()))
    }

    #[test]
    fn texts_are_refused_in_the_words_of_aws() {
        let name = |body: &str| read(body, |f| f.required("UserName", &USER_NAME));
        assert_eq!(name("UserName=alice"), Ok("alice".to_owned()));
        assert_eq!(name(&format!("UserName={}", "a".repeat(64))).map(|name| name.len()), Ok(64));
        assert_eq!(
            name("Action=CreateUser"),
            invalid(
                "1 validation error detected: Value null at 'userName' failed to satisfy constraint: Member must not \
                 be null"
            )
        );
        assert_eq!(
            name("UserName=a b"),
            invalid(
                "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: [\\w+=,.@-]+"
            )
        );
        let long = "a".repeat(65);
        assert_eq!(
            name(&format!("UserName={long}")),
            invalid(&format!(
                "1 validation error detected: Value '{long}' at 'userName' failed to satisfy constraint: Member must \
                 have length less than or equal to 64"
            ))
        );
        // As STS answers it (aws-sdk-js, an empty role ARN).
        let pattern = "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+";
        assert_eq!(
            read("RoleArn=", |f| f.required("RoleArn", &ROLE_ARN)),
            invalid(&format!(
                "2 validation errors detected: Value '' at 'roleArn' failed to satisfy constraint: Member must satisfy \
                 regular expression pattern: {pattern}; Value '' at 'roleArn' failed to satisfy constraint: Member \
                 must have length greater than or equal to 20"
            ))
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let token = |body: &str| read(body, |f| f.required_secret("WebIdentityToken", &TAG_KEY).expose().len());
        assert_eq!(token("WebIdentityToken=abc"), Ok(3));
        let (_, message) = token(&format!("WebIdentityToken={}", "s3cret".repeat(30))).unwrap_err();
        assert!(message.contains("Value at 'webIdentityToken'") && !message.contains("s3cret"), "{message}");
    }

    #[test]
    fn numbers_and_truth_values() {
        let seconds = |body: &str| read(body, |f| f.number("DurationSeconds", 900..=43_200));
        assert_eq!(seconds(""), Ok(None));
        assert_eq!(seconds("DurationSeconds=900"), Ok(Some(900)));
        let low = "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member \
                   must have value greater than or equal to 900";
        assert_eq!(seconds("DurationSeconds=899"), invalid(low));
        for text in ["", "1.5", "x", "99999999999999999999"] {
            assert_eq!(seconds(&format!("DurationSeconds={text}")).unwrap_err().0, "MalformedInput", "{text}");
        }
        assert_eq!(read("A=true&B=False", |f| (f.flag("A"), f.flag("B"), f.flag("C"))), Ok((true, false, false)));
        assert_eq!(read("A=1", |f| f.flag("A")).unwrap_err().0, "MalformedInput");
        let status = |f: &mut Fields<'_>| f.required_word("Status", &["Active", "Inactive"]);
        assert_eq!(read("Status=Inactive", status), Ok("Inactive"));
        let rule = "1 validation error detected: Value 'active' at 'status' failed to satisfy constraint: Member must \
                    satisfy enum value set: [Active, Inactive]";
        assert_eq!(read("Status=active", status), invalid(rule));
    }

    #[test]
    fn lists_count_from_one_without_gaps() {
        let keys = |body: &str| read(body, |f| f.texts("TagKeys", 0..=12, &TAG_KEY));
        assert_eq!(keys(""), Ok(vec![]));
        assert_eq!(keys("TagKeys="), Ok(vec![]));
        let ten: Vec<_> = (1..=10).map(|n| format!("TagKeys.member.{n}=k{n}")).collect();
        assert_eq!(keys(&ten.join("&")).map(|keys| keys.join(" ")), Ok("k1 k2 k3 k4 k5 k6 k7 k8 k9 k10".to_owned()));
        for body in ["TagKeys.member.2=b", "TagKeys.member.0=a", "TagKeys.member.01=a", "TagKeys.member.x=a"] {
            assert_eq!(keys(body).unwrap_err().0, "MalformedInput", "{body}");
        }
        assert_eq!(keys("TagKeys.member.1.Key=a").unwrap_err().0, "MalformedInput");
        let required = read("", |f| f.required_texts("TagKeys", 0..=50, &TAG_KEY));
        assert!(
            required
                .unwrap_err()
                .1
                .ends_with("Value null at 'tagKeys' failed to satisfy constraint: Member must not be null")
        );
        let broken = keys("TagKeys.member.1=a&TagKeys.member.2=").unwrap_err().1;
        let rule = "1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must \
                    satisfy constraint: [Member must have length less than or equal to 128, Member must have length \
                    greater than or equal to 1, Member must satisfy regular expression pattern: \
                    [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+]";
        assert_eq!(broken, rule);
        let many: Vec<_> = (1..=13).map(|n| format!("TagKeys.member.{n}=k")).collect();
        assert!(keys(&many.join("&")).unwrap_err().1.ends_with("Member must have length less than or equal to 12"));
    }

    #[test]
    fn structures_name_where_they_stand() {
        let tags = |f: &mut Fields<'_>| {
            f.structures("Tags", 0..=50, |f| (f.required("Key", &TAG_KEY), f.required("Value", &TAG_VALUE)))
        };
        let body = "Tags.member.1.Key=a&Tags.member.1.Value=&Tags.member.2.Key=b&Tags.member.2.Value=c%20d";
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read(body, tags), Ok(vec![pair("a", ""), pair("b", "c d")]));
        let text = "1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy constraint: \
                    Member must not be null";
        assert_eq!(read("Tags.member.1.Key=a", tags), invalid(text));
        let one = |f: &mut Fields<'_>| f.structure("ContextProvider", |f| f.text("Type", &TAG_KEY));
        assert_eq!(read("ContextProvider.Type=x", one), Ok(Some(Some("x".to_owned()))));
        assert_eq!(read("ContextProviderType=x", one), Ok(None));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in ["A=1&A=2", "A=%zz", "A=%ff", &format!("{}=1", "a".repeat(257)), &"a&".repeat(4097)] {
            assert_eq!(read(body, |_| ()).unwrap_err().0, "MalformedQueryString", "{}", &body[..body.len().min(20)]);
        }
        assert!(Params::parse("Action=A", b"Action=A").is_err());
        assert_eq!(read("Unheard=1&Tags.member.1.Other=1", |f| f.flag("A")), Ok(false), "unknown ones are passed over");
    }
}
