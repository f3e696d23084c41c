//! XML documents of configurations: what is read of them, and as what they are given back.

use serde::Deserialize;

use crate::rules::analytics::Analytics;
use crate::rules::intelligent_tiering::IntelligentTiering;
use crate::rules::lock::{LockTime, Retention};
use crate::rules::metrics::Metrics;
use crate::s3::error::Error;
use crate::s3::ops::{
    get_bucket_abac, get_bucket_accelerate_configuration, put_bucket_abac, put_bucket_accelerate_configuration,
};
use crate::s3::tags::{self, Tagged};
use crate::s3::{lock_xml, named};
use crate::sources::Timestamp;
use crate::wire::xml::Writer;

/// The time of all tests: Wed, 25 Nov 2026 12:00:00 GMT
const NOW: Timestamp = Timestamp(1_795_608_000_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    root: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What stands inside the root.
    send: String,
    /// What stands inside the root of what is given back, if it is not the same.
    gives: Option<String>,
    /// Code and message (none: any) of a refusal.
    refused: Option<(String, String)>,
}

/// Reads a document, and prints what was read.
fn again(root: &str, body: &[u8]) -> Result<Writer, Error> {
    Ok(match root {
        "ObjectLockConfiguration" => lock_xml::render_configuration(&lock_xml::parse_configuration(body)?),
        "Retention" => match lock_xml::parse_retention(body, NOW)? {
            Some((mode, until)) => {
                lock_xml::render_retention(&Retention::new(mode, until, LockTime { wall: NOW, trusted: NOW }))
            }
            None => {
                let mut w = Writer::document();
                w.root("Retention", |_| ());
                w
            }
        },
        "LegalHold" => lock_xml::render_legal_hold(lock_xml::parse_legal_hold(body)?),
        "AccelerateConfiguration" => {
            get_bucket_accelerate_configuration::render(Some(&put_bucket_accelerate_configuration::parse(body)?))
        }
        "AbacStatus" => get_bucket_abac::render(put_bucket_abac::parse(body)?),
        "Tagging" => tags::render(&tags::parse_of(body, Tagged::Bucket)?),
        "AnalyticsConfiguration" => named::render("one", &named::parse::<Analytics>(body, "one")?),
        "MetricsConfiguration" => named::render("one", &named::parse::<Metrics>(body, "one")?),
        "IntelligentTieringConfiguration" => named::render("one", &named::parse::<IntelligentTiering>(body, "one")?),
        other => panic!("{other} is no document that is tested here"),
    })
}

fn inside(root: &str, printed: Writer) -> String {
    let printed = printed.finish();
    let (_, inner) = printed.split_once("2006-03-01/\">").expect("a root in S3's namespace");
    inner.strip_suffix(&format!("</{root}>")).expect("the root's end").to_owned()
}

fn kinds() -> Vec<Kind> {
    serde_json::from_str(include_str!("../../../fixtures/s3/documents.json")).expect("the fixture is well-formed")
}

#[test]
fn documents_are_given_back_or_refused_as_the_fixture_says() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for kind in kinds() {
        for case in &kind.cases {
            tried += 1;
            let body =
                format!("<{0} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{1}</{0}>", kind.root, case.send);
            let got = again(&kind.root, body.as_bytes()).map(|printed| inside(&kind.root, printed));
            let fits = match (&got, &case.refused) {
                (Ok(inner), None) => inner == case.gives.as_ref().unwrap_or(&case.send),
                (Err(error), Some((code, message))) => {
                    error.code().name() == code && (message.is_empty() || error.message() == message)
                }
                _ => false,
            };
            if !fits {
                let got = got.map_err(|error| format!("{} {}", error.code().name(), error.message()));
                wrong.push(format!("{body}: {got:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 90, "{tried}");
}

/// What is wrong with a document of any kind.
#[test]
fn no_document_is_taken_that_is_none() {
    for Kind { root, cases } in kinds() {
        let good = cases.iter().find(|case| case.refused.is_none() && !case.send.is_empty()).expect("a good one");
        let (send, code) = (&good.send, |body: &str| again(&root, body.as_bytes()).err().map(|e| e.code().name()));
        let expected =
            again(&root, format!("<{root}>{send}</{root}>").as_bytes()).expect("it has no namespace").finish();
        for alike in [
            format!(
                "<?xml version='1.0'?><!-- x --><{root} xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{send}</{root}>\n"
            ),
            format!("<x:{root} xmlns:x='http://s3.amazonaws.com/doc/2006-03-01/'>{send}</x:{root}>"),
        ] {
            assert_eq!(again(&root, alike.as_bytes()).expect("it is good").finish(), expected, "{alike}");
        }
        let first = send.split('>').next().expect("an element").trim_matches(['<', '/']);
        let first = format!("<{first}/>");
        for bad in [
            format!("<{root}>{send}"),
            format!("<{root}>{send}</{root}><{root}/>"),
            format!("<Other>{send}</Other>"),
            format!("<{root}>{send}<Unknown/></{root}>"),
            format!("<{root}>{send}{first}</{root}>"),
            format!("<!DOCTYPE a [<!ENTITY b 'c'>]><{root}>{send}</{root}>"),
            "nothing".to_owned(),
        ] {
            assert_eq!(code(&bad), Some("MalformedXML"), "{bad}");
        }
        // Of tags the operation says so.
        let empty = if root == "Tagging" { "MalformedXML" } else { "MissingRequestBodyError" };
        assert_eq!(code(""), Some(empty), "{root}");
    }
}
