//! Time stands still here but where a test waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::StatusCode;
use tokio::time::sleep;

use super::*;
use crate::app::tests::Gateway;
use crate::index::Faults;
use crate::s3::code::Code;
use crate::s3::object_answer::Answer;
use crate::s3::serve::serve;
use crate::s3::table::{Handler, TABLE};
use crate::s3::tests::SETTINGS;
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Request, RequestId};

const SECOND: Duration = Duration::from_secs(1);

/// An operation that ends after a time.
fn after(time: Duration, end: impl FnOnce() -> Result<Response, Error> + Send + 'static) -> Handled<Response> {
    Box::pin(async move {
        sleep(time).await;
        end()
    })
}

fn done() -> Result<Response, Error> {
    let mut document = Writer::document();
    document.root("Done", |_| {});
    let mut answer = Answer::new();
    answer.set("x-amz-version-id", "v");
    Ok(answer.xml(document))
}

fn conclude(outcome: Result<Response, Error>) -> Response {
    let id = RequestId::generate(&crate::sources::Sources::seeded(1, crate::sources::Timestamp(0)));
    outcome.unwrap_or_else(|error| error.render(&id, false))
}

fn outcome_of(answer: &Response) -> LateOutcome {
    answer.extensions().get::<LateOutcome>().expect("the answer is an early one").clone()
}

async fn whole(answer: Response) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What follows the declaration and at least one blank.
fn late_document(body: &str) -> &str {
    let rest = body.strip_prefix(DECLARATION).expect("the declaration comes first");
    assert!(rest.starts_with(' '), "{body:?}");
    rest.trim_start_matches(' ')
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_time_has_its_own_status() {
    let nearly = PATIENCE - Duration::from_millis(1);
    let unused = |_| -> Response { panic!("the caller concludes") };
    let answered = answer(after(nearly, done), &Early::default(), unused).await.unwrap();
    assert_eq!(answered.headers()["x-amz-version-id"], "v");
    assert!(answered.extensions().get::<LateOutcome>().is_none());
    let refused = answer(after(nearly, || Err(Error::new(Code::NoSuchKey))), &Early::default(), unused).await;
    assert_eq!(refused.unwrap_err().code(), Code::NoSuchKey);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_keeps_its_client_waiting() {
    let begun = Instant::now();
    let known = Early::default();
    for mode in ["none", "AES256"] {
        let mut head = Answer::new();
        head.set("x-amz-server-side-encryption", mode);
        known.note(&head);
    }
    let early = answer(after(PATIENCE + Duration::from_millis(3200), done), &known, conclude).await.unwrap();
    assert_eq!((early.status(), begun.elapsed()), (StatusCode::OK, PATIENCE));
    assert_eq!(early.headers().len(), 2);
    assert_eq!(early.headers()[CONTENT_TYPE], "application/xml");
    assert_eq!(early.headers()["x-amz-server-side-encryption"], "AES256");
    let outcome = outcome_of(&early);
    let (mut body, mut seen) = (early.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
        seen.push(((begun.elapsed() - PATIENCE).as_millis(), text));
        assert_eq!(outcome.get().is_some(), seen.len() == 5);
    }
    let rest = whole(done().unwrap()).await.split_off(DECLARATION.len());
    let blanks = "    ".to_owned();
    let expected =
        [(0, DECLARATION.to_owned()), (1000, blanks.clone()), (2000, blanks.clone()), (3000, blanks), (3200, rest)];
    assert_eq!(seen, expected);
    assert_eq!(outcome.get(), Some(Outcome { status: 200, error: None, encryption: "" }));
}

#[tokio::test(start_paused = true)]
async fn a_late_error_stands_in_the_body() {
    let refuse = || Err(Error::new(Code::NoSuchUpload));
    let panic = || -> Result<Response, Error> { panic!("on purpose") };
    let cases: [(Handled<Response>, _, _); 2] = [
        (after(PATIENCE + SECOND * 2, refuse), "NoSuchUpload", 404),
        (after(PATIENCE + SECOND * 2, panic), "InternalError", 500),
    ];
    for (operation, code, status) in cases {
        let early = answer(operation, &Early::default(), conclude).await.unwrap();
        assert_eq!(early.status(), StatusCode::OK);
        let outcome = outcome_of(&early);
        let error = xml::parse(late_document(&whole(early).await).as_bytes()).unwrap();
        assert_eq!((error.name.as_str(), error.child_text("Code")), ("Error", Some(code)));
        assert!(
            error.child("Message").is_some() && error.child("RequestId").is_some() && error.child("HostId").is_some()
        );
        assert_eq!(outcome.get().map(|outcome| outcome.status), Some(status));
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_goes_on_while_nothing_of_its_answer_is_taken() {
    let early = answer(after(PATIENCE * 10, done), &Early::default(), conclude).await.unwrap();
    let outcome = outcome_of(&early);
    sleep(PATIENCE * 10).await;
    assert!(outcome.get().is_some());
    assert_eq!(whole(early).await, whole(done().unwrap()).await, "nobody waits for blanks any more");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_given_up_ends_its_operation() {
    let progress = Arc::new(AtomicU8::new(0));
    let noted = Arc::clone(&progress);
    let operation: Handled<Response> = Box::pin(async move {
        noted.store(1, Ordering::SeqCst);
        sleep(PATIENCE * 2).await;
        noted.store(2, Ordering::SeqCst);
        done()
    });
    let early = answer(operation, &Early::default(), conclude).await.unwrap();
    let outcome = outcome_of(&early);
    let mut body = early.into_body();
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    sleep(PATIENCE * 10).await;
    assert_eq!((progress.load(Ordering::SeqCst), Arc::strong_count(&progress)), (1, 1));
    assert_eq!(outcome.get(), None);
}

#[test]
fn what_may_take_long() {
    let long = TABLE.iter().filter(|row| matches!(row.handler, Some(Handler::Long(_))));
    let names: Vec<_> = long.clone().map(|row| row.name).collect();
    assert_eq!(names, ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy"]);
    // A management call is recorded before anything of its answer leaves.
    assert!(long.into_iter().all(|row| !row.is_management()));
}

/// A gateway with a bucket, an object, an upload with a part of it, and a disk that takes its time for every commit.
struct Slow {
    gateway: Gateway,
    upload_id: String,
    etag: String,
}

impl Slow {
    const COMMIT: Duration = Duration::from_millis(7_500);

    async fn new() -> Self {
        let gateway = Gateway::new(11, SETTINGS).await;
        let mut slow = Self { gateway, upload_id: String::new(), etag: String::new() };
        let ask = async |slow: &Self, method, uri: &str, body| {
            let answer = serve(&slow.gateway.app, slow.request((method, uri), &[], body)).await;
            assert_eq!(answer.status(), StatusCode::OK, "{method} {uri}");
            answer
        };
        ask(&slow, "PUT", "/bucket", "").await;
        ask(&slow, "PUT", "/bucket/source", "data").await;
        let created = whole(ask(&slow, "POST", "/bucket/whole?uploads=", "").await).await;
        slow.upload_id = xml::parse(created.as_bytes()).unwrap().child_text("UploadId").unwrap().to_owned();
        let part = ask(&slow, "PUT", &slow.part(1), "part").await;
        slow.etag = part.headers()["etag"].to_str().unwrap().to_owned();
        slow
    }

    fn request(&self, ask: (&str, &str), headers: &[(&'static str, &str)], body: &str) -> Request {
        self.gateway.request("ROOT", ask, headers, body)
    }

    fn part(&self, number: u32) -> String {
        format!("/bucket/whole?partNumber={number}&uploadId={}", self.upload_id)
    }

    /// The three, and what of theirs is there when they are done.
    fn operations(&self) -> [(Request, &'static str, &'static str); 3] {
        let source = [("x-amz-copy-source", "/bucket/source")];
        let parts = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
            self.etag
        );
        let uri = format!("/bucket/whole?uploadId={}", self.upload_id);
        [
            (self.request(("PUT", "/bucket/copy"), &source, ""), "CopyObjectResult", "/bucket/copy"),
            (self.request(("PUT", &self.part(2)), &source, ""), "CopyPartResult", ""),
            (self.request(("POST", &uri), &[], &parts), "CompleteMultipartUploadResult", "/bucket/whole"),
        ]
    }

    async fn exists(&self, object: &str) -> bool {
        serve(&self.gateway.app, self.request(("HEAD", object), &[], "")).await.status() == StatusCode::OK
    }

    async fn part_count(&self) -> usize {
        let uri = format!("/bucket/whole?uploadId={}", self.upload_id);
        let listed = whole(serve(&self.gateway.app, self.request(("GET", &uri), &[], "")).await).await;
        listed.matches("<PartNumber>").count()
    }

    async fn late(&self, request: Request) -> (Response, Instant) {
        let begun = Instant::now();
        let early = serve(&self.gateway.app, request).await;
        assert_eq!((early.status(), begun.elapsed()), (StatusCode::OK, PATIENCE));
        (early, begun)
    }
}

fn root(body: &str) -> Element {
    xml::parse(late_document(body).as_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_operation_ends_in_the_body_of_an_early_answer() {
    let slow = Slow::new().await;
    slow.gateway.index.set_faults(Faults { commit_delay: Slow::COMMIT, ..Faults::default() });
    for (request, result, object) in slow.operations() {
        let findings = request.edge.findings.clone();
        let (early, begun) = slow.late(request).await;
        let outcome = outcome_of(&early);
        let document = root(&whole(early).await);
        assert_eq!((document.name.as_str(), begun.elapsed()), (result, Slow::COMMIT));
        assert!(document.child_text("ETag").is_some());
        assert_eq!(outcome.get(), Some(Outcome { status: 200, error: None, encryption: "sse-s3" }), "{result}");
        assert!(findings.found().operation.is_some());
        assert!(object.is_empty() || slow.exists(object).await, "{result}");
    }
}

/// What an answer says of the encryption and of the source.
fn told(answer: &Response) -> Vec<(String, String)> {
    let of_it = |name: &str| name.contains("server-side-encryption") || name == "x-amz-copy-source-version-id";
    let headers = answer.headers().iter().filter(|(name, _)| of_it(name.as_str()));
    let mut told: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned())).collect();
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn an_early_head_says_how_it_is_encrypted_and_of_which_version_it_is() {
    const SSE: &str = "x-amz-server-side-encryption";
    let slow = Slow::new().await;
    let customer = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="),
        ("x-amz-server-side-encryption-customer-key-md5", "mT2HRsMGJ5IX5C+0rreZ8Q=="),
    ];
    let modes: [&[(&'static str, &str)]; 5] = [
        &[],
        &[(SSE, "AES256")],
        &[(SSE, "aws:kms"), ("x-amz-server-side-encryption-context", "eyJhIjoiYiJ9")],
        &[(SSE, "aws:kms:dsse")],
        &customer,
    ];
    let ask = async |ask: (&str, &str), headers: &[(&'static str, &str)], body: &str| {
        serve(&slow.gateway.app, slow.request(ask, headers, body)).await
    };
    let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(ask(("PUT", "/bucket?versioning"), &[], versioned).await.status(), StatusCode::OK);
    assert_eq!(ask(("PUT", "/bucket/source"), &[], "data").await.status(), StatusCode::OK);
    for mode in modes {
        let headers = [mode, &[("x-amz-copy-source", "/bucket/source")]].concat();
        let created = ask(("POST", "/bucket/parts?uploads="), mode, "").await;
        let upload = xml::parse(whole(created).await.as_bytes()).unwrap().child_text("UploadId").unwrap().to_owned();
        let part = format!("/bucket/parts?partNumber=1&uploadId={upload}");
        let of_part = if mode == customer { &headers[..] } else { &headers[mode.len()..] };
        let late = async |(method, uri): (&str, &str), headers: &[(&'static str, &str)], body: &str| {
            slow.gateway.index.set_faults(Faults { commit_delay: Slow::COMMIT, ..Faults::default() });
            let (early, _) = slow.late(slow.request((method, uri), headers, body)).await;
            let said = told(&early);
            let document = root(&whole(early).await);
            slow.gateway.index.set_faults(Faults::default());
            assert_ne!(document.name, "Error", "{method} {uri} {headers:?}");
            (said, document.child_text("ETag").unwrap_or_default().to_owned())
        };
        let in_time = ask(("PUT", "/bucket/copy"), &headers, "").await;
        assert_eq!(late(("PUT", "/bucket/copy"), &headers, "").await.0, told(&in_time), "{mode:?}");
        assert!(told(&in_time).len() > 1, "{mode:?}");
        let in_time = ask(("PUT", &part), of_part, "").await;
        let (said, etag) = late(("PUT", &part), of_part, "").await;
        assert_eq!(said, told(&in_time), "{mode:?}");
        let parts = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
        let parts = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let uri = format!("/bucket/parts?uploadId={upload}");
        let (said, _) = late(("POST", &uri), &[], &parts).await;
        // The second time it is what the first one did.
        assert_eq!(said, told(&ask(("POST", &uri), &[], &parts).await), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_each_comes_in_the_body_and_changes_nothing() {
    let slow = Slow::new().await;
    for (request, result, object) in slow.operations() {
        let faults = Faults { commit_delay: Slow::COMMIT, full_in: Some(1), ..Faults::default() };
        slow.gateway.index.set_faults(faults);
        let request_id = request.edge.request_id.clone();
        let (early, _) = slow.late(request).await;
        let outcome = outcome_of(&early);
        let error = root(&whole(early).await);
        let said = ["Code", "RequestId", "HostId"].map(|name| error.child_text(name).unwrap_or_default().to_owned());
        assert_eq!(error.name, "Error", "{result}");
        assert_eq!(said, ["ServiceUnavailable", request_id.as_str(), &request_id.extended()], "{result}");
        let unavailable = Outcome { status: 503, error: Some("ServiceUnavailable"), encryption: "" };
        assert_eq!(outcome.get(), Some(unavailable), "{result}");
        assert!(object.is_empty() || !slow.exists(object).await, "{result}");
    }
    assert_eq!(slow.part_count().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_leaves_nothing_half_made() {
    let slow = Slow::new().await;
    for (request, result, object) in slow.operations() {
        slow.gateway.index.set_faults(Faults { commit_delay: Slow::COMMIT, ..Faults::default() });
        let (early, _) = slow.late(request).await;
        drop(early);
        sleep(Slow::COMMIT * 2).await;
        slow.gateway.index.set_faults(Faults::default());
        assert!(object.is_empty() || !slow.exists(object).await, "{result}");
    }
    assert_eq!(slow.part_count().await, 1);
    // What was given up can be done again.
    for (request, result, _) in slow.operations() {
        let answer = serve(&slow.gateway.app, request).await;
        assert!(whole(answer).await.contains(result), "{result}");
    }
}
