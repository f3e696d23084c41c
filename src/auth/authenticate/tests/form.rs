//! Upload forms.

use super::*;
use crate::auth::CallerKind;
use crate::sigv4::signature_v2;

/// AWS's own example (S3 API Reference, "Example: Browser-Based Upload using HTTP POST (Using AWS Signature Version
/// 4)").
const POLICY: &str = include_str!("../../../../fixtures/sigv4/post-policy.txt");

fn example() -> FormV4<'static> {
    FormV4 {
        policy: POLICY.trim_end(),
        algorithm: "AWS4-HMAC-SHA256",
        credential: "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        date: "20151229T000000Z",
        signature: "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
        token: None,
    }
}

fn authenticated_by(claim: FormClaim<'_>, settings: &AuthSettings) -> Result<Access, AuthError> {
    let Request { head, edge, body: _ } = sent("POST", "/sigv4examplebucket").request();
    at_once(authenticate_form(&head, &edge, claim, &directory(), settings))
}

fn refused(form: FormV4<'_>) -> AuthError {
    let error = authenticated_by(FormClaim::V4(form), &settings()).expect_err("the form is refused");
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    error
}

#[test]
fn the_published_example_is_taken() {
    let access = authenticated_by(FormClaim::V4(example()), &settings()).unwrap();
    assert_eq!(access.facts().signature, SignatureKind::V4Form);
    assert_eq!((access.caller().kind(), access.caller().access_key_id()), (&CallerKind::Root, Some(KEY)));
    assert_eq!(access.facts().region.as_str(), "us-east-1");
}

#[test]
fn what_is_signed_is_the_policy() {
    let mismatches = |form| matches!(refused(form), AuthError::SignatureDoesNotMatch { .. });
    assert!(mismatches(FormV4 { policy: &POLICY[4..], ..example() }));
    assert!(mismatches(FormV4 { policy: "", ..example() }));
    assert!(mismatches(FormV4 { signature: "", ..example() }));
    assert!(mismatches(FormV4 { signature: &example().signature[..63], ..example() }));
    // Another day's, Region's or user's key signs otherwise.
    let credential = "AKIAIOSFODNN7EXAMPLE/20151230/us-east-1/s3/aws4_request";
    assert!(mismatches(FormV4 { credential, date: "20151230T000000Z", ..example() }));
    let credential = "AKIAIOSFODNN7EXAMPLE/20151229/eu-west-3/s3/aws4_request";
    assert!(mismatches(FormV4 { credential, ..example() }));
}

#[test]
fn faults() {
    let is_argument = |form| matches!(refused(form), AuthError::InvalidArgument { .. });
    assert!(is_argument(FormV4 { algorithm: "AWS4-ECDSA-P256-SHA256", ..example() }));
    for date in ["", "20151229", "2015-12-29T00:00:00Z"] {
        assert!(is_argument(FormV4 { date, ..example() }), "{date}");
    }
    for (credential, date) in [
        ("AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/kms/aws4_request", "20151229T000000Z"),
        ("AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws5_request", "20151229T000000Z"),
        ("AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request", "20151230T000000Z"),
        ("AKIAIOSFODNN7EXAMPLE", "20151229T000000Z"),
        ("/20151229/us-east-1/s3/aws4_request", "20151229T000000Z"),
    ] {
        assert!(
            matches!(refused(FormV4 { credential, date, ..example() }), AuthError::QueryMalformed(_)),
            "{credential}"
        );
    }
    let elsewhere = "AKIAIOSFODNN7EXAMPLE/20151229/us-west-9/s3/aws4_request";
    assert!(matches!(refused(FormV4 { credential: elsewhere, ..example() }), AuthError::QueryRegion { .. }));
    let nobody = "NOBODY/20151229/us-east-1/s3/aws4_request";
    assert_eq!(refused(FormV4 { credential: nobody, ..example() }), AuthError::UnknownAccessKey("NOBODY".to_owned()));
    assert_eq!(refused(FormV4 { token: Some("t"), ..example() }), AuthError::InvalidToken);
}

#[test]
fn version_2_only_where_it_is_on() {
    let policy = "e30=";
    let signature = signature_v2(SECRET.as_bytes(), policy);
    let form = FormV2 { policy, access_key_id: KEY, signature: &signature, token: None };
    let on = AuthSettings { signature_v2: true, ..settings() };
    let access = authenticated_by(FormClaim::V2(form), &on).unwrap();
    assert_eq!(access.facts().signature, SignatureKind::V2Form);
    let refused = |form, settings: &AuthSettings| authenticated_by(FormClaim::V2(form), settings).err();
    assert_eq!(refused(form, &settings()), Some(AuthError::unsupported_mechanism()));
    let wrong = refused(FormV2 { policy: "e31=", ..form }, &on);
    assert!(matches!(wrong, Some(AuthError::SignatureDoesNotMatch { .. })));
    let unknown = refused(FormV2 { access_key_id: "NOBODY", ..form }, &on);
    assert_eq!(unknown, Some(AuthError::UnknownAccessKey("NOBODY".to_owned())));
}

#[test]
fn a_form_that_nobody_signed_is_nobodys_whatever_its_headers_say() {
    let Request { head, edge, body: _ } = sent("POST", "/b").signed().request();
    let access = at_once(authenticate_form(&head, &edge, FormClaim::Nobody, &directory(), &settings())).unwrap();
    assert_eq!((access.facts().signature, access.caller().access_key_id()), (SignatureKind::Anonymous, None));
}
