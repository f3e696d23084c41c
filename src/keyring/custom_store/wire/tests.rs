//! The wire shapes, against `fixtures/xks`.

use super::*;

fn fixture(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/xks").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn metadata(of: &Value) -> RequestMetadata {
    let text = |name: &str| of[name].as_str().map(str::to_owned);
    let operation = ["Encrypt", "Decrypt", "CreateKey", "CreateCustomKeyStore", "GenerateDataKey"];
    RequestMetadata {
        principal: text("awsPrincipalArn"),
        key_arn: text("kmsKeyArn"),
        operation: operation.into_iter().find(|known| of["kmsOperation"] == *known).unwrap(),
        request_id: text("kmsRequestId").unwrap(),
        via_service: text("kmsViaService"),
    }
}

fn bytes(of: &Value) -> Vec<u8> {
    STANDARD.decode(of.as_str().unwrap_or_default()).unwrap()
}

#[test]
fn requests() {
    for case in fixture("requests.json").as_array().unwrap() {
        let request = &case["request"];
        let metadata = metadata(&request["requestMetadata"]);
        let aad = bytes(&request["additionalAuthenticatedData"]);
        let rendered = match case["api"].as_str().unwrap() {
            "encrypt" => render_encrypt(&metadata, &bytes(&request["plaintext"]), &aad),
            "decrypt" => {
                let encrypted = Encrypted {
                    ciphertext: bytes(&request["ciphertext"]),
                    metadata: bytes(&request["ciphertextMetadata"]),
                    iv: bytes(&request["initializationVector"]),
                    tag: bytes(&request["authenticationTag"]).try_into().unwrap(),
                };
                render_decrypt(&metadata, &encrypted, &aad)
            }
            _ => render_question(&metadata),
        };
        assert_eq!(serde_json::from_str::<Value>(&rendered).unwrap(), *request, "{}", case["about"]);
    }
}

#[test]
fn answers() {
    for case in fixture("answers.json").as_array().unwrap() {
        let answer = match &case["answer"] {
            Value::String(text) => text.clone(),
            object => object.to_string(),
        };
        let body = answer.as_bytes();
        let found = match case["api"].as_str().unwrap() {
            "health" => parse_health(body).map(|()| "ok".to_owned()),
            "metadata" => parse_key_metadata(body).map(|fit| fit.map_or_else(|u| format!("{u:?}"), |()| "ok".into())),
            "encrypt" => {
                let plain_len = usize::try_from(case["plain_bytes"].as_u64().unwrap()).unwrap();
                parse_encrypted(body, plain_len, &bytes(&case["aad"])).map(|_| "ok".to_owned())
            }
            _ => {
                let cipher_len = usize::try_from(case["cipher_bytes"].as_u64().unwrap()).unwrap();
                parse_decrypted(body, cipher_len).map(|plain| String::from_utf8(plain).unwrap())
            }
        };
        let shown = found.unwrap_or_else(|failure| format!("{failure:?}"));
        assert_eq!(case["is"], shown, "{}", case["about"]);
    }
}

#[test]
fn failures() {
    for case in fixture("failures.json").as_array().unwrap() {
        let body = match &case["answer"] {
            Value::String(text) => text.clone(),
            object => object.to_string(),
        };
        let (failure, words) = parse_failure(body.as_bytes());
        let code = |error: crate::keyring::KeyringError| error.code();
        let found = [code(failure.of_store()), code(failure.of_new_key()), code(failure.of_use())];
        let expected = ["store", "new_key", "use"].map(|name| case[name].as_str().unwrap());
        assert_eq!(found, expected, "{body}");
        assert_eq!(case["connection"], failure.of_connection().name(), "{body}");
        let text = failure.of_use().message().unwrap();
        assert!(text.starts_with(case["text"].as_str().unwrap()), "{body}: {text}");
        assert!(!text.contains("SECRET") && !words.contains('\n'), "{body}: {words:?}");
    }
}
