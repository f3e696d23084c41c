use std::fmt::Write as _;

use super::{Body, Handler, On, Row, SEALING_OPERATIONS, SUPERSEDED, TABLE};

/// Names of all operations of AWS's newest S3 model, one a line.
const OPERATIONS: &str = include_str!("../../../fixtures/s3/operations.txt");
/// Names of those that the model wants a checksum of the body with (`requestChecksumRequired`), one a line.
const CHECKSUM_REQUIRED: &str = include_str!("../../../fixtures/s3/checksum_required.txt");
/// Of these S3 is known to take these without one: the model makes SDKs send it, the service does not ask.
/// An ACL may come in headers, without a body that a checksum could be of; s3cmd sends policies, payers, websites
/// and where logs go without one (and notifications, which the model does not want one of).
const TAKEN_WITHOUT_CHECKSUM: [&str; 9] = [
    "PutBucketAcl",
    "PutBucketLogging",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketRequestPayment",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutObjectAcl",
    "PutObjectTagging",
];
/// The table as it was last reviewed: a change of an IAM action or a condition has to be seen.
const REVIEWED: &str = include_str!("../../../fixtures/s3/table.txt");

#[test]
fn every_operation_of_the_model_has_a_row() {
    assert!(OPERATIONS.lines().count() > 100);
    for name in OPERATIONS.lines() {
        let row = |name: &str| TABLE.iter().any(|row| row.name == name);
        let superseded = SUPERSEDED.iter().any(|(old, new)| *old == name && row(new));
        assert!(row(name) || superseded, "{name} has no row");
    }
}

#[test]
fn the_table_is_the_reviewed_one() {
    let printed = print();
    let first_difference = printed.lines().zip(REVIEWED.lines()).find(|(new, old)| new != old);
    assert!(
        printed == REVIEWED,
        "fixtures/s3/table.txt is not this table; first difference {first_difference:?}. If it is meant, the file \
         becomes:\n{printed}"
    );
}

#[test]
fn sealing_operations_are_operations() {
    for name in SEALING_OPERATIONS {
        assert!(TABLE.iter().any(|row| row.name == name && row.handler.is_some()), "{name}");
    }
}

#[test]
fn a_version_is_named_where_one_can_be_meant() {
    let takes_version = |row: &&Row| row.handler.is_some() && row.takes_version();
    let names: Vec<_> = TABLE.iter().filter(takes_version).map(|row| row.name).collect();
    let expected = [
        "DeleteObject",
        "DeleteObjectTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectTagging",
        "HeadObject",
        "PutObjectAcl",
        "PutObjectTagging",
        "UpdateObjectEncryption",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "RestoreObject",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_body_is_checked_where_the_model_wants_a_checksum() {
    assert!(CHECKSUM_REQUIRED.lines().count() > 20);
    for row in TABLE.iter().filter(|row| row.handler.is_some()) {
        let required = CHECKSUM_REQUIRED.lines().any(|name| name == row.name);
        let expected = required && !TAKEN_WITHOUT_CHECKSUM.contains(&row.name);
        assert_eq!(matches!(row.body, Body::Checked(_)), expected, "{}", row.name);
    }
}

fn print() -> String {
    let mut out = String::from("# operation method target condition action action-with-version body handler\n");
    for row in TABLE {
        writeln!(out, "{}", line(row)).unwrap();
    }
    out
}

fn line(row: &Row) -> String {
    let mut condition: Vec<String> = row.condition.query.iter().map(|q| format!("?{q}")).collect();
    condition.extend(row.condition.header.map(|name| format!("{name}:")));
    let condition = if condition.is_empty() { "-".to_owned() } else { condition.join("&") };
    let versioned = if row.action.versioned == row.action.plain { "-" } else { row.action.versioned };
    let body = match row.body {
        Body::None => "none".to_owned(),
        Body::Small(limit) => format!("{limit}"),
        Body::Checked(limit) => format!("{limit}+digest"),
        Body::Stream => "stream".to_owned(),
    };
    let handler = match row.handler {
        None => "refused",
        Some(Handler::Answer(_) | Handler::Change(_)) => "served",
        Some(Handler::Long(_)) => "served-late",
        Some(Handler::Preflight) => "served-early",
    };
    let each = if row.action.on == On::EachObject { "each:" } else { "" };
    let (name, method, target, action) = (row.name, row.method, row.target, row.action.plain);
    format!("{name} {method} {target:?} {condition} {each}{action} {versioned} {body} {handler}")
}
