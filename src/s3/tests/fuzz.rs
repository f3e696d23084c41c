//! Any bytes as the document of a configuration, as tags, an ACL or a lock, or as the policy of an upload form. What is
//! taken says the same when it is printed and read again, and when it is stored; what is refused is the client's fault.
//!
//! Some of each kind here; `FUZZ_SECONDS` goes on for that long, from `FUZZ_SEED` (see `fuzz/run`).

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::rules::BucketConfiguration;
use crate::rules::analytics::Analytics;
use crate::rules::intelligent_tiering::IntelligentTiering;
use crate::rules::lifecycle::MinimumSize;
use crate::rules::metrics::Metrics;
use crate::s3::acl_headers::sample_directory;
use crate::s3::error::Error;
use crate::s3::post_policy::PostPolicy;
use crate::s3::{
    acl_xml, cors_xml, inventory_xml, lifecycle_xml, lock_xml, logging_xml, named, named_xml, notification_xml,
    replication_xml, tags, website_xml,
};
use crate::sources::{Sources, Timestamp};

#[path = "../../../tests/fuzz/mutator.rs"]
#[expect(clippy::duplicate_mod, reason = "tests of two protocols, each with its own")]
mod mutator;

use mutator::{Dice, mutated};

/// Documents of each kind; with `FUZZ_SECONDS` as often as there is time.
const ROUNDS: usize = 1_500;
const CHANGES_MAX: usize = 2;
const MAX_BYTES: usize = 16 * 1024;
/// Of what there are several by id.
const ID: &str = "i";
const CANONICAL: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

/// Reads a document, checks what must hold if it is taken, and tells whether it was.
type Target = fn(&[u8]) -> bool;

/// By the operation whose sample in `bodies.toml` is the corpus.
const TARGETS: [(&str, Target); 15] = [
    ("PutBucketLifecycleConfiguration", lifecycle),
    ("PutBucketCors", cors),
    ("PutBucketWebsite", website),
    ("PutBucketNotificationConfiguration", notification),
    ("PutBucketReplication", replication),
    ("PutBucketInventoryConfiguration", inventory),
    ("PutBucketLogging", logging),
    ("PutBucketAnalyticsConfiguration", by_id::<Analytics>),
    ("PutBucketMetricsConfiguration", by_id::<Metrics>),
    ("PutBucketIntelligentTieringConfiguration", by_id::<IntelligentTiering>),
    ("PutObjectLockConfiguration", lock),
    ("PutObjectRetention", retention),
    ("PutObjectLegalHold", hold),
    ("PutObjectTagging", tagging),
    ("PutBucketAcl", acl),
];

/// What was read, if it was taken. A refusal is the client's fault and says so.
fn taken<T>(read: Result<T, Error>) -> Option<T> {
    read.map_err(|error| {
        let client = error.status().is_client_error() || error.status() == StatusCode::NOT_IMPLEMENTED;
        assert!(client && !error.message().is_empty(), "{error:?}");
    })
    .ok()
}

/// The same after printing and reading.
fn same<T: PartialEq + Debug>(value: &T, printed: String, read: impl Fn(&[u8]) -> Result<T, Error>) -> bool {
    match read(printed.as_bytes()) {
        Ok(again) => assert_eq!(again, *value, "not the same after printing: {printed}"),
        Err(error) => panic!("{error:?}: {printed}"),
    }
    true
}

/// The same after storing and loading too.
fn stored<T>(value: &T, printed: String, read: impl Fn(&[u8]) -> Result<T, Error>) -> bool
where
    T: BucketConfiguration + PartialEq + Debug,
{
    let bytes = minicbor::to_vec(value).expect("encoding into memory does not fail");
    let loaded: T = minicbor::decode(&bytes).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert_eq!(loaded, *value, "not the same after storing");
    same(value, printed, read)
}

fn lifecycle(body: &[u8]) -> bool {
    let read = |body: &[u8]| {
        let mut number = 0;
        let mut new_id = || {
            number += 1;
            format!("generated {number}")
        };
        lifecycle_xml::parse(body, MinimumSize::All128K, &mut new_id)
    };
    taken(read(body)).is_some_and(|value| stored(&value, lifecycle_xml::render(&value).finish(), read))
}

/// Ids that are made, each once.
fn numbered() -> impl Fn() -> String {
    let number = std::cell::Cell::new(0);
    move || {
        number.set(number.get() + 1);
        format!("generated {}", number.get())
    }
}

fn notification(body: &[u8]) -> bool {
    let read = |body: &[u8]| notification_xml::parse(body, numbered());
    taken(read(body)).is_some_and(|value| stored(&value, notification_xml::render(&value).finish(), read))
}

fn replication(body: &[u8]) -> bool {
    let read = |body: &[u8]| replication_xml::parse(body, numbered());
    taken(read(body)).is_some_and(|value| stored(&value, replication_xml::render(&value).finish(), read))
}

fn cors(body: &[u8]) -> bool {
    taken(cors_xml::parse(body)).is_some_and(|value| stored(&value, cors_xml::render(&value).finish(), cors_xml::parse))
}

fn website(body: &[u8]) -> bool {
    let read = website_xml::parse;
    taken(read(body)).is_some_and(|value| stored(&value, website_xml::render(&value).finish(), read))
}

fn inventory(body: &[u8]) -> bool {
    let read = |body: &[u8]| inventory_xml::parse(body, ID);
    taken(read(body)).is_some_and(|value| stored(&value, inventory_xml::render(ID, &value).finish(), read))
}

fn logging(body: &[u8]) -> bool {
    let read = |body: &[u8]| logging_xml::parse(body, &sample_directory());
    taken(read(body)).is_some_and(|value| same(&value, logging_xml::render(value.as_ref()).finish(), read))
}

fn by_id<T: named_xml::Document + PartialEq + Debug>(body: &[u8]) -> bool {
    let read = |body: &[u8]| named::parse::<T>(body, ID);
    taken(read(body)).is_some_and(|value| stored(&value, named::render(ID, &value).finish(), read))
}

fn lock(body: &[u8]) -> bool {
    let read = lock_xml::parse_configuration;
    taken(read(body)).is_some_and(|value| stored(&value, lock_xml::render_configuration(&value).finish(), read))
}

fn retention(body: &[u8]) -> bool {
    let now = Timestamp(1_795_608_000_000);
    let read = taken(lock_xml::parse_retention(body, now));
    assert!(!matches!(read, Some(Some((_, until))) if until <= now), "a retention that is over: {read:?}");
    read.is_some()
}

fn hold(body: &[u8]) -> bool {
    let read = lock_xml::parse_legal_hold;
    taken(read(body)).is_some_and(|value| same(&value, lock_xml::render_legal_hold(value).finish(), read))
}

fn tagging(body: &[u8]) -> bool {
    let Some(value) = taken(tags::parse(body)) else { return false };
    let mut names: Vec<_> = value.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), value.len(), "a tag twice");
    same(&value, tags::render(&value).finish(), tags::parse)
}

fn acl(body: &[u8]) -> bool {
    taken(acl_xml::parse(body, CANONICAL, &sample_directory())).is_some()
}

/// Valid documents of an operation, as the table of samples has them.
fn corpus(operation: &str) -> Vec<Vec<u8>> {
    let table: toml::Table = toml::from_str(include_str!("../../../fixtures/s3/bodies.toml")).expect("bodies.toml");
    let samples = table["body"].as_array().expect("samples");
    let of = samples.iter().filter(|sample| sample["operation"].as_str() == Some(operation));
    let bodies: Vec<_> = of
        .map(|sample| {
            let send = sample["send"].as_str().expect("what is sent");
            let id = send.split_once("&id=").map_or(ID, |(_, id)| id);
            let body = sample["body"].as_str().expect("a body").trim();
            let body = body.replace(&format!("<Id>{id}</Id>"), &format!("<Id>{ID}</Id>")).replace("{owner}", CANONICAL);
            body.into_bytes()
        })
        .collect();
    assert!(!bodies.is_empty(), "{operation} has no sample");
    bodies
}

#[expect(clippy::disallowed_methods, reason = "settings of the run; nothing that is tested reads them")]
fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

/// Runs a target on a corpus and what is made of it, for a share of the time.
fn run(name: &str, corpus: &[Vec<u8>], share: u64, target: impl Fn(&[u8]) -> bool) {
    let clock = Sources::system();
    let mut dice = Dice(number("FUZZ_SEED").unwrap_or(1));
    let nanoseconds = number("FUZZ_SECONDS").map(|seconds| seconds * 1_000_000_000 / share);
    let run_one = |body: &[u8]| {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(body)));
        held.unwrap_or_else(|_| panic!("{name} does not hold for b\"{}\"", body.escape_ascii()))
    };
    assert!(corpus.iter().any(|body| run_one(body)), "{name}: no sample is taken");
    let (start_ns, mut tried, mut good) = (clock.monotonic_ns(), 0_usize, 0_usize);
    while nanoseconds.map_or(tried < ROUNDS, |most| clock.monotonic_ns() - start_ns < most) {
        good += usize::from(run_one(&mutated(corpus, &mut dice, CHANGES_MAX, MAX_BYTES)));
        tried += 1;
    }
    println!("{name}: {tried} inputs, {good} of which were taken");
    assert!(good > tried / 500, "{name}: hardly any was taken: {good} of {tried}");
}

#[test]
fn any_document_is_refused_or_says_the_same_when_it_is_printed() {
    for (operation, target) in TARGETS {
        run(operation, &corpus(operation), TARGETS.len() as u64, target);
    }
}

/// Policies: what a policy allows, it allows until it is over, and with no field more than it names.
#[test]
fn any_policy_of_a_form_is_refused_or_allows_no_field_that_it_does_not_name() {
    let conditions = r#"{"bucket": "b"}, ["starts-with", "$key", "user/"], {"acl": "private"},
        ["content-length-range", 1, 1048576], ["eq", "$x-amz-meta-\u00e9", "ü"], {"x-amz-algorithm": "AWS4-HMAC-SHA256"}"#;
    let policies = [
        r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": []}"#.to_owned(),
        format!(r#"{{"expiration": "2030-01-01T00:00:00.000Z", "conditions": [{conditions}]}}"#),
        r#"{"conditions": [["starts-with", "$Content-Type", ""], ["starts-with", "$key", "${filename}\$"]],
            "expiration": "2027-12-01T12:00:00.000Z"}"#
            .to_owned(),
    ];
    let corpus: Vec<Vec<u8>> = policies.iter().map(|policy| policy.clone().into_bytes()).collect();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = [
        field("key", "user/a"),
        field("acl", "private"),
        field("x-amz-meta-é", "ü"),
        field("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        field("content-type", "text/plain"),
    ];
    run("policy of a form", &corpus, 4, |json| {
        let Some(policy) = taken(PostPolicy::parse(&STANDARD.encode(json))) else { return false };
        let _whatever_it_is = PostPolicy::parse(&String::from_utf8_lossy(json));
        for count in 0..=fields.len() {
            let sent = &fields[..count];
            if policy.check(sent, "b", Timestamp(1_795_608_000_000)).is_err() {
                continue;
            }
            let more = [sent, &[field("x-amz-meta-nowhere-in-any-policy", "x")]].concat();
            assert!(policy.check(&more, "b", Timestamp(1_795_608_000_000)).is_err(), "a field that it does not name");
            assert!(policy.check(sent, "b", Timestamp(i64::MAX)).is_err(), "it never ends");
        }
        true
    });
}
