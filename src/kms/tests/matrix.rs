//! Every operation that uses a key, on a key of every kind and in every state.

use serde_json::{Value, json};

use super::*;
use crate::names::{KeyKind, KeySpec, KeyUsage};

/// What gets past the check of usage and spec, and what it answers if not that the dry run passed.
const TABLE: &str = "\
SYMMETRIC_DEFAULT ENCRYPT_DECRYPT: Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext \
GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext
RSA_2048 ENCRYPT_DECRYPT: Encrypt Decrypt ReEncrypt GetPublicKey
RSA_2048 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
RSA_3072 ENCRYPT_DECRYPT: Encrypt Decrypt ReEncrypt GetPublicKey
RSA_3072 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
RSA_4096 ENCRYPT_DECRYPT: Encrypt Decrypt ReEncrypt GetPublicKey
RSA_4096 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ECC_NIST_P256 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ECC_NIST_P256 KEY_AGREEMENT: DeriveSharedSecret GetPublicKey
ECC_NIST_P384 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ECC_NIST_P384 KEY_AGREEMENT: DeriveSharedSecret GetPublicKey
ECC_NIST_P521 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ECC_NIST_P521 KEY_AGREEMENT: DeriveSharedSecret GetPublicKey
ECC_SECG_P256K1 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ECC_NIST_EDWARDS25519 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ML_DSA_44 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ML_DSA_65 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ML_DSA_87 SIGN_VERIFY: Sign Verify=KMSInvalidSignatureException GetPublicKey
ML_KEM_512 ENCAPSULATE_DECAPSULATE: Encapsulate Decapsulate=InvalidCiphertextException GetPublicKey
ML_KEM_768 ENCAPSULATE_DECAPSULATE: Encapsulate Decapsulate=InvalidCiphertextException GetPublicKey
ML_KEM_1024 ENCAPSULATE_DECAPSULATE: Encapsulate Decapsulate=InvalidCiphertextException GetPublicKey
HMAC_224 GENERATE_VERIFY_MAC: GenerateMac VerifyMac=KMSInvalidMacException
HMAC_256 GENERATE_VERIFY_MAC: GenerateMac VerifyMac=KMSInvalidMacException
HMAC_384 GENERATE_VERIFY_MAC: GenerateMac VerifyMac=KMSInvalidMacException
HMAC_512 GENERATE_VERIFY_MAC: GenerateMac VerifyMac=KMSInvalidMacException
";

/// A dry run of every operation that uses a key, with what the key's kind makes of it an algorithm of its own.
fn uses(kind: KeyKind, key_id: &str, public_key: &Value) -> Vec<(&'static str, Value)> {
    let own = |usage: KeyUsage, other: &'static str| {
        if kind.usage() == usage { *kind.algorithms().1.last().expect("every kind has one") } else { other }
    };
    let encryption = own(KeyUsage::EncryptDecrypt, "RSAES_OAEP_SHA_1");
    let signing = own(KeyUsage::SignVerify, "ECDSA_SHA_256");
    let mac = own(KeyUsage::GenerateVerifyMac, "HMAC_SHA_256");
    let message = STANDARD.encode("message");
    let ignore = json!(["IGNORE_CIPHERTEXT"]);
    let peer = public_key.as_str().unwrap_or(&message);
    let requests = [
        ("Encrypt", json!({ "Plaintext": message, "EncryptionAlgorithm": encryption })),
        ("Decrypt", json!({ "DryRunModifiers": ignore, "EncryptionAlgorithm": encryption })),
        (
            "ReEncrypt",
            json!({
                "SourceKeyId": key_id, "SourceEncryptionAlgorithm": encryption, "DryRunModifiers": ignore,
                "DestinationKeyId": key_id, "DestinationEncryptionAlgorithm": encryption,
            }),
        ),
        ("GenerateDataKey", json!({ "KeySpec": "AES_256" })),
        ("GenerateDataKeyWithoutPlaintext", json!({ "NumberOfBytes": 64 })),
        ("GenerateDataKeyPair", json!({ "KeyPairSpec": "ECC_NIST_P256" })),
        ("GenerateDataKeyPairWithoutPlaintext", json!({ "KeyPairSpec": "RSA_2048" })),
        ("Sign", json!({ "Message": message, "SigningAlgorithm": signing })),
        ("Verify", json!({ "Message": message, "SigningAlgorithm": signing, "Signature": message })),
        ("GenerateMac", json!({ "Message": message, "MacAlgorithm": mac })),
        ("VerifyMac", json!({ "Message": message, "MacAlgorithm": mac, "Mac": message })),
        ("DeriveSharedSecret", json!({ "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer })),
        ("Encapsulate", json!({ "EncapsulationAlgorithm": "ML_KEM" })),
        ("Decapsulate", json!({ "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": message })),
        ("GetPublicKey", json!({})),
    ];
    let common = |mut request: Value| {
        request["KeyId"] = key_id.into();
        request["DryRun"] = true.into();
        request
    };
    requests.into_iter().map(|(call, request)| (call, common(request))).collect()
}

/// A world, and how many records it has: the list of all of them would be read a thousand times.
struct Asked {
    world: World,
    records: u64,
}

impl Asked {
    /// The error's name, or the empty string; and the answer.
    async fn ask(&mut self, call: &str, request: &Value) -> (String, Value) {
        let (_, _, body) = self.world.send(&plain(&format!("TrentService.{call}"), &request.to_string())).await;
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        let records = self.world.fixture.audit.list(self.records, 2).await.unwrap();
        assert_eq!(records.len(), 1, "{call}: {records:?}");
        self.records += 1;
        let event: Value = serde_json::from_str(&records[0].json).unwrap();
        assert_eq!(event["eventName"], call);
        assert_eq!(event.get("errorCode").filter(|code| !code.is_null()), body.get("__type"), "{call}");
        (body["__type"].as_str().unwrap_or_default().to_owned(), body)
    }
}

/// What of the operations gets past the check of usage and spec.
async fn row(asked: &mut Asked, kind: KeyKind, key: &Value, public_key: &Value) -> String {
    let mut passed = Vec::new();
    for (call, request) in uses(kind, key["KeyId"].as_str().unwrap(), public_key) {
        let (code, body) = asked.ask(call, &request).await;
        let arn = key["Arn"].as_str().unwrap();
        match code.as_str() {
            "" | "DryRunOperationException" => passed.push(call.to_owned()),
            "UnsupportedOperationException" => assert_eq!(call, "GetPublicKey"),
            "InvalidKeyUsageException" => {
                let spec = format!("{arn} key spec is {} which is not valid for {call}.", kind.spec());
                let usage = format!("{arn} key usage is {} which is not valid for {call}.", kind.usage());
                assert!(body["message"] == spec || body["message"] == usage, "{kind:?} {call}: {body}");
            }
            other => passed.push(format!("{call}={other}")),
        }
    }
    passed.join(" ")
}

async fn refused(asked: &mut Asked, kind: KeyKind, key: &Value, expected: &str) {
    for (call, request) in uses(kind, key["KeyId"].as_str().unwrap(), &Value::Null) {
        assert_eq!(asked.ask(call, &request).await.0, expected, "{kind:?} {call}");
    }
}

#[tokio::test]
async fn every_use_of_every_kind_of_key_in_every_state() {
    let mut asked = Asked { world: World::new(200).await, records: 0 };
    let mut printed = String::new();
    for spec in KeySpec::ALL {
        for kind in spec.abilities().usages.iter().filter_map(|usage| KeyKind::new(*spec, *usage)) {
            let request = json!({ "KeySpec": spec.as_str(), "KeyUsage": kind.usage().as_str() });
            let key = asked.ask("CreateKey", &request).await.1["KeyMetadata"].clone();
            let id = json!({ "KeyId": key["KeyId"] });
            assert_eq!(asked.ask("DescribeKey", &id).await.1["KeyMetadata"], key);
            let names = key.as_object().unwrap().keys().map(String::as_str);
            let lists: Vec<_> = names.filter(|name| name.ends_with("Algorithms")).collect();
            let (list, algorithms) = kind.algorithms();
            assert_eq!((lists, &key[list]), (vec![list], &json!(algorithms)), "{kind:?}");
            let public_key = asked.ask("GetPublicKey", &id).await.1["PublicKey"].clone();
            printed += &format!("{spec} {}: {}\n", kind.usage(), row(&mut asked, kind, &key, &public_key).await);
            asked.ask("DisableKey", &id).await;
            refused(&mut asked, kind, &key, "DisabledException").await;
            asked.ask("ScheduleKeyDeletion", &id).await;
            refused(&mut asked, kind, &key, "KMSInvalidStateException").await;
        }
    }
    assert_eq!(printed, TABLE);
}
