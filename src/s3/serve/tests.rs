use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Asked, Code, Error, Log, Sender, parse_key, refuse_headers};
use crate::s3::table::{SEALING_OPERATIONS, TABLE};
use crate::sources::{Sources, Timestamp};
use crate::wire::{Findings, RequestId};

fn completed(error: Error, host: &str, uri: &str) -> Vec<(&'static str, String)> {
    let asked = Asked {
        method: Method::DELETE,
        uri: uri.parse().unwrap(),
        host: host.to_owned(),
        request_id: RequestId::generate(&Sources::seeded(1, Timestamp(0))),
        findings: Findings::default(),
        sender: Sender::default(),
        log: Log::default(),
    };
    let mut error = error;
    asked.complete(&mut error, &["s3.example.com".to_owned()]);
    error.elements().map(|(name, value)| (name, value.to_owned())).collect()
}

#[test]
fn errors_name_what_was_asked_for() {
    let of = |name: &'static str, value: &str| (name, value.to_owned());
    let cases = [
        (Code::NoSuchBucket, "h", "/bkt/a/b?x=y", vec![of("BucketName", "bkt")]),
        (Code::NoSuchBucket, "bkt.s3.example.com", "/a/b", vec![of("BucketName", "bkt")]),
        (Code::InvalidBucketName, "h", "/B_t", vec![of("BucketName", "B_t")]),
        (Code::NoSuchKey, "h", "/bkt/a%20b", vec![of("Key", "a b")]),
        (Code::NoSuchVersion, "h", "/bkt/k?versionId=v%31", vec![of("Key", "k"), of("VersionId", "v1")]),
        (Code::NoSuchUpload, "h", "/bkt/k?uploadId=u", vec![of("UploadId", "u")]),
        (Code::MethodNotAllowed, "h", "/bkt/k", vec![of("Method", "DELETE")]),
        (Code::NoSuchUpload, "h", "/bkt/k", vec![]),
        (Code::AccessDenied, "h", "/bkt/k?versionId=v", vec![]),
    ];
    for (code, host, uri, expected) in cases {
        assert_eq!(completed(Error::new(code), host, uri), expected, "{code:?} {uri}");
    }
    let source = Error::new(Code::NoSuchKey).and("Key", "source");
    assert_eq!(completed(source, "h", "/bkt/k"), [of("Key", "source")]);
}

#[test]
fn encryption_is_never_ignored() {
    let value = HeaderValue::from_static("AES256");
    for name in ["x-amz-server-side-encryption", "x-amz-server-side-encryption-context"] {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
        for row in TABLE.iter().filter(|row| row.handler.is_some()) {
            let refused = refuse_headers(row, &headers).map_err(|e| e.message().to_owned());
            let expected = if SEALING_OPERATIONS.contains(&row.name) {
                Ok(())
            } else {
                Err(format!("{name} header is not supported for this operation."))
            };
            assert_eq!(refused, expected, "{}", row.name);
        }
    }
}

#[test]
fn mfa_is_refused() {
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-amz-mfa"), HeaderValue::from_static("s 1"))]);
    for row in TABLE {
        let error = refuse_headers(row, &headers).unwrap_err();
        assert_eq!((error.code(), error.elements().next()), (Code::NotImplemented, Some(("Header", "x-amz-mfa"))));
    }
}

#[test]
fn keys_at_the_limit() {
    assert!(parse_key(&"k".repeat(1024)).is_ok());
    let error = parse_key(&"k".repeat(1025)).unwrap_err();
    assert_eq!(error.code(), Code::KeyTooLongError);
    assert_eq!(error.elements().collect::<Vec<_>>(), [("Size", "1025"), ("MaxSizeAllowed", "1024")]);
}
