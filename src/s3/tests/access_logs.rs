//! Server access logs from the request that switches them on to the lines in the target bucket.

mod parts;

use std::time::Duration;

use http_body_util::BodyExt as _;

use super::SETTINGS;
use crate::app::tests::Gateway;
use crate::names::AccountId;
use crate::s3::serve;
use crate::wire::{Ended, ErrorCode, Request};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// AWS's policy for a target (S3 User Guide, "Permissions for log delivery").
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"S3ServerAccessLogsPolicy","Effect":"Allow",
    "Principal":{"Service":"logging.s3.amazonaws.com"},"Action":["s3:PutObject"],"Resource":"arn:aws:s3:::logs/p*",
    "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::shelf"},
    "StringEquals":{"aws:SourceAccount":"111122223333"}}}]}"#;

fn status(target: &str, more: &str) -> String {
    format!(
        "<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LoggingEnabled>\
         <TargetBucket>{target}</TargetBucket>{more}<TargetPrefix>p/</TargetPrefix></LoggingEnabled>\
         </BucketLoggingStatus>"
    )
}

fn grants_to(uri: &str) -> String {
    format!(
        "<TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
         <URI>{uri}</URI></Grantee><Permission>READ</Permission></Grant></TargetGrants>"
    )
}

fn format(source: &str) -> String {
    format!(
        "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>{source}</PartitionDateSource>\
         </PartitionedPrefix></TargetObjectKeyFormat>"
    )
}

impl Gateway {
    /// `shelf` is logged to `logs`, which lets the service in.
    async fn with_logs(more: &str) -> Self {
        let gateway = Self::new(35, SETTINGS).await;
        for bucket in ["/shelf", "/logs"] {
            gateway.done("PUT", bucket, &[], "").await;
        }
        gateway.done("PUT", "/logs?policy", &[], POLICY).await;
        gateway.done("PUT", "/shelf?logging", &[], &status("logs", more)).await;
        gateway
    }

    /// Sends a request and ends its exchange, as the edge does. Its status.
    async fn exchange(&self, request: Request) -> u16 {
        let findings = request.edge.findings.clone();
        let answer = serve(&self.app, request).await;
        let status = answer.status().as_u16();
        let error = answer.extensions().get::<ErrorCode>().map(|code| code.0);
        let sent_bytes = answer.into_body().collect().await.unwrap().to_bytes().len() as u64;
        let (total, turn_around) = (Duration::from_millis(7), Some(Duration::from_millis(3)));
        findings.end(|| Ended { status, error, sent_bytes, total, turn_around });
        status
    }

    async fn log(&self, key: &str, call: (&str, &str), body: &str) -> u16 {
        self.exchange(self.request(key, call, &[("referer", "http://a/\"b\""), ("user-agent", "tests")], body)).await
    }

    /// Names of all log objects after a delivery.
    async fn log_names(&self) -> Vec<String> {
        self.app.deliver_access_logs().await;
        let listed = self.done("GET", "/logs", &[], "").await.body;
        listed.split("<Key>").skip(1).map(|rest| rest.split_once("</Key>").unwrap().0.to_owned()).collect()
    }

    /// The lines of all log objects, without the ids that differ with every request.
    async fn log_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for name in self.log_names().await {
            let text = self.done("GET", &format!("/logs/{name}"), &[], "").await.body;
            assert!(text.ends_with('\n'));
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }
}

#[tokio::test]
async fn a_status_comes_back_as_it_was_set() {
    let gateway = Gateway::with_logs("").await;
    let empty = "<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></BucketLoggingStatus>";
    let off = gateway.done("GET", "/logs?logging", &[], "").await.body;
    assert!(off.ends_with(empty), "{off}");
    let own = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    gateway.done("PUT", "/logs?ownershipControls", &[], own).await;
    let group = grants_to("http://acs.amazonaws.com/groups/s3/LogDelivery");
    for more in ["", "<TargetObjectKeyFormat><SimplePrefix></SimplePrefix></TargetObjectKeyFormat>", &group]
        .into_iter()
        .map(str::to_owned)
        .chain([format("EventTime"), format("DeliveryTime"), group.clone() + &format("EventTime")])
    {
        let sent = status("logs", &more);
        gateway.done("PUT", "/shelf?logging", &[], &sent).await;
        let got = gateway.done("GET", "/shelf?logging", &[], "").await.body;
        assert!(got.ends_with(&sent), "{got}\n{sent}");
    }
    gateway.done("PUT", "/shelf?logging", &[], empty).await;
    assert!(gateway.done("GET", "/shelf?logging", &[], "").await.body.ends_with(empty));
}

#[tokio::test]
async fn targets_that_logs_cannot_go_to_are_refused() {
    let gateway = Gateway::with_logs("").await;
    let elsewhere = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                     </CreateBucketConfiguration>";
    gateway.done("PUT", "/far", &[], elsewhere).await;
    let others = serve(&gateway.app, gateway.request("OTHER", ("PUT", "/others"), &[], "")).await;
    assert_eq!(others.status(), 200);
    let before = gateway.done("GET", "/shelf?logging", &[], "").await.body;
    let group = grants_to("http://acs.amazonaws.com/groups/s3/LogDelivery");
    for (target, more, status_code, code, tells) in [
        ("none", "", 400, "InvalidTargetBucketForLogging", "<TargetBucket>none</TargetBucket>"),
        ("N_", "", 400, "InvalidTargetBucketForLogging", "The target bucket for logging does not exist"),
        ("others", "", 400, "InvalidTargetBucketForLogging", "must be the same"),
        ("far", "", 403, "CrossLocationLoggingProhibitted", "<TargetBucketLocation>eu-west-1</TargetBucketLocation>"),
        ("logs", group.as_str(), 400, "AccessControlListNotSupported", "The bucket does not allow ACLs"),
    ] {
        let answered = gateway.ask("PUT", "/shelf?logging", &[], &status(target, more)).await;
        assert_eq!(answered.status, status_code, "{target}: {}", answered.body);
        assert!(answered.body.contains(&format!("<Code>{code}</Code>")), "{}", answered.body);
        assert!(answered.body.contains(tells), "{}", answered.body);
    }
    assert_eq!(gateway.done("GET", "/shelf?logging", &[], "").await.body, before);
}

#[tokio::test]
async fn every_request_to_the_bucket_is_a_line() {
    let gateway = Gateway::with_logs("").await;
    let alice = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":
        "arn:aws:iam::111122223333:user/alice"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::shelf/*"}]}"#;
    gateway.done("PUT", "/shelf?policy", &[], alice).await;
    assert_eq!(gateway.log("ROOT", ("PUT", "/shelf/a%20b?x-id=PutObject"), "12345").await, 200);
    assert_eq!(gateway.log("ALICE", ("GET", "/shelf/a%20b"), "").await, 200);
    assert_eq!(gateway.log("ALICE", ("GET", "/shelf/none"), "").await, 403);
    assert_eq!(gateway.log("OTHER", ("GET", "/shelf?list-type=2"), "").await, 403);
    let mut anonymous = gateway.request("ROOT", ("GET", "/shelf/a%20b"), &[], "");
    for signed in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
        anonymous.head.headers.remove(signed);
    }
    assert_eq!(gateway.exchange(anonymous).await, 403);
    let mut forged = gateway.request("ROOT", ("GET", "/shelf/a%20b?versionId=null"), &[], "");
    forged.head.headers.insert("x-amz-date", "20261125T115959Z".parse().unwrap());
    assert_eq!(gateway.exchange(forged).await, 403);
    // Of other buckets, and of none.
    assert_eq!(gateway.log("ROOT", ("GET", "/logs?list-type=2"), "").await, 200);
    assert_eq!(gateway.log("ROOT", ("GET", "/nothing-here"), "").await, 404);
    assert_eq!(gateway.log("ROOT", ("GET", "/"), "").await, 200);

    let lines = gateway.log_lines().await;
    let canonical =
        |id| gateway.app.directory.account(&AccountId::parse(id).unwrap()).unwrap().canonical_id.to_string();
    let (owner, other) = (canonical("111122223333"), canonical("444455556666"));
    let end = |auth: &str| format!("{auth} s3.test - - - -");
    let sent = "\"http://a/%22b%22\" \"tests\" -";
    let expected = [
        (owner.as_str(), "REST.PUT.OBJECT a%20b \"PUT /shelf/a%20b?x-id=PutObject HTTP/1.1\" 200 - - 5 7 3", sent, ""),
        (
            "arn:aws:iam::111122223333:user/alice",
            "REST.GET.OBJECT a%20b \"GET /shelf/a%20b HTTP/1.1\" 200 - 5 5 7 3",
            sent,
            "",
        ),
        (
            "arn:aws:iam::111122223333:user/alice",
            "REST.GET.OBJECT none \"GET /shelf/none HTTP/1.1\" 403 AccessDenied # - 7 3",
            sent,
            "",
        ),
        (&other, "REST.GET.BUCKET - \"GET /shelf?list-type=2 HTTP/1.1\" 403 AccessDenied # - 7 3", sent, ""),
        ("-", "REST.GET.OBJECT a%20b \"GET /shelf/a%20b HTTP/1.1\" 403 AccessDenied # - 7 3", "\"-\" \"-\" -", "- - -"),
        (
            "-",
            "REST.GET.OBJECT a%20b \"GET /shelf/a%20b?versionId=null HTTP/1.1\" 403 SignatureDoesNotMatch # - 7 3",
            "\"-\" \"-\" null",
            "",
        ),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (requester, what, sent, auth)) in lines.iter().zip(expected) {
        let start = format!("{owner} shelf [25/Nov/2026:12:00:00 +0000] 192.0.2.1 {requester} ");
        assert!(line.starts_with(&start), "{line}");
        // The size of an error's document is not this test's matter.
        let (before, after) = what.split_once('#').unwrap_or((what, ""));
        assert!(line.contains(before) && line.contains(after), "{line}\n{what}");
        assert!(line.contains(sent), "{line}\n{sent}");
        assert!(line.ends_with(&end(if auth.is_empty() { "SigV4 - AuthHeader" } else { auth })), "{line}");
    }
}

#[tokio::test]
async fn who_is_let_in_by_an_acl_is_told() {
    let gateway = Gateway::with_logs("").await;
    let own = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    gateway.done("PUT", "/shelf?ownershipControls", &[], own).await;
    gateway.done("DELETE", "/shelf?publicAccessBlock", &[], "").await;
    gateway.done("PUT", "/shelf/open", &[("x-amz-acl", "public-read")], "x").await;
    assert_eq!(gateway.log("OTHER", ("GET", "/shelf/open"), "").await, 200);
    let mut anonymous = gateway.request("ROOT", ("GET", "/shelf/open"), &[], "");
    for signed in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
        anonymous.head.headers.remove(signed);
    }
    assert_eq!(gateway.exchange(anonymous).await, 200);
    assert_eq!(gateway.log("ROOT", ("GET", "/shelf/open"), "").await, 200);
    let lines = gateway.log_lines().await;
    let required: Vec<bool> = lines.iter().map(|line| line.ends_with(" - Yes -")).collect();
    assert_eq!(required, [true, true, false], "{lines:#?}");
}

#[tokio::test]
async fn names_follow_the_key_format_and_the_day() {
    let random = |name: &str| name.rsplit_once('-').is_some_and(|(_, random)| random.len() == 16);
    for (more, expected) in [
        (String::new(), ["p/2026-11-26-12-00-00-"; 2]),
        (
            format("EventTime"),
            [
                "p/111122223333/us-east-1/shelf/2026/11/25/2026-11-25-00-00-00-",
                "p/111122223333/us-east-1/shelf/2026/11/26/2026-11-26-00-00-00-",
            ],
        ),
        (format("DeliveryTime"), ["p/111122223333/us-east-1/shelf/2026/11/26/2026-11-26-12-00-00-"; 2]),
    ] {
        let gateway = Gateway::with_logs(&more).await;
        gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
        gateway.sources.advance(DAY);
        gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
        let names = gateway.log_names().await;
        assert_eq!(names.len(), 2, "{names:?}");
        for (name, start) in names.iter().zip(expected) {
            assert!(name.starts_with(start) && random(name), "{name} {start}");
        }
        assert_eq!(gateway.log_names().await, names, "nothing is delivered twice");
    }
}

#[tokio::test]
async fn nothing_is_delivered_that_the_target_does_not_allow() {
    let gateway = Gateway::with_logs("").await;
    for (from, to) in [
        ("arn:aws:s3:::shelf", "arn:aws:s3:::other"),
        ("111122223333", "444455556666"),
        ("logging.s3.amazonaws.com", "s3.amazonaws.com"),
        ("logs/p*", "logs/q*"),
        ("s3:PutObject", "s3:PutObjectAcl"),
    ] {
        gateway.done("PUT", "/logs?policy", &[], &POLICY.replace(from, to)).await;
        gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
        assert!(gateway.log_names().await.is_empty(), "{to}");
    }
    gateway.done("DELETE", "/logs?policy", &[], "").await;
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    assert!(gateway.log_names().await.is_empty());
    // The older way: the group of the log service may write.
    let own = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    gateway.done("PUT", "/logs?ownershipControls", &[], own).await;
    gateway.done("PUT", "/logs?acl", &[("x-amz-acl", "log-delivery-write")], "").await;
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    assert_eq!(gateway.log_lines().await.len(), 1, "what was not allowed is not kept");
}

#[tokio::test]
async fn what_becomes_of_lines_when_things_change_before_the_delivery() {
    let gateway = Gateway::with_logs("").await;
    let off = "<BucketLoggingStatus/>";
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    gateway.done("PUT", "/shelf?logging", &[], off).await;
    assert!(gateway.log_names().await.is_empty(), "switched off");
    gateway.done("PUT", "/shelf?logging", &[], &status("logs", "")).await;
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    gateway.done("DELETE", "/shelf", &[], "").await;
    gateway.done("PUT", "/shelf", &[], "").await;
    gateway.done("PUT", "/shelf?logging", &[], &status("logs", "")).await;
    assert!(gateway.log_names().await.is_empty(), "another bucket of the same name");
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    gateway.index.set_faults(crate::index::Faults { lose_answer_in: Some(1), ..Default::default() });
    gateway.app.deliver_access_logs().await;
    let gateway = gateway.crash().await;
    assert!(gateway.log_names().await.len() <= 1, "a crash loses what waits, and no more");
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    gateway.done("DELETE", "/logs?policy", &[], "").await;
    let names = gateway.log_names().await;
    for name in names {
        gateway.done("DELETE", &format!("/logs/{name}"), &[], "").await;
    }
    gateway.done("DELETE", "/logs", &[], "").await;
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    gateway.app.deliver_access_logs().await;
    gateway.done("GET", "/shelf?acl", &[], "").await;
}

#[tokio::test]
async fn a_log_in_its_own_bucket_does_not_feed_itself() {
    let gateway = Gateway::with_logs("").await;
    gateway.done("PUT", "/logs?policy", &[], &POLICY.replace("s3:::shelf", "s3:::logs")).await;
    gateway.done("PUT", "/logs?logging", &[], &status("logs", "")).await;
    gateway.log("ROOT", ("GET", "/logs?acl"), "").await;
    assert_eq!(gateway.log_names().await.len(), 1);
    for _ in 0..3 {
        gateway.sources.advance(DAY);
        assert_eq!(gateway.log_names().await.len(), 1);
    }
}

#[tokio::test]
async fn grants_are_on_the_log_objects() {
    let gateway = Gateway::with_logs("").await;
    let own = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    gateway.done("PUT", "/logs?ownershipControls", &[], own).await;
    let group = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
    gateway.done("PUT", "/shelf?logging", &[], &status("logs", &grants_to(group))).await;
    gateway.log("ROOT", ("GET", "/shelf?acl"), "").await;
    let name = gateway.log_names().await.remove(0);
    let acl = gateway.done("GET", &format!("/logs/{name}?acl"), &[], "").await.body;
    assert!(acl.contains(&format!("<URI>{group}</URI></Grantee><Permission>READ</Permission>")), "{acl}");
    assert!(acl.contains("<Permission>FULL_CONTROL</Permission>"), "{acl}");
}

#[tokio::test]
async fn what_lifecycle_rules_do_is_logged() {
    let gateway = Gateway::with_logs("").await;
    gateway.done("PUT", "/shelf/old", &[], "x").await;
    let rules = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>\
                 </Rule></LifecycleConfiguration>";
    gateway.done("PUT", "/shelf?lifecycle", &[], rules).await;
    gateway.sources.advance(DAY * 3);
    gateway.app.objects.apply_lifecycles(gateway.sources.now()).await.unwrap().unwrap();
    let lines = gateway.log_lines().await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let after = lines[0].split_once(" shelf [28/Nov/2026:12:00:00 +0000] - AmazonS3 ").expect("who did it").1;
    assert!(after[16..].starts_with(" S3.EXPIRE.OBJECT old - - - - 1 - - - - - - "), "{after}");
}
