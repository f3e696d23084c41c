use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_795_608_000_000);

fn after(duration: Duration) -> Timestamp {
    NOW.plus(duration)
}

/// A set with one key of this id.
fn keys(kid: &str) -> KeySet {
    let key = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                     "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
}

#[test]
fn where_documents_may_be() {
    let found = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
    for (url, expected) in [
        ("https://IdP.example.com/a/b?c=d", found("idp.example.com", 443, "/a/b?c=d")),
        ("https://idp.example.com:8443", found("idp.example.com", 8443, "/")),
        ("https://[::1]:8443/x", found("::1", 8443, "/x")),
        ("http://idp.example.com/", None),
        ("https://user@idp.example.com/", None),
        ("https://idp.example.com/#x", None),
        ("file:///etc/passwd", None),
        ("/path", None),
        ("", None),
    ] {
        assert_eq!(parts(url), expected, "{url}");
    }
}

/// Nobody listens at the port that is asked, so that a fetch fails at once and what is held is all there is.
#[tokio::test]
async fn held_keys_outlive_an_issuer_that_is_gone_for_a_while() {
    let issuers = Issuers::new(None, Vec::new());
    let (url, second) = ("127.0.0.1:1", Duration::from_secs(1));
    issuers.hold(url, keys("k"), NOW).await;
    let ask = async |kid, at| issuers.keys(url, Some(kid), at).await.map(|keys| keys.has(Some(kid)));
    assert_eq!(ask("k", NOW).await, Ok(true));
    assert_eq!(ask("new", NOW).await, Ok(false), "asked a moment ago");
    assert_eq!(ask("new", after(REFETCH_MIN)).await, Ok(false), "asked again, in vain");
    assert_eq!(ask("k", after(FRESH)).await, Ok(true));
    assert_eq!(ask("k", after(STALE - second)).await, Ok(true));
    assert!(matches!(ask("k", after(STALE)).await, Err(FetchError::Unreachable(_))));
    assert!(matches!(issuers.keys("127.0.0.1:2", None, NOW).await, Err(FetchError::Unreachable(_))));
}

#[tokio::test]
async fn only_listed_hosts_are_asked() {
    let issuers = Issuers::new(None, vec!["idp.example.com".to_owned()]);
    let Err(FetchError::Unusable(text)) = issuers.keys("127.0.0.1:1", None, NOW).await else { panic!("it was asked") };
    assert!(text.contains("oidc_hosts"), "{text}");
    assert!(Issuers::new(Some("/nonexistent".into()), Vec::new()).check().is_err());
}
