use serde_json::Value;

use super::{parse, render};
use crate::rules::lifecycle::{Lifecycle, MinimumSize};

fn read(body: &str) -> Result<Lifecycle, String> {
    let mut made = 0;
    let mut new_id = || {
        made += 1;
        format!("made-{made}")
    };
    parse(body.as_bytes(), MinimumSize::All128K, &mut new_id)
        .map_err(|error| format!("{} {}", error.code().name(), error.message()))
}

fn configuration(rules: &str) -> String {
    format!("<LifecycleConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{rules}</LifecycleConfiguration>")
}

/// Each body and what comes back: the rules as GET shows them, or code and message.
#[test]
fn bodies_and_answers() {
    let cases: Value = serde_json::from_str(include_str!("../../../fixtures/lifecycle/xml.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let (sent, answer) = (case["rules"].as_str().unwrap(), case["answer"].as_str().unwrap());
        let got = match read(&configuration(sent)) {
            Err(error) => error,
            Ok(rules) => {
                let shown = render(&rules).finish();
                assert_eq!(read(&shown).as_ref(), Ok(&rules), "what is shown reads back");
                let inner = shown.split_once("2006-03-01/\">").unwrap().1;
                inner.strip_suffix("</LifecycleConfiguration>").unwrap().to_owned()
            }
        };
        assert_eq!(got, if answer == "same" { sent } else { answer }, "{sent}");
    }
}

#[test]
fn roots_and_numbers_of_rules() {
    let rule = "<Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
    let malformed =
        "MalformedXML The XML you provided was not well-formed or did not validate against our published schema";
    for bad in [String::new(), "x".to_owned(), configuration(""), format!("<Lifecycle>{rule}</Lifecycle>")] {
        assert_eq!(read(&bad), Err(malformed.to_owned()), "{bad}");
    }
    assert!(read(&configuration(rule)).is_ok());
    assert!(read(&format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>")).is_ok(), "no namespace");
    assert_eq!(read(&configuration(&rule.repeat(1000))).map(|rules| rules.rules.len()), Ok(1000));
    let too_many = "InvalidRequest The number of lifecycle rules must not exceed the allowed limit of 1000 rules.";
    assert_eq!(read(&configuration(&rule.repeat(1001))), Err(too_many.to_owned()));
}
