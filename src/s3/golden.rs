//! The golden bytes of what S3 clients keep for us: tokens of pages and ids.

use super::token;
use crate::golden::{Golden, check};
use crate::objects::{UploadId, VersionId};

#[test]
fn golden() {
    let last = "a/\u{1f600}".to_owned();
    let write = |last: &String| token::seal(&[1; 16], last).into_bytes();
    let read = |bytes: &[u8]| token::open(&[1; 16], &String::from_utf8_lossy(bytes)).expect("it opens");
    let version = |name: &str, id: VersionId| {
        let read = |bytes: &[u8]| VersionId::parse(&String::from_utf8_lossy(bytes)).expect("a version's id");
        Golden::of(name, &id, |id| id.to_string().into_bytes(), read)
    };
    let upload = |bytes: &[u8]| UploadId::parse(&String::from_utf8_lossy(bytes)).expect("an upload's id");
    check(
        "s3",
        &[
            Golden::of("continuation token", &last, write, read),
            version("version id", VersionId::Named([0xab; 16])),
            version("null version", VersionId::Null),
            Golden::of("upload id", &UploadId([0xcd; 16]), |id| id.to_string().into_bytes(), upload),
        ],
    );
}
