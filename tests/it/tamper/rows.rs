//! Changed, cut, exchanged and repeated rows of the index.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use strongroom::audit::Link;
use strongroom::identity::NewUser;
use strongroom::index::Table;
use strongroom::keyring::{Call, GrantOperation, GrantTerms, Leave, NewGrant, NewKey, Party};
use strongroom::names::bucket_arn;
use strongroom::objects::{Bucket, ListQuery, ListVersions, ObjectsError, Queue, Versioning, lane_of};
use strongroom::policy::{Kind, Policy};

use super::{SMALL_BLOB, assert_clean, assert_reported};
use crate::stack::{RawRow, Stack, Way, account, key, region};

const BUCKET: &str = "bucket";

/// What a store holds: key → content and how it is sealed.
type Contents = BTreeMap<String, (Vec<u8>, Way)>;

/// A store with rows in every table that objects, keys and users have: all modes inline, as blob and as multipart object,
/// overwritten and deleted versions, a null version, a shared content, an upload under way, a blob announced and
/// never finished, and the trail of it all.
async fn furnished() -> (Stack, Contents) {
    let stack = Stack::new(11).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
    let mut contents = Contents::new();
    let null = key("owned/null");
    stack.put(&bucket, &null, b"the null version", Way::Owned.requested()).await.unwrap();
    let grant = stack.grant("s3:PutBucketVersioning", bucket_arn(&bucket.name));
    let event = stack.event("PutBucketVersioning", Value::Null);
    stack.objects.set_versioning(&grant, &bucket.name, Versioning::Enabled, &event).await.unwrap();
    let grant = stack.grant("s3:PutBucketPolicy", bucket_arn(&bucket.name));
    let (policy, event) = (bucket_policy(), stack.event("PutBucketPolicy", Value::Null));
    stack.objects.put_bucket_policy(&grant, &bucket.name, &policy, &event).await.unwrap();
    let bucket = stack.bucket(BUCKET).await;
    for way in Way::ALL {
        for (name, data) in
            [("inline", vec![b'i'; 100]), ("inline-too", vec![b't'; 100]), ("blob", vec![b'b'; SMALL_BLOB])]
        {
            let name = format!("{way:?}/{name}");
            stack.put(&bucket, &key(&name), b"an older version", way.requested()).await.unwrap();
            stack.put(&bucket, &key(&name), &data, way.requested()).await.unwrap();
            contents.insert(name, (data, way));
        }
        let parts = vec![b'p'; 200];
        stack.upload(&bucket, &key(&format!("{way:?}/parts")), &[(7, &parts)], way).await.unwrap();
        contents.insert(format!("{way:?}/parts"), (parts, way));
    }
    stack.put(&bucket, &null, b"a later version", Way::Owned.requested()).await.unwrap();
    contents.insert(null.to_string(), (b"a later version".to_vec(), Way::Owned));
    let source = stack.head(&bucket, &key("Owned/inline")).await.unwrap();
    stack.copy(&bucket, &source, &key("copy")).await.unwrap();
    contents.insert("copy".to_owned(), (vec![b'i'; 100], Way::Owned));
    stack.put(&bucket, &key("deleted"), b"deleted", Way::Owned.requested()).await.unwrap();
    stack.delete(&bucket, &key("deleted")).await.unwrap();
    let upload = stack.start_upload(&bucket, &key("under-way"), Way::Owned.requested()).await.unwrap();
    for (number, data) in [(1, &b"part one"[..]), (2, &[0; SMALL_BLOB]), (2, b"part two again")] {
        stack.put_part(&bucket, &upload, (number, data), None).await.unwrap();
    }
    stack.store.set_faults(strongroom::store::faulty::StoreFaults { fail_write_in: Some(1), ..Default::default() });
    let failed = stack.put(&bucket, &key("failed"), &[0; SMALL_BLOB], Way::Owned.requested()).await;
    assert!(failed.is_err());
    give_a_grant(&stack).await;
    make_a_user(&stack).await;
    begin_jobs(&stack).await;
    (stack, contents)
}

/// A lease that is held and an entry of a queue.
async fn begin_jobs(stack: &Stack) {
    stack.objects.take_lease("lifecycle", Duration::from_secs(60)).await.unwrap().expect("nobody holds it");
    let mut batch = stack.rows_of_index().batch();
    stack.objects.enqueue(&mut batch, Queue::Replication, &lane_of("arn"), &7_u32);
    stack.rows_of_index().commit(batch).await.unwrap();
}

async fn make_a_user(stack: &Stack) {
    let identities = stack.identities();
    let arn = "arn:aws:iam::111122223333:user/alice".to_owned();
    let new = NewUser { name: "alice".to_owned(), path: "/".to_owned(), boundary: None, tags: Vec::new() };
    let grant = stack.grant("iam:CreateUser", arn.clone());
    let (_, draft) = identities.create_user(&grant, &new).await.unwrap_or_else(|error| panic!("{error}"));
    draft.commit(&stack.event("CreateUser", Value::Null)).await.unwrap();
    let grant = stack.grant("iam:CreateAccessKey", arn);
    let (_, draft) = identities.create_access_key(&grant, "alice").await.unwrap_or_else(|error| panic!("{error}"));
    draft.commit(&stack.event("CreateAccessKey", Value::Null)).await.unwrap();
}

fn bucket_policy() -> Policy {
    let text = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": "arn:aws:s3:::bucket/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#;
    Policy::parse(text.as_bytes(), Kind::Bucket).unwrap()
}

async fn give_a_grant(stack: &Stack) {
    let new_key = stack.grant("kms:CreateKey", "*".to_owned());
    let arn = stack.keyring.create_key(&new_key, &Call::default(), NewKey::default()).await.unwrap().arn;
    let key = stack.keyring.resolve(&stack.access(), &account(), &region(), &arn).await.unwrap();
    let terms = GrantTerms {
        grantee: Party::Principal("arn:aws:iam::111122223333:user/alice".to_owned()),
        retiring: None,
        operations: vec![GrantOperation::Decrypt],
        context: None,
        source_arn: None,
        name: None,
    };
    let (grant, new) = (stack.grant("kms:CreateGrant", arn), NewGrant::new(terms).unwrap());
    stack.keyring.create_grant(&grant, &Call::default(), &key, &new, &Leave::Policy, false).await.unwrap();
}

/// Reads everything: each object is as it was or an error, and so are the listings. Returns the errors.
async fn read_all(stack: &Stack, contents: &Contents, what: &str) -> Vec<ObjectsError> {
    let name = strongroom::names::BucketName::parse(BUCKET).unwrap();
    let bucket = match stack.objects.bucket(&name).await {
        Ok(bucket) => bucket,
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    for (name, (data, way)) in contents {
        match stack.get(&bucket, &key(name), None, way.customer().as_ref()).await {
            Ok(got) => assert!(got == *data, "{what}: {name} reads as something else"),
            Err(error) => errors.push(error),
        }
    }
    match stack.objects.bucket_policy(&bucket).await {
        Ok(policy) => {
            let text = policy.as_ref().map(|policy| policy.policy.text());
            assert_eq!(text, Some(bucket_policy().text()), "{what}: the bucket has another policy");
        }
        Err(error) => errors.push(error),
    }
    errors.extend(list_all(stack, &bucket, contents, what).await);
    errors
}

async fn list_all(stack: &Stack, bucket: &Bucket, contents: &Contents, what: &str) -> Vec<ObjectsError> {
    let grant = stack.grant("s3:ListBucket", bucket_arn(&bucket.name));
    let query = ListQuery { limit: 1_000, ..ListQuery::default() };
    let mut errors = Vec::new();
    match stack.objects.list(&grant, bucket, &query).await {
        Ok(page) => {
            let listed: BTreeSet<_> = page.objects.iter().map(|object| object.key.to_string()).collect();
            assert!(listed.iter().eq(contents.keys()), "{what}: {listed:?} are listed");
        }
        Err(error) => errors.push(error),
    }
    let grant = stack.grant("s3:ListBucketVersions", bucket_arn(&bucket.name));
    let query = ListVersions { query, after_version: None };
    errors.extend(stack.objects.list_versions(&grant, bucket, &query).await.err());
    errors
}

/// What may be put in the place of the value of `rows[at]`, and what it is.
fn forgeries(rows: &[RawRow], at: usize) -> Vec<(&'static str, Bytes)> {
    let row = &rows[at];
    let flipped = |byte: usize| {
        let mut value = row.value.to_vec();
        value[byte] ^= 1 << (byte % 8);
        Bytes::from(value)
    };
    let same = rows.iter().cycle().skip(at + 1).take(rows.len() - 1).find(|other| other.table == row.table);
    let other = rows.iter().cycle().skip(at + 1).find(|other| other.table != row.table);
    let mut out = vec![
        ("with a byte changed", flipped(row.value.len() / 2)),
        ("cut by a byte", row.value.slice(..row.value.len() - 1)),
    ];
    out.extend(same.map(|other| ("with the value of another row of its table", other.value.clone())));
    out.extend(other.map(|other| ("with the value of a row of another table", other.value.clone())));
    out
}

/// Sealed rows open in their own place only: all pairs, at the lowest level.
#[tokio::test]
async fn no_two_rows_can_be_exchanged() {
    let (stack, _) = Box::pin(furnished()).await;
    let sealed = |row: &RawRow| !matches!(row.table, Table::Meta | Table::Inline);
    let rows: Vec<_> = stack.rows().await.into_iter().filter(sealed).collect();
    let tables: BTreeSet<Table> = rows.iter().map(|row| row.table).collect();
    let without: Vec<_> = Table::ALL.into_iter().filter(|table| !tables.contains(table)).collect();
    assert_eq!(without, [Table::Meta, Table::Account, Table::Inline], "the store has rows in all other tables");
    for row in &rows {
        for from in &rows {
            let opened = stack.sealer.open_row(row.table, &row.key, &from.value);
            assert_eq!(opened.is_ok(), from == row, "{from:?} in the place of {row:?}");
        }
    }
}

/// The whole program over each forged row: it does not open, or every read is right or an error, and scrub tells.
#[tokio::test]
async fn a_forged_row_is_noticed_and_never_believed() {
    let (stack, contents) = Box::pin(furnished()).await;
    assert_clean(&stack, "before").await;
    let rows = stack.rows().await;
    for at in 0..rows.len() {
        for (how, value) in forgeries(&rows, at) {
            let row = &rows[at];
            let what = format!("row {} of table {} {how}", row.key.escape_ascii(), row.table.name());
            let mut forged = rows.clone();
            forged[at].value = value;
            let Ok(opened) = stack.open_rows(&forged).await else { continue };
            assert!(row.table != Table::Meta, "{what}: the store was opened");
            assert_reported(&opened, &what).await;
            if row.table == Table::Audit {
                assert!(opened.audit.verify(None).await.unwrap().is_err(), "{what}: the trail is whole");
            }
            let errors = read_all(&opened, &contents, &what).await;
            let read = matches!(row.table, Table::Bucket | Table::Object | Table::Version | Table::Layout);
            assert!(!errors.is_empty() || !read, "{what}: nothing noticed");
        }
    }
}

/// Every byte of every row that a read of an object opens.
#[tokio::test]
async fn every_changed_byte_of_a_row_and_every_cut_is_an_error() {
    const READ: [Table; 4] = [Table::Bucket, Table::Object, Table::Layout, Table::Inline];
    for way in Way::ALL {
        let stack = Stack::new(12).await;
        let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
        stack.upload(&bucket, &key("k"), &[(1, b"some data")], way).await.unwrap();
        let read = async || {
            let bucket = stack.objects.bucket(&bucket.name).await?;
            stack.get(&bucket, &key("k"), None, way.customer().as_ref()).await
        };
        let rows: Vec<_> = stack.rows().await.into_iter().filter(|row| READ.contains(&row.table)).collect();
        assert_eq!(rows.len(), READ.len());
        for row in rows {
            for at in 0..row.value.len() {
                let mut changed = row.value.to_vec();
                changed[at] ^= 1 << (at % 8);
                for value in [Bytes::from(changed), row.value.slice(..at)] {
                    stack.overwrite_row(&RawRow { value, ..row.clone() }).await;
                    assert!(read().await.is_err(), "{way:?}: byte {at} of {:?} was changed unnoticed", row.table);
                }
            }
            assert_reported(&stack, "a changed row").await;
            stack.overwrite_row(&row).await;
        }
        assert_eq!(read().await.unwrap(), b"some data");
    }
}

/// An earlier value of the same row is authentic. What it leads to is an earlier content of this key, as long as that
/// is kept for readers, then an error; other rows may give it away.
#[tokio::test]
async fn a_row_put_back_leads_to_earlier_contents_of_its_key_or_to_an_error() {
    for (way, len) in Way::ALL.into_iter().flat_map(|way| [(way, 100), (way, SMALL_BLOB)]) {
        let stack = Stack::new(13).await;
        let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
        let (old, new) = (vec![b'1'; len], vec![b'2'; len]);
        stack.put(&bucket, &key("k"), &old, way.requested()).await.unwrap();
        let before = stack.rows().await.into_iter().find(|row| row.table == Table::Object).unwrap();
        stack.put(&bucket, &key("k"), &new, way.requested()).await.unwrap();
        stack.overwrite_row(&before).await;
        let read = async || stack.get(&bucket, &key("k"), None, way.customer().as_ref()).await;
        assert!(read().await.unwrap() == old, "authentic, and not to be told from the present");
        stack.sources.advance(Duration::from_secs(3_600));
        stack.objects.sweep(true).await.unwrap();
        assert!(read().await.is_err(), "{way:?}: its bytes are gone");
        assert_reported(&stack, "an earlier row").await;
    }
}

#[tokio::test]
async fn an_earlier_count_of_holders_is_reported() {
    let stack = Stack::new(14).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
    let source = stack.put(&bucket, &key("k"), b"shared", Way::Owned.requested()).await.unwrap();
    stack.copy(&bucket, &source, &key("copy-1")).await.unwrap();
    let two = stack.rows().await.into_iter().find(|row| row.table == Table::RefCount).unwrap();
    stack.copy(&bucket, &source, &key("copy-2")).await.unwrap();
    assert_clean(&stack, "three holders").await;
    stack.overwrite_row(&two).await;
    assert_reported(&stack, "an earlier count").await;
}

/// In a versioned bucket the earlier version is kept: as the current row too, it has a holder too many.
#[tokio::test]
async fn an_earlier_current_version_beside_itself_is_reported() {
    let stack = Stack::new(15).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Enabled).await;
    stack.put(&bucket, &key("k"), b"old", Way::Owned.requested()).await.unwrap();
    let before = stack.rows().await.into_iter().find(|row| row.table == Table::Object).unwrap();
    stack.put(&bucket, &key("k"), b"new", Way::Owned.requested()).await.unwrap();
    stack.overwrite_row(&before).await;
    assert_reported(&stack, "an earlier current version").await;
}

/// The trail that is put back as a whole is whole: a head that was noted elsewhere tells.
#[tokio::test]
async fn a_trail_that_was_put_back_is_told_by_a_noted_head() {
    let (stack, _) = Box::pin(furnished()).await;
    let noted: Link = stack.audit.verify(None).await.unwrap().unwrap();
    let mut rows = stack.rows().await;
    let last = rows.iter().rposition(|row| row.table == Table::Audit).unwrap();
    rows.remove(last);
    let shortened = stack.open_rows(&rows).await.unwrap();
    assert!(shortened.audit.verify(None).await.unwrap().is_ok(), "it does not show in the trail itself");
    assert!(shortened.audit.verify(Some(noted)).await.unwrap().is_err());
}
