//! Answers that begin before their outcome is known.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use strongroom::wire::{LateOutcome, Outcome, Response, ResponseBody};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::limits::with;
use super::slow::{Log, SHORT, rate};
use super::{Edge, PATIENCE, header, settings, start};

const BLANK: &[u8] = b" ";
const INTERVAL: Duration = Duration::from_millis(20);
const LATE: &str = "GET /late HTTP/1.1\r\nHost: h\r\n\r\n";
const IN_METRICS: &str = "s3_requests_total{op=\"TestOperation\",code=\"500\",sse=\"sse-s3\",cut_by=\"\"} 1";

/// 200 and blanks until the gate opens, then an error.
pub(super) fn answer(gate: Arc<Semaphore>) -> Response {
    let late = LateOutcome::default();
    let noted = late.clone();
    let chunks = stream::unfold(false, move |ended| {
        let (gate, noted) = (Arc::clone(&gate), noted.clone());
        async move {
            let end = tokio::select! {
                _ = gate.acquire(), if !ended => true,
                () = sleep(INTERVAL), if !ended => return Some((Ok(Bytes::from_static(BLANK)), false)),
                else => return None,
            };
            noted.note(Outcome { status: 500, error: Some("InternalError"), encryption: "sse-s3" });
            Some((Ok(Bytes::from_static(b"<Error/>")), end))
        }
    });
    let mut answer = Response::new(ResponseBody::Stream { chunks: chunks.boxed(), remaining: None });
    answer.extensions_mut().insert(late);
    answer
}

/// An edge that cuts whoever takes nothing for a short while, or too little.
async fn strict() -> Edge {
    with(|limits| {
        limits.write_stall_timeout = SHORT;
        limits.keep_alive_timeout = SHORT;
        limits.min_rate = rate(1 << 20);
        limits.max_requests = 1;
    })
    .await
}

async fn until_counted(edge: &Edge, line: &str) {
    let begun = Instant::now();
    while !edge.metrics.render().contains(line) {
        assert!(begun.elapsed() < PATIENCE, "{line} is missing in\n{}", edge.metrics.render());
        sleep(INTERVAL).await;
    }
}

#[tokio::test]
async fn the_outcome_counts_and_waiting_for_it_is_not_the_clients_fault() {
    let (log, _logging) = Log::begin();
    let edge = strict().await;
    let mut client = edge.connect().await;
    client.send(LATE).await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
    assert!(header(&head, "x-amz-request-id").is_some() && header(&head, "x-amz-id-2").is_some());
    let begun = Instant::now();
    while begun.elapsed() < SHORT * 4 {
        client.until("1\r\n \r\n").await;
    }
    // Its place among the concurrent requests is taken until the end.
    assert!(edge.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.contains("SlowDown"));
    assert!(edge.metrics.render().contains("http_requests_in_flight 1\n"));
    edge.gate.add_permits(1);
    client.until("8\r\n<Error/>\r\n0\r\n\r\n").await;
    // The connection goes on.
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.until("root").await;
    until_counted(&edge, IN_METRICS).await;
    let log = log.text();
    assert!(log.contains("status=500 sent_status=200 error=\"InternalError\""), "{log}");
}

#[tokio::test]
async fn the_same_over_http2() {
    let edge = strict().await;
    let stream = TcpStream::connect(edge.address).await.expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get("http://h/late").body(Full::default()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let (mut body, begun) = (answer.into_body(), Instant::now());
    while begun.elapsed() < SHORT * 4 {
        let frame = body.frame().await.expect("it goes on").expect("no reset");
        assert_eq!(frame.data_ref().map(|data| &data[..]), Some(BLANK));
    }
    edge.gate.add_permits(1);
    let rest = body.collect().await.expect("a whole body").to_bytes();
    assert!(rest.ends_with(b"<Error/>"), "{rest:?}");
    until_counted(&edge, IN_METRICS).await;
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_outcome_is_counted_as_gone() {
    let edge = start(settings()).await;
    let mut client = edge.connect().await;
    client.send(LATE).await;
    client.until("1\r\n \r\n").await;
    drop(client);
    until_counted(&edge, "s3_requests_total{op=\"TestOperation\",code=\"499\",sse=\"\",cut_by=\"\"} 1").await;
    assert!(edge.metrics.render().contains("http_requests_in_flight 0\n"));
}

#[tokio::test]
async fn a_server_that_stops_waits_for_the_outcome() {
    let edge = start(settings()).await;
    let gate = Arc::clone(&edge.gate);
    let mut client = edge.connect().await;
    client.send(LATE).await;
    client.until("1\r\n \r\n").await;
    let stopping = tokio::spawn(edge.stop());
    for _ in 0..10 {
        client.until("1\r\n \r\n").await;
    }
    assert!(!stopping.is_finished());
    gate.add_permits(1);
    assert!(client.rest().await.ends_with("8\r\n<Error/>\r\n0\r\n\r\n"));
    assert_eq!(stopping.await.expect("stopped"), 0);
}
