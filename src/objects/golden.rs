//! The golden bytes of what the index keeps of buckets and objects.

mod configurations;

use super::acl::{ObjectAccess, ObjectOwner};
use super::follow::{Happening, NotificationTask};
use super::inventory::{InventoryRun, inventory_run_row};
use super::lease::{LeaseRecord, lease_row};
use super::lifecycle::{LifecycleProgress, Place as LifecyclePlace, lifecycle_progress_row};
use super::queue::{Queue, QueueRecord, lane_of, queue_row};
use super::record::*;
use super::replicate::{Aspect, ReplicaPlace, ReplicationState, ReplicationStatus, ReplicationTask};
use super::types::{ChecksumKind, ObjectMeta, ObjectOwnership, PolicyReference, Versioning};
use crate::crypto::{Checksum, ChecksumAlgorithm, HEADER_BYTES, ObjectKeys, SecretKey, StreamOpener, StreamSealer};
use crate::golden::{Golden, check};
use crate::index::{Table, golden_row};
use crate::names::{AccountId, BucketName, ObjectKey};
use crate::policy::{Acl, AclGrant, CannedAcl, Group, Permission, PublicAccessBlock};
use crate::rules::lock::{ObjectLock, Retention, RetentionMode};
use crate::rules::notification::EventName;
use crate::sources::Timestamp;
use crate::sse::{BucketDefault, Envelope, Mode, WrappedFor};

const BUCKET: Id = [1; 16];
const POSITION: Id = [2; 16];
const HOLDER: Id = [3; 16];
const CONTENT: Id = [4; 16];
const UPLOAD: Id = [5; 16];
const NOW_MS: i64 = 1_795_608_000_000;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn meta() -> ObjectMeta {
    ObjectMeta {
        content_type: text("text/plain"),
        cache_control: text("no-cache"),
        content_disposition: text("inline"),
        content_encoding: text("gzip"),
        content_language: text("de"),
        expires: text("0"),
        website_redirect: text("/x"),
        storage_class: text("STANDARD_IA"),
        user: vec![("name".to_owned(), "v\u{fc}".to_owned())],
        tags: vec![("k".to_owned(), "v".to_owned())],
    }
}

fn envelope(mode: Mode) -> Envelope {
    Envelope {
        mode,
        wrapped: vec![0xaa; 3],
        kms_key_arn: None,
        kms_ciphertext: Vec::new(),
        kms_context: Vec::new(),
        bucket_key: false,
        customer_check: Vec::new(),
        wrapped_for: None,
    }
}

fn kms_envelope(mode: Mode) -> Envelope {
    Envelope {
        kms_key_arn: text("arn:aws:kms:us-east-1:111122223333:key/k"),
        kms_ciphertext: vec![0xbb; 3],
        kms_context: vec![("a".to_owned(), "b".to_owned())],
        bucket_key: mode == Mode::SseKms,
        ..envelope(mode)
    }
}

fn checksum(algorithm: ChecksumAlgorithm, kind: ChecksumKind) -> ChecksumRecord {
    ChecksumRecord::new(&Checksum { algorithm, value: vec![0xcc; 4] }, kind, Some(2))
}

fn content(place: Place) -> Content {
    Content { id: CONTENT, place, sealing_id: HOLDER, sealed_crc: 0x0102_0304_0506_0708 }
}

fn body(mode: Mode, place: Place) -> BodyRecord {
    let kms = matches!(mode, Mode::SseKms | Mode::DsseKms);
    BodyRecord {
        plain_len: 70_000,
        etag: "0123456789abcdef0123456789abcdef-2".to_owned(),
        meta: meta(),
        checksum: Some(checksum(ChecksumAlgorithm::Crc32c, ChecksumKind::Composite)),
        envelope: if kms { kms_envelope(mode) } else { envelope(mode) },
        content: content(place),
        parts: Some(2),
        upload: Some(UPLOAD),
    }
}

fn version(body: Option<BodyRecord>) -> ObjectRecord {
    ObjectRecord {
        position: POSITION,
        null: false,
        holder_id: HOLDER,
        modified_ms: NOW_MS,
        body,
        access: None,
        lock: None,
        replication: None,
    }
}

/// As a simple upload leaves it: nothing that need not be there.
fn plain_version() -> ObjectRecord {
    let body = BodyRecord {
        plain_len: 0,
        etag: String::new(),
        meta: ObjectMeta::default(),
        checksum: None,
        parts: None,
        upload: None,
        ..body(Mode::SseS3, Place::Inline)
    };
    ObjectRecord { null: true, ..version(Some(body)) }
}

fn part() -> PartRecord {
    PartRecord {
        number: 7,
        plain_len: 5 << 20,
        etag: "0123456789abcdef0123456789abcdef".to_owned(),
        modified_ms: NOW_MS,
        bytes: PartBytes { id: CONTENT, place: Place::Blob, sealed_crc: 9 },
        checksum: Some(checksum(ChecksumAlgorithm::Sha256, ChecksumKind::FullObject)),
        md5: Some([6; 16]),
        plain_crc: 10,
    }
}

fn key() -> ObjectKey {
    ObjectKey::parse("a/\u{1f600}\0b").expect("a key")
}

fn buckets() -> Vec<Golden> {
    let name = BucketName::parse("bucket").expect("a name");
    let owner = AccountId::parse("111122223333").expect("an account");
    let bucket = |versioning, encryption, ownership| BucketRecord {
        id: BUCKET,
        owner: owner.as_str().to_owned(),
        region: "us-east-1".to_owned(),
        created_ms: NOW_MS,
        versioning,
        encryption,
        closing: false,
        ownership,
        policy: None,
        public_access_block: None,
        acl: None,
        requester_pays: None,
        configurations: None,
    };
    let kms = BucketDefault { mode: Mode::DsseKms, kms_key: text("alias/k"), bucket_key: true, blocks_sse_c: true };
    let row = |name: &str, value: &BucketRecord| {
        golden_row(name, &bucket_row(&BucketName::parse("bucket").expect("a name")), value)
    };
    let mut goldens = vec![
        // A trailing field that is None is not written, so these are also the rows from before there was a choice.
        row("bucket of the first form", &bucket(Versioning::Never, BucketDefault::default(), None)),
        row("bucket without ownership", &bucket(Versioning::Enabled, kms, Some(OwnershipRecord::Deleted))),
        golden_row(
            "bucket by owner",
            &owner_row(&owner, name.as_str()),
            &OwnedBucket { region: "us-east-1".to_owned() },
        ),
    ];
    for ownership in ObjectOwnership::ALL {
        let controls = OwnershipRecord::Controls(ownership);
        let suspended = bucket(Versioning::Suspended, BucketDefault::default(), Some(controls));
        goldens.push(row(&format!("bucket with {ownership:?}"), &BucketRecord { closing: true, ..suspended }));
    }
    let switches = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: false,
        block_public_policy: true,
        restrict_public_buckets: false,
    };
    let enforced = Some(OwnershipRecord::Controls(ObjectOwnership::BucketOwnerEnforced));
    let with_policy = BucketRecord {
        policy: Some(PolicyReference { id: HOLDER, public: true }),
        public_access_block: Some(switches),
        ..bucket(Versioning::Never, BucketDefault::default(), enforced)
    };
    goldens.push(row("bucket with policy", &with_policy));
    for (what, acl) in acls() {
        let writer = Some(OwnershipRecord::Controls(ObjectOwnership::ObjectWriter));
        let plain = bucket(Versioning::Never, BucketDefault::default(), writer);
        goldens.push(row(&format!("bucket with an ACL, {what}"), &BucketRecord { acl: Some(acl), ..plain }));
    }
    let pays =
        BucketRecord { requester_pays: Some(true), ..bucket(Versioning::Never, BucketDefault::default(), enforced) };
    goldens.push(row("bucket of requester pays", &pays));
    goldens.extend(configurations::configured(&bucket(Versioning::Never, BucketDefault::default(), enforced)));
    let policy = PolicyRecord { id: HOLDER, document: "{}".to_owned() };
    goldens.push(golden_row("policy of a bucket", &policy_row(&BUCKET), &policy));
    goldens
}

/// What queues hold.
fn tasks() -> Vec<Golden> {
    let happening = Happening {
        event: EventName::CREATED_PUT,
        time_ms: NOW_MS,
        region: "us-east-1".to_owned(),
        bucket: "bucket".to_owned(),
        owner: "111122223333".to_owned(),
        key: "a/b".to_owned(),
        plain_len: Some(5),
        etag: text("e"),
        version: text("v"),
        sequence: Some(9),
        principal: "AWS:id".to_owned(),
        requester: text("444455556666"),
        source_ip: "127.0.0.1".to_owned(),
        request_id: "R".to_owned(),
        class: None,
    };
    let moved = Happening { event: EventName::TRANSITION, class: text("STANDARD_IA"), ..happening.clone() };
    let moved = NotificationTask { target: "arn".to_owned(), configuration: text("id"), happening: moved };
    let told = NotificationTask { target: "arn".to_owned(), configuration: text("id"), happening };
    let replicated = ReplicationTask {
        destination: "arn:aws:s3:::there".to_owned(),
        bucket: "bucket".to_owned(),
        bucket_id: BUCKET,
        key: "a/b".to_owned(),
        position: POSITION,
        marker: false,
        rule: "id".to_owned(),
        since_ms: NOW_MS,
        upload: text("u"),
    };
    let entry = |task: Vec<u8>| QueueRecord { task, failures: 0 };
    let row = |queue| queue_row(queue, &lane_of("arn"), Timestamp(NOW_MS), &HOLDER);
    let bytes = |task: &NotificationTask| minicbor::to_vec(task).expect("encoded");
    let more = |task: &ReplicationTask| minicbor::to_vec(task).expect("encoded");
    vec![
        golden_row("event in a queue", &row(Queue::Notifications), &entry(bytes(&told))),
        golden_row("version in a queue", &row(Queue::Replication), &entry(more(&replicated))),
        Golden::of("event", &told, bytes, |read| minicbor::decode(read).expect("an event")),
        Golden::of("event of a change of the class", &moved, bytes, |read| minicbor::decode(read).expect("an event")),
        Golden::of("version to be replicated", &replicated, more, |read| minicbor::decode(read).expect("a version")),
    ]
}

/// Every form of how the replication of a version stands.
fn replications() -> Vec<(&'static str, ReplicationState)> {
    let state = |status, waiting: &[&str], failed| ReplicationState {
        status,
        waiting: waiting.iter().map(|arn| (*arn).to_owned()).collect(),
        failed,
        changes: None,
        places: None,
        replica: None,
    };
    let mut changed = state(ReplicationStatus::Pending, &["arn:aws:s3:::there"], true);
    [(Aspect::Tags, 1), (Aspect::Acl, 2), (Aspect::Retention, 3), (Aspect::LegalHold, 4)]
        .iter()
        .for_each(|(aspect, number)| changed.note_change(*aspect, *number));
    let place = ReplicaPlace {
        destination: "arn:aws:s3:::there".to_owned(),
        taken: true,
        failed: false,
        version: text("v"),
        sent: Some(3),
    };
    let given_up = ReplicaPlace { taken: false, failed: true, version: None, sent: None, ..place.clone() };
    changed.places = Some(vec![place, given_up]);
    let modified = ReplicationState { replica: Some(true), ..state(ReplicationStatus::Failed, &[], true) };
    vec![
        ("replication of changes", changed),
        ("replica that was changed", modified),
        ("replication pending", state(ReplicationStatus::Pending, &["arn:aws:s3:::there"], false)),
        ("replication completed", state(ReplicationStatus::Completed, &[], false)),
        ("replication failed", state(ReplicationStatus::Failed, &[], true)),
        ("replica", state(ReplicationStatus::Replica, &[], false)),
    ]
}

/// Every permission and every kind of grantee.
fn acls() -> Vec<(&'static str, Acl)> {
    let id = "a1".repeat(32);
    let to_account = Permission::ALL.map(|(permission, _)| AclGrant::account(&id, permission));
    let to_groups = Group::ALL.map(|(group, _)| AclGrant::group(group, Permission::Read));
    vec![
        ("permissions", Acl { grants: to_account.to_vec() }),
        ("groups", Acl { grants: to_groups.to_vec() }),
        ("empty", Acl::default()),
    ]
}

/// Every form of an object's owner and ACL.
fn accesses() -> Vec<(&'static str, ObjectAccess)> {
    let account = Some(ObjectOwner::Account("444455556666".to_owned()));
    let acl = Some(CannedAcl::PublicRead.acl(&"a1".repeat(32), &"b2".repeat(32)));
    vec![
        ("owner", ObjectAccess { owner: account.clone(), acl: None }),
        ("ACL", ObjectAccess { owner: None, acl: acl.clone() }),
        ("owner and ACL", ObjectAccess { owner: account, acl }),
        ("nobody's", ObjectAccess { owner: Some(ObjectOwner::Anonymous), acl: None }),
    ]
}

/// Every form of an object's lock.
fn locks() -> Vec<(&'static str, ObjectLock)> {
    let retention = |mode| Some(Retention { mode, until_ms: NOW_MS, until_trusted_ms: NOW_MS + 1 });
    vec![
        ("governance", ObjectLock { retention: retention(RetentionMode::Governance), legal_hold: None }),
        ("compliance", ObjectLock { retention: retention(RetentionMode::Compliance), legal_hold: Some(true) }),
        ("hold released", ObjectLock { retention: None, legal_hold: Some(false) }),
    ]
}

fn jobs() -> Vec<Golden> {
    let lease = LeaseRecord { holder: HOLDER, token: 7, until_ms: NOW_MS };
    let run = InventoryRun { started_ms: NOW_MS, seed: HOLDER, done: true };
    let progress = |place| LifecycleProgress { day: 20_782, rules: POSITION, place, again_from: None };
    let again_from = Some(LifecyclePlace::Versions("j".to_owned()));
    let failed = LifecycleProgress { again_from, ..progress(LifecyclePlace::End) };
    let entry = QueueRecord { task: vec![1, 2, 3], failures: 2 };
    vec![
        golden_row("lease", &lease_row("lifecycle"), &lease),
        golden_row("inventory run", &inventory_run_row(&BUCKET, "list"), &run),
        golden_row(
            "lifecycle progress",
            &lifecycle_progress_row(&BUCKET),
            &progress(LifecyclePlace::Versions("k".to_owned())),
        ),
        golden_row(
            "lifecycle progress, uploads",
            &lifecycle_progress_row(&BUCKET),
            &progress(LifecyclePlace::Uploads(String::new())),
        ),
        golden_row("lifecycle progress, end", &lifecycle_progress_row(&BUCKET), &progress(LifecyclePlace::End)),
        golden_row("lifecycle progress, end with a failure", &lifecycle_progress_row(&BUCKET), &failed),
        golden_row("queue", &queue_row(Queue::Notifications, &lane_of("arn"), Timestamp(NOW_MS), &HOLDER), &entry),
        golden_row(
            "queue of replication",
            &queue_row(Queue::Replication, &lane_of("arn"), Timestamp(NOW_MS), &HOLDER),
            &entry,
        ),
    ]
}

fn versions() -> Vec<Golden> {
    let mut goldens = vec![
        golden_row("current version, least", &object_row(&BUCKET, &key()), &Current(plain_version())),
        golden_row("delete marker", &version_row(&BUCKET, &key(), &POSITION), &Noncurrent(version(None))),
        golden_row("null pointer", &object_row(&BUCKET, &key()), &NullPointer { position: POSITION }),
        golden_row("holders", &id_row(&CONTENT), &RefCount { holders: 300 }),
    ];
    for (mode, place) in [
        (Mode::SseS3, Place::Inline),
        (Mode::SseKms, Place::Blob),
        (Mode::DsseKms, Place::Parts),
        (Mode::SseC, Place::Blob),
    ] {
        let (current, noncurrent) = (version(Some(body(mode, place))), version(Some(body(mode, place))));
        let row = version_row(&BUCKET, &key(), &POSITION);
        goldens.push(golden_row(
            &format!("current version, {mode:?}"),
            &object_row(&BUCKET, &key()),
            &Current(current),
        ));
        goldens.push(golden_row(&format!("noncurrent version, {mode:?}"), &row, &Noncurrent(noncurrent)));
    }
    for (what, access) in accesses() {
        let record = ObjectRecord { access: Some(access), ..plain_version() };
        let row = object_row(&BUCKET, &key());
        goldens.push(golden_row(&format!("current version, {what}"), &row, &Current(record.clone())));
        let row = version_row(&BUCKET, &key(), &POSITION);
        goldens.push(golden_row(&format!("noncurrent version, {what}"), &row, &Noncurrent(record)));
    }
    for (what, lock) in locks() {
        let record = ObjectRecord { lock: Some(lock), ..plain_version() };
        goldens.push(golden_row(&format!("current version, {what}"), &object_row(&BUCKET, &key()), &Current(record)));
    }
    for (what, state) in replications() {
        let record = ObjectRecord { replication: Some(state), ..plain_version() };
        goldens.push(golden_row(&format!("current version, {what}"), &object_row(&BUCKET, &key()), &Current(record)));
    }
    let mut record = plain_version();
    let body = record.body.as_mut().expect("a version");
    let wrapped_for = Some(WrappedFor { bucket: "bucket".to_owned(), key: "a/b".to_owned(), id: HOLDER });
    body.envelope = Envelope { customer_check: vec![0xdd; 3], wrapped_for, ..envelope(Mode::SseC) };
    goldens.push(golden_row("current version, SSE-C replica", &object_row(&BUCKET, &key()), &Current(record)));
    for algorithm in ChecksumAlgorithm::ALL {
        let mut record = plain_version();
        let body = record.body.as_mut().expect("a version");
        body.checksum = Some(checksum(algorithm, ChecksumKind::FullObject));
        goldens.push(golden_row(&format!("{algorithm:?}"), &object_row(&BUCKET, &key()), &Current(record)));
    }
    goldens
}

fn uploads() -> Vec<Golden> {
    let upload = UploadRecord {
        initiated_ms: NOW_MS,
        meta: meta(),
        envelope: Envelope { customer_check: vec![0xdd; 3], ..envelope(Mode::SseC) },
        checksum: Some((algorithm_number(ChecksumAlgorithm::Crc64Nvme), ChecksumKind::FullObject)),
        holder_id: HOLDER,
        began_over: Some(POSITION),
        access: None,
        initiator: None,
        lock: None,
    };
    let of_others = UploadRecord {
        access: Some(accesses().remove(2).1),
        initiator: text("arn:aws:iam::444455556666:user/u"),
        ..upload.clone()
    };
    let locked = UploadRecord { lock: Some(locks().remove(1).1), ..upload.clone() };
    let least = UploadRecord { meta: ObjectMeta::default(), checksum: None, began_over: None, ..upload.clone() };
    let row = upload_row(&BUCKET, &key(), &UPLOAD);
    let bare = PartRecord { checksum: None, md5: None, ..part() };
    vec![
        golden_row("upload", &row, &upload),
        golden_row("upload, least", &row, &least),
        golden_row("upload of others", &row, &of_others),
        golden_row("upload of a locked object", &row, &locked),
        golden_row("part", &part_row(&UPLOAD, 7), &part()),
        golden_row("layout", &id_row(&CONTENT), &Layout { parts: vec![part(), bare] }),
        golden_row("pending", &id_row(&CONTENT), &Pending { since_ms: NOW_MS }),
    ]
}

fn garbage() -> Vec<Golden> {
    let row = garbage_row(Timestamp(NOW_MS), &CONTENT);
    vec![
        golden_row("garbage: a content", &row, &Garbage::Content(content(Place::Parts))),
        golden_row("garbage: an upload", &row, &Garbage::Upload(UPLOAD)),
        golden_row("garbage: a part", &row, &Garbage::Part(part().bytes)),
        golden_row("garbage: a bucket's uploads", &row, &Garbage::Bucket(BUCKET)),
    ]
}

/// A row of sealed bytes: a stream, whose own golden bytes are in `fixtures/crypto/`.
fn inline() -> Golden {
    let keys = || ObjectKeys::Single(SecretKey::from_slice(&[8; 32]).expect("32 bytes"));
    let write = |plain: &String| {
        let (mut sealer, header) = StreamSealer::new(&keys(), &HOLDER, 0, CONTENT);
        let mut segment = plain.clone().into_bytes();
        sealer.seal(&mut segment, 0, true);
        [&header[..], &segment].concat()
    };
    let read = move |bytes: &[u8]| {
        let (header, segment) = bytes.split_first_chunk::<HEADER_BYTES>().expect("a header");
        let opener = StreamOpener::new(&keys(), &HOLDER, 0, &CONTENT, header).expect("its header");
        let mut segment = segment.to_vec();
        let plain_len = opener.open(0, true, &mut segment).expect("it opens");
        String::from_utf8_lossy(&segment[..plain_len]).into_owned()
    };
    Golden::of("inline", &"plain".to_owned(), write, read).at(Table::Inline.name(), &id_row(&CONTENT))
}

#[test]
fn golden() {
    let rest = [inline()];
    let all: Vec<Golden> = buckets()
        .into_iter()
        .chain(versions())
        .chain(uploads())
        .chain(garbage())
        .chain(jobs())
        .chain(tasks())
        .chain(rest)
        .collect();
    check("objects", &all);
}
