//! `fixtures/audit/kms_operations.json`: what of each operation is recorded, whether it succeeds or not.

use serde_json::{Value, json};

use super::*;
use crate::kms::table::TABLE;

const ROWS: &str = include_str!("../../../fixtures/audit/kms_operations.json");
/// Errors that AWS gives no text.
const SILENT: [&str; 3] = ["InvalidCiphertextException", "KMSInvalidMacException", "KMSInvalidSignatureException"];
/// Has no policy, and is in no key's.
const DENIED: &str = "AKIAALICE";
/// Another account's root.
const STRANGER: &str = "AKIAOTHER";

/// A column that holds a request and the error that it meets; or the reason why there is none.
async fn refused(world: &mut World, row: &Value, column: &str) {
    let (call, cell) = (&row["call"], &row[column]);
    if let Some(reason) = cell.as_str() {
        assert!(reason.len() > 10, "{call} {column} gives a reason");
        return;
    }
    // What the texts are is told by the stories.
    let message = if SILENT.contains(&cell[1].as_str().unwrap()) { Value::Null } else { json!("*") };
    let step = json!({ "call": call, "request": cell[0], "error": cell[1], "message": message });
    play(world, &step, &format!("{call} {column}")).await;
}

async fn denied(world: &mut World, call: &Value, request: &Value, error: &str) {
    let step = json!({
        "call": call, "request": request, "as": DENIED, "error": error, "message": "*",
        "event": { "userIdentity": { "userName": "alice" } },
    });
    play(world, &step, &format!("{call} denied")).await;
}

/// What names a key, an account's root asks for of another's by its ARN; it need not be told apart from one that there
/// is not. What names none is each account's own affair.
async fn strange(world: &mut World, call: &Value, request: &Value) {
    let mut strange = world.fill(request);
    let mut foreign = false;
    for name in ["KeyId", "TargetKeyId", "DestinationKeyId"] {
        let Some(key) = strange[name].as_str().map(str::to_owned) else { continue };
        let arn = if key.starts_with("arn:") { key } else { format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}") };
        let absent = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000";
        // It has no alias of that name of its own, which comes first.
        let error = if call == "UpdateAlias" { "NotFoundException" } else { "AccessDeniedException" };
        for arn in [absent, &arn] {
            strange[name] = arn.into();
            let step = json!({
                "call": call, "request": strange, "as": STRANGER, "error": error, "message": "*",
                "event": { "recipientAccountId": OTHER_ACCOUNT, "resources": null },
            });
            play(world, &step, &format!("{call} of another account")).await;
        }
        foreign = true;
    }
    if !foreign && strange["CiphertextBlob"].is_string() {
        let step = json!({
            "call": call, "request": strange, "as": STRANGER, "error": "AccessDeniedException", "message": "*",
            "event": { "recipientAccountId": OTHER_ACCOUNT },
        });
        play(world, &step, &format!("{call} of another account")).await;
    }
    // Nobody's call is in nobody's trail.
    let step = json!({
        "call": call, "request": request, "as": "nobody", "error": "MissingAuthenticationTokenException", "message": "*",
        "recorded": false,
    });
    play(world, &step, &format!("{call} by nobody")).await;
}

/// [`play`] holds each request to one record, with the error's name and without a secret.
#[tokio::test]
async fn every_operation_leaves_one_record_however_it_ends() {
    let table: Value = serde_json::from_str(ROWS).unwrap();
    let rows = table["rows"].as_array().unwrap();
    let named: Vec<_> = rows.iter().map(|row| row["call"].as_str().unwrap()).collect();
    assert_eq!(named, TABLE.iter().map(|row| row.name).collect::<Vec<_>>(), "a row for each operation");

    let mut world = World::new(300).await;
    world.add_users(&table);
    for (n, step) in table["before"].as_array().unwrap().iter().enumerate() {
        play(&mut world, step, &format!("before {n}")).await;
    }
    for row in rows {
        let (call, request) = (&row["call"], &row["success"]);
        denied(&mut world, call, request, "AccessDeniedException").await;
        strange(&mut world, call, request).await;
        refused(&mut world, row, "parameter").await;
        refused(&mut world, row, "state").await;
        play(&mut world, &json!({ "call": call, "request": request }), &format!("{call} success")).await;
    }
    world.assert_no_secret_is_exported().await;
}
