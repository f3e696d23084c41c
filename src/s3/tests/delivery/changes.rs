//! What is changed of a version after it was replicated, and what becomes of it at its replicas.

use super::*;
use crate::index::Faults;

const LOCK: &[(&str, &str)] = &[("x-amz-bucket-object-lock-enabled", "true")];
const LOCKS: &str = r#"["s3:GetObjectVersion*","s3:Replicate*","s3:BypassGovernanceRetention"]"#;

fn tagging(value: &str) -> String {
    format!("<Tagging><TagSet><Tag><Key>k</Key><Value>{value}</Value></Tag></TagSet></Tagging>")
}

fn retention(mode: &str, year: u32) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{year}-01-01T00:00:00Z</RetainUntilDate></Retention>")
}

fn hold(on: &str) -> String {
    format!("<LegalHold><Status>{on}</Status></LegalHold>")
}

/// A rule's inner part: `source` is what its `SourceSelectionCriteria` say, `destination` more of its destination.
fn rule_of(role: &str, to: &str, source: &str, destination: &str) -> String {
    format!(
        "<ReplicationConfiguration><Role>{role}</Role><Rule><ID>r</ID><Priority>1</Priority><Status>Enabled</Status>\
         <Filter/><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>{source}\
         <Destination><Bucket>arn:aws:s3:::{to}</Bucket>{destination}</Destination></Rule></ReplicationConfiguration>"
    )
}

const BOTH_WAYS: &str = "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status>\
                         </ReplicaModifications></SourceSelectionCriteria>";

impl Gateway {
    /// Buckets with object lock and ACLs, and a role that may do these actions.
    async fn with_buckets(seed: u64, buckets: &[&str], actions: &str) -> (Self, String) {
        let gateway = Self::new(seed, SETTINGS).await;
        for bucket in buckets {
            gateway.versioned("ROOT", bucket, LOCK).await;
            gateway.acls_on(bucket).await;
        }
        let role = gateway.role(ROOT, actions).await;
        (gateway, role)
    }

    async fn acls_on(&self, bucket: &str) {
        let writer =
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
        self.good("ROOT", ("PUT", &format!("/{bucket}?ownershipControls")), &[], writer).await;
        self.good("ROOT", ("DELETE", &format!("/{bucket}?publicAccessBlock")), &[], "").await;
    }

    async fn put(&self, uri: &str, body: &str) {
        self.good("ROOT", ("PUT", uri), &[], body).await;
    }

    async fn body_of(&self, uri: &str) -> String {
        let (status, body, _) = self.by("ROOT", ("GET", uri), &[], "").await;
        assert_eq!(status, 200, "{uri}: {body}");
        body
    }

    async fn status_of(&self, uri: &str) -> String {
        self.by("ROOT", ("HEAD", uri), &[], "").await.2
    }

    async fn waiting(&self) -> usize {
        self.app.objects.queue_length(Queue::Replication, 1000).await.unwrap()
    }

    /// Works off what is due, until nothing waits.
    async fn quiet(&self) {
        for _ in 0..20 {
            if self.waiting().await == 0 {
                return;
            }
            delivery::pass(&self.app).await;
            self.sources.advance(Duration::from_millis(1));
        }
        panic!("it does not come to rest");
    }
}

#[tokio::test]
async fn changes_follow_and_the_status_tells_of_it() {
    let (gateway, role) = Gateway::with_buckets(51, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.good("ROOT", ("PUT", "/here/k"), &[("x-amz-tagging", "k=old")], "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    for (what, method, body, shown) in [
        ("tagging", "PUT", tagging("new"), "<Value>new</Value>"),
        ("tagging", "DELETE", String::new(), "<TagSet></TagSet>"),
        ("legal-hold", "PUT", hold("ON"), "<Status>ON</Status>"),
        ("legal-hold", "PUT", hold("OFF"), "<Status>OFF</Status>"),
        ("retention", "PUT", retention("GOVERNANCE", 2027), "<Mode>GOVERNANCE</Mode>"),
        ("retention", "PUT", retention("COMPLIANCE", 2028), "2028-01-01"),
    ] {
        gateway.good("ROOT", (method, &format!("/here/k?{what}")), &[], &body).await;
        assert_eq!(gateway.status_of("/here/k").await, "PENDING", "{what}");
        gateway.quiet().await;
        assert_eq!(gateway.status_of("/here/k").await, "COMPLETED", "{what}");
        let (source, replica) =
            (gateway.body_of(&format!("/here/k?{what}")).await, gateway.body_of(&format!("/there/k?{what}")).await);
        let shown = if shown == "<TagSet></TagSet>" { "TagSet" } else { shown };
        assert!(replica.contains(shown), "{what}: {replica}");
        assert_eq!(source, replica, "{what}");
        assert_eq!(gateway.status_of("/there/k").await, "REPLICA", "{what}");
    }
    gateway.good("ROOT", ("PUT", "/here/k?acl"), &[("x-amz-acl", "public-read")], "").await;
    assert_eq!(gateway.status_of("/here/k").await, "PENDING");
    gateway.quiet().await;
    assert!(gateway.body_of("/there/k?acl").await.contains("AllUsers"));
    assert_eq!(gateway.status_of("/here/k").await, "COMPLETED");
}

#[tokio::test]
async fn changes_of_a_version_that_is_not_current_follow_to_that_version() {
    let (gateway, role) = Gateway::with_buckets(52, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    let old = gateway.done("PUT", "/here/k", &[], "old").await.header("x-amz-version-id").unwrap().to_owned();
    gateway.put("/here/k", "new").await;
    gateway.quiet().await;
    gateway.put(&format!("/here/k?tagging&versionId={old}"), &tagging("of-old")).await;
    gateway.quiet().await;
    assert!(gateway.body_of(&format!("/there/k?tagging&versionId={old}")).await.contains("of-old"));
    assert!(!gateway.body_of("/there/k?tagging").await.contains("of-old"));
}

#[tokio::test]
async fn a_version_that_waits_has_one_entry_and_arrives_as_it_is_then() {
    let (gateway, role) = Gateway::with_buckets(53, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here/k", "x").await;
    for number in 0..20 {
        gateway.put("/here/k?tagging", &tagging(&number.to_string())).await;
    }
    gateway.put("/here/k?legal-hold", &hold("ON")).await;
    assert_eq!(gateway.waiting().await, 1);
    gateway.quiet().await;
    assert!(gateway.body_of("/there/k?tagging").await.contains("<Value>19</Value>"));
    assert!(gateway.body_of("/there/k?legal-hold").await.contains("ON"));
    for number in 20..40 {
        gateway.put("/here/k?tagging", &tagging(&number.to_string())).await;
        assert_eq!(gateway.waiting().await, 1);
    }
    gateway.quiet().await;
    assert!(gateway.body_of("/there/k?tagging").await.contains("<Value>39</Value>"));
    assert_eq!(gateway.status_of("/here/k").await, "COMPLETED");
}

#[tokio::test]
async fn a_change_and_its_entry_are_there_both_or_neither() {
    for lost in [false, true] {
        let (gateway, role) = Gateway::with_buckets(54, &["here", "there"], REPLICATE).await;
        gateway.put("/here?replication", &rules(&role, "there")).await;
        gateway.put("/here/k", "x").await;
        gateway.quiet().await;
        let faults = match lost {
            true => Faults { lose_answer_in: Some(1), ..Faults::default() },
            false => Faults { fail_commit_in: Some(1), ..Faults::default() },
        };
        gateway.index.set_faults(faults);
        let (status, ..) = gateway.by("ROOT", ("PUT", "/here/k?tagging"), &[], &tagging("new")).await;
        assert!(status >= 500, "{status}");
        gateway.index.set_faults(Faults::default());
        let gateway = gateway.crash().await;
        let tagged = gateway.body_of("/here/k?tagging").await.contains("new");
        assert_eq!((tagged, gateway.waiting().await), (lost, usize::from(lost)));
        assert_eq!(gateway.status_of("/here/k").await, if lost { "PENDING" } else { "COMPLETED" });
        gateway.quiet().await;
        assert_eq!(gateway.body_of("/there/k?tagging").await.contains("new"), lost);
    }
}

#[tokio::test]
async fn changes_do_not_make_a_replica_again_that_was_deleted() {
    let (gateway, role) = Gateway::with_buckets(55, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    let id = gateway.done("PUT", "/here/k", &[], "x").await.header("x-amz-version-id").unwrap().to_owned();
    gateway.quiet().await;
    gateway.good("ROOT", ("DELETE", &format!("/there/k?versionId={id}")), &[], "").await;
    gateway.put("/here/k?tagging", &tagging("new")).await;
    gateway.quiet().await;
    assert_eq!(gateway.by("ROOT", ("HEAD", "/there/k"), &[], "").await.0, 404);
    assert_eq!(gateway.status_of("/here/k").await, "COMPLETED");
}

#[tokio::test]
async fn what_had_no_leave_is_tried_again_with_the_next_change() {
    let (gateway, role) = Gateway::with_buckets(56, &["here", "there"], r#"["s3:GetObjectVersion*"]"#).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here/k", "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "FAILED");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let grant = gateway.leave("iam:PutRolePolicy", role, ROOT);
    let draft = gateway.app.identities.put_inline_policy::<RoleRecord>(&grant, "copier", "p", policy).await.unwrap();
    draft.commit(&gateway.event()).await.unwrap();
    gateway.put("/here/k?tagging", &tagging("new")).await;
    assert_eq!(gateway.status_of("/here/k").await, "PENDING");
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    assert!(gateway.body_of("/there/k?tagging").await.contains("new"));
}

#[tokio::test]
async fn an_owner_override_keeps_the_acl_of_the_replica() {
    let (gateway, role) = Gateway::with_buckets(57, &["here", "there"], r#"["s3:*"]"#).await;
    let to = format!(
        "<Account>{ROOT}</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>"
    );
    gateway.put("/here?replication", &rule_of(&role, "there", "", &to)).await;
    gateway.put("/here/k", "x").await;
    gateway.quiet().await;
    gateway.good("ROOT", ("PUT", "/here/k?acl"), &[("x-amz-acl", "public-read")], "").await;
    gateway.put("/here/k?tagging", &tagging("new")).await;
    gateway.quiet().await;
    assert!(!gateway.body_of("/there/k?acl").await.contains("AllUsers"));
    assert!(gateway.body_of("/there/k?tagging").await.contains("new"));
    assert_eq!(gateway.status_of("/here/k").await, "COMPLETED");
}

#[tokio::test]
async fn a_change_leaves_alone_what_it_did_not_change() {
    let (gateway, role) = Gateway::with_buckets(58, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here/k", "x").await;
    gateway.quiet().await;
    // Set at the replica alone.
    gateway.put("/there/k?tagging", &tagging("own")).await;
    gateway.put("/there/k?legal-hold", &hold("ON")).await;
    assert_eq!((gateway.waiting().await, gateway.status_of("/there/k").await.as_str()), (0, "REPLICA"));
    gateway.put("/here/k?retention", &retention("GOVERNANCE", 2027)).await;
    gateway.quiet().await;
    assert!(gateway.body_of("/there/k?tagging").await.contains("own"));
    assert!(gateway.body_of("/there/k?legal-hold").await.contains("ON"));
    assert!(gateway.body_of("/there/k?retention").await.contains("2027"));
    assert_eq!(gateway.status_of("/here/k").await, "COMPLETED");
}

#[tokio::test]
async fn a_replicas_retention_is_shortened_only_with_leave_to_bypass_it() {
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    for (actions, expected, until) in [(REPLICATE, "FAILED", "2030"), (LOCKS, "COMPLETED", "2027")] {
        let (gateway, role) = Gateway::with_buckets(59, &["here", "there"], actions).await;
        gateway.put("/here?replication", &rules(&role, "there")).await;
        gateway.put("/here/k", "x").await;
        gateway.put("/here/k?retention", &retention("GOVERNANCE", 2030)).await;
        gateway.quiet().await;
        gateway.good("ROOT", ("PUT", "/here/k?retention"), &bypass, &retention("GOVERNANCE", 2027)).await;
        gateway.put("/here/k?tagging", &tagging("new")).await;
        assert_eq!(gateway.settled("ROOT", "/here/k").await, expected, "{actions}");
        assert!(gateway.body_of("/there/k?retention").await.contains(until), "{actions}");
        // What is refused keeps the rest from nothing.
        assert!(gateway.body_of("/there/k?tagging").await.contains("new"), "{actions}");
    }
}

#[tokio::test]
async fn compliance_can_not_be_undone_by_replication() {
    let (gateway, role) = Gateway::with_buckets(60, &["here", "there"], LOCKS).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here/k", "x").await;
    gateway.quiet().await;
    gateway.put("/there/k?retention", &retention("COMPLIANCE", 2030)).await;
    gateway.sources.advance(Duration::from_millis(5));
    gateway.put("/here/k?retention", &retention("GOVERNANCE", 2027)).await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "FAILED");
    assert!(gateway.body_of("/there/k?retention").await.contains("2030"));
}

#[tokio::test]
async fn changes_of_replicas_go_back_where_a_rule_says_so_and_come_to_rest() {
    let (gateway, role) = Gateway::with_buckets(61, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rule_of(&role, "there", BOTH_WAYS, "")).await;
    gateway.put("/there?replication", &rule_of(&role, "here", BOTH_WAYS, "")).await;
    gateway.put("/here/k", "x").await;
    gateway.quiet().await;
    let same = async |what: &str, shown: &str| {
        for bucket in ["here", "there"] {
            let body = gateway.body_of(&format!("/{bucket}/k?{what}")).await;
            assert!(body.contains(shown), "{bucket}: {body}");
        }
        assert_eq!(gateway.status_of("/here/k").await, "COMPLETED");
        assert_eq!(gateway.status_of("/there/k").await, "REPLICA");
    };
    gateway.put("/there/k?tagging", &tagging("from-there")).await;
    assert_eq!((gateway.waiting().await, gateway.status_of("/there/k").await.as_str()), (1, "PENDING"));
    gateway.quiet().await;
    same("tagging", "from-there").await;
    gateway.put("/here/k?tagging", &tagging("from-here")).await;
    gateway.quiet().await;
    same("tagging", "from-here").await;
    gateway.put("/there/k?legal-hold", &hold("ON")).await;
    gateway.good("ROOT", ("PUT", "/there/k?acl"), &[("x-amz-acl", "public-read")], "").await;
    gateway.put("/there/k?retention", &retention("GOVERNANCE", 2027)).await;
    gateway.quiet().await;
    same("legal-hold", "ON").await;
    same("acl", "AllUsers").await;
    same("retention", "2027").await;
    // On both sides before anything is taken: the later one stays, on both.
    for (first, second) in [("here", "there"), ("there", "here")] {
        gateway.put(&format!("/{first}/k?tagging"), &tagging("earlier")).await;
        gateway.sources.advance(Duration::from_millis(1));
        gateway.put(&format!("/{second}/k?tagging"), &tagging(&format!("later-{second}"))).await;
        gateway.quiet().await;
        same("tagging", &format!("later-{second}")).await;
    }
    // Each version is there once: replicas were not replicated back.
    for bucket in ["here", "there"] {
        assert_eq!(gateway.body_of(&format!("/{bucket}?versions")).await.matches("<Version>").count(), 1);
    }
}

#[tokio::test]
async fn a_change_that_came_back_goes_on_to_the_other_replicas() {
    let (gateway, role) = Gateway::with_buckets(62, &["here", "there", "third"], REPLICATE).await;
    let both = rule_of(&role, "there", "", "").replace("</ReplicationConfiguration>", "")
        + "<Rule><ID>s</ID><Priority>2</Priority><Status>Enabled</Status><Filter/><DeleteMarkerReplication><Status>\
           Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::third</Bucket></Destination>\
           </Rule></ReplicationConfiguration>";
    gateway.put("/here?replication", &both).await;
    gateway.put("/there?replication", &rule_of(&role, "here", BOTH_WAYS, "")).await;
    gateway.put("/here/k", "x").await;
    gateway.quiet().await;
    gateway.put("/there/k?tagging", &tagging("from-there")).await;
    gateway.quiet().await;
    for bucket in ["here", "third"] {
        assert!(gateway.body_of(&format!("/{bucket}/k?tagging")).await.contains("from-there"), "{bucket}");
    }
    assert_eq!(gateway.status_of("/third/k").await, "REPLICA");
}

#[tokio::test]
async fn changes_of_a_replica_do_not_bring_back_what_it_came_from() {
    let (gateway, role) = Gateway::with_buckets(63, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/there?replication", &rule_of(&role, "here", BOTH_WAYS, "")).await;
    let id = gateway.done("PUT", "/here/k", &[], "x").await.header("x-amz-version-id").unwrap().to_owned();
    gateway.quiet().await;
    gateway.good("ROOT", ("DELETE", &format!("/here/k?versionId={id}")), &[], "").await;
    gateway.put("/there/k?tagging", &tagging("new")).await;
    gateway.quiet().await;
    assert_eq!(gateway.by("ROOT", ("HEAD", "/here/k"), &[], "").await.0, 404);
    assert_eq!(gateway.status_of("/there/k").await, "REPLICA");
}

#[tokio::test]
async fn a_rule_that_was_put_again_under_another_name_takes_over_what_waits() {
    let (gateway, role) = Gateway::with_buckets(64, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here/taken", "x").await;
    gateway.put("/here?replication", &rules(&role, "there").replace("<ID>r</ID>", "<ID>other</ID>")).await;
    gateway.quiet().await;
    assert_eq!(gateway.status_of("/here/taken").await, "COMPLETED");
    // One that is gone leaves nothing to wait for.
    gateway.put("/here/left", "x").await;
    gateway.good("ROOT", ("DELETE", "/here?replication"), &[], "").await;
    gateway.quiet().await;
    assert_eq!(gateway.status_of("/here/left").await, "FAILED");
}

#[tokio::test]
async fn changes_go_elsewhere_by_the_version_id_that_it_has_there() {
    let (gateway, far) = Gateway::with_far("").await;
    gateway.versioned("ROOT", "here", LOCK).await;
    gateway.acls_on("here").await;
    let role = gateway.role(ROOT, LOCKS).await;
    gateway.put("/here?replication", &rules(&role, "far")).await;
    let refused = rule_of(&role, "far", BOTH_WAYS, "");
    let (status, answer, _) = gateway.by("ROOT", ("PUT", "/here?replication"), &[], &refused).await;
    assert!(status == 400 && answer.contains("ReplicaModifications can only be enabled"), "{answer}");
    let locked = [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", "2027-01-01T00:00:00Z"),
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-tagging", "k=v"),
        ("content-md5", "ndTkYSaMgDT1yFZOFVxnpg=="),
    ];
    let _ = far.asked();
    gateway.good("ROOT", ("PUT", "/here/k"), &locked, "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    assert_eq!(far.asked(), ["GET /far?versioning=", "PUT /far/k tagged locked held"]);
    gateway.put("/here/k?tagging", &tagging("new")).await;
    gateway.put("/here/k?legal-hold", &hold("OFF")).await;
    gateway.put("/here/k?retention", &retention("COMPLIANCE", 2029)).await;
    gateway.good("ROOT", ("PUT", "/here/k?acl"), &[("x-amz-acl", "public-read")], "").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    assert_eq!(
        far.asked(),
        [
            "PUT /far/k?tagging=&versionId=v%2F1",
            "PUT /far/k?retention=&versionId=v%2F1 bypass",
            "PUT /far/k?legal-hold=&versionId=v%2F1"
        ]
    );
    assert_eq!(
        std::mem::take(&mut *far.bodies.lock().unwrap()),
        [
            "<TagSet><Tag><Key>k</Key><Value>new</Value></Tag></TagSet></Tagging>",
            "<Mode>COMPLIANCE</Mode><RetainUntilDate>2029-01-01T00:00:00.000Z</RetainUntilDate></Retention>",
            "<Status>OFF</Status></LegalHold>"
        ]
    );
    // Only what is new.
    gateway.put("/here/k?tagging", &tagging("newer")).await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    assert_eq!(far.asked(), ["PUT /far/k?tagging=&versionId=v%2F1"]);
    far.unlockable.store(true, Ordering::SeqCst);
    gateway.put("/here/k?legal-hold", &hold("ON")).await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "FAILED");
}

#[tokio::test]
async fn nothing_is_written_over_in_a_bucket_elsewhere_that_keeps_no_versions() {
    let (gateway, far) = Gateway::with_far("").await;
    gateway.versioned("ROOT", "here", &[]).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "far")).await;
    far.versioned.store(false, Ordering::SeqCst);
    gateway.put("/here/k", "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "FAILED");
    let asked = far.asked();
    assert!(asked.len() > 1 && asked.iter().all(|line| line == "GET /far?versioning="), "{asked:?}");
    far.versioned.store(true, Ordering::SeqCst);
    gateway.put("/here/a", "x").await;
    gateway.sources.advance(Duration::from_millis(1));
    gateway.put("/here/b", "x").await;
    gateway.quiet().await;
    // It is not asked for each.
    assert_eq!(far.asked(), ["GET /far?versioning=", "PUT /far/a", "PUT /far/b"]);
}

#[tokio::test]
async fn what_another_gateway_replicates_here_goes_no_further_if_it_may_do_that() {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{OTHER}"}},
        "Action":["s3:PutObject","s3:DeleteObject","s3:GetObject*"],"Resource":"arn:aws:s3:::here/*"}}]}}"#
    );
    let replica = [("x-strongroom-replica", "true")];
    let gateway = Gateway::new(65, SETTINGS).await;
    for bucket in ["here", "there"] {
        gateway.versioned("ROOT", bucket, &[]).await;
    }
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here?policy", &policy).await;
    gateway.good("ROOT", ("PUT", "/here/k"), &replica, "x").await;
    assert_eq!(gateway.status_of("/here/k").await, "REPLICA");
    gateway.good("ROOT", ("DELETE", "/here/gone"), &replica, "").await;
    let begun = gateway.done("POST", "/here/parts?uploads", &replica, "").await.body;
    let upload = begun.split_once("<UploadId>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let part = gateway.done("PUT", &format!("/here/parts?partNumber=1&uploadId={upload}"), &replica, "x").await;
    let etag = part.header("etag").unwrap();
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    gateway.good("ROOT", ("POST", &format!("/here/parts?uploadId={upload}")), &replica, &complete).await;
    assert_eq!(gateway.status_of("/here/parts").await, "REPLICA");
    assert_eq!(gateway.waiting().await, 0);
    // Saying so is not enough.
    gateway.good("OTHER", ("PUT", "/here/own"), &replica, "x").await;
    assert_eq!(gateway.status_of("/here/own").await, "PENDING");
    gateway.good("OTHER", ("DELETE", "/here/own"), &replica, "").await;
    assert_eq!(gateway.waiting().await, 2);
    gateway.good("ROOT", ("PUT", "/here/plain"), &[("x-strongroom-replica", "false")], "x").await;
    assert_eq!(gateway.status_of("/here/plain").await, "PENDING");
}

#[tokio::test]
async fn no_public_acl_comes_by_replication_where_a_bucket_blocks_them() {
    let block =
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>";
    let public = [("x-amz-acl", "public-read")];
    let (gateway, role) = Gateway::with_buckets(66, &["here", "there"], REPLICATE).await;
    gateway.put("/here?replication", &rules(&role, "there")).await;
    gateway.put("/here/later", "x").await;
    gateway.quiet().await;
    gateway.put("/there?publicAccessBlock", block).await;
    gateway.good("ROOT", ("PUT", "/here/later?acl"), &public, "").await;
    assert_eq!(gateway.settled("ROOT", "/here/later").await, "FAILED");
    assert!(!gateway.body_of("/there/later?acl").await.contains("AllUsers"));
    gateway.good("ROOT", ("PUT", "/here/new"), &public, "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/new").await, "FAILED");
    assert_eq!(gateway.by("ROOT", ("HEAD", "/there/new"), &[], "").await.0, 404);
    gateway.good("ROOT", ("PUT", "/here/later?acl"), &[("x-amz-acl", "private")], "").await;
    assert_eq!(gateway.settled("ROOT", "/here/later").await, "COMPLETED");
    gateway.good("ROOT", ("DELETE", "/there?publicAccessBlock"), &[], "").await;
    gateway.good("ROOT", ("PUT", "/here/new?acl"), &public, "").await;
    assert_eq!(gateway.settled("ROOT", "/here/new").await, "COMPLETED");
    assert!(gateway.body_of("/there/new?acl").await.contains("AllUsers"));
}
