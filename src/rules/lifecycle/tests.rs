//! The rules against AWS's documentation (`fixtures/lifecycle/cases.json`) and against a second, naive reading of it.

use proptest::prelude::*;
use serde_json::Value;

use super::evaluate::DAY_MS;
use super::*;
use crate::wire::parse_iso8601;

mod naive;

const CASES: &str = include_str!("../../../fixtures/lifecycle/cases.json");

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

fn time(value: &Value) -> Timestamp {
    parse_iso8601(text(value)).unwrap_or_else(|| panic!("a time: {value}"))
}

fn number(value: &Value) -> Option<u64> {
    (!value.is_null()).then(|| value.as_u64().unwrap_or_else(|| panic!("a number: {value}")))
}

fn days(value: &Value) -> Option<u32> {
    number(value).map(|days| u32::try_from(days).unwrap())
}

fn class(value: &Value) -> StorageClass {
    StorageClass::parse(text(value)).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn tags(value: &Value) -> Vec<(String, String)> {
    let tags = value.as_object().into_iter().flatten();
    tags.map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}

fn rule(value: &Value) -> Rule {
    let expiration = &value["expiration"];
    let end = &value["noncurrent_expiration"];
    let at =
        |t: &Value| days(&t["days"]).map_or_else(|| TransitionTime::Date(time(&t["date"]).0), TransitionTime::Days);
    Rule {
        id: value["id"].as_str().unwrap_or("rule").to_owned(),
        enabled: value["enabled"].as_bool().unwrap_or(true),
        filter: Filter {
            form: FilterForm::And,
            prefix: value["prefix"].as_str().map(str::to_owned),
            tags: tags(&value["tags"]),
            larger_than: number(&value["larger_than"]),
            smaller_than: number(&value["smaller_than"]),
        },
        expiration: match expiration {
            Value::Null => None,
            Value::String(_) => Some(Expiration::Date(time(expiration).0)),
            Value::Bool(marker) => Some(Expiration::DeleteMarker(*marker)),
            days => Some(Expiration::Days(u32::try_from(days.as_u64().unwrap()).unwrap())),
        },
        noncurrent_expiration: days(&end["days"]).map(|d| NoncurrentExpiration { days: d, newer: days(&end["newer"]) }),
        abort_after_days: days(&value["abort"]),
        transitions: list(&value["transitions"])
            .iter()
            .map(|t| Transition { at: at(t), class: class(&t["class"]) })
            .collect(),
        noncurrent_transitions: list(&value["noncurrent_transitions"])
            .iter()
            .map(|t| NoncurrentTransition {
                days: days(&t["days"]).unwrap(),
                newer: days(&t["newer"]),
                class: class(&t["class"]),
            })
            .collect(),
    }
}

/// What is asked of the rules, and what they answer, in words.
fn answer(rules: &Lifecycle, ask: &Value) -> String {
    let tags = tags(&ask["tags"]);
    let now = || time(&ask["now"]);
    let step = |step: Option<Step>| match step {
        None => "nothing".to_owned(),
        Some(Step::Expire) => "expire".to_owned(),
        Some(Step::Transition(class)) => class.name().to_owned(),
    };
    let shown = |due: Option<Due<'_>>| {
        due.map_or_else(|| "never".to_owned(), |due| format!("{} {}", crate::wire::iso8601_seconds(due.at), due.rule))
    };
    let object = Object {
        plain_len: number(&ask["size"]).unwrap_or(1 << 20),
        tags: &tags,
        class: ask["class"].as_str().unwrap_or("STANDARD"),
    };
    let marker = ask["marker"] == true;
    let created = time(&ask["created"]);
    let subject = Subject { key: text(&ask["key"]), created, object: Some(object).filter(|_| !marker) };
    match text(&ask["what"]) {
        "expiration" => shown(rules.expiration(&subject)),
        "abortion" => shown(rules.abortion(subject.key, created)),
        "current" => step(rules.current(&subject, ask["versioned"] == true, now())),
        "lone marker" => if rules.lone_marker(&subject, now()) { "expire" } else { "nothing" }.to_owned(),
        "noncurrent" => {
            let noncurrent = Noncurrent { since: time(&ask["since"]), newer: number(&ask["newer"]).unwrap_or(0) };
            step(rules.noncurrent(&subject, noncurrent, now()))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_the_documentation_says_happens() {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    let mut asked = 0;
    for case in list(&cases) {
        let rules: Vec<Rule> = list(&case["rules"]).iter().map(rule).collect();
        let rules = Lifecycle { rules, minimum_size: MinimumSize::default() };
        for ask in list(&case["ask"]) {
            assert_eq!(answer(&rules, ask), text(&ask["answer"]), "{}: {ask}", case["source"]);
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

#[test]
fn prefixes_are_walked_once() {
    let rule = |prefix: Option<&str>, abort| Rule {
        enabled: prefix != Some("off"),
        filter: Filter { prefix: prefix.map(str::to_owned), ..Filter::default() },
        abort_after_days: Some(1).filter(|_| abort),
        expiration: Some(Expiration::Days(1)).filter(|_| !abort),
        ..Rule::default()
    };
    let of = |rules: &[(Option<&str>, bool)]| {
        let rules = rules.iter().map(|(prefix, abort)| rule(*prefix, *abort)).collect();
        let rules = Lifecycle { rules, minimum_size: MinimumSize::default() };
        (rules.version_prefixes().join(" "), rules.upload_prefixes().join(" "))
    };
    let both = |versions: &str, uploads: &str| (versions.to_owned(), uploads.to_owned());
    let a = [(Some("b"), false), (Some("a/b"), false), (Some("a/"), false), (Some("a0"), false), (Some("off"), false)];
    assert_eq!(of(&a), both("a/ a0 b", ""));
    assert_eq!(of(&[(Some("b"), false), (Some("x"), true), (None, true)]), both("b", ""));
    assert_eq!(of(&[(Some("b"), false), (Some("x"), true), (Some("b"), true)]), both("b", "b x"));
}

#[test]
fn a_configuration_is_checked_with_awss_words() {
    let cases: Value = serde_json::from_str(include_str!("../../../fixtures/lifecycle/faults.json")).unwrap();
    for case in list(&cases) {
        let mut rules: Vec<Rule> = list(&case["rules"]).iter().map(rule).collect();
        for (at, rule) in rules.iter_mut().enumerate().filter(|(_, rule)| rule.id == "rule") {
            rule.id = format!("rule {at}");
        }
        let found = match (Lifecycle { rules, minimum_size: MinimumSize::default() }).check() {
            Ok(()) => "fine".to_owned(),
            Err(Fault::Argument(text)) => format!("InvalidArgument {text}"),
            Err(Fault::Request(text)) => format!("InvalidRequest {text}"),
        };
        assert_eq!(found, text(&case["answer"]), "{case}");
    }
}

#[test]
fn limits_of_texts() {
    let rule = |id: usize, prefix: usize| Rule {
        id: "é".repeat(id),
        filter: Filter { prefix: Some("p".repeat(prefix)), ..Filter::default() },
        expiration: Some(Expiration::Days(1)),
        ..Rule::default()
    };
    let check = |rule| Lifecycle { rules: vec![rule], minimum_size: MinimumSize::default() }.check();
    assert_eq!(check(rule(ID_MAX_CHARS, PREFIX_MAX_BYTES)), Ok(()));
    assert_eq!(check(rule(256, 0)), Err(argument("ID length should not exceed allowed limit of 255")));
    assert_eq!(check(rule(0, 1025)), Err(request("The maximum size of a prefix is 1024.")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn rules_read_as_a_naive_reader_reads_them(
        rules in prop::collection::vec(naive::rule(), 0..5),
        (key, created, since) in ("[ab]{1,2}", 0..40 * DAY_MS, 0..40 * DAY_MS),
        (newer, now, versioned) in (0_u64..4, 0..120 * DAY_MS, any::<bool>()),
        (marker, len, tag, class) in (any::<bool>(), naive::size(), "[xy]?", naive::class_name()),
    ) {
        let rules = Lifecycle { rules, minimum_size: MinimumSize::default() };
        let tags = if tag.is_empty() { vec![] } else { vec![("k".to_owned(), tag)] };
        let object = Object { plain_len: len, tags: &tags, class };
        let subject = Subject { key: &key, created: Timestamp(created), object: Some(object).filter(|_| !marker) };
        let noncurrent = Noncurrent { since: Timestamp(since), newer };
        let now = Timestamp(now);
        let expires = rules.expiration(&subject).map(|due| due.at);
        prop_assert_eq!(expires, naive::expires(&rules, &subject));
        prop_assert_eq!(rules.current(&subject, versioned, now), naive::current(&rules, &subject, versioned, now));
        prop_assert_eq!(
            rules.noncurrent(&subject, noncurrent, now),
            naive::noncurrent(&rules, &subject, noncurrent, now)
        );
        let walked = rules.version_prefixes().iter().any(|prefix| key.starts_with(prefix));
        let acts = rules.current(&subject, versioned, now).is_some()
            || rules.noncurrent(&subject, noncurrent, now).is_some()
            || rules.lone_marker(&subject, now);
        prop_assert!(walked || !acts, "a key is acted on that no prefix leads to");
    }
}

#[test]
fn the_longest_times_end_on_the_last_day_that_can_be_told() {
    let last = parse_iso8601("9999-12-31T00:00:00Z").unwrap();
    let object = Object { plain_len: 1 << 20, tags: &[], class: "STANDARD" };
    let now = parse_iso8601("2026-11-25T12:00:00Z").unwrap();
    for days in [i32::MAX.unsigned_abs(), u32::MAX] {
        let rule = Rule {
            enabled: true,
            expiration: Some(Expiration::Days(days)),
            noncurrent_expiration: Some(NoncurrentExpiration { days, newer: Some(u32::MAX) }),
            abort_after_days: Some(days),
            transitions: vec![Transition { at: TransitionTime::Days(days), class: StorageClass::GlacierIr }],
            noncurrent_transitions: vec![NoncurrentTransition { days, newer: None, class: StorageClass::GlacierIr }],
            ..Rule::default()
        };
        let rules = Lifecycle { rules: vec![rule], minimum_size: MinimumSize::default() };
        for created in [Timestamp(i64::MIN), Timestamp(0), now, Timestamp(i64::MAX)] {
            let subject = Subject { key: "k", created, object: Some(object) };
            let told = rules.expiration(&subject).map(|due| due.at);
            assert!(told <= Some(last) && (created.0 < 0 || told == Some(last)), "{created:?} {told:?}");
            if created.0 >= 0 {
                assert_eq!(rules.abortion("k", created).map(|due| due.at), Some(last));
                assert_eq!(rules.current(&subject, true, now), None);
                let old = Noncurrent { since: created, newer: u64::MAX };
                assert_eq!(rules.noncurrent(&subject, old, now), None);
            }
        }
    }
    for date in [i64::MIN, i64::MAX] {
        let rule = Rule { enabled: true, expiration: Some(Expiration::Date(date)), ..Rule::default() };
        let rules = Lifecycle { rules: vec![rule], minimum_size: MinimumSize::default() };
        let subject = Subject { key: "k", created: now, object: Some(object) };
        assert_eq!(rules.current(&subject, false, now), (date < 0).then_some(Step::Expire));
    }
}
