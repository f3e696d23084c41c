//! Lifecycle rules from the request that sets them to what they do, with a clock that moves.

use std::time::Duration;

use http_body_util::BodyExt as _;

use super::SETTINGS;
use crate::app::tests::Gateway;
use crate::index::{Direction, Faults, Index as _, KeyRange, Table};
use crate::objects::{LifecyclePass, ReplicationStatus};
use crate::s3::serve;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer: status, headers and body.
pub(super) struct Answered {
    pub(super) status: u16,
    headers: http::HeaderMap,
    pub(super) body: String,
}

impl Answered {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The text of the first element of this name.
    fn element(&self, name: &str) -> Option<&str> {
        Some(self.body.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>"))?.0)
    }
}

impl Gateway {
    pub(super) async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let response = serve(&self.app, self.request("ROOT", (method, uri), headers, body)).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answered { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// As [`Self::ask`]; the answer must be good.
    pub(super) async fn done(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let answered = self.ask(method, uri, headers, body).await;
        assert!(answered.status < 300, "{method} {uri}: {} {}", answered.status, answered.body);
        answered
    }

    async fn put_rules(&self, rules: &str) {
        let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        self.done("PUT", "/shelf?lifecycle", &[], &body).await;
    }

    async fn pass(&self) -> LifecyclePass {
        self.app.objects.apply_lifecycles(self.sources.now()).await.unwrap().expect("nobody else does it")
    }

    /// Some days later, and not at the same moment: what happened before is older than the days.
    async fn later(&self, days: u32) {
        self.sources.advance(DAY * days + Duration::from_secs(60));
    }

    /// Versions and delete markers as a listing shows them, newest first: `v` or `m`.
    async fn history(&self, key: &str) -> String {
        let listed = self.done("GET", &format!("/shelf?versions&prefix={key}"), &[], "").await.body;
        let mut out = String::new();
        for piece in listed.split('<') {
            match piece {
                "Version>" => out.push('v'),
                "DeleteMarker>" => out.push('m'),
                _ => {}
            }
        }
        out
    }

    async fn with_shelf(versioned: bool) -> Self {
        let gateway = Self::new(31, SETTINGS).await;
        gateway.done("PUT", "/shelf", &[], "").await;
        if versioned {
            gateway.versioning("Enabled").await;
        }
        gateway
    }

    async fn versioning(&self, status: &str) {
        let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        self.done("PUT", "/shelf?versioning", &[], &body).await;
    }
}

fn rule(filter: &str, actions: &str) -> String {
    format!("<Rule><ID>r 1</ID><Filter>{filter}</Filter><Status>Enabled</Status>{actions}</Rule>")
}

#[tokio::test]
async fn an_object_expires_when_its_header_says_so() {
    let gateway = Gateway::with_shelf(false).await;
    assert_eq!(gateway.done("PUT", "/shelf/a/0", &[], "x").await.header("x-amz-expiration"), None);
    gateway.put_rules(&rule("<Prefix>a/</Prefix>", "<Expiration><Days>1</Days></Expiration>")).await;
    // It is 2026-11-25T12:00Z.
    let header = Some("expiry-date=\"Fri, 27 Nov 2026 00:00:00 GMT\", rule-id=\"r%201\"");
    for (method, uri) in [("PUT", "/shelf/a/1"), ("GET", "/shelf/a/1"), ("HEAD", "/shelf/a/1"), ("GET", "/shelf/a/0")] {
        let answered = gateway.done(method, uri, &[], "").await;
        assert_eq!(answered.header("x-amz-expiration"), header, "{method} {uri}");
    }
    let copied = gateway.done("PUT", "/shelf/a/2", &[("x-amz-copy-source", "/shelf/a/1")], "").await;
    assert_eq!(copied.header("x-amz-expiration"), header);
    assert_eq!(gateway.done("PUT", "/shelf/b", &[], "x").await.header("x-amz-expiration"), None);
    gateway.sources.advance(DAY + DAY / 2 - Duration::from_secs(1));
    assert_eq!(gateway.pass().await, LifecyclePass { buckets: 1, rows: 3, ..LifecyclePass::default() });
    gateway.sources.advance(Duration::from_secs(1));
    assert_eq!(gateway.pass().await, LifecyclePass { buckets: 1, rows: 3, expired: 3, ..LifecyclePass::default() });
    for (uri, status) in [("/shelf/a/0", 404), ("/shelf/a/1", 404), ("/shelf/b", 200)] {
        assert_eq!(gateway.ask("GET", uri, &[], "").await.status, status, "{uri}");
    }
}

#[tokio::test]
async fn a_bucket_has_its_turn_once_a_day_and_when_its_rules_change() {
    let gateway = Gateway::with_shelf(false).await;
    let expires = |days: u32| rule("", &format!("<Expiration><Days>{days}</Days></Expiration>"));
    gateway.done("PUT", "/shelf/k", &[], "x").await;
    gateway.put_rules(&expires(10)).await;
    gateway.later(3).await;
    assert_eq!(gateway.pass().await.rows, 1);
    assert_eq!(gateway.pass().await.rows, 0, "this day is done");
    gateway.put_rules(&expires(1)).await;
    assert_eq!(gateway.pass().await.expired, 1, "the rules are others");
    gateway.done("DELETE", "/shelf?lifecycle", &[], "").await;
    assert_eq!(gateway.pass().await, LifecyclePass::default());
    assert_eq!(gateway.ask("GET", "/shelf?lifecycle", &[], "").await.status, 404);
}

#[tokio::test]
async fn versions_markers_and_their_ends() {
    let gateway = Gateway::with_shelf(true).await;
    for _ in 0..4 {
        gateway.done("PUT", "/shelf/k", &[], "x").await;
    }
    gateway
        .put_rules(&rule(
            "<Prefix>k</Prefix>",
            "<Expiration><Days>5</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>\
             <NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        ))
        .await;
    gateway.later(2).await;
    assert_eq!(gateway.pass().await.versions, 0);
    gateway.later(1).await;
    assert_eq!((gateway.pass().await.versions, gateway.history("k").await), (2, "vv".to_owned()));
    gateway.later(3).await;
    let pass = gateway.pass().await;
    assert_eq!((pass.expired, pass.versions, gateway.history("k").await), (1, 0, "mvv".to_owned()));
    assert_eq!(gateway.ask("GET", "/shelf/k", &[], "").await.status, 404);
    gateway.later(3).await;
    // One noncurrent version is kept, however old it is.
    assert_eq!((gateway.pass().await.versions, gateway.history("k").await), (1, "mv".to_owned()));
    let noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    gateway.put_rules(&rule("", noncurrent)).await;
    assert_eq!((gateway.pass().await.versions, gateway.history("k").await), (1, "m".to_owned()));
    let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    gateway.put_rules(&rule("", marker)).await;
    assert_eq!((gateway.pass().await.markers, gateway.history("k").await), (1, String::new()));
}

#[tokio::test]
async fn a_suspended_buckets_object_gets_a_null_marker() {
    let gateway = Gateway::with_shelf(true).await;
    gateway.done("PUT", "/shelf/k", &[], "named").await;
    gateway.versioning("Suspended").await;
    gateway.done("PUT", "/shelf/k", &[], "null").await;
    gateway.put_rules(&rule("", "<Expiration><Days>1</Days></Expiration>")).await;
    gateway.later(2).await;
    assert_eq!((gateway.pass().await.expired, gateway.history("k").await), (1, "mv".to_owned()));
    let listed = gateway.done("GET", "/shelf?versions", &[], "").await;
    assert!(listed.body.contains("<DeleteMarker><Key>k</Key><VersionId>null</VersionId>"), "{}", listed.body);
}

#[tokio::test]
async fn what_is_locked_stays_whatever_the_rules_say() {
    let gateway = Gateway::with_shelf(true).await;
    for _ in 0..4 {
        gateway.done("PUT", "/shelf/k", &[], "x").await;
    }
    // Newest first: the current version, and three that are not. Two of these are locked, one no longer.
    let until = gateway.sources.now().plus(DAY * 30);
    gateway.app.objects.lock_for_tests("shelf", "k", &[(1, None), (2, Some(until))]).await;
    gateway
        .put_rules(&rule(
            "",
            "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
        ))
        .await;
    gateway.later(5).await;
    let pass = gateway.pass().await;
    assert_eq!((pass.versions, pass.locked, gateway.history("k").await), (1, 2, "vvv".to_owned()));
    gateway.later(30).await;
    let pass = gateway.pass().await;
    assert_eq!((pass.versions, pass.locked, gateway.history("k").await), (1, 1, "vv".to_owned()));
}

#[tokio::test]
async fn what_is_not_replicated_stays_until_it_is() {
    use ReplicationStatus::{Completed, Failed, Pending, Replica};
    for (status, stays) in [(Pending, true), (Failed, true), (Completed, false), (Replica, false)] {
        let gateway = Gateway::with_shelf(true).await;
        let all = "<Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
            </NoncurrentVersionExpiration>";
        gateway.put_rules(&rule("", all)).await;
        for _ in 0..2 {
            gateway.done("PUT", "/shelf/k", &[], "x").await;
        }
        for current in [true, false] {
            gateway.app.objects.replication_for_tests("shelf", "k", current, status).await;
        }
        gateway.later(5).await;
        let pass = gateway.pass().await;
        let expected = if stays { (0, 0, 2) } else { (1, 1, 0) };
        assert_eq!((pass.expired, pass.versions, pass.unreplicated), expected, "{status:?}");
    }
}

#[tokio::test]
async fn uploads_are_aborted_and_say_when() {
    let gateway = Gateway::with_shelf(false).await;
    let abort =
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    gateway.put_rules(&rule("<Prefix>u</Prefix>", abort)).await;
    let began = gateway.done("POST", "/shelf/u?uploads", &[], "").await;
    let other = gateway.done("POST", "/shelf/other?uploads", &[], "").await;
    let (date, id) = (Some("Fri, 27 Nov 2026 00:00:00 GMT"), began.element("UploadId").unwrap());
    let uri = format!("/shelf/u?uploadId={id}");
    for answered in [&began, &gateway.done("GET", &uri, &[], "").await] {
        assert_eq!(answered.header("x-amz-abort-date"), date);
        assert_eq!(answered.header("x-amz-abort-rule-id"), Some("r%201"));
    }
    assert_eq!(other.header("x-amz-abort-date"), None);
    gateway.done("PUT", &format!("/shelf/u?partNumber=1&uploadId={id}"), &[], "part").await;
    gateway.later(2).await;
    assert_eq!(gateway.pass().await.uploads, 1);
    assert_eq!(gateway.ask("GET", &uri, &[], "").await.status, 404);
    let listed = gateway.done("GET", "/shelf?uploads", &[], "").await;
    assert!(!listed.body.contains(id) && listed.body.contains(other.element("UploadId").unwrap()));
    gateway.app.objects.sweep(true).await.unwrap();
    let everything = KeyRange { start: Vec::new(), end: None };
    let parts = gateway.index.scan(Table::Part, &everything, 9, Direction::Forward).await.unwrap();
    assert!(parts.is_empty(), "the part is gone too");
}

#[tokio::test]
async fn classes_change_and_dates_do_not() {
    let gateway = Gateway::with_shelf(true).await;
    let actions = "<Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>\
                   <Transition><Days>60</Days><StorageClass>GLACIER_IR</StorageClass></Transition>\
                   <NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays>\
                   <StorageClass>ONEZONE_IA</StorageClass></NoncurrentVersionTransition>";
    let sized = "<ObjectSizeGreaterThan>3</ObjectSizeGreaterThan>";
    gateway.put_rules(&rule(sized, actions)).await;
    let old = gateway.done("PUT", "/shelf/k", &[], "noncurrent").await;
    let before = gateway.done("PUT", "/shelf/k", &[("x-amz-tagging", "a=b")], "current").await;
    gateway.done("PUT", "/shelf/small", &[], "abc").await;
    let date = gateway.done("HEAD", "/shelf/k", &[], "").await.header("last-modified").map(str::to_owned);
    gateway.later(31).await;
    assert_eq!(gateway.pass().await.transitions, 2);
    let head = gateway.done("HEAD", "/shelf/k", &[], "").await;
    assert_eq!(head.header("x-amz-storage-class"), Some("STANDARD_IA"));
    assert_eq!((head.header("last-modified").map(str::to_owned), head.header("etag")), (date, before.header("etag")));
    assert_eq!(gateway.done("GET", "/shelf/k", &[], "").await.body, "current");
    let version = old.header("x-amz-version-id").unwrap();
    let head = gateway.done("HEAD", &format!("/shelf/k?versionId={version}"), &[], "").await;
    assert_eq!(head.header("x-amz-storage-class"), Some("ONEZONE_IA"));
    assert_eq!(gateway.done("HEAD", "/shelf/small", &[], "").await.header("x-amz-storage-class"), None);
    gateway.later(30).await;
    assert_eq!(gateway.pass().await.transitions, 1);
    let head = gateway.done("HEAD", "/shelf/k", &[], "").await;
    assert_eq!(head.header("x-amz-storage-class"), Some("GLACIER_IR"));
}

#[tokio::test]
async fn a_pass_goes_on_where_it_was_cut_off() {
    let gateway = Gateway::with_shelf(false).await;
    gateway.put_rules(&rule("", "<Expiration><Days>1</Days></Expiration>")).await;
    for number in 0..1_200 {
        gateway.done("PUT", &format!("/shelf/{number:05}"), &[], "").await;
    }
    gateway.later(2).await;
    let mut expired = 0;
    let mut gateway = gateway;
    let mut cuts = 0;
    loop {
        // The index fails in the middle of the pass, and the process dies.
        gateway.index.set_faults(Faults { lose_answer_in: Some(300), ..Faults::default() });
        let pass = gateway.app.objects.apply_lifecycles(gateway.sources.now()).await;
        if let Ok(Some(pass)) = &pass
            && pass.failed == 0
        {
            expired += pass.expired;
            break;
        }
        gateway = gateway.crash().await;
        cuts += 1;
        gateway.sources.advance(Duration::from_secs(61));
        assert!(cuts < 20, "it gets on");
    }
    assert!(cuts >= 2, "{cuts}");
    assert!(expired < 1_200, "what was done before is not done again");
    let listed = gateway.done("GET", "/shelf", &[], "").await;
    assert!(!listed.body.contains("<Key>"), "all are gone in the end");
}

#[tokio::test]
async fn what_failed_is_tried_again_by_the_next_pass_from_there_on() {
    let gateway = Gateway::with_shelf(false).await;
    let tag = "<Tag><Key>end</Key><Value>soon</Value></Tag>";
    gateway.put_rules(&rule(tag, "<Expiration><Days>1</Days></Expiration>")).await;
    // More than are judged before something is done: what is behind them is due.
    for number in 0..600 {
        gateway.done("PUT", &format!("/shelf/{number:05}"), &[], "").await;
    }
    for key in ["a", "b"] {
        gateway.done("PUT", &format!("/shelf/{key}"), &[("x-amz-tagging", "end=soon")], "").await;
    }
    gateway.later(2).await;
    // The lease, the place after the first page, and the first deletion.
    gateway.index.set_faults(Faults { fail_commit_in: Some(3), ..Faults::default() });
    let pass = gateway.pass().await;
    assert_eq!((pass.rows, pass.expired, pass.failed, pass.buckets), (602, 1, 1, 1), "{pass:?}");
    let gateway = gateway.crash().await;
    gateway.sources.advance(Duration::from_secs(61));
    let pass = gateway.pass().await;
    assert_eq!((pass.expired, pass.failed), (1, 0), "{pass:?}");
    assert!((1..=90).contains(&pass.rows), "what is before the failure is not looked at again: {}", pass.rows);
    assert_eq!(gateway.pass().await.rows, 0, "then the day is done");
    assert_eq!(gateway.ask("GET", "/shelf/a", &[], "").await.status, 404);
    assert_eq!(gateway.ask("GET", "/shelf/b", &[], "").await.status, 404);
}

#[tokio::test]
async fn what_fails_again_and_again_is_tried_with_every_pass_and_waits_for_nothing() {
    let gateway = Gateway::with_shelf(false).await;
    gateway.put_rules(&rule("", "<Expiration><Days>1</Days></Expiration>")).await;
    gateway.done("PUT", "/shelf/k", &[], "").await;
    gateway.later(2).await;
    for _ in 0..3 {
        gateway.index.set_faults(Faults { fail_commit_in: Some(2), ..Faults::default() });
        let pass = gateway.pass().await;
        assert_eq!((pass.rows, pass.expired, pass.failed), (1, 0, 1), "{pass:?}");
    }
    assert_eq!(gateway.pass().await.expired, 1);
}

#[tokio::test]
async fn one_gateway_at_a_time_and_none_with_a_lost_lease() {
    let gateway = Gateway::with_shelf(false).await;
    let objects = &gateway.app.objects;
    let other = objects.as_another_process_for_tests();
    let lease = other.take_lease("lifecycle", Duration::from_secs(60)).await.unwrap().expect("it is free");
    assert_eq!(objects.apply_lifecycles(gateway.sources.now()).await.unwrap(), None);
    other.give_up_lease(lease).await.unwrap();
    assert!(objects.apply_lifecycles(gateway.sources.now()).await.unwrap().is_some());
    gateway.put_rules(&rule("", "<Expiration><Days>1</Days></Expiration>")).await;
    gateway.done("PUT", "/shelf/k", &[], "x").await;
    gateway.later(3).await;
    // A gateway that has locked its data directory does not wait for the one before it.
    other.take_lease("lifecycle", Duration::from_secs(60)).await.unwrap().expect("it is free");
    objects.end_leases().await.unwrap();
    let pass = objects.apply_with_a_lost_lease_for_tests(gateway.sources.now()).await;
    assert_eq!((pass.expired, pass.changed, pass.buckets), (0, 1, 0));
    assert_eq!(gateway.done("GET", "/shelf/k", &[], "").await.body, "x");
}

#[tokio::test]
async fn what_has_changed_since_it_was_judged_is_left() {
    let gateway = Gateway::with_shelf(true).await;
    let actions = "<Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
                   </NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1\
                   </DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    gateway.put_rules(&rule("", actions)).await;
    let old = gateway.done("PUT", "/shelf/old", &[], "first").await;
    for key in ["written", "tagged", "old", "untouched"] {
        gateway.done("PUT", &format!("/shelf/{key}"), &[], "judged").await;
    }
    let uri = format!("/shelf/old?versionId={}", old.header("x-amz-version-id").unwrap());
    let began = gateway.done("POST", "/shelf/upload?uploads", &[], "").await;
    gateway.later(3).await;
    let now = gateway.sources.now();
    let done = gateway.app.objects.apply_around_for_tests("shelf", now, async {
        gateway.done("PUT", "/shelf/written", &[], "new").await;
        let tags = "<Tagging><TagSet><Tag><Key>keep</Key><Value>me</Value></Tag></TagSet></Tagging>";
        gateway.done("PUT", "/shelf/tagged?tagging", &[], tags).await;
        gateway.done("DELETE", &uri, &[], "").await;
        let id = began.element("UploadId").unwrap();
        gateway.done("DELETE", &format!("/shelf/upload?uploadId={id}"), &[], "").await;
        // The bucket changes too: what nothing else speaks against is done all the same.
        let tags = "<Tagging><TagSet><Tag><Key>of</Key><Value>bucket</Value></Tag></TagSet></Tagging>";
        gateway.done("PUT", "/shelf?tagging", &[], tags).await;
    });
    let done = Box::pin(done).await;
    assert_eq!((done.expired, done.changed, done.failed), (2, 4, 0), "{done:?}");
    for (key, history) in [("written", "vv"), ("tagged", "v"), ("old", "mv"), ("untouched", "mv")] {
        assert_eq!(gateway.history(key).await, history, "{key}");
    }
}

#[tokio::test]
async fn rules_that_are_taken_back_do_nothing_more() {
    let gateway = Gateway::with_shelf(false).await;
    gateway.put_rules(&rule("", "<Expiration><Days>1</Days></Expiration>")).await;
    gateway.done("PUT", "/shelf/k", &[], "x").await;
    gateway.later(3).await;
    let now = gateway.sources.now();
    let taken_back = async { _ = gateway.done("DELETE", "/shelf?lifecycle", &[], "").await };
    let done = Box::pin(gateway.app.objects.apply_around_for_tests("shelf", now, taken_back)).await;
    assert_eq!(done, LifecyclePass::default());
    assert_eq!(gateway.done("GET", "/shelf/k", &[], "").await.body, "x");
}

#[tokio::test]
async fn a_bucket_that_goes_leaves_nothing_behind() {
    let gateway = Gateway::with_shelf(false).await;
    gateway.put_rules(&rule("", "<Expiration><Days>1</Days></Expiration>")).await;
    gateway.pass().await;
    gateway.done("DELETE", "/shelf?lifecycle", &[], "").await;
    gateway.done("DELETE", "/shelf", &[], "").await;
    gateway.app.objects.sweep(true).await.unwrap();
    let everything = KeyRange { start: Vec::new(), end: None };
    let left = gateway.index.scan(Table::BucketConfig, &everything, 9, Direction::Forward).await.unwrap();
    assert!(left.is_empty());
}
