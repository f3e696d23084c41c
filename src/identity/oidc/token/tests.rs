use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::crypto::TestIssuerKey;

const NOW: Timestamp = Timestamp(1_795_608_000_500);
const SECONDS: i64 = 1_795_608_000;

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn keys(key: &TestIssuerKey) -> KeySet {
    let (x, y) = key.point();
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "x": coordinate(&x), "y": coordinate(&y)}]});
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

fn token(key: &TestIssuerKey, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn claims(more: Value) -> Claims {
    let key = TestIssuerKey::new();
    let mut all = json!({"iss": "https://i", "sub": "s", "aud": "a", "exp": SECONDS + 60, "iat": SECONDS});
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    let text = token(&key, &json!({"alg": "ES256", "kid": "k"}), &all);
    let token = Token::parse(text.as_bytes()).unwrap();
    assert_eq!(token.unverified_issuer(), Some("https://i"));
    token.verify(&keys(&key)).unwrap()
}

#[test]
fn only_the_issuers_signature_counts() {
    let (key, other) = (TestIssuerKey::new(), TestIssuerKey::new());
    let body = json!({"iss": "https://i"});
    let verified = |text: &str, keys: &KeySet| Token::parse(text.as_bytes()).map(|token| token.verify(keys).is_ok());
    let good = token(&key, &json!({"alg": "ES256", "kid": "k"}), &body);
    assert_eq!(verified(&good, &keys(&key)), Some(true));
    assert_eq!(verified(&good, &keys(&other)), Some(false));
    assert_eq!(verified(&good, &KeySet::default()), Some(false));
    for (header, expected) in [
        (json!({"alg": "ES256"}), Some(true)),
        (json!({"alg": "ES256", "typ": "JWT"}), Some(true)),
        (json!({"alg": "ES256", "kid": "other"}), Some(false)),
        (json!({"alg": "ES256", "kid": 1}), None),
        (json!({"alg": "ES256", "crit": ["b64"], "b64": false}), None),
        (json!({"alg": "RS256", "kid": "k"}), Some(false)),
        (json!({"alg": "ES384", "kid": "k"}), Some(false)),
        (json!({"alg": "HS256", "kid": "k"}), None),
        (json!({"alg": "none"}), None),
        (json!({"kid": "k"}), None),
        (json!([]), None),
    ] {
        assert_eq!(verified(&token(&key, &header, &body), &keys(&key)), expected, "{header}");
    }
    // Every character is signed, or is the signature. The last one has bits that mean nothing and must be zero.
    for at in 0..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_ne!(verified(&altered, &keys(&key)), Some(true), "character {at}");
    }
    for bad in
        ["", ".", "..", "a.b", "a.b.c", &good[1..], &format!("{good}."), &format!("{good}="), &format!(" {good}")]
    {
        assert_ne!(verified(bad, &keys(&key)), Some(true), "{bad}");
    }
    let none = format!("{}.{}.", encoded(&json!({"alg": "none"})), encoded(&body));
    assert_eq!(verified(&none, &keys(&key)), None);
    let twice = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"none"}"#), encoded(&body));
    assert_eq!(verified(&twice, &keys(&key)), None);
    let long = format!("{good}{}", "A".repeat(TOKEN_MAX_BYTES));
    assert_eq!(verified(&long, &keys(&key)), None);
}

#[test]
fn times() {
    let early = Err(TokenFault::Early);
    for (more, expected) in [
        (json!({}), Ok(())),
        (json!({"exp": SECONDS + 1}), Ok(())),
        (json!({"exp": SECONDS}), Err(TokenFault::Expired(SECONDS, SECONDS))),
        (json!({"exp": SECONDS - 1}), Err(TokenFault::Expired(SECONDS, SECONDS - 1))),
        (json!({"exp": 1e300}), Ok(())),
        (json!({"exp": -1}), Err(TokenFault::Expired(SECONDS, -1))),
        (json!({"exp": "1"}), Err(TokenFault::Missing("exp"))),
        (json!({"exp": null}), Err(TokenFault::Missing("exp"))),
        (json!({"iat": null}), Err(TokenFault::Missing("iat"))),
        (json!({"iat": SECONDS + 300}), Ok(())),
        (json!({"iat": SECONDS + 301}), early.clone()),
        (json!({"nbf": SECONDS + 300}), Ok(())),
        (json!({"nbf": SECONDS + 301}), early),
        (json!({"nbf": true}), Err(TokenFault::Missing("nbf"))),
    ] {
        assert_eq!(claims(more.clone()).check_time(NOW), expected, "{more}");
    }
}

#[test]
fn audiences() {
    for (more, expected, told) in [
        (json!({}), Ok(()), "a"),
        (json!({"aud": "b"}), Err(TokenFault::Audience), "b"),
        (json!({"aud": ["b", "a"]}), Ok(()), "b"),
        (json!({"aud": ["b", "A"]}), Err(TokenFault::Audience), "b"),
        (json!({"aud": []}), Err(TokenFault::Missing("aud")), ""),
        (json!({"aud": null}), Err(TokenFault::Missing("aud")), ""),
        (json!({"aud": 1}), Err(TokenFault::Missing("aud")), ""),
        // Another client got it: that it is for ours too does not make it ours.
        (json!({"azp": "b"}), Err(TokenFault::Audience), "b"),
        (json!({"aud": "b", "azp": "a"}), Ok(()), "a"),
    ] {
        let claims = claims(more.clone());
        assert_eq!(claims.check_audience(&["x".to_owned(), "a".to_owned()]), expected, "{more}");
        assert_eq!(claims.audience(), told, "{more}");
        assert!(claims.check_audience(&[]).is_err());
    }
    assert_eq!(claims(json!({})).subject(), Ok("s"));
    for sub in [json!(null), json!(""), json!(1)] {
        assert_eq!(claims(json!({ "sub": sub })).subject(), Err(TokenFault::Missing("sub")));
    }
}

#[test]
fn tags_and_source_identity() {
    let tags = |claim: Value| claims(json!({ TAGS_CLAIM: claim })).session_tags();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(claims(json!({})).session_tags(), Ok(SessionTags::default()));
    assert_eq!(
        tags(json!({"principal_tags": {"Team": ["red"], "Stage": "test"}, "transitive_tag_keys": ["Team"]})),
        Ok(SessionTags { tags: vec![pair("Team", "red"), pair("Stage", "test")], transitive: vec!["Team".to_owned()] })
    );
    for bad in [
        json!({"principal_tags": []}),
        json!({"principal_tags": {"a": []}}),
        json!({"principal_tags": {"a": ["b", "c"]}}),
        json!({"principal_tags": {"a": 1}}),
        json!({"transitive_tag_keys": "a"}),
        json!({"transitive_tag_keys": [1]}),
    ] {
        assert_eq!(tags(bad.clone()), Err(TokenFault::Session(TAGS_CLAIM)), "{bad}");
    }
    assert_eq!(claims(json!({})).source_identity(), Ok(None));
    assert_eq!(claims(json!({ SOURCE_IDENTITY_CLAIM: "ann" })).source_identity(), Ok(Some("ann")));
    assert!(claims(json!({ SOURCE_IDENTITY_CLAIM: ["ann"] })).source_identity().is_err());
}

#[test]
fn what_policies_may_ask_for() {
    let mut found = Vec::new();
    let claims = claims(json!({"groups": ["a", "b"], "verified": true, "n": 1, "address": {"x": "y"}, "none": [1]}));
    claims.each_condition(&mut |name, value| found.push(format!("{name}={value}")));
    found.sort();
    assert_eq!(found, ["aud=a", "groups=a", "groups=b", "iss=https://i", "sub=s", "verified=true"]);
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Token::parse(&bytes);
        let part = URL_SAFE_NO_PAD.encode(&bytes);
        let _ = Token::parse(format!("{part}.{part}.{part}").as_bytes());
        let _ = KeySet::parse(&bytes);
    }

    #[test]
    fn whatever_an_issuer_says_is_read_or_refused(text in "[\\[\\]{}\":,a-z0-9.-]{0,80}", name in "(exp|aud|sub|azp|iat|nbf)") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let claims = Claims(Map::from_iter([(name, value.clone()), (TAGS_CLAIM.to_owned(), value)]));
            let _ = (claims.check_time(NOW), claims.check_audience(&[]), claims.subject().is_ok(), claims.audience().len());
            let _ = (claims.session_tags(), claims.source_identity().is_ok());
        }
    }
}
