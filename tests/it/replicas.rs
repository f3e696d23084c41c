//! Replicas in buckets of the same gateway: in whatever order they come, however often, and whatever fails meanwhile.

use strongroom::index::Faults;
use strongroom::names::{bucket_arn, object_arn};
use strongroom::objects::{
    Bucket, ListQuery, ListVersions, ListedVersion, ObjectInfo, ObjectsError, Replica, ReplicationStatus, Versioning,
};
use strongroom::sse::{ObjectRef, Requested};

use crate::stack::{Stack, Way, key};

/// Makes the replica of `source` in `to`.
pub(crate) async fn replicate(
    stack: &Stack,
    from: &Bucket,
    source: &ObjectInfo,
    to: &Bucket,
) -> Result<(), ObjectsError> {
    let (objects, access) = (&stack.objects, stack.access());
    let object = ObjectRef { bucket: &source.bucket, key: &source.key, id: source.holder_id };
    let envelope = match source.envelope.mode.header() {
        None => None,
        Some(_) => {
            let keys = objects.sse().open(&access, object, &source.envelope, None).await?;
            let place = (&to.name, &source.key);
            let requested = match source.envelope.mode.header() {
                Some("aws:kms:dsse") => Way::Double.requested(),
                Some("aws:kms") => Way::Kms.requested(),
                _ => Requested::SseS3,
            };
            let plan = objects.sse().plan(&access, place, &to.owner, &to.encryption, requested).await?;
            let id = stack.sources.random();
            let object = ObjectRef { bucket: &to.name, key: &source.key, id };
            Some((objects.sse().seal_keys(&access, &plan, object, &keys).await?, id))
        }
    };
    let read = stack.grant("s3:GetObjectVersionForReplication", object_arn(&from.name, &source.key));
    let write = stack.grant("s3:ReplicateObject", object_arn(&to.name, &source.key));
    let replica = Replica {
        source_bucket: from,
        source,
        bucket: to,
        envelope,
        storage_class: None,
        owner_override: false,
        tags: true,
    };
    objects.replicate(&read, &write, replica).await
}

async fn versions(stack: &Stack, bucket: &Bucket) -> Vec<String> {
    let query = ListVersions { query: ListQuery { limit: 1000, ..ListQuery::default() }, ..ListVersions::default() };
    let grant = stack.grant("s3:ListBucketVersions", bucket_arn(&bucket.name));
    let page = stack.objects.list_versions(&grant, bucket, &query).await.unwrap();
    let shown = |listed: &ListedVersion| match listed {
        ListedVersion::Object { info, latest } => format!("{} {latest}", info.version),
        ListedVersion::DeleteMarker { version, latest, .. } => format!("{version} {latest} marker"),
    };
    page.versions.iter().map(shown).collect()
}

#[tokio::test]
async fn replicas_take_their_place_in_time_whatever_the_order_they_come_in() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        let stack = Stack::new(1).await;
        let from = stack.create_bucket("here", Versioning::Enabled).await;
        let to = stack.create_bucket("there", Versioning::Enabled).await;
        let mut sources = Vec::new();
        for data in [&b"one"[..], b"two", b"three"] {
            sources.push(stack.put(&from, &key("k"), data, Way::Owned.requested()).await.unwrap());
        }
        for at in order {
            // Twice: as after a crash between the replica and the note that it is made.
            for _ in 0..2 {
                replicate(&stack, &from, &sources[at], &to).await.unwrap();
            }
        }
        assert_eq!(versions(&stack, &to).await, versions(&stack, &from).await, "{order:?}");
        assert_eq!(stack.get(&to, &key("k"), None, None).await.unwrap(), b"three", "{order:?}");
        let replica = stack.head(&to, &key("k")).await.unwrap();
        assert_eq!((replica.replication, &replica.etag), (Some(ReplicationStatus::Replica), &sources[2].etag));
        assert_eq!(replica.modified, sources[2].modified);
        assert!(stack.scrub().await.unwrap().damage.is_empty());
    }
}

#[tokio::test]
async fn a_replica_of_every_mode_outlives_its_source() {
    for way in Way::ALL {
        for len in [0, 100, 80_000_usize] {
            let stack = Stack::new(2).await;
            let from = stack.create_bucket("here", Versioning::Enabled).await;
            let to = stack.create_bucket("there", Versioning::Enabled).await;
            let source = stack.put(&from, &key("k"), &vec![5; len], way.requested()).await.unwrap();
            replicate(&stack, &from, &source, &to).await.unwrap();
            let grant = stack.object_grant("s3:DeleteObjectVersion", &from, &key("k"));
            stack.objects.delete(&grant, &from, &key("k"), Some(source.version), &Default::default()).await.unwrap();
            stack.sources.advance(std::time::Duration::from_secs(3600));
            stack.objects.sweep(true).await.unwrap();
            let read = stack.get(&to, &key("k"), None, way.customer().as_ref()).await.unwrap();
            assert_eq!(read, vec![5; len], "{way:?} {len}");
            assert!(stack.scrub().await.unwrap().damage.is_empty(), "{way:?} {len}");
        }
    }
}

#[tokio::test]
async fn a_replica_whose_commit_fails_or_whose_answer_is_lost_is_whole_or_absent() {
    for lost in [false, true] {
        for step in 1..=3 {
            let stack = Stack::new(3).await;
            let from = stack.create_bucket("here", Versioning::Enabled).await;
            let to = stack.create_bucket("there", Versioning::Enabled).await;
            let source = stack.put(&from, &key("k"), &[5; 80_000], Way::Owned.requested()).await.unwrap();
            let faults = match lost {
                true => Faults { lose_answer_in: Some(step), ..Faults::default() },
                false => Faults { fail_commit_in: Some(step), ..Faults::default() },
            };
            stack.index.set_faults(faults);
            drop(replicate(&stack, &from, &source, &to).await);
            stack.index.set_faults(Faults::default());
            let stack = stack.crash().await;
            let (from, to) = (stack.bucket("here").await, stack.bucket("there").await);
            assert!(stack.scrub().await.unwrap().damage.is_empty());
            replicate(&stack, &from, &source, &to).await.unwrap();
            assert_eq!(stack.get(&to, &key("k"), None, None).await.unwrap(), [5; 80_000], "{lost} {step}");
            assert_eq!(versions(&stack, &to).await, versions(&stack, &from).await);
        }
    }
}

#[tokio::test]
async fn a_bucket_without_versioning_takes_no_replica() {
    let stack = Stack::new(4).await;
    let from = stack.create_bucket("here", Versioning::Enabled).await;
    let to = stack.create_bucket("there", Versioning::Suspended).await;
    let source = stack.put(&from, &key("k"), b"x", Way::Owned.requested()).await.unwrap();
    assert_eq!(replicate(&stack, &from, &source, &to).await, Err(ObjectsError::ReplicaNotVersioned));
}
