//! Presigned URLs of Signature Version 2.

use super::*;
use crate::auth::CallerKind;
use crate::sigv4::{V2Request, headers_of_v2_url, signature_v2, string_to_sign_v2};
use crate::wire::encode_uri;

const EXPIRES: &str = "1369353660";

/// Signs `request` until a minute after [`now`]; `host_bucket` as the signer understands the host.
fn presigned(request: Sent, host_bucket: Option<&str>, expires: &str) -> Sent {
    let params = Params::parse(&request.query);
    let headers = headers_of_v2_url(&params, &request.headers).unwrap();
    let text = string_to_sign_v2(&V2Request {
        method: &request.method,
        host_bucket,
        path: &request.path,
        params: &params,
        headers: &headers,
        date: expires,
    });
    let signature = encode_uri(&signature_v2(SECRET.as_bytes(), &text));
    let separator = if request.query.is_empty() { "" } else { "&" };
    let query = format!("{}{separator}AWSAccessKeyId={KEY}&Signature={signature}&Expires={expires}", request.query);
    Sent { query, ..request }
}

fn get() -> Sent {
    presigned(sent("GET", "/b/k%20k?response-content-type=a%2Fb&x-id=GetObject"), None, EXPIRES)
}

#[test]
fn taken_while_the_setting_is_on() {
    let access = get().authenticate().unwrap().access;
    assert_eq!(access.facts().signature, SignatureKind::V2Query);
    assert_eq!((access.caller().kind(), access.facts().region.as_str()), (&CallerKind::Root, "us-east-1"));
    let off = AuthSettings { presigned_v2: false, ..settings() };
    let error = at_once(authenticate(get().request(), "s3", &directory(), &off)).err();
    assert_eq!(error, Some(AuthError::unsupported_mechanism()));
    let error = at_once(authenticate(get().request(), "kms", &directory(), &settings())).err();
    assert_eq!(error, Some(AuthError::unsupported_mechanism()));
}

/// Signs `request` in its header, with the time in this one.
fn in_header(request: Sent, date: &str, value: &str) -> Sent {
    let request = request.header(date, value);
    let params = Params::parse(&request.query);
    let text = string_to_sign_v2(&V2Request {
        method: &request.method,
        host_bucket: None,
        path: &request.path,
        params: &params,
        headers: &request.headers,
        date: if date == "date" { value } else { "" },
    });
    let signature = signature_v2(SECRET.as_bytes(), &text);
    request.header("authorization", &format!("AWS {KEY}:{signature}"))
}

#[test]
fn a_header_is_taken_only_where_version_2_is_on() {
    let on = AuthSettings { signature_v2: true, presigned_v2: false, ..settings() };
    let by = |request: &Sent, service, settings: &AuthSettings| {
        at_once(authenticate(request.request(), service, &directory(), settings)).map(|done| done.access)
    };
    let date = "Fri, 24 May 2013 00:00:00 GMT";
    for name in ["date", "x-amz-date"] {
        let request = in_header(sent("GET", "/b/k?acl&x=y"), name, date);
        let access = by(&request, "s3", &on).unwrap();
        assert_eq!(access.facts().signature, SignatureKind::V2Header);
        assert_eq!(by(&request, "s3", &settings()).err(), Some(AuthError::unsupported_mechanism()));
        assert_eq!(by(&request, "kms", &on).err(), Some(AuthError::unsupported_mechanism()));
        let mut altered = request.clone();
        altered.query = "policy&x=y".to_owned();
        assert!(matches!(by(&altered, "s3", &on).err(), Some(AuthError::SignatureDoesNotMatch { .. })));
        let late = Sent { received: Timestamp(now().0 + 900_001), ..request };
        assert!(matches!(by(&late, "s3", &on).err(), Some(AuthError::TimeTooSkewed { .. })));
    }
    // Where all of Version 2 is on presigned URLs are too.
    assert!(by(&get(), "s3", &on).is_ok());
    let unsigned = sent("GET", "/b/k").header("date", date).header("authorization", "AWS nobody");
    assert!(matches!(by(&unsigned, "s3", &on).err(), Some(AuthError::InvalidArgument { .. })));
}

#[test]
fn faults() {
    let altered = |from: &str, to: &str| {
        let mut request = get();
        assert!(request.query.contains(from));
        request.query = request.query.replacen(from, to, 1);
        request
    };
    let three = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
    for name in ["AWSAccessKeyId", "Expires"] {
        assert_eq!(altered(name, "Other").refused(), AuthError::Denied(three.to_owned()));
    }
    for bad in ["1e9", "", "2147483648", "soon"] {
        let text = format!("Invalid date (should be seconds since epoch): {bad}");
        assert_eq!(altered(EXPIRES, bad).refused(), AuthError::Denied(text));
    }
    let mut late = get();
    late.received = Timestamp(now().0 + 61_000);
    let expired = AuthError::Expired {
        expires_seconds: None,
        expired_at: "2013-05-24T00:01:00Z".to_owned(),
        server_time: "2013-05-24T00:01:01Z".to_owned(),
    };
    assert_eq!(late.refused(), expired);
    assert_eq!(altered(KEY, "NOBODY").refused(), AuthError::UnknownAccessKey("NOBODY".to_owned()));
    assert_eq!(altered("x-id", "x-amz-security-token").refused(), AuthError::InvalidToken);
    // What is signed: path, signed parameters, expiry, method, x-amz-* headers, type and MD5. Not: other parameters.
    assert!(altered("a%2Fb", "a%2Fc").mismatches());
    assert!(altered(EXPIRES, "1369353661").mismatches());
    assert!(Sent { method: "PUT".to_owned(), ..get() }.mismatches());
    assert!(Sent { path: "/b/k".to_owned(), ..get() }.mismatches());
    for name in ["x-amz-acl", "content-type", "content-md5"] {
        assert!(get().header(name, "1B2M2Y8AsgTpgAmY7PhCfg==").mismatches(), "{name}");
    }
    assert!(altered("x-id=GetObject", "x-id=Other").authenticate().is_ok());
}

#[test]
fn the_bucket_of_a_virtual_host_is_signed() {
    let host = |host: &str, path: &str| Sent { host: host.to_owned(), ..sent("GET", path) };
    assert!(presigned(host("b.s3.example.com:9000", "/k"), Some("b"), EXPIRES).authenticate().is_ok());
    assert!(presigned(host("s3.example.com", "/b/k"), None, EXPIRES).authenticate().is_ok());
    // One signed for path style is good for the same object in virtual-host style, and for no other: a host that is
    // none of ours names no bucket.
    let mut same = presigned(host("s3.example.com", "/b/k"), None, EXPIRES);
    (same.host, same.path) = ("b.s3.example.com".to_owned(), "/k".to_owned());
    assert!(same.authenticate().is_ok());
    (same.host, same.path) = ("b.elsewhere.com".to_owned(), "/k".to_owned());
    assert!(same.mismatches());
}

#[tokio::test]
async fn headers_moved_into_the_query() {
    let query = "x-amz-server-side-encryption=AES256&content-type=text%2Fplain";
    let upload = presigned(sent("PUT", &format!("/b/k?{query}")).with_body(b"abc"), None, EXPIRES);
    let authenticated = upload.authenticate().unwrap();
    assert_eq!(authenticated.head.headers.get("x-amz-server-side-encryption").unwrap(), "AES256");
    assert_eq!(&body_of(authenticated).await.unwrap()[..], b"abc");
    // boto3 gives the type as a parameter, and the client sends it as a header.
    assert!(upload.clone().header("content-type", "text/plain").authenticate().is_ok());
    assert!(upload.clone().header("content-type", "text/html").mismatches());
    assert!(upload.clone().header("x-amz-server-side-encryption", "AES256").authenticate().is_ok());
    let other = upload.header("x-amz-server-side-encryption", "aws:kms").refused();
    assert!(matches!(other, AuthError::InvalidRequest(_)), "{other:?}");
}

/// What a signer signed in headers, sent by the holder of the URL in other words with the same string to sign.
#[test]
fn the_holder_of_a_url_cannot_put_it_in_other_words() {
    let secret = |request: Sent| request.header("x-amz-meta-owner", "team-a").header("x-amz-tagging", "class=secret");
    let kms = |request: Sent| request.header("x-amz-server-side-encryption", "aws:kms");
    let list = |request: Sent| request.header("x-amz-meta-a", "1,2");
    let first = |request: Sent| request.header("x-amz-meta-a", "1");
    let typed = |request: Sent| request.header("content-type", "a/b");
    let twice = |mut request: Sent| {
        request.headers.append("content-type", HeaderValue::from_static("a/b"));
        request.headers.append("content-type", HeaderValue::from_static("evil/type"));
        request
    };
    let as_sent = |request: Sent| request;
    type Words = fn(Sent) -> Sent;
    let cases: [(Words, Words, &str); 6] = [
        (secret, as_sent, "&x-amz-meta-owner=team-a%0Ax-amz-tagging:class=secret"),
        (kms, as_sent, "&x-amz-server-side-encryption%3Aaws=kms"),
        (list, first, "&x-amz-meta-a=2"),
        (list, as_sent, "&x-amz-meta-a=1&x-amz-meta-a=2"),
        (list, as_sent, "&x-amz-meta-a=1&X-Amz-Meta-A=2"),
        (typed, twice, ""),
    ];
    for (signed, worded, more) in cases {
        let request = presigned(signed(sent("PUT", "/b/k")), None, EXPIRES);
        assert!(request.authenticate().is_ok());
        let mut holder = worded(Sent { headers: sent("PUT", "/b/k").headers, ..request });
        holder.query += more;
        let refused = holder.refused();
        assert!(matches!(refused, AuthError::InvalidRequest(_)), "{more}: {refused:?}");
    }
}

/// Each header that was signed is heeded where it stands in the query too: else its holder could take it away.
#[tokio::test]
async fn a_check_of_the_body_stays_one_in_the_query() {
    let zeros = "0".repeat(64);
    for (name, value) in [
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-content-sha256", zeros.as_str()),
    ] {
        let query = format!("/b/k?{name}={}", encode_uri(value));
        let upload = presigned(sent("PUT", &query).with_body(b"abc"), None, EXPIRES);
        assert!(body_of(upload.authenticate().unwrap()).await.is_err(), "{name}");
    }
    let typed = presigned(sent("PUT", "/b/k?content-type=text%2Fplain"), None, EXPIRES).authenticate().unwrap();
    assert_eq!(typed.head.headers.get("content-type").unwrap(), "text/plain");
}
