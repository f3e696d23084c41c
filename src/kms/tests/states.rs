//! Every operation that manages a key, on a key in every state that needs no custom key store.

use serde_json::{Value, json};

use super::*;

/// `.` is success, otherwise the end of the error's text: disabled, deletion, import, not (pending deletion), origin,
/// primary (it is no such key).
const TABLE: &str = "\
call                      Enabled  Disabled PendingDeletion PendingImport PendingReplicaDeletion
DescribeKey               .        .        .               .             .
GetKeyPolicy              .        .        .               .             .
PutKeyPolicy              .        .        .               .             .
ListKeyPolicies           .        .        .               .             .
ListResourceTags          .        .        .               .             .
ListGrants                .        .        .               .             .
ListAliases               .        .        .               .             .
ListKeyRotations          .        .        .               .             .
GetKeyRotationStatus      .        .        .               .             .
GetKeyLastUsage           .        .        .               .             .
EnableKey                 .        .        deletion        import        deletion
DisableKey                .        .        deletion        import        deletion
TagResource               .        .        deletion        .             deletion
UntagResource             .        .        deletion        .             deletion
UpdateKeyDescription      .        .        deletion        .             deletion
CreateAlias               .        .        deletion        .             deletion
UpdateAlias               .        .        deletion        .             deletion
CreateGrant               .        disabled deletion        import        deletion
EnableKeyRotation         .        disabled deletion        origin        deletion
DisableKeyRotation        .        disabled deletion        origin        deletion
RotateKeyOnDemand         .        disabled deletion        import        deletion
GetParametersForImport    origin   origin   origin          .             origin
DeleteImportedKeyMaterial origin   origin   origin          .             origin
ReplicateKey              primary  disabled deletion        import        deletion
UpdatePrimaryRegion       primary  disabled deletion        import        deletion
CancelKeyDeletion         not      not      .               not           .
ScheduleKeyDeletion       .        .        deletion        .             deletion
";

const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*",
    "Principal":{"AWS":"arn:aws:iam::111122223333:root"}}]}"#;

fn request(call: &str, key_id: &str) -> Value {
    let mut request = match call {
        "CreateAlias" => return json!({ "AliasName": format!("alias/{key_id}"), "TargetKeyId": key_id }),
        "UpdateAlias" => return json!({ "AliasName": "alias/moved", "TargetKeyId": key_id }),
        "PutKeyPolicy" => json!({ "Policy": ALLOW_ALL }),
        "TagResource" => json!({ "Tags": [{ "TagKey": "a", "TagValue": "b" }] }),
        "UntagResource" => json!({ "TagKeys": ["a"] }),
        "UpdateKeyDescription" => json!({ "Description": "other" }),
        "CreateGrant" => json!({ "GranteePrincipal": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt"] }),
        "GetParametersForImport" => json!({ "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048" }),
        "ReplicateKey" => json!({ "ReplicaRegion": "eu-west-1" }),
        "UpdatePrimaryRegion" => json!({ "PrimaryRegion": "eu-west-1" }),
        _ => json!({}),
    };
    request["KeyId"] = key_id.into();
    request
}

async fn ask(world: &World, call: &str, request: &Value) -> Value {
    let (_, _, body) = world.send(&plain(&format!("TrentService.{call}"), &request.to_string())).await;
    if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() }
}

async fn key_in(world: &World, state: &str) -> String {
    let (new, steps): (Value, &[&str]) = match state {
        "Disabled" => (json!({}), &["DisableKey"]),
        "PendingDeletion" => (json!({}), &["ScheduleKeyDeletion"]),
        "PendingImport" => (json!({ "Origin": "EXTERNAL" }), &[]),
        "PendingReplicaDeletion" => (json!({ "MultiRegion": true }), &["ReplicateKey", "ScheduleKeyDeletion"]),
        _ => (json!({}), &[]),
    };
    let made = ask(world, "CreateKey", &new).await;
    let id = made["KeyMetadata"]["KeyId"].as_str().expect("a key").to_owned();
    for call in steps {
        ask(world, call, &request(call, &id)).await;
    }
    let described = ask(world, "DescribeKey", &json!({ "KeyId": id })).await;
    assert_eq!(described["KeyMetadata"]["KeyState"], state);
    id
}

/// The cell of the table that an answer is.
fn cell(answer: &Value, key_id: &str) -> String {
    let Some(code) = answer["__type"].as_str() else { return ".".to_owned() };
    let text = answer["message"].as_str().unwrap_or_default().replace(key_id, "KEY");
    let cells = [
        ("disabled", "DisabledException", "is disabled."),
        ("not", "KMSInvalidStateException", "is not pending deletion."),
        ("deletion", "KMSInvalidStateException", "is pending deletion."),
        ("import", "KMSInvalidStateException", "is pending import."),
        ("primary", "UnsupportedOperationException", "is not a multi-region primary key."),
        ("origin", "UnsupportedOperationException", "which is not valid for this operation."),
    ];
    let found = cells.iter().find(|(_, name, end)| *name == code && text.contains("/KEY ") && text.ends_with(end));
    found.map_or_else(|| format!("{code} {text}"), |(cell, ..)| (*cell).to_owned())
}

#[tokio::test]
async fn every_managing_operation_in_every_state() {
    let world = World::new(400).await;
    let spare = key_in(&world, "Enabled").await;
    let rows: Vec<Vec<&str>> = TABLE.lines().map(|line| line.split_whitespace().collect()).collect();
    let alias = json!({ "AliasName": "alias/moved", "TargetKeyId": spare });
    ask(&world, "CreateAlias", &alias).await;
    for row in &rows[1..] {
        for (state, expected) in rows[0].iter().zip(row).skip(1) {
            let key_id = key_in(&world, state).await;
            let answer = ask(&world, row[0], &request(row[0], &key_id)).await;
            assert_eq!(cell(&answer, &key_id), *expected, "{} in {state}", row[0]);
        }
    }
}
