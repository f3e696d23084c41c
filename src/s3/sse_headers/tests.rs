//! Each row of the recorded answers to encryption headers.

use super::*;
use crate::s3::fields::{Lines, sample};
use crate::sse::Envelope;

const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-key";
/// 32 bytes `k`.
const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

fn md5_of_key() -> String {
    STANDARD.encode(crate::crypto::md5(&[b'k'; 32]))
}

fn refused(headers: &[(&str, &str)]) -> (Code, String) {
    let error = requested(&sample(headers), true).err().unwrap_or_else(|| panic!("{headers:?} was taken"));
    (error.code(), error.message().to_owned())
}

#[test]
fn well_formed_requests() {
    let parse = |headers: &[(&str, &str)]| requested(&sample(headers), true).unwrap();
    assert!(matches!(parse(&[]), Requested::Default { bucket_key: None }));
    assert!(matches!(parse(&[(BUCKET_KEY, "TRUE")]), Requested::Default { bucket_key: Some(true) }));
    assert!(matches!(parse(&[(MODE, "AES256")]), Requested::SseS3));
    assert!(matches!(parse(&[(MODE, "AES256"), (BUCKET_KEY, "false")]), Requested::SseS3));
    assert!(matches!(parse(&[(MODE, "aws:kms")]), Requested::Kms { double: false, key: None, bucket_key: None, .. }));
    let full = [(MODE, "aws:kms:dsse"), (KMS_KEY_ID, "alias/x"), (CONTEXT, "eyJhIjogImIifQ=="), (BUCKET_KEY, "false")];
    let Requested::Kms { double, key, context, bucket_key } = parse(&full) else { panic!("it is a KMS mode") };
    assert_eq!((double, key.as_deref(), bucket_key), (true, Some("alias/x"), Some(false)));
    assert_eq!(context, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    let md5 = md5_of_key();
    let customer = parse(&[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, KEY), (CUSTOMER_KEY_MD5, &md5)]);
    assert_eq!(customer_md5(&customer), Some(md5));
    assert_eq!(customer_md5(&Requested::SseS3), None);
}

#[test]
fn misused_modes() {
    let needs_kms = "Server Side Encryption with AWS KMS managed key requires HTTP header \
                     x-amz-server-side-encryption : aws:kms";
    let not_supported = "The encryption method specified is not supported";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[(MODE, "aes:kms")], not_supported),
        (&[(MODE, "")], not_supported),
        (&[(MODE, "aes256")], not_supported),
        (&[(MODE, "aws:fsx")], not_supported),
        (&[(KMS_KEY_ID, "alias/x")], needs_kms),
        (&[(CONTEXT, "e30=")], needs_kms),
        (&[(MODE, "AES256"), (KMS_KEY_ID, "alias/x")], needs_kms),
        (&[(MODE, "AES256"), (CONTEXT, "e30=")], needs_kms),
        (&[(MODE, "AES256"), (BUCKET_KEY, "true")], needs_kms),
        (&[(MODE, "AES256"), (MODE, "aws:kms")], "The header was sent more than once with different values."),
        (
            &[(BUCKET_KEY, "yes")],
            "Invalid value for x-amz-server-side-encryption-bucket-key-enabled header. Valid values are true and \
             false.",
        ),
    ];
    for (headers, message) in cases {
        assert_eq!(refused(headers), (Code::InvalidArgument, (*message).to_owned()), "{headers:?}");
    }
}

#[test]
fn a_context_is_base64_of_a_json_object_of_strings() {
    // In order: not base64, not JSON, a list, a number, the reserved key.
    for bad in ["!", "eA==", "W10=", "eyJhIjoxfQ==", "eyJhd3M6czM6YXJuIjoieCJ9"] {
        let (code, message) = refused(&[(MODE, "aws:kms"), (CONTEXT, bad)]);
        assert_eq!(code, Code::InvalidArgument, "{bad}: {message}");
    }
}

#[test]
fn misused_customer_keys() {
    let invalid_key = "The secret key was invalid for the specified algorithm.";
    let md5 = &md5_of_key();
    let short = &STANDARD.encode([b'k'; 31]);
    let cases: &[(Lines<'_>, Code, &str)] = &[
        (
            &[(CUSTOMER_KEY, KEY), (CUSTOMER_KEY_MD5, md5)],
            Code::InvalidArgument,
            "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption \
             algorithm.",
        ),
        (
            &[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY_MD5, md5)],
            Code::InvalidArgument,
            "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret \
             key.",
        ),
        (&[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, KEY)], Code::InvalidArgument, invalid_key),
        (
            &[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, short), (CUSTOMER_KEY_MD5, md5)],
            Code::InvalidArgument,
            invalid_key,
        ),
        (
            &[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, "!"), (CUSTOMER_KEY_MD5, md5)],
            Code::InvalidArgument,
            invalid_key,
        ),
        (
            &[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, KEY), (CUSTOMER_KEY_MD5, "AAAAAAAAAAAAAAAAAAAAAA==")],
            Code::InvalidArgument,
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        ),
        (
            &[(CUSTOMER_ALGORITHM, "AES128"), (CUSTOMER_KEY, KEY), (CUSTOMER_KEY_MD5, md5)],
            Code::InvalidEncryptionAlgorithmError,
            "The Encryption request you specified is not valid. Supported value: AES256.",
        ),
        (
            &[(MODE, "AES256"), (CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, KEY), (CUSTOMER_KEY_MD5, md5)],
            Code::InvalidArgument,
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
        ),
    ];
    for (headers, code, message) in cases {
        assert_eq!(refused(headers), (*code, (*message).to_owned()), "{headers:?}");
    }
}

#[test]
fn reads_answer_a_missing_md5_as_a_wrong_key() {
    let wrong = "Requests specifying Server Side Encryption with Customer provided keys must provide the correct \
                 secret key.";
    let headers = sample(&[(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, KEY)]);
    let error = own_customer_key(&headers, CustomerUse::Read, true).err().unwrap();
    assert_eq!((error.code(), error.message()), (Code::AccessDenied, wrong));
    let source = sample(&[(SOURCE.algorithm, "AES256"), (SOURCE.key, KEY)]);
    let error = source_customer_key(&source, true).err().unwrap();
    assert_eq!((error.code(), error.message()), (Code::AccessDenied, wrong));
    assert!(own_customer_key(&source, CustomerUse::Read, true).unwrap().is_none());
}

#[test]
fn no_customer_key_over_plain_http() {
    let md5 = md5_of_key();
    let headers = [(CUSTOMER_ALGORITHM, "AES256"), (CUSTOMER_KEY, KEY), (CUSTOMER_KEY_MD5, md5.as_str())];
    let secure = "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure \
                  connection.";
    let write = requested(&sample(&headers), false).err().unwrap();
    assert_eq!((write.code(), write.message()), (Code::InvalidRequest, secure));
    let read = own_customer_key(&sample(&headers), CustomerUse::Read, false).err().unwrap();
    assert_eq!((read.code(), read.message()), (Code::InvalidRequest, secure));
    assert!(requested(&sample(&[(MODE, "aws:kms")]), false).is_ok());
}

#[test]
fn where_nothing_can_be_chosen_nothing_may_be() {
    assert!(refuse_choice(&sample(&[(CUSTOMER_ALGORITHM, "AES256")])).is_ok());
    for name in [MODE, KMS_KEY_ID, CONTEXT, BUCKET_KEY] {
        let error = refuse_choice(&sample(&[(name, "x")])).unwrap_err();
        assert_eq!(error.message(), format!("{name} header is not supported for this operation."));
    }
}

#[test]
fn answers_tell_the_mode() {
    let envelope = |mode, arn: Option<&str>, bucket_key| Envelope {
        mode,
        wrapped: Vec::new(),
        kms_key_arn: arn.map(str::to_owned),
        kms_ciphertext: Vec::new(),
        kms_context: arn.map(|_| ("a".to_owned(), "b".to_owned())).into_iter().collect(),
        bucket_key,
        customer_check: Vec::new(),
        wrapped_for: None,
    };
    let shown = |envelope: &Envelope, md5| {
        let mut answer = Answer::new();
        write_chosen(&mut answer, &envelope.shown(), md5);
        [MODE, KMS_KEY_ID, CONTEXT, BUCKET_KEY, CUSTOMER_ALGORITHM, CUSTOMER_KEY_MD5]
            .map(|name| answer.get(name).unwrap_or("-").to_owned())
    };
    assert_eq!(shown(&envelope(Mode::SseS3, None, false), None), ["AES256", "-", "-", "-", "-", "-"]);
    assert_eq!(
        shown(&envelope(Mode::SseKms, Some("arn"), true), None),
        ["aws:kms", "arn", "eyJhIjoiYiJ9", "true", "-", "-"]
    );
    assert_eq!(
        shown(&envelope(Mode::DsseKms, Some("arn"), false), None),
        ["aws:kms:dsse", "arn", "eyJhIjoiYiJ9", "-", "-", "-"]
    );
    assert_eq!(shown(&envelope(Mode::SseC, None, false), Some("m")), ["-", "-", "-", "-", "AES256", "m"]);
    assert_eq!(shown(&envelope(Mode::SseC, None, false), None), ["-"; 6]);
}
