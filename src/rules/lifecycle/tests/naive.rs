//! The rules once more, day by day and without thought of speed.

use proptest::prelude::*;

use super::*;

fn days() -> impl Strategy<Value = u32> {
    0_u32..50
}

pub(super) fn size() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(10), Just(11), Just(128 * 1024 - 1), Just(128 * 1024), Just(1 << 30)]
}

pub(super) fn class_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR"])
}

fn class() -> impl Strategy<Value = StorageClass> {
    prop::sample::select(StorageClass::ALL.to_vec())
}

fn filter() -> impl Strategy<Value = Filter> {
    let tag = prop::option::of("[xy]").prop_map(|value| value.map(|value| ("k".to_owned(), value)));
    (prop::option::of("[ab]{0,2}"), tag, prop::option::of(size()), prop::option::of(size())).prop_map(
        |(prefix, tag, larger_than, smaller_than)| Filter {
            form: FilterForm::And,
            prefix,
            tags: tag.into_iter().collect(),
            larger_than,
            smaller_than,
        },
    )
}

pub(super) fn rule() -> impl Strategy<Value = Rule> {
    let expiration = prop_oneof![
        days().prop_map(Expiration::Days),
        (0_i64..60).prop_map(|day| Expiration::Date(day * DAY_MS)),
        any::<bool>().prop_map(Expiration::DeleteMarker),
    ];
    let end = (days(), prop::option::of(1_u32..4)).prop_map(|(days, newer)| NoncurrentExpiration { days, newer });
    let at = prop_oneof![
        days().prop_map(TransitionTime::Days),
        (0_i64..60).prop_map(|day| TransitionTime::Date(day * DAY_MS))
    ];
    let transition = (at, class()).prop_map(|(at, class)| Transition { at, class });
    let noncurrent = (days(), prop::option::of(1_u32..4), class());
    let noncurrent = noncurrent.prop_map(|(days, newer, class)| NoncurrentTransition { days, newer, class });
    (
        any::<bool>(),
        filter(),
        prop::option::of(expiration),
        prop::option::of(end),
        prop::collection::vec(transition, 0..3),
        prop::collection::vec(noncurrent, 0..3),
    )
        .prop_map(|(enabled, filter, expiration, end, transitions, noncurrent_transitions)| Rule {
            id: String::new(),
            enabled,
            filter,
            expiration,
            noncurrent_expiration: end,
            abort_after_days: None,
            transitions,
            noncurrent_transitions,
        })
}

/// The first midnight that is later than so many days after `start`.
fn midnight(start: i64, days: u32) -> i64 {
    (0..).map(|day| day * DAY_MS).find(|midnight| *midnight > start + i64::from(days) * DAY_MS).unwrap()
}

fn matches(rule: &Rule, subject: &Subject<'_>) -> bool {
    let filter = &rule.filter;
    let prefix = filter.prefix.clone().unwrap_or_default();
    let rest = if let Some(object) = &subject.object {
        let tags = filter.tags.iter().filter(|tag| object.tags.contains(tag)).count() == filter.tags.len();
        let larger = filter.larger_than.is_none() || object.plain_len > filter.larger_than.unwrap_or(0);
        tags && larger && object.plain_len < filter.smaller_than.unwrap_or(u64::MAX)
    } else {
        filter.tags.is_empty() && filter.larger_than.is_none() && filter.smaller_than.is_none()
    };
    rule.enabled && subject.key.starts_with(&prefix) && rest
}

pub(super) fn expires(rules: &Lifecycle, subject: &Subject<'_>) -> Option<Timestamp> {
    let mut all = Vec::new();
    for rule in rules.rules.iter().filter(|rule| matches(rule, subject)) {
        match rule.expiration {
            Some(Expiration::Days(days)) => all.push(midnight(subject.created.0, days)),
            Some(Expiration::Date(date)) => all.push(date),
            _ => {}
        }
    }
    all.sort_unstable();
    all.first().map(|at| Timestamp(*at))
}

/// Where a class stands on the way down, and whether one can be left for the other.
fn reachable(from: &str, to: StorageClass) -> bool {
    let below: &[&str] = match from {
        "STANDARD" => &["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR"],
        "STANDARD_IA" => &["INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR"],
        "INTELLIGENT_TIERING" => &["ONEZONE_IA", "GLACIER_IR"],
        _ => &[],
    };
    below.contains(&to.name())
}

fn moves(subject: &Subject<'_>, wanted: &[(&Rule, StorageClass)]) -> Option<Step> {
    let object = subject.object?;
    let sized = |rule: &Rule| rule.filter.larger_than.is_some() || rule.filter.smaller_than.is_some();
    let mut best = None;
    for class in StorageClass::ALL {
        let asked = wanted.iter().any(|(rule, to)| *to == class && (object.plain_len >= 131_072 || sized(rule)));
        if asked && reachable(object.class, class) {
            best = Some(Step::Transition(class));
        }
    }
    best
}

pub(super) fn current(rules: &Lifecycle, subject: &Subject<'_>, versioned: bool, now: Timestamp) -> Option<Step> {
    let gone = expires(rules, subject).is_some_and(|at| at <= now).then_some(Step::Expire);
    let mut wanted = Vec::new();
    for rule in rules.rules.iter().filter(|rule| matches(rule, subject)) {
        for transition in &rule.transitions {
            let at = match transition.at {
                TransitionTime::Days(days) => midnight(subject.created.0, days),
                TransitionTime::Date(date) => date,
            };
            if at <= now.0 {
                wanted.push((rule, transition.class));
            }
        }
    }
    let moved = moves(subject, &wanted);
    if versioned { moved.or(gone) } else { gone.or(moved) }
}

pub(super) fn noncurrent(
    rules: &Lifecycle,
    subject: &Subject<'_>,
    noncurrent: Noncurrent,
    now: Timestamp,
) -> Option<Step> {
    let mut wanted = Vec::new();
    let due = |days, newer: Option<u32>| {
        midnight(noncurrent.since.0, days) <= now.0 && noncurrent.newer >= newer.unwrap_or(0).into()
    };
    for rule in rules.rules.iter().filter(|rule| matches(rule, subject)) {
        if rule.noncurrent_expiration.is_some_and(|end| due(end.days, end.newer)) {
            return Some(Step::Expire);
        }
        for transition in &rule.noncurrent_transitions {
            if due(transition.days, transition.newer) {
                wanted.push((rule, transition.class));
            }
        }
    }
    moves(subject, &wanted)
}
