//! Every error of the layers below against what AWS was seen to answer for it: code, status, message, elements.

use crate::auth::{AuthError, ChecksumFault, Denied, PayloadError};
use crate::crypto::ChecksumAlgorithm::{Crc32, Crc32c, Sha256};
use crate::keyring::KeyringError;
use crate::objects::{ObjectsError, VersionId};
use crate::s3::error::Error;
use crate::sources::Timestamp;
use crate::sse::SseError;

/// `expected`: code, status, message, then `name=value` of each element.
fn check(error: impl Into<Error>, expected: (&str, u16, &str, &[&str])) {
    let error = error.into();
    let elements: Vec<String> = error.elements().map(|(name, value)| format!("{name}={value}")).collect();
    let got = (error.code().name(), error.status().as_u16(), error.message());
    assert_eq!(got, (expected.0, expected.1, expected.2));
    assert_eq!(elements, expected.3, "{}", expected.2);
}

#[test]
fn authentication() {
    let text = |text: &str| text.to_owned();
    check(
        AuthError::UnknownAccessKey(text("AK")),
        (
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
            &["AWSAccessKeyId=AK"],
        ),
    );
    check(
        AuthError::SignatureDoesNotMatch {
            access_key_id: text("AK"),
            string_to_sign: text("a\nb"),
            signature_provided: text("ff"),
            canonical_request: Some(text("G")),
        },
        (
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method.",
            &[
                "AWSAccessKeyId=AK",
                "StringToSign=a\nb",
                "SignatureProvided=ff",
                "StringToSignBytes=61 0a 62",
                "CanonicalRequest=G",
                "CanonicalRequestBytes=47",
            ],
        ),
    );
}

#[test]
fn times_and_unsigned_headers() {
    let text = |text: &str| text.to_owned();
    check(
        AuthError::TimeTooSkewed { request_time: text("r"), server_time: text("s"), max_allowed_ms: 900_000 },
        (
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.",
            &["RequestTime=r", "ServerTime=s", "MaxAllowedSkewMilliseconds=900000"],
        ),
    );
    check(
        AuthError::Expired { expires_seconds: Some(60), expired_at: text("e"), server_time: text("s") },
        ("AccessDenied", 403, "Request has expired", &["X-Amz-Expires=60", "Expires=e", "ServerTime=s"]),
    );
    check(
        AuthError::HeadersNotSigned(vec![text("a"), text("b")]),
        (
            "AccessDenied",
            403,
            "There were headers present in the request which were not signed",
            &["HeadersNotSigned=a, b"],
        ),
    );
}

#[test]
fn headers_of_authentication_and_checksums() {
    let text = |text: &str| text.to_owned();
    check(
        AuthError::HeaderMalformed { message: text("m"), region: Some(text("us-east-1")) },
        ("AuthorizationHeaderMalformed", 400, "m", &["Region=us-east-1"]),
    );
    check(AuthError::QueryMalformed(text("m")), ("AuthorizationQueryParametersError", 400, "m", &[]));
    check(
        AuthError::InvalidDigest(text("x")),
        ("InvalidDigest", 400, "The Content-MD5 you specified was invalid.", &["Content-MD5=x"]),
    );
    check(
        AuthError::ChecksumInvalid(Crc32),
        ("InvalidRequest", 400, "Value for x-amz-checksum-crc32 header is invalid.", &[]),
    );
    check(
        AuthError::ChecksumHeaders(ChecksumFault::Several),
        (
            "InvalidRequest",
            400,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            &[],
        ),
    );
    check(
        AuthError::MissingContentLength,
        ("MissingContentLength", 411, "You must provide the Content-Length HTTP header.", &[]),
    );
    let not_implemented = "A header you provided implies functionality that is not implemented";
    check(AuthError::TransferEncoding, ("NotImplemented", 501, not_implemented, &["Header=Transfer-Encoding"]));
}

#[test]
fn bodies() {
    check(
        PayloadError::ChecksumMismatch { algorithm: Crc32 },
        ("BadDigest", 400, "The CRC32 you specified did not match the calculated checksum.", &[]),
    );
    check(
        PayloadError::Md5Mismatch { expected: "e".to_owned(), calculated: "c".to_owned() },
        (
            "BadDigest",
            400,
            "The Content-MD5 you specified did not match what we received.",
            &["ExpectedDigest=e", "CalculatedDigest=c"],
        ),
    );
    check(
        PayloadError::Sha256Mismatch { provided: "p".to_owned(), computed: "c".to_owned() },
        (
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            &["ClientComputedContentSHA256=p", "S3ComputedContentSHA256=c"],
        ),
    );
    for error in [PayloadError::Incomplete, PayloadError::TooLong, PayloadError::Framing("no size")] {
        check(error, ("IncompleteBody", 400, "The request body terminated unexpectedly", &[]));
    }
    assert_eq!(Error::from(PayloadError::Framing("no size")).detail(), Some("no size"));
}

#[test]
fn buckets_and_objects() {
    check(ObjectsError::NoSuchBucket, ("NoSuchBucket", 404, "The specified bucket does not exist", &[]));
    check(
        ObjectsError::BucketNotEmpty { versions: true },
        (
            "BucketNotEmpty",
            409,
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            &[],
        ),
    );
    let absent = ("NoSuchKey", 404, "The specified key does not exist.", &[][..]);
    check(ObjectsError::NoSuchKey { delete_marker: None }, absent);
    check(ObjectsError::NoSuchKey { delete_marker: Some(VersionId::Null) }, absent);
    check(
        ObjectsError::IsDeleteMarker { modified: Timestamp(0) },
        (
            "MethodNotAllowed",
            405,
            "The specified method is not allowed against this resource.",
            &["ResourceType=DeleteMarker"],
        ),
    );
    check(
        ObjectsError::PreconditionFailed("If-Match"),
        (
            "PreconditionFailed",
            412,
            "At least one of the pre-conditions you specified did not hold",
            &["Condition=If-Match"],
        ),
    );
    check(
        ObjectsError::ConditionalConflict("If-None-Match"),
        (
            "ConditionalRequestConflict",
            409,
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
            &["Condition=If-None-Match"],
        ),
    );
    check(
        ObjectsError::TooLarge { proposed: 6, limit: 5 },
        (
            "EntityTooLarge",
            400,
            "Your proposed upload exceeds the maximum allowed size",
            &["ProposedSize=6", "MaxSizeAllowed=5"],
        ),
    );
    for full in [ObjectsError::Full(String::new()), SseError::Kms(KeyringError::Full(String::new())).into()] {
        check(full, ("ServiceUnavailable", 503, "There is not enough storage left to do this.", &[]));
    }
    for busy in [ObjectsError::Contention, crate::store::StoreError::Busy(String::new()).into()] {
        check(busy, ("SlowDown", 503, "Please reduce your request rate.", &[]));
    }
}

#[test]
fn multipart_uploads() {
    let invalid = |message: &str, error: ObjectsError| check(error, ("InvalidRequest", 400, message, &[]));
    check(
        ObjectsError::PartTooSmall { part_number: 1, plain_len: 4, etag: "e".to_owned() },
        (
            "EntityTooSmall",
            400,
            "Your proposed upload is smaller than the minimum allowed size",
            &["ProposedSize=4", "MinSizeAllowed=5242880", "PartNumber=1", "ETag=e"],
        ),
    );
    invalid(
        "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 4",
        ObjectsError::SizeMismatch { declared: 5, computed: 4 },
    );
    invalid(
        "The upload was created using the null checksum mode. The complete request must use the same checksum mode.",
        ObjectsError::ChecksumTypeMismatch("null"),
    );
    invalid(
        "Checksum Type mismatch occurred, expected checksum Type: crc32c, actual checksum Type: crc32",
        ObjectsError::ChecksumAlgorithmMismatch { expected: Some(Crc32c), actual: Some(Crc32) },
    );
    invalid(
        "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: null",
        ObjectsError::ChecksumAlgorithmMismatch { expected: Some(Sha256), actual: None },
    );
    invalid(
        "The upload was created using a crc32 checksum. The complete request must include the checksum for each part. \
         It was missing for part 1 in the request.",
        ObjectsError::PartChecksumMissing { part_number: 1, algorithm: Crc32 },
    );
    check(
        ObjectsError::PartChecksumMismatch { part_number: 1, algorithm: Sha256 },
        ("BadDigest", 400, "The sha256 you specified for part 1 did not match what we received.", &[]),
    );
    check(
        ObjectsError::ObjectChecksumMismatch(Crc32c),
        ("BadDigest", 400, "The crc32c you specified did not match the calculated checksum.", &[]),
    );
}

#[test]
fn encryption() {
    check(
        SseError::WrongCustomerKey,
        (
            "AccessDenied",
            403,
            "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret \
             key.",
            &[],
        ),
    );
    check(
        SseError::CustomerKeyRequired,
        (
            "InvalidRequest",
            400,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
             retrieve the object.",
            &[],
        ),
    );
    check(SseError::Denied(Denied { message: "no".to_owned() }), ("AccessDenied", 403, "no", &[]));
    let arn = "arn:aws:kms:us-east-1:111122223333:key/k";
    let kms = |error: KeyringError, code: &str, message: &str| {
        check(ObjectsError::Sse(SseError::Kms(error)), (code, 400, message, &[]));
    };
    check(
        KeyringError::DependencyTimeout,
        (
            "KMS.DependencyTimeoutException",
            503,
            "The system timed out while trying to fulfill the request. You can retry the request.",
            &[],
        ),
    );
    kms(KeyringError::Disabled(arn.to_owned()), "KMS.DisabledException", &format!("{arn} is disabled."));
    kms(
        KeyringError::PendingDeletion(arn.to_owned()),
        "KMS.KMSInvalidStateException",
        &format!("{arn} is pending deletion."),
    );
    kms(
        KeyringError::NotFound("Invalid keyId 'fake-key-id'".to_owned()),
        "KMS.NotFoundException",
        "Invalid keyId 'fake-key-id'",
    );
}

#[test]
fn what_is_ours_to_fix_tells_the_client_nothing() {
    let secret = || "row 7 does not open".to_owned();
    let errors: [Error; 4] = [
        ObjectsError::Internal(secret()).into(),
        SseError::Corrupt(secret()).into(),
        KeyringError::Internal(secret()).into(),
        KeyringError::InvalidCiphertext.into(),
    ];
    for error in errors {
        assert!(error.detail().is_some());
        check(error, ("InternalError", 500, "We encountered an internal error. Please try again.", &[]));
    }
    let full: Error = ObjectsError::Full(secret()).into();
    assert_eq!((full.status().as_u16(), full.detail()), (503, Some("row 7 does not open")));
}
