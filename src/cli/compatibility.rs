//! `docs/s3-compatibility.md`: made from the operation tables, from what says how S3's operations are refused and why
//! (`s3/refusals.rs`), and from `fixtures/compat/notes.toml`. This test holds the page
//! to both; with `BLESS=1` it writes it:
//!
//! ```sh
//! BLESS=1 cargo nextest run -E 'test(the_compatibility_page)'
//! ```

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Deserialize;

use crate::{iam, kms, s3};

/// The operations of CloudTrail's service model.
const CLOUDTRAIL: &str = include_str!("../../fixtures/compat/cloudtrail.txt");
const HEAD: &str = "\
# What of AWS's operations there is

Every operation of AWS's service models of S3, KMS, IAM, STS and CloudTrail, as of the models of November 2026. What is
**served** answers as AWS answers, but for what its note says. What is **stored** is taken, checked and given back, and
nothing acts on it. What is **refused** answers `NotImplemented` (HTTP status 501), or the error that its note names, to
whoever may call it, and does nothing: no request for it is taken for another one.

This page is generated from the tables that the server works by; a test holds it to them.
";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Served,
    Stored,
    Refused,
}

/// What a row of the page says of some operations while they are in a state.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    service: String,
    state: State,
    /// Names; `*` at an end stands for anything.
    operations: Vec<String>,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    note: Vec<Note>,
}

impl Note {
    fn is_of(&self, operation: &str) -> bool {
        self.operations.iter().any(|pattern| matches(pattern, operation))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), Some(_)) => name.contains(end.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => pattern == name,
    }
}

/// Names, and whether each is served.
type Operations = Vec<(&'static str, bool)>;

/// The services in the order of the page: name, title, operations.
fn services() -> Vec<(&'static str, &'static str, Operations)> {
    let mut services = vec![
        ("s3", "S3", s3::operations()),
        ("kms", "KMS", kms::operations()),
        ("iam", "IAM", iam::operations(iam::Service::Iam)),
        ("sts", "STS", iam::operations(iam::Service::Sts)),
        ("cloudtrail", "CloudTrail", CLOUDTRAIL.lines().map(|name| (name, false)).collect()),
    ];
    services.iter_mut().for_each(|(_, _, operations)| operations.sort_unstable());
    services
}

/// The page, and what is wrong with the notes.
fn page(notes: &[Note]) -> (String, Vec<String>) {
    let (mut page, mut wrong) = (HEAD.to_owned(), Vec::new());
    for (service, title, operations) in services() {
        let notes: Vec<&Note> = notes.iter().filter(|note| note.service == service).collect();
        for note in &notes {
            let unknown = |pattern: &&String| !operations.iter().any(|(name, _)| matches(pattern, name));
            wrong.extend(
                note.operations.iter().filter(unknown).map(|p| format!("{service}: a note on {p}, which is none")),
            );
        }
        let noted = |name: &str, state| notes.iter().find(|note| note.state == state && note.is_of(name));
        let (mut rows, mut counts) = (String::new(), [0; 3]);
        for (name, served) in &operations {
            let stored = noted(name, State::Stored).filter(|_| *served);
            let state = match (served, stored) {
                (true, None) => State::Served,
                (true, Some(_)) => State::Stored,
                (false, _) => State::Refused,
            };
            counts[state as usize] += 1;
            let own = (service == "s3" && state == State::Refused).then(|| s3::refusal_note(name)).flatten();
            let note = own.or_else(|| noted(name, state).map(|note| note.text.as_str()));
            if state == State::Refused && note.is_none() {
                wrong.push(format!("{service}: {name} is refused without a note"));
            }
            let (word, text) = (format!("{state:?}").to_lowercase(), note.unwrap_or_default());
            let _ = writeln!(rows, "| {name} | {word} | {text} |"); // a String takes all
        }
        let [served, stored, refused] = counts;
        let _ = write!(
            page,
            "\n## {title}\n\n{} operations: {served} served, {stored} stored, {refused} refused.\n\n\
             | Operation | State | Note |\n|---|---|---|\n{rows}",
            operations.len()
        );
    }
    (page, wrong)
}

#[test]
fn the_compatibility_page_says_what_the_tables_say() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // Read when the test runs: who adds a note need not build.
    let notes = std::fs::read_to_string(root.join("fixtures/compat/notes.toml")).expect("the notes");
    let notes: Notes = toml::from_str(&notes).expect("the notes");
    let (page, wrong) = page(&notes.note);
    assert!(wrong.is_empty(), "fixtures/compat/notes.toml:\n{}", wrong.join("\n"));
    let path = root.join("docs/s3-compatibility.md");
    if option_bless() {
        std::fs::write(&path, &page).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/s3-compatibility.md is not what the tables say: BLESS=1 cargo nextest run -E 'test(the_compatibility_page)'"
    );
}

#[expect(clippy::disallowed_methods, reason = "of a test alone")]
fn option_bless() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("GetObject", "GetObject", true),
        ("GetObject", "GetObjectAcl", false),
        ("GetObject*", "GetObjectAcl", true),
        ("*Acl", "GetObjectAcl", true),
        ("*Object*", "GetObjectAcl", true),
        ("*Bucket*", "GetObjectAcl", false),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn older_names_stand_beside_their_successors() {
    let s3 = s3::operations();
    let state = |name: &str| s3.iter().find(|(other, _)| *other == name).map(|(_, served)| *served);
    assert!(state("GetBucketLifecycle").is_some());
    assert_eq!(state("GetBucketLifecycle"), state("GetBucketLifecycleConfiguration"));
    assert_eq!(kms::operations().len(), 56);
}
