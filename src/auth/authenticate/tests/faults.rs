//! AWS's answer to each fault, and which of two faults is named.

use super::*;

const MALFORMED: &str = "The authorization header is malformed; ";
const BAD_CREDENTIAL: &str = "Error parsing the X-Amz-Credential parameter; ";

fn get() -> Sent {
    sent("GET", "/b/k").signed()
}

/// A signed request with `from` replaced by `to` in its `Authorization` header.
fn altered(from: &str, to: &str) -> Sent {
    let request = get();
    let header = request.get("authorization");
    assert!(header.contains(from), "{header}");
    let header = header.replacen(from, to, 1);
    request.header("authorization", &header)
}

/// A presigned request with `from` replaced by `to` in its query.
fn presigned_altered(from: &str, to: &str) -> Sent {
    let mut request = sent("GET", "/b/k").presigned(60);
    assert!(request.query.contains(from), "{}", request.query);
    request.query = request.query.replacen(from, to, 1);
    request
}

fn argument(error: AuthError) -> (String, String, String) {
    let AuthError::InvalidArgument { message, name, value } = error else { panic!("{error:?}") };
    (message, name, value)
}

#[test]
fn mechanisms() {
    let both = sent("GET", "/b/k").presigned(60).header("authorization", "Bearer token");
    let expected = (ONE_MECHANISM.to_owned(), "Authorization".to_owned(), "Bearer".to_owned());
    assert_eq!(argument(both.refused()), expected);
    let mut both = get();
    both.query = "Signature=x".to_owned();
    assert_eq!(argument(both.refused()).0, ONE_MECHANISM);
    assert_eq!(argument(sent("GET", "/b/k?Signature=x&X-Amz-Algorithm=y").refused()).0, ONE_MECHANISM);
    let mut twice = get();
    twice.headers.append("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 x"));
    assert_eq!(argument(twice.refused()).0, ONE_MECHANISM);
    for (header, message) in [
        ("AWS4-HMAC-SHA256", "Authorization header is invalid -- one and only one ' ' (space) required"),
        ("Bearer secret-token", "Unsupported Authorization Type"),
        ("AWS4-HMAC-SHA512 Credential=a", "Unsupported Authorization Type"),
    ] {
        let (text, name, value) = argument(get().header("authorization", header).refused());
        assert_eq!((text.as_str(), name.as_str()), (message, "Authorization"));
        assert!(!value.contains("secret-token"));
    }
    let v2 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
    let v2_header = get().header("authorization", "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=");
    assert_eq!(v2_header.refused(), AuthError::InvalidRequest(v2.to_owned()));
    assert_eq!(altered(ALGORITHM, ALGORITHM_V4A).refused(), AuthError::v4a());
    assert_eq!(presigned_altered(ALGORITHM, ALGORITHM_V4A).refused(), AuthError::v4a());
    assert!(altered(ALGORITHM, "aws4-hmac-sha256").authenticate().is_ok());
}

#[test]
fn malformed_headers() {
    let cases = [
        (", Signature=", ", Sig=", "missing Signature."),
        (", SignedHeaders=", ", Headers=", "missing SignedHeaders."),
        ("Credential=", "Credentials=", "missing Credential."),
        (", Signature=", ", Signature", "the authorization component "),
        (
            ", Signature=",
            ", X=1, Signature=",
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
        ),
        ("/s3/", "/", "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."),
        (KEY, "", "a non-empty Access Key (AKID) must be provided in the credential."),
        ("us-east-1", "", "a non-empty region must be provided in the credential."),
        ("/s3/", "/ec2/", "incorrect service \"ec2\". This endpoint belongs to \"s3\"."),
        ("aws4_request", "aws3_request", "incorrect terminal \"aws3_request\". This endpoint uses \"aws4_request\"."),
        (
            "/20130524/",
            "/2013/",
            "incorrect date format \"2013\". This date in the credential must be in the format \"yyyyMMdd\".",
        ),
        ("/20130524/", "/20130523/", "Invalid credential date. Date is not the same as X-Amz-Date."),
    ];
    for (from, to, detail) in cases {
        let AuthError::HeaderMalformed { message, region: None } = altered(from, to).refused() else {
            panic!("{from} {to}");
        };
        assert!(message.starts_with(&format!("{MALFORMED}{detail}")), "{message}");
    }
    for region in ["us-west-2", "US-EAST-1", "aws-global"] {
        let message = format!("{MALFORMED}the region '{region}' is wrong; expecting 'us-east-1'");
        let expected = AuthError::HeaderMalformed { message, region: Some("us-east-1".to_owned()) };
        assert_eq!(altered("us-east-1", region).refused(), expected);
    }
}

#[test]
fn times_of_headers() {
    let dated = |seconds: i64| Sent { signed: Timestamp(now().0 + seconds * 1000), ..sent("GET", "/b/k") }.signed();
    for seconds in [-900, 900] {
        assert!(dated(seconds).authenticate().is_ok(), "{seconds}");
    }
    let skewed = |request_time: &str| AuthError::TimeTooSkewed {
        request_time: request_time.to_owned(),
        server_time: "2013-05-24T00:00:00Z".to_owned(),
        max_allowed_ms: 900_000,
    };
    assert_eq!(dated(901).refused(), skewed("20130524T001501Z"));
    assert_eq!(dated(-901).refused(), skewed("20130523T234459Z"));
    // The skew is named before a fault in what is signed.
    let old = dated(-901);
    let header = old.get("authorization").replace("us-east-1", "us-west-2");
    assert_eq!(old.header("authorization", &header).refused(), skewed("20130523T234459Z"));
    let no_date = AuthError::Denied("AWS authentication requires a valid Date or x-amz-date header".to_owned());
    for bad in ["", "yesterday", "2013-05-24T00:00:00Z", "20130532T000000Z"] {
        assert_eq!(get().header("x-amz-date", bad).refused(), no_date, "{bad}");
    }
    let mut none = get();
    none.headers.remove("x-amz-date");
    assert_eq!(none.refused(), no_date);
    // With no x-amz-date the Date header counts, in each of its forms.
    for date in ["Fri, 24 May 2013 00:00:00 GMT", "20130524T000000Z"] {
        let mut by_date = none.clone().header("date", date);
        let scope = "20130524/us-east-1/s3/aws4_request";
        let signed_headers = "date;host;x-amz-content-sha256";
        let parts = by_date.parts();
        let canonical =
            crate::sigv4::canonical_request(&parts, signed_headers, EMPTY_SHA256, crate::sigv4::PathRule::AsSent);
        let scoped = crate::sigv4::Scope {
            date: "20130524".to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        };
        let text = crate::sigv4::string_to_sign("20130524T000000Z", &scoped, &canonical);
        let signature = crate::sigv4::SigningKey::derive(SECRET.as_bytes(), &scoped).unwrap().sign(text.as_bytes());
        let header =
            format!("{ALGORITHM} Credential={KEY}/{scope},SignedHeaders={signed_headers},Signature={signature}");
        by_date.set("authorization", &header);
        assert!(by_date.authenticate().is_ok(), "{date}");
    }
}

#[test]
fn keys_tokens_and_signatures() {
    assert_eq!(altered(KEY, "NOBODY").refused(), AuthError::UnknownAccessKey("NOBODY".to_owned()));
    assert_eq!(sent("GET", "/b/k").header("x-amz-security-token", "t").signed().refused(), AuthError::InvalidToken);
    let presigned = sent("GET", "/b/k?X-Amz-Security-Token=t").presigned(60);
    assert_eq!(presigned.refused(), AuthError::InvalidToken);
    let mut request = get();
    let AuthError::SignatureDoesNotMatch { access_key_id, string_to_sign, signature_provided, canonical_request } =
        altered("Signature=", "Signature=0").refused()
    else {
        panic!("another error");
    };
    let canonical_request = canonical_request.unwrap();
    assert_eq!(access_key_id, KEY);
    assert!(signature_provided.starts_with('0'));
    assert!(canonical_request.starts_with("GET\n/b/k\n\nhost:s3.example.com:9000\n"), "{canonical_request}");
    assert!(string_to_sign.ends_with(&hex(&sha256(canonical_request.as_bytes()))), "{string_to_sign}");
    request.headers.remove("x-amz-content-sha256");
    let missing = "Missing required header for this request: x-amz-content-sha256";
    assert_eq!(request.refused(), AuthError::InvalidRequest(missing.to_owned()));
    let changed = get().header("x-amz-content-sha256", "invalid").refused();
    assert_eq!(argument(changed).1, "x-amz-content-sha256");
}

#[test]
fn headers_that_must_be_signed() {
    let names = |error: AuthError| {
        let AuthError::HeadersNotSigned(names) = error else { panic!("{error:?}") };
        names
    };
    assert_eq!(names(get().header("x-amz-meta-a", "1").refused()), ["x-amz-meta-a"]);
    assert_eq!(names(altered("host;", "").refused()), ["host"]);
    assert_eq!(names(altered(";x-amz-date", "").refused()), ["x-amz-date"]);
    let presigned = sent("GET", "/b/k").presigned(60);
    assert_eq!(names(presigned.clone().header("x-amz-acl", "private").refused()), ["x-amz-acl"]);
    // Other headers may be added by whoever passes the request on.
    let passed_on =
        presigned.header("content-type", "a/b").header("x-forwarded-for", "h").header("x-amzn-trace-id", "t");
    assert!(passed_on.authenticate().is_ok());
}

#[test]
fn malformed_queries() {
    let six = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
               X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    let number = "X-Amz-Expires should be a number";
    let week = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less \
                than 604800 seconds";
    let form = "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
    let long_date = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
    let cases = [
        (ALGORITHM, "AWS4", "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""),
        ("X-Amz-Credential=", "C=", six),
        ("X-Amz-Signature=", "S=", six),
        ("X-Amz-Date=", "D=", six),
        ("X-Amz-SignedHeaders=", "H=", six),
        ("X-Amz-Expires=", "E=", six),
        ("X-Amz-Date=20130524T000000Z", "X-Amz-Date=2013", long_date),
        ("Expires=60", "Expires=", number),
        ("Expires=60", "Expires=1e9", number),
        ("Expires=60", "Expires=-", number),
        ("Expires=60", "Expires=-60", "X-Amz-Expires must be non-negative"),
        ("Expires=60", "Expires=604801", week),
        ("Expires=60", "Expires=99999999999999999999", week),
        ("%2Fs3%2F", "%252Fs3%2F", &format!("{BAD_CREDENTIAL}{form}")),
        (
            "%2Fs3%2F",
            "%2Fec2%2F",
            &format!("{BAD_CREDENTIAL}incorrect service \"ec2\". This endpoint belongs to \"s3\"."),
        ),
        (
            "%2F20130524%2F",
            "%2F20130523%2F",
            "Invalid credential date \"20130523\". This date is not the same as X-Amz-Date: \"20130524\".",
        ),
    ];
    for (from, to, message) in cases {
        let expected = AuthError::QueryMalformed(message.to_owned());
        assert_eq!(presigned_altered(from, to).refused(), expected, "{from} {to}");
    }
    let message = format!("{BAD_CREDENTIAL}the region 'us-west-2' is wrong; expecting 'us-east-1'");
    let expected = AuthError::QueryRegion { message, region: "us-east-1".to_owned() };
    assert_eq!(presigned_altered("us-east-1", "us-west-2").refused(), expected);
}

#[test]
fn lives_of_presigned_urls() {
    let at = |seconds: i64, expires_seconds: u64| {
        let received = Timestamp(now().0 + seconds * 1000);
        Sent { received, ..sent("GET", "/b/k").presigned(expires_seconds) }
    };
    for (seconds, expires_seconds) in [(0, 0), (60, 60), (-900, 60), (604_800, 604_800)] {
        assert!(at(seconds, expires_seconds).authenticate().is_ok(), "{seconds} {expires_seconds}");
    }
    assert_eq!(at(-901, 60).refused(), AuthError::NotYetValid);
    let expired = AuthError::Expired {
        expires_seconds: Some(60),
        expired_at: "2013-05-24T00:01:00Z".to_owned(),
        server_time: "2013-05-24T00:01:01Z".to_owned(),
    };
    assert_eq!(at(61, 60).refused(), expired);
    // An expired URL is named expired whatever its signature.
    let mut spoilt = at(61, 60);
    spoilt.path = "/b/other".to_owned();
    assert_eq!(spoilt.refused(), expired);
    // Its life cannot be made longer.
    let mut longer = at(0, 60);
    longer.query = longer.query.replace("Expires=60", "Expires=61");
    assert!(longer.mismatches());
}

#[test]
fn texts_for_the_client() {
    let cases = [
        (AuthError::InvalidToken, "The provided token is malformed or otherwise invalid."),
        (AuthError::NotYetValid, "Request is not yet valid"),
        (AuthError::MissingContentLength, "You must provide the Content-Length HTTP header."),
        (AuthError::ChecksumInvalid(ChecksumAlgorithm::Sha256), "Value for x-amz-checksum-sha256 header is invalid."),
        (ChecksumFault::HeaderAndTrailer.into(), "Expecting a single x-amz-checksum- header"),
        (AuthError::Denied("Access Denied".to_owned()), "Access Denied"),
    ];
    for (error, text) in cases {
        assert_eq!(error.to_string(), text);
    }
}
