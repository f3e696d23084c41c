use super::*;
use crate::names::KeySpec;

const ROLE: &str = "arn:aws:iam::111122223333:role/service/backup";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const CAROL: &str = "arn:aws:iam::444455556666:user/carol";
const ACCOUNT: &str = "arn:aws:iam::111122223333:root";
const OTHER: &str = "arn:aws:iam::444455556666:root";
const SOURCE: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/T";

/// `a=1 b=2`
fn pairs(text: &str) -> EncryptionContext {
    let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).expect("a pair");
    text.split_whitespace().map(pair).collect()
}

/// `Decrypt CreateGrant | subset a=1 b=2 | source`
fn terms(text: &str) -> GrantTerms {
    let mut parts = text.split('|').map(str::trim);
    let words = parts.next().unwrap_or_default().split_whitespace();
    let find = |word: &str| GrantOperation::ALL.iter().copied().find(|one| one.as_str() == word).expect("a word");
    let mut terms = GrantTerms {
        grantee: Party::Principal(ALICE.to_owned()),
        retiring: None,
        operations: words.map(find).collect(),
        context: None,
        source_arn: None,
        name: None,
    };
    for part in parts {
        match part.split_once(' ').unwrap_or((part, "")) {
            ("subset", text) => terms.context = Some(ContextConstraint::Subset(pairs(text))),
            ("equals", text) => terms.context = Some(ContextConstraint::Equals(pairs(text))),
            ("source", _) => terms.source_arn = Some(SOURCE.to_owned()),
            (other, _) => panic!("{other}"),
        }
    }
    terms
}

/// Child, parent, whether the parent gives leave to it.
const WITHIN: [(&str, &str, bool); 26] = [
    ("Decrypt", "Decrypt CreateGrant", true),
    ("Decrypt CreateGrant", "Decrypt CreateGrant", true),
    ("CreateGrant", "Decrypt CreateGrant", true),
    ("Encrypt", "Decrypt CreateGrant", false),
    ("Decrypt Encrypt", "Decrypt CreateGrant", false),
    ("Decrypt RetireGrant", "Decrypt CreateGrant", false),
    ("Decrypt | subset a=1", "Decrypt CreateGrant", true),
    ("Decrypt | equals a=1", "Decrypt CreateGrant", true),
    ("Decrypt", "Decrypt CreateGrant | subset a=1", false),
    ("DescribeKey", "DescribeKey CreateGrant | subset a=1", false),
    ("Decrypt | subset a=1", "Decrypt CreateGrant | subset a=1", true),
    ("Decrypt | subset a=1 b=2", "Decrypt CreateGrant | subset a=1", true),
    ("Decrypt | subset b=2", "Decrypt CreateGrant | subset a=1", false),
    ("Decrypt | subset a=2", "Decrypt CreateGrant | subset a=1", false),
    ("Decrypt | subset A=1", "Decrypt CreateGrant | subset a=1", false),
    ("Decrypt | subset a=1", "Decrypt CreateGrant | subset a=1 b=2", false),
    ("Decrypt | equals a=1", "Decrypt CreateGrant | subset a=1", true),
    ("Decrypt | equals a=1 b=2", "Decrypt CreateGrant | subset a=1", true),
    ("Decrypt | equals b=2", "Decrypt CreateGrant | subset a=1", false),
    ("Decrypt | equals a=1", "Decrypt CreateGrant | equals a=1", true),
    ("Decrypt | equals a=1 b=2", "Decrypt CreateGrant | equals a=1", false),
    ("Decrypt | subset a=1", "Decrypt CreateGrant | equals a=1", false),
    ("Decrypt | source", "Decrypt CreateGrant", true),
    ("Decrypt", "Decrypt CreateGrant | source", false),
    ("Decrypt | source", "Decrypt CreateGrant | source", true),
    ("Decrypt | subset a=1", "Decrypt CreateGrant | subset a=1 | source", false),
];

#[test]
fn what_a_parent_gives_leave_to() {
    for (child, parent, expected) in WITHIN {
        assert_eq!(terms(child).is_within(&terms(parent)), expected, "{child} under {parent}");
    }
    // What a grantee passes on, the next one passes on no further than that.
    for (child, parent, _) in WITHIN.iter().filter(|(.., within)| *within) {
        for (grandchild, other, _) in WITHIN.iter().filter(|(_, other, within)| other == child && *within) {
            assert!(terms(grandchild).is_within(&terms(parent)), "{grandchild} under {other} under {parent}");
        }
    }
    let elsewhere = GrantTerms { source_arn: Some("arn:aws:s3::111122223333:x".to_owned()), ..terms("Decrypt") };
    assert!(!elsewhere.is_within(&terms("Decrypt | source")));
}

#[test]
fn who_may_retire() {
    use Retirement::{Allowed as Y, IfDelegated as D, Refused as N};
    let subject = |kind, account, arn| Subject { kind, account, canonical_id: "", arn, user_id: "" };
    let (own, other) = ("111122223333", "444455556666");
    let session = "arn:aws:sts::111122223333:assumed-role/backup/nightly";
    let subjects = [
        subject(SubjectKind::Root, own, ACCOUNT),
        subject(SubjectKind::User { name: "alice" }, own, ALICE),
        subject(SubjectKind::RoleSession { role_arn: ROLE }, own, session),
        subject(SubjectKind::Root, other, OTHER),
        subject(SubjectKind::User { name: "carol" }, other, CAROL),
        subject(SubjectKind::Service { name: "s3.amazonaws.com" }, "", ""),
        Subject::ANONYMOUS,
    ];
    let arn = |text: &str| Party::Principal(text.to_owned());
    let service = || Party::Service("S3.amazonaws.com".to_owned());
    #[rustfmt::skip]
    let table = [
        // grantee, operations, retiring,        root alice session other carol service nobody
        (arn(ALICE), "Decrypt", None,             [Y,  D,    D,      N,    N,    N,      N]),
        (arn(ALICE), "Decrypt RetireGrant", None, [Y,  Y,    D,      N,    N,    N,      N]),
        (arn(ALICE), "RetireGrant | equals a=1 | source", None, [Y, Y, D, N, N,  N,      N]),
        (arn(ALICE), "Decrypt", Some(arn(ROLE)),  [Y,  D,    Y,      N,    N,    N,      N]),
        (arn(CAROL), "Decrypt", None,             [Y,  D,    D,      N,    N,    N,      N]),
        (arn(CAROL), "RetireGrant", None,         [Y,  D,    D,      N,    Y,    N,      N]),
        (arn(OTHER), "RetireGrant", None,         [Y,  D,    D,      Y,    D,    N,      N]),
        (arn(ALICE), "Decrypt", Some(arn(OTHER)), [Y,  D,    D,      Y,    D,    N,      N]),
        (service(), "Decrypt", Some(service()),   [Y,  D,    D,      N,    N,    Y,      N]),
        (service(), "Decrypt", Some(arn(CAROL)),  [Y,  D,    D,      N,    Y,    N,      N]),
    ];
    for (grantee, operations, retiring, expected) in table {
        let terms = GrantTerms { grantee, retiring, ..terms(operations) };
        let found = subjects.map(|subject| terms.retirement([own, own], &subject));
        assert_eq!(found, expected, "{terms:?}");
    }
    let made_elsewhere = terms("Decrypt");
    let found = subjects.map(|subject| made_elsewhere.retirement([other, own], &subject));
    assert_eq!(found, [Y, D, D, Y, D, N, N], "the account under which it was made");
}

#[test]
fn operations_of_kinds_of_keys() {
    const TABLE: &str = "\
        SYMMETRIC_DEFAULT ENCRYPT_DECRYPT: Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext \
        ReEncryptFrom ReEncryptTo GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext\n\
        RSA_2048 ENCRYPT_DECRYPT: Decrypt Encrypt ReEncryptFrom ReEncryptTo GetPublicKey\n\
        RSA_2048 SIGN_VERIFY: Sign Verify GetPublicKey\n\
        ECC_NIST_P256 SIGN_VERIFY: Sign Verify GetPublicKey\n\
        ECC_NIST_P256 KEY_AGREEMENT: GetPublicKey DeriveSharedSecret\n\
        ECC_NIST_EDWARDS25519 SIGN_VERIFY: Sign Verify GetPublicKey\n\
        ML_DSA_44 SIGN_VERIFY: Sign Verify GetPublicKey\n\
        ML_KEM_768 ENCAPSULATE_DECAPSULATE: GetPublicKey Encapsulate Decapsulate\n\
        HMAC_256 GENERATE_VERIFY_MAC: GenerateMac VerifyMac\n";
    let specs = [
        KeySpec::SymmetricDefault,
        KeySpec::Rsa2048,
        KeySpec::P256,
        KeySpec::Ed25519,
        KeySpec::MlDsa44,
        KeySpec::MlKem768,
        KeySpec::Hmac256,
    ];
    let of_all = [GrantOperation::CreateGrant, GrantOperation::RetireGrant, GrantOperation::DescribeKey];
    let mut printed = String::new();
    for spec in specs {
        for kind in spec.abilities().usages.iter().filter_map(|usage| KeyKind::new(spec, *usage)) {
            let fitting: Vec<_> = GrantOperation::ALL.iter().filter(|operation| operation.fits(kind)).collect();
            assert!(of_all.iter().all(|operation| fitting.contains(&operation)), "{kind:?}");
            let own = fitting.into_iter().filter(|operation| !of_all.contains(operation));
            let names: Vec<_> = own.map(|operation| operation.as_str()).collect();
            printed += &format!("{spec} {}: {}\n", kind.usage(), names.join(" "));
        }
    }
    assert_eq!(printed, TABLE);
}

#[test]
fn terms_that_do_not_go_together() {
    let code = |terms: GrantTerms| NewGrant::new(terms).err().map(|error| (error.code(), error.message().unwrap()));
    let validation = |text: &str| Some(("ValidationException", text.to_owned()));
    assert_eq!(code(terms("Decrypt")), None);
    let only = validation("Grants must not contain only the CreateGrant operation.");
    assert_eq!(code(terms("CreateGrant")), only);
    assert_eq!(code(terms("CreateGrant CreateGrant")), only);
    assert_eq!(code(terms("CreateGrant DescribeKey")), None);
    let nobody = "arn:aws:iam::111122223333:group/g";
    let invalid = Some(("InvalidArnException", format!("ARN does not refer to a valid principal: {nobody}")));
    assert_eq!(code(GrantTerms { grantee: Party::Principal(nobody.to_owned()), ..terms("Decrypt") }), invalid);
    assert_eq!(code(GrantTerms { retiring: Some(Party::Principal(nobody.to_owned())), ..terms("Decrypt") }), invalid);
    let service = |terms: GrantTerms| GrantTerms { grantee: Party::Service("s3.amazonaws.com".to_owned()), ..terms };
    let retired = |terms: GrantTerms| GrantTerms { retiring: Some(Party::Principal(ALICE.to_owned())), ..terms };
    assert!(code(service(retired(terms("Decrypt")))).unwrap().1.contains("SourceArn"));
    assert!(code(service(terms("Decrypt | source"))).unwrap().1.contains("RetiringPrincipal"));
    assert_eq!(code(service(retired(terms("Decrypt | source")))), None);

    let made = NewGrant::new(terms("Decrypt Encrypt Decrypt | subset")).unwrap();
    assert_eq!(made.terms(), &terms("Decrypt Encrypt"), "once each, and a constraint that constrains nothing is none");
    let none_at_all = NewGrant::new(terms("Decrypt | equals")).unwrap();
    assert_eq!(none_at_all.terms(), &terms("Decrypt | equals"), "this one allows only requests without a context");

    let kind = |spec, usage| KeyKind::new(spec, usage).unwrap();
    let check = |text: &str, kind| NewGrant::new(terms(text)).unwrap().check_kind(kind);
    assert!(check("Decrypt | equals a=1", KeyKind::SYMMETRIC).is_ok());
    assert!(check("Sign", KeyKind::SYMMETRIC).is_err());
    assert!(check("Decrypt", kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt)).is_ok());
    assert!(check("Decrypt | equals a=1", kind(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt)).is_err());
    assert!(check("VerifyMac | source", kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac)).is_ok());
    assert!(check("DescribeKey | subset a=1", kind(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac)).is_err());
}

#[test]
fn what_policies_are_told_of_a_new_grant() {
    let told = |terms: GrantTerms| {
        let new = NewGrant::new(terms).unwrap();
        let keys = new.condition_keys();
        let shown = keys.into_iter().map(|(key, value)| match value {
            Value::Text(text) => format!("{}={text}", key.name()),
            other => format!("{}={other:?}", key.name()),
        });
        let context = new.encryption_context().into_iter().flatten().map(|(k, v)| format!("{k}={v}"));
        shown.chain(context).collect::<Vec<_>>().join("\n")
    };
    let parties =
        GrantTerms { retiring: Some(Party::Principal(ROLE.to_owned())), ..terms("Decrypt Encrypt | subset a=1") };
    assert_eq!(
        told(parties),
        format!(
            "kms:GrantIsForAWSResource=Bool(false)\nkms:GranteePrincipal={ALICE}\nkms:RetiringPrincipal={ROLE}\n\
             kms:GrantOperations=Decrypt\nkms:GrantOperations=Encrypt\n\
             kms:GrantConstraintType=EncryptionContextSubset\na=1"
        )
    );
    let service = || Party::Service("s3.amazonaws.com".to_owned());
    let services =
        GrantTerms { grantee: service(), retiring: Some(service()), ..terms("Decrypt | equals a=1 | source") };
    assert_eq!(
        told(services),
        format!(
            "kms:GrantIsForAWSResource=Bool(false)\nkms:GranteeServicePrincipal=s3.amazonaws.com\n\
             kms:RetiringServicePrincipal=s3.amazonaws.com\nkms:GrantOperations=Decrypt\n\
             kms:GrantConstraintType=EncryptionContextEquals\nkms:GrantConstraintSourceArn={SOURCE}\na=1"
        )
    );
}
