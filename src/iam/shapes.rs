//! The shapes of the service models that texts of requests have, and what the inputs of several operations share.
//!
//! A test holds `ALL` to `fixtures/iam/shapes.txt`, which lists those of the models.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::IamError;
use super::input::{Fields, length_rule};

/// What a text has to be: its length in characters, and the regular expression that AWS shows with what it means.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// `SERVICE.SHAPE` of the model.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the test that holds shapes to the models"))]
    pub(super) model: &'static str,
    chars: RangeInclusive<usize>,
    pattern: Option<Pattern>,
}

#[derive(Debug, Clone, Copy)]
struct Pattern {
    shown: &'static str,
    fits: fn(&str) -> bool,
}

/// No upper bound in the model.
const NO_MAX: usize = usize::MAX;

impl Shape {
    /// The rules that a text breaks, in AWS's words and order.
    pub(super) fn broken(&self, text: &str) -> Vec<String> {
        let mut broken = Vec::new();
        if let Some(pattern) = self.pattern.filter(|pattern| !(pattern.fits)(text)) {
            broken.push(pattern_rule(pattern));
        }
        let chars = text.chars().count();
        if !self.chars.contains(&chars) {
            broken.push(length_rule(chars, &self.chars));
        }
        broken
    }

    /// All of its rules, as AWS lists them where an item of a list breaks one.
    pub(super) fn rules(&self) -> Vec<String> {
        let mut rules = Vec::new();
        if *self.chars.end() < NO_MAX {
            rules.push(format!("Member must have length less than or equal to {}", self.chars.end()));
        }
        if *self.chars.start() > 0 {
            rules.push(format!("Member must have length greater than or equal to {}", self.chars.start()));
        }
        rules.extend(self.pattern.map(pattern_rule));
        rules
    }
}

fn pattern_rule(pattern: Pattern) -> String {
    format!("Member must satisfy regular expression pattern: {}", pattern.shown)
}

macro_rules! shapes {
    ($($name:ident: $model:literal $chars:expr, $(($shown:literal, $fits:expr))?;)*) => {
        $(
            #[doc = concat!("`", $model, "` of the model.")]
            pub(super) const $name: Shape = {
                let pattern: Option<Pattern> = None;
                $(
                    let _none = pattern;
                    let pattern = Some(Pattern { shown: $shown, fits: $fits });
                )?
                Shape { model: $model, chars: $chars, pattern }
            };
        )*

        /// All of them, for the test.
        #[cfg(test)]
        const ALL: &[Shape] = &[$($name),*];
    };
}

/// Any text: the model says nothing of it.
pub(super) const ANY: Shape = Shape { model: "", chars: 0..=NO_MAX, pattern: None };

shapes! {
    ACCESS_KEY_ID: "iam.accessKeyIdType" 16..=128, ("[\\w]+", |t| some(t, is_word));
    ACCOUNT_ALIAS: "iam.accountAliasType" 3..=63, ("^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$", is_alias);
    ACTION_NAME: "iam.ActionNameType" 3..=128, ;
    ARN: "iam.arnType" 20..=2048, ;
    CLIENT_ID: "iam.clientIDType" 1..=255, ;
    CONTEXT_KEY_NAME: "iam.ContextKeyNameType" 5..=256, ;
    EXISTING_USER_NAME: "iam.existingUserNameType" 1..=128, ("[\\w+=,.@-]+", |t| some(t, is_name));
    GROUP_NAME: "iam.groupNameType" 1..=128, ("[\\w+=,.@-]+", |t| some(t, is_name));
    MARKER: "iam.markerType" 1..=320, ("[\\u0020-\\u00FF]+", |t| some(t, |c| matches!(c, ' '..='\u{ff}')));
    OIDC_PROVIDER_URL: "iam.OpenIDConnectProviderUrlType" 1..=255, ;
    PATH: "iam.pathType" 1..=512, ("(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)", is_path);
    PATH_PREFIX: "iam.pathPrefixType" 1..=512, ("\\u002F[\\u0021-\\u007F]*", is_path_prefix);
    POLICY_DESCRIPTION: "iam.policyDescriptionType" 0..=1000, ;
    POLICY_DOCUMENT: "iam.policyDocumentType" 1..=131_072, ("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |t| some(t, is_latin));
    POLICY_NAME: "iam.policyNameType" 1..=128, ("[\\w+=,.@-]+", |t| some(t, is_name));
    POLICY_PATH: "iam.policyPathType" 1..=512, ("((/[A-Za-z0-9\\.,\\+@=_-]+)*)/", is_policy_path);
    POLICY_VERSION_ID: "iam.policyVersionIdType" 0..=NO_MAX, ("v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?", is_version);
    RESOURCE_HANDLING_OPTION: "iam.ResourceHandlingOptionType" 1..=64, ;
    RESOURCE_NAME: "iam.ResourceNameType" 1..=2048, ;
    ROLE_DESCRIPTION: "iam.roleDescriptionType" 0..=1000, ("[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*", |t| t.chars().all(is_description));
    ROLE_NAME: "iam.roleNameType" 1..=64, ("[\\w+=,.@-]+", |t| some(t, is_name));
    TAG_KEY: "iam.tagKeyType" 1..=128, ("[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", |t| some(t, is_tag));
    TAG_VALUE: "iam.tagValueType" 0..=256, ("[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", |t| t.chars().all(is_tag));
    THUMBPRINT: "iam.thumbprintType" 40..=40, ;
    USER_NAME: "iam.userNameType" 1..=64, ("[\\w+=,.@-]+", |t| some(t, is_name));

    STS_ACCESS_KEY_ID: "sts.accessKeyIdType" 16..=128, ("[\\w]*", |t| t.chars().all(is_word));
    STS_CLIENT_TOKEN: "sts.clientTokenType" 4..=20_000, ;
    STS_ENCODED_MESSAGE: "sts.encodedMessageType" 1..=10_240, ;
    STS_EXTERNAL_ID: "sts.externalIdType" 2..=1224, ("[\\w+=,.@:\\/-]*", |t| t.chars().all(|c| is_name(c) || matches!(c, ':' | '/')));
    ROLE_ARN: "sts.arnType" 20..=2048, ("[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+", |t| some(t, is_xml));
    ROLE_SESSION_NAME: "sts.roleSessionNameType" 2..=64, ("[\\w+=,.@-]*", |t| t.chars().all(is_name));
    SERIAL_NUMBER: "sts.serialNumberType" 9..=256, ("[\\w+=/:,.@-]*", |t| t.chars().all(|c| is_name(c) || matches!(c, ':' | '/')));
    SESSION_POLICY: "sts.sessionPolicyDocumentType" 1..=2048, ("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |t| some(t, is_latin));
    SESSION_POLICY_UNRESTRICTED: "sts.unrestrictedSessionPolicyDocumentType" 1..=NO_MAX, ("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |t| some(t, is_latin));
    SOURCE_IDENTITY: "sts.sourceIdentityType" 2..=256, ("[\\w+=,.@-]*", |t| t.chars().all(is_name));
    FEDERATED_USER_NAME: "sts.userNameType" 2..=32, ("[\\w+=,.@-]*", |t| t.chars().all(is_name));
    PROVIDER_ID: "sts.urlType" 4..=2048, ;
    CONTEXT_ASSERTION: "sts.contextAssertionType" 4..=3072, ;
    TOKEN_CODE: "sts.tokenCodeType" 6..=6, ("[\\d]*", |t| t.chars().all(|c| c.is_ascii_digit()));
}

fn some(text: &str, fits: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(fits)
}

/// `\w`
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(c: char) -> bool {
    is_word(c) || matches!(c, '+' | '=' | ',' | '.' | '@' | '-')
}

fn is_latin(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

fn is_description(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}')
}

fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// `\p{L}\p{Z}\p{N}`, and marks of scripts that can't be written without them, which AWS's expression leaves out.
fn is_tag(c: char) -> bool {
    let separator = c.is_whitespace() && !c.is_control();
    c.is_alphabetic() || c.is_numeric() || separator || matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')
}

fn is_path(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    text == "/" || inner.is_some_and(|inner| some(inner, |c| c.is_ascii_graphic()))
}

fn is_path_prefix(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| rest.chars().all(|c| matches!(c, '!'..='\u{7f}')))
}

fn is_policy_path(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    text == "/" || inner.is_some_and(|inner| inner.split('/').all(|part| some(part, is_name)))
}

fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else { return false };
    let (number, more) = rest.split_once('.').unwrap_or((rest, ""));
    !number.starts_with('0')
        && some(number, |c| c.is_ascii_digit())
        && more.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn is_alias(text: &str) -> bool {
    let edges = |c: Option<char>| c.is_some_and(|c| c != '-');
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && (3..=63).contains(&text.len())
        && edges(text.chars().next())
        && edges(text.chars().last())
        && !text.contains("--")
}

/// Most tags that are read of one request: more than anything may have, as too many have an error of their own.
const TAGS_READ_MAX: usize = 200;

/// `Tags`: key, value. How many there may be, and what keys, is the operation's to check.
pub(super) fn read_tags(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    fields.structures("Tags", 0..=TAGS_READ_MAX, read_tag)
}

/// As [`read_tags`], where the model requires the member.
pub(super) fn read_required_tags(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    fields.required_structures("Tags", 0..=TAGS_READ_MAX, read_tag)
}

fn read_tag(tag: &mut Fields<'_>) -> (String, String) {
    (tag.required("Key", &TAG_KEY), tag.required("Value", &TAG_VALUE))
}

/// `TagKeys`.
pub(super) fn read_tag_keys(fields: &mut Fields<'_>) -> Vec<String> {
    fields.required_texts("TagKeys", 0..=TAGS_READ_MAX, &TAG_KEY)
}

/// Items of a page where no number is asked for.
const PAGE_DEFAULT: u32 = 100;
/// Most items of a page.
const PAGE_MAX: u32 = 1000;

/// `Marker` and `MaxItems` of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paging {
    limit: usize,
    marker: Option<String>,
}

/// A page of a listing, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) marker: Option<String>,
}

impl Paging {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            marker: fields.text("Marker", &MARKER),
            limit: fields.number("MaxItems", 1..=PAGE_MAX).unwrap_or(PAGE_DEFAULT) as usize,
        }
    }

    /// As many items as are asked for, but not more than `most`.
    pub(super) fn at_most(self, most: usize) -> Self {
        Self { limit: self.limit.min(most), ..self }
    }

    /// How many items are wanted.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The key of the last item before the page.
    pub(super) fn after(&self) -> Result<Option<String>, IamError> {
        self.marker.as_deref().map(open_marker).transpose()
    }

    /// The page of items that follow [`Self::after`] with their keys, of which one more than [`Self::limit`] was looked
    /// for.
    pub(super) fn page<T>(&self, mut items: Vec<(String, T)>) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let marker = items.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        Page { items: items.into_iter().map(|(_, item)| item).collect(), marker }
    }

    /// The page of a listing that is in memory, in the order of what `key` gives, which no two items share. The marker
    /// names the last item before it, so that a listing goes on where it was even if that item is gone.
    pub(super) fn cut<T>(&self, all: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, IamError> {
        let after = self.marker.as_deref().map(open_marker).transpose()?;
        let mut all: Vec<(String, T)> = all.into_iter().map(|item| (key(&item), item)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let mut rest = all.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        let page: Vec<(String, T)> = rest.by_ref().take(self.limit).collect();
        let last = page.last().map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        let marker = rest.next().and(last);
        Ok(Page { items: page.into_iter().map(|(_, item)| item).collect(), marker })
    }
}

/// AWS's text is not recorded.
fn open_marker(marker: &str) -> Result<String, IamError> {
    let key = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|key| String::from_utf8(key).ok());
    key.ok_or_else(|| IamError::validation("Invalid Marker: it is not one that a listing gave."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = include_str!("../../fixtures/iam/shapes.txt");

    #[test]
    fn shapes_are_those_of_the_models() {
        for shape in ALL {
            let number = |n: usize, none: usize| if n == none { "-".to_owned() } else { n.to_string() };
            // The model says nothing of a length of zero but for a few shapes that say 0.
            let (min, max) = (number(*shape.chars.start(), 0), number(*shape.chars.end(), NO_MAX));
            let pattern = shape.pattern.map_or("-", |pattern| pattern.shown);
            let line = format!("{} {min} {max} {pattern}", shape.model);
            let with_zero = format!("{} 0 {max} {pattern}", shape.model);
            assert!(MODEL.lines().any(|l| l == line || min == "-" && l == with_zero), "not of the models: {line}");
        }
    }

    #[test]
    fn patterns() {
        let cases: [(&Shape, &[&str], &[&str]); 9] = [
            (&USER_NAME, &["a", "A_b+=,.@-9"], &["", "a b", "ä", "a/b", "a*", "\u{430}lice"]),
            (&PATH, &["/", "/a/", "/a/b/", "/!~/"], &["", "a", "//", "/a", "a/", "/a b/", "/é/"]),
            (&PATH_PREFIX, &["/", "/a", "/a/"], &["", "a", "/ "]),
            (&POLICY_PATH, &["/", "/a/", "/a,.@/b/"], &["//", "/a//b/", "/a*/", "a/", "/a"]),
            (&POLICY_VERSION_ID, &["v1", "v20", "v1.a-b", "v1."], &["v0", "v01", "1", "v", "v1a"]),
            (&ACCOUNT_ALIAS, &["abc", "a-b", "0-9"], &["ab", "-ab", "ab-", "a--b", "Abc"]),
            (&TAG_KEY, &["a", "Kosten stelle", "ключ", "a:/=+-@_.", "\u{3000}"], &["", "a*", "a\n", "a\"", "a;"]),
            (&TAG_VALUE, &["", "a"], &["#"]),
            (&POLICY_DOCUMENT, &["{}\r\n\t\u{ff}"], &["", "\u{100}", "\u{1}"]),
        ];
        for (shape, good, bad) in cases {
            for text in good {
                assert_eq!(shape.broken(text), Vec::<String>::new(), "{} {text}", shape.model);
            }
            for text in bad {
                assert!(!shape.broken(text).is_empty(), "{} {text}", shape.model);
            }
        }
    }

    #[test]
    fn pages_go_on_where_they_were() {
        let all: Vec<String> = (0..5).map(|n| format!("name-{n}")).collect();
        let mut paging = Paging { limit: 2, marker: None };
        let mut seen = Vec::new();
        for _ in 0..3 {
            // What the marker names is gone by then.
            let left = all.iter().filter(|name| !seen.contains(*name) || seen.last() == Some(*name)).rev().cloned();
            let page = paging.cut(left.collect(), String::clone).unwrap();
            seen.extend(page.items);
            paging.marker = page.marker;
        }
        assert_eq!((seen, paging.marker), (all, None));
        let bad = Paging { limit: 1, marker: Some("%".to_owned()) };
        assert_eq!(bad.cut(vec![String::new()], String::clone).unwrap_err().code.name, "ValidationError");
    }
}
