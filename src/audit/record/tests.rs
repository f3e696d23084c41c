use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::audit::chain::{Link, Writer};
use crate::audit::export;
use crate::auth::{Account, SignatureKind, system};
use crate::names::{CanonicalId, Region};
use crate::wire::TlsInfo;

const ACCOUNT: &str = "111122223333";
const KEY_ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
/// 2026-11-25T02:00:00Z
const START: Timestamp = Timestamp(1_795_572_000_000);

fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

fn facts(source_ip: &str, user_agent: &str) -> RequestFacts {
    RequestFacts {
        request_id: "0123456789ABCDEF".to_owned(),
        received: START,
        source_ip: source_ip.parse::<IpAddr>().unwrap(),
        user_agent: user_agent.to_owned(),
        referer: None,
        secure: true,
        confidential: true,
        tls: None,
        host: "kms.example.com".to_owned(),
        region: Region::parse("us-east-1").unwrap(),
        signature: SignatureKind::V4Header,
        signed: None,
    }
}

/// An event of the key module. Its access does not matter: the tests give [`render`] a caller and a request.
fn event(name: &'static str) -> Event {
    Event {
        access: system("test", Region::parse("us-east-1").unwrap(), START),
        source: "kms.amazonaws.com",
        name,
        kind: EventKind::ApiCall,
        request: Value::Null,
        response: Value::Null,
        additional: Value::Null,
        error: None,
        read_only: false,
        management: true,
        resources: vec![EventResource { account: Some(account()), kind: "AWS::KMS::Key", arn: KEY_ARN.to_owned() }],
        via_s3: false,
        recipient: account(),
    }
}

fn listed() -> Account {
    let id = account();
    Account { canonical_id: CanonicalId::of_account(&id), id, display_name: String::new(), email: None }
}

fn alice() -> Principal {
    Principal::user(&listed(), "alice", Vec::new())
}

fn who<'a>(principal: &'a Principal, access_key_id: Option<&'a str>) -> Who<'a> {
    Who { access_key_id, ..Who::principal(principal) }
}

/// Who the program's own jobs and those are who did not sign: they have neither account nor ARN.
fn nobody(kind: &CallerKind) -> Who<'_> {
    Who { kind, account: None, arn: "", user_id: "", session: None, access_key_id: None }
}

fn rendered(event: &Event) -> Value {
    let alice = alice();
    let stamp = Stamp::new(&Sources::seeded(1, START));
    let text = render(event, who(&alice, None), &facts("203.0.113.7", "aws-cli/2"), &stamp);
    serde_json::from_str(&text).unwrap()
}

fn create_key(root: &Principal, stamp: &Stamp) -> String {
    let event = Event {
        request: json!({"description": "schlüssel \"1\"", "multiRegion": false}),
        response: json!({"keyMetadata": {"keyId": KEY_ARN, "arn": KEY_ARN}}),
        ..event("CreateKey")
    };
    let tls = TlsInfo { version: "TLSv1.3", cipher_suite: "TLS_AES_256_GCM_SHA384".to_owned() };
    let facts = RequestFacts { tls: Some(tls), ..facts("203.0.113.7", "aws-cli/2") };
    render(&event, who(root, Some("MAINACCESSKEY0000000")), &facts, stamp)
}

fn generate_data_key_by_s3(alice: &Principal, stamp: &Stamp) -> String {
    let context = json!({"aws:s3:arn": "arn:aws:s3:::bucket/key"});
    let event = Event {
        request: json!({"keyId": KEY_ARN, "keySpec": "AES_256", "encryptionContext": context}),
        additional: json!({"keyMaterialId": "ab".repeat(32)}),
        read_only: true,
        via_s3: true,
        ..event("GenerateDataKey")
    };
    let tls = TlsInfo { version: "TLSv1.2", cipher_suite: "not the key module's".to_owned() };
    let facts = RequestFacts { tls: Some(tls), ..facts("203.0.113.7", "aws-cli/2") };
    render(&event, who(alice, Some("ALICEACCESSKEY000000")), &facts, stamp)
}

fn rotate_key(stamp: &Stamp) -> String {
    let event = Event { request: json!({"keyId": KEY_ARN}), kind: EventKind::ServiceEvent, ..event("RotateKey") };
    let facts = RequestFacts { request_id: String::new(), ..facts("127.0.0.1", "") };
    render(&event, nobody(&CallerKind::System { job: "rotation" }), &facts, stamp)
}

fn get_object_denied(stamp: &Stamp) -> String {
    let object =
        EventResource {
            account: Some(account()), kind: "AWS::S3::Object", arn: "arn:aws:s3:::bucket/ключ".to_owned()
        };
    let bucket = EventResource { kind: "AWS::S3::Bucket", arn: "arn:aws:s3:::bucket".to_owned(), ..object.clone() };
    let event = Event {
        source: "s3.amazonaws.com",
        request: json!({"key": "ключ\n\u{1}\u{7f}𝄞", "bucketName": "bucket"}),
        error: Some(("AccessDenied".to_owned(), "Access Denied".to_owned())),
        read_only: true,
        management: false,
        resources: vec![object, bucket],
        ..event("GetObject")
    };
    render(&event, nobody(&CallerKind::Anonymous), &facts("2001:db8::1", "curl/8"), stamp)
}

/// The same trail as `fixtures/audit/golden.py` describes.
#[test]
fn golden_trail() {
    let sources = Sources::seeded(11, START);
    let (root, alice) = (Principal::root(&listed()), alice());
    let mut records =
        vec![create_key(&root, &Stamp::new(&sources)), generate_data_key_by_s3(&alice, &Stamp::new(&sources))];
    sources.advance(Duration::from_secs(3600));
    records.push(rotate_key(&Stamp::new(&sources)));
    records.push(get_object_denied(&Stamp::new(&sources)));

    let mut writer = Writer::new(Link::GENESIS);
    let mut out = Vec::new();
    export::write_start(&mut out, &[7; 16], Link::GENESIS).unwrap();
    for record in &records {
        export::write_record(&mut out, writer.append(record.as_bytes()), record).unwrap();
    }
    writer.settle(true);
    export::write_end(&mut out, writer.durable()).unwrap();
    let expected = include_str!("../../../fixtures/audit/chain.jsonl");
    for (line, expected) in String::from_utf8(out).unwrap().lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(expected.lines().count(), records.len() + 2);
}

#[test]
fn secrets_never_reach_a_record() {
    let canary = "c2VjcmV0IGNhbmFyeQ";
    for name in SECRETS.into_iter().chain(["Plaintext", "CiphertextBlob", "GrantTokens", "X-Amz-Signature"]) {
        let slip = json!({ name: canary, "keyId": KEY_ARN });
        let event = Event { request: slip.clone(), response: slip.clone(), additional: slip, ..event("Decrypt") };
        let record = rendered(&event);
        assert!(!record.to_string().contains(canary), "{name}");
        for element in ["requestParameters", "responseElements", "additionalEventData"] {
            assert_eq!(record[element][name], "HIDDEN_DUE_TO_SECURITY_REASONS", "{name}");
            assert_eq!(record[element]["keyId"], KEY_ARN);
        }
    }
    // An encryption context is no secret, whatever its keys are called.
    let event = Event { request: json!({"encryptionContext": {"message": "as it was"}}), ..event("Decrypt") };
    assert_eq!(rendered(&event)["requestParameters"]["encryptionContext"]["message"], "as it was");
}

#[test]
fn large_elements_are_left_out() {
    for (element, limit) in [
        ("requestParameters", PARAMETERS_MAX_BYTES),
        ("responseElements", PARAMETERS_MAX_BYTES),
        ("additionalEventData", ADDITIONAL_MAX_BYTES),
    ] {
        for size in [limit, limit + 1] {
            let value = json!({"k": "v".repeat(size - r#"{"k":""}"#.len())});
            let mut event = Event { via_s3: true, ..event("CreateKey") };
            match element {
                "requestParameters" => event.request = value.clone(),
                "responseElements" => event.response = value.clone(),
                _ => event.additional = value.clone(),
            }
            let found = &rendered(&event)[element];
            if size == limit {
                assert_eq!(found["k"], value["k"]);
            } else {
                assert_eq!(found["omitted"], true);
                assert_eq!(found["originalSize"], size);
                assert_eq!(found["reason"], format!("{element} too large"));
            }
        }
    }
}

#[test]
fn error_texts_are_cut_between_characters() {
    let long = "é".repeat(ERROR_MAX_BYTES / 2);
    let event = Event { error: Some((long.clone() + "x", "a".to_owned() + &long)), ..event("CreateKey") };
    let record = rendered(&event);
    assert_eq!(record["errorCode"], long);
    assert_eq!(record["errorMessage"].as_str().unwrap().len(), ERROR_MAX_BYTES - 1);
}

#[test]
fn absent_elements() {
    let record = rendered(&Event { resources: Vec::new(), ..event("ListKeys") });
    for name in ["requestParameters", "responseElements"] {
        assert_eq!(record.get(name), Some(&Value::Null), "CloudTrail writes null here");
    }
    for name in ["resources", "errorCode", "errorMessage", "additionalEventData", "tlsDetails", "serviceEventDetails"] {
        assert_eq!(record.get(name), None, "{name}");
    }
}

#[test]
fn a_caller_that_acts_through_s3_keeps_its_identity() {
    let event = Event { via_s3: true, ..event("Decrypt") };
    let record = rendered(&event);
    assert_eq!(record["userIdentity"]["arn"], "arn:aws:iam::111122223333:user/alice");
    assert_eq!(record["userIdentity"]["invokedBy"], "AWS Internal");
    assert_eq!(record["additionalEventData"], json!({"parentRequestID": "0123456789ABCDEF"}));
    assert_ne!(record["requestID"], "0123456789ABCDEF", "S3's request is the parent, not the call itself");
}

#[test]
fn uuids() {
    let sources = Sources::seeded(1, START);
    for _ in 0..100 {
        let id = uuid_v4(&sources);
        let groups: Vec<&str> = id.split('-').collect();
        assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{id}");
    }
    assert_ne!(uuid_v4(&sources), uuid_v4(&sources));
}
