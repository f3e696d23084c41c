//! Inventories from the request that asks for one to the files.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::SETTINGS;
use crate::app::inventory;
use crate::app::tests::Gateway;
use crate::crypto::md5;
use crate::index::Faults;
use crate::names::hex;
use crate::rules::inventory::Field;
use crate::s3::serve;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// AWS's policy for a destination (S3 User Guide, "Granting permissions for S3 Inventory").
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"InventoryExamplePolicy","Effect":"Allow",
    "Principal":{"Service":"s3.amazonaws.com"},"Action":"s3:PutObject","Resource":["arn:aws:s3:::lists/*"],
    "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::shelf"},"StringEquals":{
    "aws:SourceAccount":"111122223333","s3:x-amz-acl":"bucket-owner-full-control"}}}]}"#;

fn configuration(id: &str, versions: &str, more: &str) -> String {
    format!(
        "<InventoryConfiguration><Id>{id}</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination>\
         <Bucket>arn:aws:s3:::lists</Bucket><Format>CSV</Format><Prefix>to</Prefix></S3BucketDestination>\
         </Destination><Schedule><Frequency>Daily</Frequency></Schedule>\
         <IncludedObjectVersions>{versions}</IncludedObjectVersions>{more}</InventoryConfiguration>"
    )
}

fn all_fields() -> String {
    let fields: String = Field::ALL.iter().map(|field| format!("<Field>{}</Field>", field.name())).collect();
    format!("<OptionalFields>{fields}</OptionalFields>")
}

impl Gateway {
    async fn with_lists() -> Self {
        let gateway = Self::new(32, SETTINGS).await;
        for bucket in ["/shelf", "/lists"] {
            gateway.done("PUT", bucket, &[], "").await;
        }
        gateway
    }

    async fn made(&self) -> u64 {
        inventory::pass(&self.app, self.sources.now()).await.unwrap().expect("nobody else does it")
    }

    async fn bytes(&self, uri: &str) -> Vec<u8> {
        let response = serve(&self.app, self.request("ROOT", ("GET", uri), &[], "")).await;
        assert_eq!(response.status(), 200, "{uri}");
        response.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.done("GET", &format!("/lists?prefix={prefix}"), &[], "").await.body;
        let keys = listed.split("<Key>").skip(1);
        keys.map(|rest| rest.split_once("</Key>").unwrap().0.to_owned()).collect()
    }

    /// Files and lines of the only list, if it is complete: its checksum is there. None of it is missing then.
    async fn complete_list(&self) -> Option<(usize, usize)> {
        let keys = self.keys("to/shelf/i/2").await;
        let folders: Vec<&str> = keys.iter().filter_map(|key| key.strip_suffix("/manifest.checksum")).collect();
        let [folder] = folders.as_slice() else {
            assert!(folders.is_empty(), "{keys:?}");
            return None;
        };
        let (manifest, lines) = self.list(folder).await;
        Some((manifest["files"].as_array().unwrap().len(), lines.len()))
    }

    /// The manifest in a folder of an inventory, and the lines of its files.
    async fn list(&self, folder: &str) -> (Value, Vec<Vec<String>>) {
        let manifest = self.bytes(&format!("/lists/{folder}/manifest.json")).await;
        let checksum = self.bytes(&format!("/lists/{folder}/manifest.checksum")).await;
        assert_eq!(String::from_utf8(checksum).unwrap(), hex(&md5(&manifest)));
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let mut lines = Vec::new();
        for file in manifest["files"].as_array().unwrap() {
            let bytes = self.bytes(&format!("/lists/{}", file["key"].as_str().unwrap())).await;
            assert_eq!(file["size"], bytes.len());
            assert_eq!(file["MD5checksum"].as_str().unwrap(), hex(&md5(&bytes)));
            let mut text = String::new();
            GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
            lines.extend(text.lines().map(|line| {
                let line = line.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                line.split("\",\"").map(str::to_owned).collect::<Vec<_>>()
            }));
        }
        (manifest, lines)
    }
}

#[tokio::test]
async fn a_list_has_awss_places_names_and_columns() {
    let gateway = Gateway::with_lists().await;
    gateway.done("PUT", "/lists?policy", &[], POLICY).await;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    gateway.done("PUT", "/shelf?versioning", &[], on).await;
    let first = gateway.done("PUT", "/shelf/a%20%22b%22%2Cc", &[], "12345").await;
    gateway.done("PUT", "/shelf/gone", &[("x-amz-storage-class", "STANDARD_IA")], "x").await;
    gateway.done("DELETE", "/shelf/gone", &[], "").await;
    let rules = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>\
                 </Rule></LifecycleConfiguration>";
    gateway.done("PUT", "/shelf?lifecycle", &[], rules).await;
    let body = configuration("every.thing", "All", &all_fields());
    gateway.done("PUT", "/shelf?inventory&id=every.thing", &[], &body).await;
    assert_eq!(gateway.made().await, 1);
    let keys = gateway.keys("").await;
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(keys[0].starts_with("to/shelf/every.thing/2026-11-25T12-00Z/manifest.checksum"));
    assert_eq!(keys[1], "to/shelf/every.thing/2026-11-25T12-00Z/manifest.json");
    assert!(keys[2].starts_with("to/shelf/every.thing/data/") && keys[2].ends_with(".csv.gz"));
    assert_eq!(keys[3], "to/shelf/every.thing/hive/dt=2026-11-25-12-00/symlink.txt");
    let (manifest, lines) = gateway.list("to/shelf/every.thing/2026-11-25T12-00Z").await;
    assert_eq!(manifest["sourceBucket"], "shelf");
    assert_eq!(manifest["destinationBucket"], "arn:aws:s3:::lists");
    assert_eq!((&manifest["version"], &manifest["fileFormat"]), (&"2016-11-30".into(), &"CSV".into()));
    assert_eq!(manifest["creationTimestamp"], "1795608000000");
    let columns: Vec<&str> = manifest["fileSchema"].as_str().unwrap().split(", ").collect();
    let value = |line: usize, name: &str| {
        let at = columns.iter().position(|column| *column == name).unwrap();
        lines[line][at].as_str()
    };
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [columns.len(); 3]);
    assert_eq!(value(0, "Bucket"), "shelf");
    assert_eq!(value(0, "Key"), "a+%22b%22%2Cc");
    assert_eq!(Some(value(0, "VersionId")), first.header("x-amz-version-id"));
    let all = [("IsLatest", "true"), ("IsDeleteMarker", "false"), ("Size", "5"), ("StorageClass", "STANDARD")];
    let more = [
        ("LastModifiedDate", "2026-11-25T12:00:00.000Z"),
        ("ETag", "827ccb0eea8a706c4c34a16891f84e7b"),
        ("IsMultipartUploaded", "false"),
        ("ReplicationStatus", ""),
        ("EncryptionStatus", "SSE-S3"),
        ("ObjectLockRetainUntilDate", ""),
        ("BucketKeyStatus", "DISABLED"),
        ("ChecksumAlgorithm", "CRC64NVME"),
        ("LifecycleExpirationDate", "2026-11-27T00:00:00.000Z"),
    ];
    for (name, expected) in all.into_iter().chain(more) {
        assert_eq!(value(0, name), expected, "{name}");
    }
    assert_eq!(value(0, "ObjectOwner").len(), 64);
    // The delete marker, then the version below it, which no rule for current objects is about.
    for (name, expected) in [("IsLatest", "true"), ("IsDeleteMarker", "true"), ("Size", ""), ("ETag", "")] {
        assert_eq!(value(1, name), expected, "{name}");
    }
    let below = [("IsLatest", "false"), ("StorageClass", "STANDARD_IA"), ("LifecycleExpirationDate", "")];
    for (name, expected) in below {
        assert_eq!(value(2, name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_list_is_made_once_a_day_and_begun_again_after_a_crash() {
    let gateway = Gateway::with_lists().await;
    gateway.done("PUT", "/lists?policy", &[], POLICY).await;
    gateway.done("PUT", "/shelf/k", &[], "x").await;
    gateway.done("PUT", "/shelf?inventory&id=i", &[], &configuration("i", "Current", "")).await;
    gateway.index.set_faults(Faults { lose_answer_in: Some(5), ..Faults::default() });
    assert!(inventory::pass(&gateway.app, gateway.sources.now()).await.is_err());
    let gateway = gateway.crash().await;
    gateway.sources.advance(Duration::from_secs(61));
    assert_eq!(gateway.made().await, 1);
    assert_eq!(gateway.keys("to/shelf/i/data").await.len(), 1, "the file of the first try was written over");
    assert_eq!(gateway.made().await, 0);
    gateway.sources.advance(DAY);
    assert_eq!(gateway.made().await, 1);
    assert_eq!(gateway.keys("to/shelf/i/data").await.len(), 2);
    let (manifest, lines) = gateway.list("to/shelf/i/2026-11-26T12-01Z").await;
    assert_eq!((manifest["fileSchema"].as_str(), lines), (Some("Bucket, Key"), vec![vec!["shelf".into(), "k".into()]]));
    // Without a configuration there are no more, and another of the same name begins anew.
    gateway.done("DELETE", "/shelf?inventory&id=i", &[], "").await;
    gateway.done("PUT", "/shelf?inventory&id=j", &[], &configuration("j", "Current", "")).await;
    assert_eq!(gateway.made().await, 1);
    gateway.done("PUT", "/shelf?inventory&id=i", &[], &configuration("i", "Current", "")).await;
    assert_eq!(gateway.made().await, 1);
}

#[tokio::test]
async fn a_long_list_is_in_several_files() {
    let gateway = Gateway::with_lists().await;
    gateway.done("PUT", "/lists?policy", &[], POLICY).await;
    gateway.done("PUT", "/shelf?inventory&id=i", &[], &configuration("i", "Current", "")).await;
    for number in 0..5 {
        gateway.done("PUT", &format!("/shelf/{number}"), &[], "x").await;
    }
    // A file is closed as soon as it has a byte.
    let made = inventory::pass_of(&gateway.app, gateway.sources.now(), 1).await.unwrap();
    assert_eq!(made, Some(1));
    let (manifest, lines) = gateway.list("to/shelf/i/2026-11-25T12-00Z").await;
    let files: Vec<&str> =
        manifest["files"].as_array().unwrap().iter().map(|file| file["key"].as_str().unwrap()).collect();
    assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), 5, "{files:?}");
    assert!(files.iter().all(|key| key.starts_with("to/shelf/i/data/") && key.ends_with(".csv.gz")));
    assert_eq!(lines.iter().map(|line| line[1].as_str()).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
    let links = gateway.bytes("/lists/to/shelf/i/hive/dt=2026-11-25-12-00/symlink.txt").await;
    let expected: String = files.iter().map(|key| format!("s3://lists/{key}\n")).collect();
    assert_eq!(String::from_utf8(links).unwrap(), expected);
}

#[tokio::test]
async fn a_crash_at_any_moment_leaves_no_half_list_and_the_next_pass_ends_it() {
    let mut cuts = 0;
    for commit in 1.. {
        let gateway = Gateway::with_lists().await;
        gateway.done("PUT", "/lists?policy", &[], POLICY).await;
        gateway.done("PUT", "/shelf?inventory&id=i", &[], &configuration("i", "Current", "")).await;
        for number in 0..3 {
            gateway.done("PUT", &format!("/shelf/{number}"), &[], "x").await;
        }
        // What is committed stays, and nobody hears of it: the process dies.
        gateway.index.set_faults(Faults { lose_answer_in: Some(commit), ..Faults::default() });
        let cut = inventory::pass_of(&gateway.app, gateway.sources.now(), 1).await;
        let gateway = gateway.crash().await;
        let complete = gateway.complete_list().await;
        let ended = cut == Ok(Some(1));
        assert!(complete.is_some() || !ended, "commit {commit}");
        cuts += u32::from(complete.is_none());
        gateway.sources.advance(Duration::from_secs(61));
        inventory::pass_of(&gateway.app, gateway.sources.now(), 1).await.unwrap().expect("the lease is over");
        let (files, lines) = gateway.complete_list().await.expect("the next pass makes it");
        assert_eq!(lines, 3, "commit {commit}");
        assert_eq!(gateway.keys("to/shelf/i/data").await.len(), files, "what was cut off is written over: {commit}");
        if ended {
            break;
        }
    }
    assert!(cuts > 6, "{cuts}");
}

#[tokio::test]
async fn a_list_can_be_asked_for() {
    let gateway = Gateway::with_lists().await;
    let now = async |id: &str| inventory::make_now(&gateway.app, "shelf", id).await;
    gateway.done("PUT", "/shelf/k", &[], "x").await;
    let off = configuration("off", "Current", "").replace("<IsEnabled>true", "<IsEnabled>false");
    gateway.done("PUT", "/shelf?inventory&id=off", &[], &off).await;
    assert!(now("off").await.unwrap_err().contains("does not let the service of S3 write there"));
    gateway.done("PUT", "/lists?policy", &[], POLICY).await;
    let made = now("off").await.unwrap();
    assert_eq!((made.bucket.as_str(), made.files, made.objects), ("lists", 1, 1));
    assert_eq!(made.manifest, "to/shelf/off/2026-11-25T12-00Z/manifest.json");
    assert_eq!(gateway.list("to/shelf/off/2026-11-25T12-00Z").await.1[0][1], "k");
    assert_eq!(gateway.made().await, 0, "by itself that one is not made");
    gateway.done("PUT", "/shelf?inventory&id=on", &[], &configuration("on", "Current", "")).await;
    now("on").await.unwrap();
    assert_eq!(gateway.made().await, 0, "it is the list of the day");
    gateway.sources.advance(Duration::from_secs(60));
    gateway.done("PUT", "/shelf/l", &[], "x").await;
    assert_eq!(now("on").await.unwrap().objects, 2, "as often as it is asked for");
    assert_eq!(gateway.list("to/shelf/on/2026-11-25T12-01Z").await.1.len(), 2);
    gateway.sources.advance(DAY);
    assert_eq!(gateway.made().await, 1, "the next day has one of its own");
    for (bucket, id, text) in [
        ("shelf", "none", "the bucket shelf has no inventory \"none\""),
        ("none", "on", "there is no bucket \"none\""),
        ("N_", "on", "there is no bucket \"N_\""),
    ] {
        assert_eq!(inventory::make_now(&gateway.app, bucket, id).await.unwrap_err(), text);
    }
}

#[tokio::test]
async fn nothing_is_delivered_that_the_destination_does_not_allow() {
    let gateway = Gateway::with_lists().await;
    gateway.done("PUT", "/shelf/k", &[], "x").await;
    gateway.done("PUT", "/shelf?inventory&id=i", &[], &configuration("i", "Current", "")).await;
    assert_eq!(gateway.made().await, 0, "a bucket of the same account has to say so too");
    for (from, to) in [
        ("arn:aws:s3:::shelf", "arn:aws:s3:::other"),
        ("111122223333", "444455556666"),
        ("s3.amazonaws.com", "logging.s3.amazonaws.com"),
        ("bucket-owner-full-control", "private"),
        ("s3:PutObject", "s3:PutObjectAcl"),
    ] {
        gateway.done("PUT", "/lists?policy", &[], &POLICY.replace(from, to)).await;
        assert_eq!(gateway.made().await, 0, "{to}");
    }
    assert!(gateway.keys("").await.is_empty());
    let service = r#""Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"},
        "StringLike":{"aws:PrincipalServiceName":"s3.*"},"ArnLike":"#;
    let service = POLICY.replace(r#""Condition":{"ArnLike":"#, service);
    gateway.done("PUT", "/lists?policy", &[], &service).await;
    assert_eq!(gateway.made().await, 1);
}

#[tokio::test]
async fn lists_are_encrypted_as_configured() {
    let gateway = Gateway::with_lists().await;
    gateway.done("PUT", "/lists?policy", &[], POLICY).await;
    let kms = "<Prefix>to</Prefix><Encryption><SSE-KMS><KeyId>alias/none</KeyId></SSE-KMS></Encryption>";
    let body = configuration("i", "Current", "").replace("<Prefix>to</Prefix>", kms);
    gateway.done("PUT", "/shelf?inventory&id=i", &[], &body).await;
    assert_eq!(gateway.made().await, 0, "there is no such key");
    let owned = "<Prefix>to</Prefix><Encryption><SSE-S3/></Encryption>";
    let body = configuration("i", "Current", "").replace("<Prefix>to</Prefix>", owned);
    gateway.done("PUT", "/shelf?inventory&id=i", &[], &body).await;
    assert_eq!(gateway.made().await, 1);
    let key = gateway.keys("to/shelf/i/data").await.remove(0);
    let head = gateway.done("HEAD", &format!("/lists/{key}"), &[], "").await;
    assert_eq!(head.header("x-amz-server-side-encryption"), Some("AES256"));
}

#[tokio::test]
async fn configurations_are_listed_a_hundred_at_a_time() {
    let gateway = Gateway::with_lists().await;
    for number in 0..101 {
        let id = format!("i{number:03}");
        gateway.done("PUT", &format!("/shelf?inventory&id={id}"), &[], &configuration(&id, "Current", "")).await;
    }
    let first = gateway.done("GET", "/shelf?inventory", &[], "").await.body;
    assert_eq!(first.matches("<InventoryConfiguration>").count(), 100);
    assert!(first.contains("<IsTruncated>true</IsTruncated>"));
    let token = first.split_once("<NextContinuationToken>").unwrap().1.split_once('<').unwrap().0;
    let second = gateway.done("GET", &format!("/shelf?inventory&continuation-token={token}"), &[], "").await.body;
    assert!(second.contains("<Id>i100</Id>") && second.contains("<IsTruncated>false</IsTruncated>"));
    assert_eq!(second.matches("<InventoryConfiguration>").count(), 1);
    assert_eq!(gateway.ask("GET", "/shelf?inventory&continuation-token=x", &[], "").await.status, 400);
    for (method, uri) in [("GET", "/shelf?inventory&id=none"), ("DELETE", "/shelf?inventory&id=none")] {
        let answered = gateway.ask(method, uri, &[], "").await;
        assert_eq!(answered.status, 404, "{method}");
        assert!(answered.body.contains("<Code>NoSuchConfiguration</Code>"));
    }
}
