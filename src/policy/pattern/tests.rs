use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::context::NoContext;
use super::super::principal::Subject;
use super::*;

fn pattern(source: &str) -> Vec<u8> {
    Template::parse(source, Wildcards::Yes, Variables::No).expect("no variables").fixed().expect("fixed").to_vec()
}

/// The definition, character by character, without any care for time.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some('*'), _) => naive(&pattern[1..], text) || (!text.is_empty() && naive(pattern, &text[1..])),
        (Some('?'), Some(_)) => naive(&pattern[1..], &text[1..]),
        (Some(p), Some(t)) => p == t && naive(&pattern[1..], &text[1..]),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn matching_is_as_defined(source in "[ab*?é]{0,8}", text in "[abé€]{0,8}") {
        let expected = naive(&source.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
        prop_assert_eq!(matches(&pattern(&source), text.as_bytes()), expected);
        prop_assert_eq!(matches_ignoring_case(&pattern(&source), text.to_uppercase().replace('É', "é").as_bytes()), expected);
    }

    #[test]
    fn arns_match_segment_by_segment(
        source in "[ab*]{0,2}(:[ab*]{0,2}){0,6}",
        arn in "[ab]{0,2}(:[ab]{0,2}){5,7}",
    ) {
        let short = source.matches(':').count() < 5;
        let count = if short { source.matches(':').count() + 1 } else { 6 };
        let expected = source.splitn(count, ':').zip(arn.splitn(count, ':')).all(|(p, a)| {
            naive(&p.chars().collect::<Vec<_>>(), &a.chars().collect::<Vec<_>>())
        });
        let template = Template::parse(&source, Wildcards::Yes, Variables::No).expect("no variables");
        let facts = Facts::new(&Subject::ANONYMOUS, "", &NoContext);
        prop_assert_eq!(ArnPattern::new(template).matches(&arn, &facts), Some(expected));
    }
}

#[test]
fn many_stars_take_no_exponential_time() {
    // A backtracking matcher would need more than 10^30 steps for this.
    let text = "a".repeat(5_000);
    assert!(!matches(&pattern(&format!("{}b", "*a".repeat(500))), text.as_bytes()));
    assert!(matches(&pattern(&format!("{}*", "*a".repeat(500))), text.as_bytes()));
    assert!(!matches(&pattern(&format!("{}b", "a?*".repeat(500))), text.as_bytes()));
}

#[test]
fn variables_and_escapes() {
    let subject = Subject {
        kind: super::super::SubjectKind::User { name: "a*e" },
        account: "111122223333",
        ..Subject::ANONYMOUS
    };
    let facts = Facts::new(&subject, "", &NoContext);
    let with = |source: &str, variables| {
        let template = Template::parse(source, Wildcards::Yes, variables).expect(source);
        facts.with_pattern(&template, |pattern| {
            pattern.iter().fold(String::new(), |mut shown, byte| {
                match *byte {
                    MANY => shown.push_str("<many>"),
                    ONE => shown.push_str("<one>"),
                    byte => write!(shown, "{}", char::from(byte)).expect("a String takes all"),
                }
                shown
            })
        })
    };
    for (source, expanded) in [
        ("home/${aws:username}/*", Some("home/a*e/<many>")),
        ("${AWS:UserName}${aws:PrincipalAccount}", Some("a*e111122223333")),
        ("${*}${?}${$}{aws:username}", Some("*?${aws:username}")),
        ("${aws:PrincipalTag/team, 'x}*'}/?", Some("x}*/<one>")),
        ("${ aws:username , 'nobody' }", Some("a*e")),
        ("${aws:PrincipalTag/team}", None),
        ("${aws:nonsense}", None),
        ("${aws:nonsense, ''}-", Some("-")),
        ("a***b", Some("a<many>b")),
        ("$5 {x}", Some("$5 {x}")),
    ] {
        assert_eq!(with(source, Variables::Yes).as_deref(), expanded, "{source}");
    }
    assert_eq!(with("${aws:username}${*}", Variables::No).as_deref(), Some("${aws:username}${<many>}"));
    for bad in ["${", "${}", "${aws:username", "${aws:username, nobody}", "${a b}", "${${aws:username}}", "${x, 'y}"] {
        assert_eq!(Template::parse(bad, Wildcards::Yes, Variables::Yes), Err(BadVariable), "{bad}");
    }
}
