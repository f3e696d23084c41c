//! Lines that a request has besides its own: of each key of DeleteObjects, and of what a copy reads; and what lines say of
//! sizes and versions.

use super::{DAY, status};
use crate::app::tests::Gateway;
use crate::s3::serve;

/// Fields as programs that read these logs part them.
fn fields(line: &str) -> Vec<&str> {
    let (mut fields, mut rest) = (Vec::new(), line);
    while !rest.is_empty() {
        let end = match rest.as_bytes()[0] {
            b'"' => 1 + rest[1..].find('"').unwrap() + 1,
            b'[' => rest.find(']').unwrap() + 1,
            _ => rest.find(' ').unwrap_or(rest.len()),
        };
        fields.push(&rest[..end]);
        rest = rest[end..].strip_prefix(' ').unwrap_or("");
    }
    assert_eq!(fields.len(), 27, "{line}");
    fields
}

/// Operation, key, status, error, size and version of lines, with what names versions replaced.
fn told(lines: &[String], versions: &[(&str, &str)]) -> Vec<String> {
    let of_line = |line: &String| {
        let fields = fields(line);
        let version = versions.iter().find(|(_, id)| *id == fields[17]).map_or(fields[17], |(name, _)| name);
        [fields[6], fields[7], fields[9], fields[10], fields[12], version].join(" ")
    };
    lines.iter().map(of_line).collect()
}

fn element<'a>(body: &'a str, name: &str) -> &'a str {
    let rest = body.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {body}")).1;
    rest.split_once('<').unwrap().0
}

impl Gateway {
    /// One more bucket that is logged to `logs`, or not.
    async fn with_other(&self, name: &str, logged: bool) {
        self.done("PUT", &format!("/{name}"), &[], "").await;
        if logged {
            let policy = super::POLICY.replace("\"arn:aws:s3:::shelf\"", "[\"arn:aws:s3:::*\"]");
            self.done("PUT", "/logs?policy", &[], &policy).await;
            self.done("PUT", &format!("/{name}?logging"), &[], &status("logs", "")).await;
        }
    }

    async fn copy(&self, key: &str, (uri, source): (&str, &str), more: &[(&str, &str)]) -> u16 {
        let headers: Vec<_> = [("x-amz-copy-source", source)].iter().chain(more).copied().collect();
        self.exchange(self.request(key, ("PUT", uri), &headers, "")).await
    }

    async fn keep_versions(&self) {
        let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.done("PUT", "/shelf?versioning", &[], on).await;
    }
}

#[tokio::test]
async fn each_deleted_key_has_a_line_before_that_of_the_request() {
    let gateway = Gateway::with_logs("").await;
    let alice = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":
        "arn:aws:iam::111122223333:user/alice"},"Action":"s3:DeleteObject","Resource":"arn:aws:s3:::shelf/a*"}]}"#;
    gateway.done("PUT", "/shelf?policy", &[], alice).await;
    gateway.done("PUT", "/shelf/a%20b", &[], "12345").await;
    gateway.done("PUT", "/shelf/c", &[], "x").await;
    let keys: String = ["a b", "absent", "c"].map(|key| format!("<Object><Key>{key}</Key></Object>")).concat();
    let keys = keys + "<Object><Key>a</Key><VersionId>none</VersionId></Object>";
    assert_eq!(gateway.log("ALICE", ("POST", "/shelf?delete"), &format!("<Delete>{keys}</Delete>")).await, 200);
    let lines = gateway.log_lines().await;
    assert_eq!(
        told(&lines, &[]),
        [
            "BATCH.DELETE.OBJECT a%20b 204 - 5 -",
            "BATCH.DELETE.OBJECT absent 204 - - -",
            "BATCH.DELETE.OBJECT c 403 AccessDenied - -",
            "BATCH.DELETE.OBJECT a 404 NoSuchVersion - none",
            "REST.POST.MULTI_OBJECT_DELETE - 200 - - -",
        ]
    );
    // As seen of AWS: parts have the ids of their request and who made it, and neither its line, its headers nor times.
    let whole = fields(&lines[4]);
    for part in lines[..4].iter().map(|line| fields(line)) {
        for same in [0, 1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 23] {
            assert_eq!(part[same], whole[same], "{part:?}");
        }
        for none in [8, 11, 13, 14, 15, 16, 24, 25, 26] {
            assert_eq!(part[none], "-", "{part:?}");
        }
    }
    assert_eq!(whole[4], "arn:aws:iam::111122223333:user/alice");
}

#[tokio::test]
async fn a_request_that_is_refused_as_a_whole_has_no_lines_of_keys() {
    let gateway = Gateway::with_logs("").await;
    assert_eq!(gateway.log("ROOT", ("POST", "/shelf?delete"), "<Delete><Key>a</Key></Delete>").await, 400);
    assert_eq!(told(&gateway.log_lines().await, &[]), ["REST.POST.MULTI_OBJECT_DELETE - 400 MalformedXML - -"]);
}

#[tokio::test]
async fn lines_of_keys_name_the_versions_and_who_needed_an_acl() {
    let gateway = Gateway::with_logs("").await;
    gateway.keep_versions().await;
    let first = gateway.done("PUT", "/shelf/k", &[], "12345").await;
    let first = first.header("x-amz-version-id").unwrap();
    let own = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    gateway.done("PUT", "/shelf?ownershipControls", &[], own).await;
    gateway.done("DELETE", "/shelf?publicAccessBlock", &[], "").await;
    gateway.done("PUT", "/shelf?acl", &[("x-amz-acl", "public-read-write")], "").await;
    let delete = |inner: &str| format!("<Delete><Object><Key>k</Key>{inner}</Object></Delete>");
    assert_eq!(gateway.log("ROOT", ("POST", "/shelf?delete"), &delete("")).await, 200);
    let named = delete(&format!("<VersionId>{first}</VersionId>"));
    assert_eq!(gateway.log("ROOT", ("POST", "/shelf?delete"), &named).await, 200);
    let absent = "<Delete><Object><Key>absent</Key></Object></Delete>";
    assert_eq!(gateway.log("OTHER", ("POST", "/shelf?delete"), absent).await, 200);
    let lines = gateway.log_lines().await;
    let batch: Vec<String> = lines.iter().filter(|line| line.contains(" BATCH.")).cloned().collect();
    assert_eq!(
        told(&batch, &[("first", first)]),
        [
            // A delete marker deletes nothing.
            "BATCH.DELETE.OBJECT k 204 - - -",
            "BATCH.DELETE.OBJECT k 204 - 5 first",
            "BATCH.DELETE.OBJECT absent 204 - - -",
        ]
    );
    assert_eq!(batch.iter().map(|line| fields(line)[25]).collect::<Vec<_>>(), ["-", "-", "Yes"]);
}

#[tokio::test]
async fn a_copy_has_a_line_where_it_writes_and_one_where_it_reads() {
    let gateway = Gateway::with_logs("").await;
    gateway.with_other("unlogged", false).await;
    gateway.with_other("other", true).await;
    gateway.keep_versions().await;
    let put = gateway.done("PUT", "/shelf/a%20b", &[], "12345").await;
    let version = put.header("x-amz-version-id").unwrap();
    gateway.done("PUT", "/unlogged/u", &[], "123").await;
    let of_version = format!("shelf/a%20b?versionId={version}");
    for (to, from, status) in [
        ("/shelf/c", "shelf/a%20b", 200),
        ("/other/c", of_version.as_str(), 200),
        ("/unlogged/c", "shelf/a%20b", 200),
        ("/shelf/c", "unlogged/u", 200),
        ("/other/c", "shelf/none", 404),
        ("/other/c", "nowhere/k", 404),
    ] {
        assert_eq!(gateway.copy("ROOT", (to, from), &[]).await, status, "{to} {from}");
    }
    assert_eq!(gateway.copy("ALICE", ("/other/c", "shelf/a%20b"), &[]).await, 403);
    let if_match = [("x-amz-copy-source-if-match", "\"other\"")];
    assert_eq!(gateway.copy("ROOT", ("/other/c", "shelf/a%20b"), &if_match).await, 412);
    let mut lines = gateway.log_lines().await;
    lines.sort_by_key(|line| fields(line)[1] == "other");
    let of = |bucket| {
        let lines: Vec<String> = lines.iter().filter(|line| fields(line)[1] == bucket).cloned().collect();
        told(&lines, &[("v", version)])
    };
    assert_eq!(
        of("shelf"),
        [
            "REST.COPY.OBJECT_GET a%20b 200 - 5 -",
            "REST.COPY.OBJECT c 200 - 5 -",
            "REST.COPY.OBJECT_GET a%20b 200 - 5 v",
            "REST.COPY.OBJECT_GET a%20b 200 - 5 -",
            "REST.COPY.OBJECT c 200 - 3 -",
            "REST.COPY.OBJECT_GET none 404 NoSuchKey - -",
            "REST.COPY.OBJECT_GET a%20b 412 PreconditionFailed - -",
        ]
    );
    assert_eq!(
        of("other"),
        [
            "REST.COPY.OBJECT c 200 - 5 -",
            "REST.COPY.OBJECT c 404 NoSuchKey - -",
            "REST.COPY.OBJECT c 404 NoSuchBucket - -",
            // Not let write: the source was not looked at.
            "REST.COPY.OBJECT c 403 AccessDenied - -",
            "REST.COPY.OBJECT c 412 PreconditionFailed - -",
        ]
    );
    let reads = lines.iter().map(|line| fields(line)).find(|fields| fields[6] == "REST.COPY.OBJECT_GET").unwrap();
    for none in [8, 11, 13, 14, 15, 16] {
        assert_eq!(reads[none], "-", "{reads:?}");
    }
}

#[tokio::test]
async fn who_may_write_and_not_read_leaves_a_line_of_the_refusal_at_the_source() {
    let gateway = Gateway::with_logs("").await;
    gateway.with_other("unlogged", false).await;
    gateway.done("PUT", "/shelf/k", &[], "12345").await;
    let alice = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":
        "arn:aws:iam::111122223333:user/alice"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::unlogged/*"}]}"#;
    gateway.done("PUT", "/unlogged?policy", &[], alice).await;
    assert_eq!(gateway.copy("ALICE", ("/unlogged/c", "shelf/k"), &[]).await, 403);
    assert_eq!(told(&gateway.log_lines().await, &[]), ["REST.COPY.OBJECT_GET k 403 AccessDenied - -"]);
}

#[tokio::test]
async fn copied_parts_and_whole_uploads_tell_their_sizes() {
    let gateway = Gateway::with_logs("").await;
    gateway.done("PUT", "/shelf/k", &[], "0123456789").await;
    let begun = gateway.done("POST", "/shelf/m?uploads", &[], "").await;
    let part = format!("/shelf/m?partNumber=1&uploadId={}", element(&begun.body, "UploadId"));
    assert_eq!(gateway.copy("ROOT", (&part, "shelf/k"), &[]).await, 200);
    assert_eq!(gateway.copy("ROOT", (&part, "shelf/k"), &[("x-amz-copy-source-range", "bytes=2-4")]).await, 200);
    assert_eq!(gateway.copy("ROOT", (&part, "shelf/k"), &[("x-amz-copy-source-range", "bytes=2-40")]).await, 400);
    assert_eq!(gateway.log("ROOT", ("PUT", &part), "1234567").await, 200);
    let etag = "fcea920f7412b5da7be0cf42b8c93759";
    let parts = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    let parts = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let whole = part.replace("partNumber=1&", "");
    assert_eq!(gateway.log("ROOT", ("POST", &whole), &parts).await, 200);
    assert_eq!(
        told(&gateway.log_lines().await, &[]),
        [
            "REST.COPY.PART_GET k 200 - 10 -",
            "REST.COPY.PART m 200 - 10 -",
            "REST.COPY.PART_GET k 206 - 10 -",
            "REST.COPY.PART m 200 - 3 -",
            "REST.COPY.PART_GET k 200 - 10 -",
            "REST.COPY.PART m 400 InvalidArgument - -",
            "REST.PUT.PART m 200 - 7 -",
            "REST.POST.UPLOAD m 200 - 7 -",
        ]
    );
}

#[tokio::test]
async fn sizes_are_of_the_whole_object_where_there_is_one() {
    let gateway = Gateway::with_logs("").await;
    assert_eq!(gateway.log("ROOT", ("PUT", "/shelf/k"), "0123456789").await, 200);
    let read = |method, headers: &[(&str, &str)]| gateway.request("ROOT", (method, "/shelf/k"), headers, "");
    let etag = "\"781e5e245d69b566979b86e28d23f2c7\"";
    for (method, headers, status) in [
        ("GET", ("range", "bytes=1-2"), 206),
        ("HEAD", ("range", "bytes=1-2"), 206),
        ("GET", ("if-none-match", etag), 304),
        ("HEAD", ("if-match", "\"other\""), 412),
        ("GET", ("range", "bytes=20-30"), 416),
    ] {
        assert_eq!(gateway.exchange(read(method, &[headers])).await, status);
    }
    assert_eq!(gateway.log("ROOT", ("GET", "/shelf/k?tagging"), "").await, 200);
    assert_eq!(gateway.log("ROOT", ("DELETE", "/shelf/k"), "").await, 204);
    assert_eq!(gateway.log("ROOT", ("DELETE", "/shelf/k"), "").await, 204);
    gateway.keep_versions().await;
    let put = gateway.done("PUT", "/shelf/k", &[], "123").await;
    let version = put.header("x-amz-version-id").unwrap();
    assert_eq!(gateway.log("ROOT", ("DELETE", "/shelf/k"), "").await, 204);
    assert_eq!(gateway.log("ROOT", ("DELETE", &format!("/shelf/k?versionId={version}")), "").await, 204);
    assert_eq!(
        told(&gateway.log_lines().await, &[("v", version)]),
        [
            "REST.PUT.OBJECT k 200 - 10 -",
            "REST.GET.OBJECT k 206 - 10 -",
            "REST.HEAD.OBJECT k 206 - 10 -",
            // As seen of AWS.
            "REST.GET.OBJECT k 304 - 10 -",
            "REST.HEAD.OBJECT k 412 PreconditionFailed - -",
            "REST.GET.OBJECT k 416 InvalidRange - -",
            "REST.GET.OBJECT_TAGGING k 200 - - -",
            "REST.DELETE.OBJECT k 204 - 10 -",
            "REST.DELETE.OBJECT k 204 - - -",
            "REST.DELETE.OBJECT k 204 - - -",
            "REST.DELETE.OBJECT k 204 - 3 v",
        ]
    );
}

#[tokio::test]
async fn every_action_of_lifecycle_rules_has_its_name_size_and_version() {
    let gateway = Gateway::with_logs("").await;
    gateway.done("PUT", "/shelf/plain", &[], "12345").await;
    let rules = |inner: &str| {
        format!(
            "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status>{inner}</Rule></LifecycleConfiguration>"
        )
    };
    let expire = "<Expiration><Days>1</Days></Expiration>";
    let apply = async |inner: &str, days: u32| {
        gateway.done("PUT", "/shelf?lifecycle", &[], &rules(inner)).await;
        gateway.sources.advance(DAY * days);
        gateway.app.objects.apply_lifecycles(gateway.sources.now()).await.unwrap().unwrap();
        gateway.done("DELETE", "/shelf?lifecycle", &[], "").await;
    };
    apply(expire, 3).await;
    gateway.keep_versions().await;
    let large = "x".repeat(200_000);
    let put = serve(&gateway.app, gateway.request("ROOT", ("PUT", "/shelf/k"), &[], &large)).await;
    let version = put.headers()["x-amz-version-id"].to_str().unwrap().to_owned();
    gateway.done("POST", "/shelf/m?uploads", &[], "").await;
    let class = |class: &str| format!("<StorageClass>{class}</StorageClass>");
    apply(&format!("<Transition><Days>30</Days>{}</Transition>", class("STANDARD_IA")), 40).await;
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
                 </AbortIncompleteMultipartUpload>";
    apply(&(expire.to_owned() + abort), 3).await;
    let down = "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays>";
    apply(&format!("{down}{}</NoncurrentVersionTransition>", class("GLACIER_IR")), 3).await;
    let end = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    apply(end, 3).await;
    apply("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>", 3).await;
    let mut lines = gateway.log_lines().await;
    lines.retain(|line| fields(line)[4] == "AmazonS3");
    // Each day has an object of its own.
    let mut all = told(&lines, &[("v", &version)]);
    all.sort();
    let marker = all.remove(2);
    // The marker's own version.
    assert!(marker.starts_with("S3.EXPIRE.OBJECT k - - - ") && !marker.ends_with('-'), "{marker}");
    assert_eq!(
        all,
        [
            "S3.CREATE.DELETEMARKER k - - - -",
            "S3.DELETE.UPLOAD m - - - -",
            "S3.EXPIRE.OBJECT k - - 200000 v",
            "S3.EXPIRE.OBJECT plain - - 5 -",
            "S3.TRANSITION_GIR.OBJECT k - - 200000 v",
            "S3.TRANSITION_SIA.OBJECT k - - 200000 -",
        ]
    );
}
