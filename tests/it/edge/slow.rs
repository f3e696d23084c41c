//! Clients that send or take nothing, or too little.

use std::io::Write;
use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use strongroom::server::MinRate;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use super::limits::with;
use super::{CLOSE, Edge, PATIENCE, header};

pub(super) const SHORT: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(20);

/// A rate that is averaged over a short time.
pub(super) fn rate(bytes_per_second: u64) -> Option<MinRate> {
    NonZeroU64::new(bytes_per_second).map(|bytes_per_second| MinRate { bytes_per_second, window: SHORT })
}

/// What is logged on this thread, on which a test's server runs too.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn begin() -> (Self, DefaultGuard) {
        // With one subscriber alone `tracing` asks only the thread that comes first to a place in the program whether
        // anybody listens there: another test's, where nobody does. With two it asks both.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
        LazyLock::force(&SECOND);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn until_all_are_cut(edge: &Edge) {
    let begun = Instant::now();
    while !edge.metrics.render().contains("http_connections 0") {
        assert!(begun.elapsed() < PATIENCE, "the slow connection stays");
        sleep(PAUSE).await;
    }
}

#[tokio::test]
async fn a_body_without_a_byte_for_too_long_is_given_up() {
    let edge = with(|limits| limits.body_idle_timeout = SHORT).await;
    let mut client = edge.connect().await;
    client.send("PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await;
    let answer = client.until("RequestTimeout").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
    // One that is slow but not idle takes longer than the limit and is whole.
    let mut client = edge.connect().await;
    client.send(&format!("PUT /length HTTP/1.1\r\nContent-Length: 8\r\n{CLOSE}")).await;
    for _ in 0..8 {
        sleep(SHORT / 6).await;
        client.send("x").await;
    }
    assert!(client.rest().await.ends_with("\r\n\r\n8"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let edge = with(|limits| limits.write_stall_timeout = SHORT).await;
    let mut client = edge.connect().await;
    let begun = Instant::now();
    client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.until("HTTP/1.1 200 OK").await;
    until_all_are_cut(&edge).await;
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    drop(client);
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let edge = with(|limits| limits.min_rate = rate(200)).await;
    let mut client = edge.connect().await;
    client.send("PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n").await;
    let begun = Instant::now();
    // 50 bytes a second at most, and never idle.
    while tokio::time::timeout(PAUSE, client.0.readable()).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the slow request stays");
        client.send("x").await;
    }
    let answer = client.until("RequestTimeout").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
    // Slow, but fast enough for longer than the window.
    let mut client = edge.connect().await;
    client.send(&format!("PUT /length HTTP/1.1\r\nContent-Length: 2000\r\n{CLOSE}")).await;
    for _ in 0..20 {
        sleep(PAUSE).await;
        client.send(&"x".repeat(100)).await;
    }
    assert!(client.rest().await.ends_with("\r\n\r\n2000"));
}

#[tokio::test]
async fn an_answer_that_is_taken_too_slowly_is_cut_off() {
    let (log, _logging) = Log::begin();
    let edge = with(|limits| limits.min_rate = rate(1 << 20)).await;
    let mut client = edge.connect().await;
    client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut some = vec![0; 4 << 20];
    // Pauses, but fast enough for longer than the window.
    let begun = Instant::now();
    while begun.elapsed() < SHORT * 3 {
        client.0.read_exact(&mut some).await.expect("the answer goes on");
        sleep(PAUSE).await;
    }
    assert_eq!(log.text(), "");
    // Now 200 KiB a second at most.
    while !edge.metrics.render().contains("http_connections 0") {
        assert!(begun.elapsed() < PATIENCE, "the slow connection stays");
        let _end = client.0.read(&mut some[..4096]).await;
        sleep(PAUSE).await;
    }
    let log = log.text();
    assert!(log.contains("strongroom::access") && log.contains("cut_by=\"min-rate\""), "{log}");
    assert!(edge.metrics.render().contains("code=\"200\",sse=\"\",cut_by=\"min-rate\"} 1"));
}

/// The body of an endless answer over HTTP/2 to a client whose windows are 32 KiB.
async fn endless(edge: &Edge) -> Incoming {
    let stream = TcpStream::connect(edge.address).await.expect("connected");
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(32 * 1024)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream));
    let (mut sender, connection) = client.await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get("http://h/endless").body(Full::default()).expect("a request");
    sender.send_request(request).await.expect("an answer").into_body()
}

#[tokio::test]
async fn a_stream_that_is_taken_too_slowly_is_cut_off() {
    let (log, _logging) = Log::begin();
    let edge = with(|limits| limits.min_rate = rate(1 << 20)).await;
    let mut body = endless(&edge).await;
    let begun = Instant::now();
    while begun.elapsed() < SHORT * 3 {
        body.frame().await.expect("an endless answer").expect("it goes on");
    }
    assert_eq!(log.text(), "");
    // A frame has 16 KiB at most: less than 400 KiB a second.
    while body.frame().await.is_some_and(|frame| frame.is_ok()) {
        assert!(begun.elapsed() < PATIENCE, "the slow stream stays");
        sleep(2 * PAUSE).await;
    }
    until_all_are_cut(&edge).await;
    let log = log.text();
    assert!(log.contains("cut_by=\"min-rate\""), "{log}");
}

#[tokio::test]
async fn a_client_that_leaves_its_window_shut_is_cut_off() {
    let edge = with(|limits| limits.write_stall_timeout = SHORT).await;
    // The head comes, the body is never read; the connection itself goes on.
    let mut body = endless(&edge).await;
    until_all_are_cut(&edge).await;
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return;
        }
    }
    panic!("an endless body came to its end");
}
