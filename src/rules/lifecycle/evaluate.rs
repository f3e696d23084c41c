//! What the rules say of one version or upload. Time is an argument.

use super::{Expiration, Filter, Lifecycle, Rule, StorageClass, TransitionTime};
use crate::sources::Timestamp;

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The last midnight that can be told, in milliseconds since 1970: 9999-12-31. What is due later is due then: never.
const LAST_MS: i64 = 253_402_214_400_000;
/// Objects of fewer bytes stay in their class, unless a rule's filter speaks of the size.
const TRANSITION_MIN_BYTES: u64 = 128 * 1024;

/// A version, or a delete marker, as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its key.
    pub key: &'a str,
    /// When it was made.
    pub created: Timestamp,
    /// None: a delete marker.
    pub object: Option<Object<'a>>,
}

/// What an object has and a delete marker has not.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// Bytes of plaintext.
    pub plain_len: u64,
    /// Its tags.
    pub tags: &'a [(String, String)],
    /// Its class by name.
    pub class: &'a str,
}

/// Since when and behind how many a version is not current.
#[derive(Debug, Clone, Copy)]
pub struct Noncurrent {
    /// When its successor was made.
    pub since: Timestamp,
    /// Noncurrent versions that are newer than it.
    pub newer: u64,
}

/// What is to be done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It expires: of a current version in a bucket with versions a delete marker takes the place, all else is gone.
    Expire,
    /// It changes its class.
    Transition(StorageClass),
}

/// Something that happens by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due<'a> {
    /// When: a midnight.
    pub at: Timestamp,
    /// The rule's id.
    pub rule: &'a str,
}

impl Lifecycle {
    /// When a current object expires: the first of what the rules say.
    pub fn expiration(&self, subject: &Subject<'_>) -> Option<Due<'_>> {
        let due = |rule: &'_ Rule| match rule.expiration? {
            Expiration::Days(days) => Some(after(subject.created, days)),
            Expiration::Date(date) => Some(Timestamp(date)),
            Expiration::DeleteMarker(_) => None,
        };
        first(self.applying(subject).filter_map(|rule| Some(Due { at: due(rule)?, rule: &rule.id })))
    }

    /// What is due of a current object. Where that is gone for good when it expires (`versioned`: it is not), expiry
    /// goes before a change of the class; else after it. Of several classes the one that is farthest down.
    pub fn current(&self, subject: &Subject<'_>, versioned: bool, now: Timestamp) -> Option<Step> {
        let expires = self.expiration(subject).is_some_and(|due| due.at <= now);
        if expires && !versioned {
            return Some(Step::Expire);
        }
        let classes = self.applying(subject).flat_map(|rule| {
            let due = rule.transitions.iter().filter(|transition| match transition.at {
                TransitionTime::Days(days) => after(subject.created, days) <= now,
                TransitionTime::Date(date) => date <= now.0,
            });
            due.map(move |transition| (rule, transition.class))
        });
        let class = farthest(subject, classes);
        class.map(Step::Transition).or_else(|| expires.then_some(Step::Expire))
    }

    /// What is due of a version that is no longer current.
    pub fn noncurrent(&self, subject: &Subject<'_>, noncurrent: Noncurrent, now: Timestamp) -> Option<Step> {
        let due = |days: u32, keep: Option<u32>| {
            after(noncurrent.since, days) <= now && keep.is_none_or(|keep| noncurrent.newer >= u64::from(keep))
        };
        let expires = |rule: &Rule| rule.noncurrent_expiration.is_some_and(|end| due(end.days, end.newer));
        if self.applying(subject).any(expires) {
            return Some(Step::Expire);
        }
        let classes = self.applying(subject).flat_map(|rule| {
            let transitions = rule.noncurrent_transitions.iter();
            transitions.filter(|transition| due(transition.days, transition.newer)).map(move |t| (rule, t.class))
        });
        farthest(subject, classes).map(Step::Transition)
    }

    /// Whether a delete marker that is all that is left of its key is to be removed: at once by a rule that says so, and
    /// by one for objects when it is as old as those.
    pub fn lone_marker(&self, subject: &Subject<'_>, now: Timestamp) -> bool {
        let at_once = |rule: &Rule| rule.expiration == Some(Expiration::DeleteMarker(true));
        self.applying(subject).any(at_once) || self.expiration(subject).is_some_and(|due| due.at <= now)
    }

    /// When an unfinished upload is aborted.
    pub fn abortion(&self, key: &str, initiated: Timestamp) -> Option<Due<'_>> {
        let upload = Subject { key, created: initiated, object: None };
        first(self.applying(&upload).filter_map(|rule| {
            let at = after(initiated, rule.abort_after_days?);
            Some(Due { at, rule: &rule.id })
        }))
    }

    /// The prefixes under which rules that are on act on versions, in order, none within another.
    pub fn version_prefixes(&self) -> Vec<&str> {
        self.prefixes(|rule| {
            rule.expiration.is_some()
                || rule.noncurrent_expiration.is_some()
                || !rule.transitions.is_empty()
                || !rule.noncurrent_transitions.is_empty()
        })
    }

    /// As [`Self::version_prefixes`], of rules that abort uploads.
    pub fn upload_prefixes(&self) -> Vec<&str> {
        self.prefixes(|rule| rule.abort_after_days.is_some())
    }

    fn prefixes(&self, acts: impl Fn(&Rule) -> bool) -> Vec<&str> {
        let rules = self.rules.iter().filter(|rule| rule.enabled && acts(rule));
        let mut prefixes: Vec<&str> = rules.map(|rule| rule.filter.prefix.as_deref().unwrap_or_default()).collect();
        prefixes.sort_unstable();
        let mut apart: Vec<&str> = Vec::new();
        for prefix in prefixes {
            if !apart.last().is_some_and(|before| prefix.starts_with(before)) {
                apart.push(prefix);
            }
        }
        apart
    }

    fn applying<'a>(&'a self, subject: &Subject<'_>) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| rule.enabled && rule.filter.matches(subject))
    }
}

impl Filter {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        if self.prefix.as_ref().is_some_and(|prefix| !subject.key.starts_with(prefix.as_str())) {
            return false;
        }
        // A delete marker has neither tags nor a size.
        let Some(object) = subject.object else { return self.tags.is_empty() && !self.has_size() };
        self.tags.iter().all(|tag| object.tags.contains(tag))
            && self.larger_than.is_none_or(|bytes| object.plain_len > bytes)
            && self.smaller_than.is_none_or(|bytes| object.plain_len < bytes)
    }
}

/// So many days after `start`, and on to the next midnight (S3 User Guide, "Lifecycle rules: based on an object's age").
fn after(start: Timestamp, days: u32) -> Timestamp {
    let moment = start.0.saturating_add(i64::from(days) * DAY_MS);
    let midnight = moment.div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS);
    Timestamp(midnight.min(LAST_MS))
}

fn first<'a>(dues: impl Iterator<Item = Due<'a>>) -> Option<Due<'a>> {
    dues.min_by_key(|due| due.at)
}

/// The class that an object goes to, if it goes: none that it cannot go to from where it is.
fn farthest<'a>(
    subject: &Subject<'_>,
    classes: impl Iterator<Item = (&'a Rule, StorageClass)>,
) -> Option<StorageClass> {
    let object = subject.object?;
    let large = |rule: &Rule| object.plain_len >= TRANSITION_MIN_BYTES || rule.filter.has_size();
    classes.filter(|(rule, class)| large(rule) && class.follows(object.class)).map(|(_, class)| class).max()
}
