//! Texts with wildcards and policy variables.
//!
//! A pattern is kept as bytes in which the wildcards are two byte values that UTF-8 never uses. An escaped `${*}` and a
//! star that comes out of a variable are then ordinary bytes, and can't be taken for a wildcard.

use super::context::Facts;
use super::key::NamedKey;

/// `*`: any number of characters.
const MANY: u8 = 0xff;
/// `?`: one character.
const ONE: u8 = 0xfe;

/// Whether `*` and `?` stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcards {
    Yes,
    No,
}

/// Whether `${…}` stands for a value. It does since version 2012-10-17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    Yes,
    No,
}

/// A text of a policy with its wildcards and variables found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    source: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Pattern(Box<[u8]>),
    Variable { key: NamedKey, default: Option<Box<str>> },
}

/// A `${` without an end, or with something in it that is no variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadVariable;

impl Template {
    pub(super) fn parse(source: &str, wildcards: Wildcards, variables: Variables) -> Result<Self, BadVariable> {
        let mut parts = Vec::new();
        let mut pattern = Vec::with_capacity(source.len());
        let mut rest = source;
        while let Some(character) = rest.chars().next() {
            if variables == Variables::Yes && rest.starts_with("${") {
                let (inside, after) = split_variable(&rest[2..]).ok_or(BadVariable)?;
                match inside {
                    "*" | "?" | "$" => pattern.extend_from_slice(inside.as_bytes()),
                    inside => {
                        parts.push(Part::Pattern(std::mem::take(&mut pattern).into()));
                        parts.push(parse_variable(inside)?);
                    }
                }
                rest = after;
                continue;
            }
            let (this, after) = rest.split_at(character.len_utf8());
            match (character, wildcards) {
                // Two stars in a row mean no more than one.
                ('*', Wildcards::Yes) if pattern.last() == Some(&MANY) => {}
                ('*', Wildcards::Yes) => pattern.push(MANY),
                ('?', Wildcards::Yes) => pattern.push(ONE),
                _ => pattern.extend_from_slice(this.as_bytes()),
            }
            rest = after;
        }
        if parts.is_empty() || !pattern.is_empty() {
            parts.push(Part::Pattern(pattern.into()));
        }
        Ok(Self { source: source.into(), parts: parts.into() })
    }

    /// As the policy has it.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The pattern, if it has no variable.
    pub(super) fn fixed(&self) -> Option<&[u8]> {
        match &*self.parts {
            [Part::Pattern(pattern)] => Some(pattern),
            _ => None,
        }
    }

    /// The pattern before the first variable.
    pub(super) fn beginning(&self) -> &[u8] {
        match &*self.parts {
            [Part::Pattern(pattern), ..] => pattern,
            _ => &[],
        }
    }

    /// The keys whose values its variables stand for.
    pub(super) fn variables(&self) -> impl Iterator<Item = &NamedKey> {
        self.parts.iter().filter_map(|part| match part {
            Part::Pattern(_) => None,
            Part::Variable { key, .. } => Some(key),
        })
    }

    /// Whether it is one fixed text, without wildcard and variable.
    pub(super) fn is_literal(&self) -> bool {
        self.fixed().is_some_and(|pattern| !has_wildcard(pattern))
    }

    /// Appends the pattern with the variables' values. False if a variable has no value, or several.
    pub(super) fn expand(&self, facts: &Facts<'_>, out: &mut Vec<u8>) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Pattern(pattern) => {
                out.extend_from_slice(pattern);
                true
            }
            Part::Variable { key, default } => {
                let (start, mut values) = (out.len(), 0_u32);
                facts.each(key, &mut |value| {
                    values += 1;
                    if value.with_text(|text| out.extend_from_slice(text.as_bytes())).is_none() {
                        values += 1;
                    }
                });
                if values == 1 {
                    return true;
                }
                out.truncate(start);
                if let Some(default) = default {
                    out.extend_from_slice(default.as_bytes());
                }
                default.is_some()
            }
        })
    }
}

/// Splits behind the `}` that ends a variable: the first that is not inside a quoted default.
fn split_variable(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|character| {
        quoted ^= character == '\'';
        character == '}' && !quoted
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// `aws:username` or `aws:PrincipalTag/team, 'none'`.
fn parse_variable(inside: &str) -> Result<Part, BadVariable> {
    let (name, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((name, default)) => {
            let text = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).ok_or(BadVariable)?;
            (name, Some(text.into()))
        }
    };
    let name = name.trim();
    if name.is_empty() || name.contains(['$', '{', '\'', ' ']) {
        return Err(BadVariable);
    }
    Ok(Part::Variable { key: NamedKey::new(name), default })
}

/// Whether the pattern matches more than one text.
pub(super) fn has_wildcard(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| *byte >= ONE)
}

/// Whether `pattern` matches all of `text`. Time is at most the product of the two lengths: a star that has matched too
/// little is retried from the last star only, never from all of them.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_by(pattern, text, |wanted, byte| wanted == byte)
}

/// As [`matches()`], ASCII letters of either case being the same. `pattern` is in lower case.
pub(super) fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_by(pattern, text, |wanted, byte| wanted == byte.to_ascii_lowercase())
}

#[inline]
fn matches_by(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star fails: the pattern behind it, and the text it has not yet taken.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advance = match pattern.get(p) {
            Some(&MANY) if p + 1 == pattern.len() => return true,
            Some(&MANY) => {
                p += 1;
                retry = Some((p, t));
                continue;
            }
            Some(&ONE) => character_bytes(&text[t..]),
            Some(&wanted) => text.get(t).filter(|byte| same(wanted, **byte)).map(|_| 1),
            None if t == text.len() => return true,
            None => None,
        };
        match (advance, &mut retry) {
            (Some(bytes), _) => {
                p += 1;
                t += bytes;
            }
            (None, Some((after, from))) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            (None, _) => return false,
        }
    }
}

/// How long the UTF-8 character is that `text` begins with; none at its end and inside a character.
fn character_bytes(text: &[u8]) -> Option<usize> {
    match text.first()? {
        0x00..=0x7f => Some(1),
        0x80..=0xbf => None,
        _ => Some(1 + text[1..].iter().take_while(|byte| (0x80..=0xbf).contains(*byte)).count()),
    }
}

/// Segments of an ARN: `arn:partition:service:region:account:resource`.
const ARN_SEGMENTS: usize = 6;

/// An ARN of a policy, compared segment by segment: a wildcard does not reach over a colon, except in the last segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArnPattern {
    template: Template,
    /// How many bytes at the beginning, the fifth colon included, have no wildcard and no variable. 0 if any of the
    /// first five segments has one. With such a beginning, equal bytes mean equal segments.
    literal_head: usize,
}

impl ArnPattern {
    pub(super) fn new(template: Template) -> Self {
        let beginning = template.beginning();
        let fifth = beginning.iter().enumerate().filter(|(_, byte)| **byte == b':').nth(ARN_SEGMENTS - 2);
        let head = fifth.map_or(0, |(at, _)| at + 1);
        let literal_head = if has_wildcard(&beginning[..head]) { 0 } else { head };
        Self { template, literal_head }
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// Whether `arn` matches; none if a variable has no value.
    pub(super) fn matches(&self, arn: &str, facts: &Facts<'_>) -> Option<bool> {
        let (head, arn) = (self.literal_head, arn.as_bytes());
        let begins_alike = arn.get(..head) == Some(&self.template.beginning()[..head]);
        facts.with_pattern(&self.template, |pattern| match head {
            0 => arn_matches(pattern, arn),
            head => begins_alike && matches(&pattern[head..], &arn[head..]),
        })
    }
}

/// Compares segment by segment. A pattern with fewer segments compares its last one with all that is left.
fn arn_matches(pattern: &[u8], arn: &[u8]) -> bool {
    let (mut pattern, mut arn) = (pattern, arn);
    for _ in 1..ARN_SEGMENTS {
        let Some(p) = pattern.iter().position(|byte| *byte == b':') else { break };
        let Some(a) = arn.iter().position(|byte| *byte == b':') else { return false };
        if !matches(&pattern[..p], &arn[..a]) {
            return false;
        }
        (pattern, arn) = (&pattern[p + 1..], &arn[a + 1..]);
    }
    matches(pattern, arn)
}

#[cfg(test)]
mod tests;
