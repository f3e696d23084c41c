//! Limits and time-outs.

use std::time::Duration;

use tokio::time::Instant;

use super::{CLOSE, Edge, header, settings, start};

const SHORT: Duration = Duration::from_millis(300);

pub(super) async fn with(change: impl FnOnce(&mut strongroom::server::Limits)) -> Edge {
    let mut settings = settings();
    change(&mut settings.limits);
    start(settings).await
}

#[tokio::test]
async fn oversize_headers_are_refused_by_size_and_count() {
    let edge = start(settings()).await;
    let ask = async |fields: &str| edge.ask(&format!("GET / HTTP/1.1\r\n{fields}{CLOSE}")).await;
    let fields = |count: usize| (0..count).map(|n| format!("f{n}: v\r\n")).collect::<String>();
    // Host and Connection are two more.
    assert!(ask(&fields(126)).await.starts_with("HTTP/1.1 200 "));
    for too_large in [fields(127), format!("x-long: {}\r\n", "v".repeat(64 * 1024))] {
        let answer = ask(&too_large).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("<Code>RequestHeaderSectionTooLarge</Code>"), "{answer}");
        assert!(answer.contains("<MaxSizeAllowed>65536</MaxSizeAllowed><RequestId>"), "{answer}");
        assert!(header(&answer, "x-amz-request-id").is_some());
    }
    // The target counts: the longest that hyper takes is over our limit with any header.
    let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\n{CLOSE}", "p".repeat(bytes - 1));
    assert!(edge.ask(&target(60_000)).await.starts_with("HTTP/1.1 200 "));
    let answer = edge.ask(&target(65_534)).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("RequestHeaderSectionTooLarge"), "{answer}");
    assert!(edge.ask(&target(65_535)).await.starts_with("HTTP/1.1 414 "));
    assert!(ask(&fields(600)).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn an_endless_header_and_an_endless_uri_are_cut_off() {
    let edge = start(settings()).await;
    for (start, piece, status) in
        [("GET / HTTP/1.1\r\nHost: h\r\nx: ", "v", "HTTP/1.1 431 "), ("GET /", "p", "HTTP/1.1 4")]
    {
        let mut client = edge.connect().await;
        client.send(start).await;
        // 16 MiB, if the server took it.
        let piece = piece.repeat(64 * 1024);
        for _ in 0..256 {
            if tokio::io::AsyncWriteExt::write_all(&mut client.0, piece.as_bytes()).await.is_err() {
                break;
            }
        }
        // With so much unread the connection may be reset before the answer is seen; it is never taken.
        let mut answer = Vec::new();
        let read =
            tokio::time::timeout(super::PATIENCE, tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut answer));
        let _reset = read.await.expect("the server closes");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with(status), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n{CLOSE}", "p".repeat(70_000));
    assert!(edge.ask(&long).await.starts_with("HTTP/1.1 414 "));
}

#[tokio::test]
async fn a_slow_header_is_cut_off_while_a_slow_client_is_not() {
    let edge = with(|limits| limits.header_timeout = SHORT).await;
    // Idle for longer than the header limit, before and between requests.
    let mut idle = edge.connect().await;
    tokio::time::sleep(SHORT * 2).await;
    idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    idle.until("root").await;
    tokio::time::sleep(SHORT * 2).await;
    idle.send(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert!(idle.rest().await.ends_with("root"));

    let mut slow = edge.connect().await;
    let begun = Instant::now();
    slow.send("GET / HTTP/1.1\r\nHost: h\r\nx-slow: ").await;
    assert_eq!(slow.rest().await, "");
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_preface_that_never_ends_is_cut_off() {
    let edge = with(|limits| limits.header_timeout = SHORT).await;
    let mut slow = edge.connect().await;
    slow.send("PRI * HT").await;
    assert_eq!(slow.rest().await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let edge = with(|limits| limits.keep_alive_timeout = SHORT).await;
    let mut client = edge.connect().await;
    assert_eq!(client.rest().await, "");
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(client.rest().await.ends_with("root"));
}

#[tokio::test]
async fn requests_over_the_cap_hear_slow_down() {
    let edge = with(|limits| limits.max_requests = 2).await;
    let mut running = Vec::new();
    for _ in 0..2 {
        let mut client = edge.connect().await;
        client.send(&format!("GET /wait HTTP/1.1\r\n{CLOSE}")).await;
        running.push(client);
    }
    while !edge.metrics.render().contains("http_requests_in_flight 2") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let answer = edge.ask(&format!("PUT /b/k HTTP/1.1\r\n{CLOSE}")).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let id = header(&answer, "x-amz-request-id").expect("an id");
    assert!(answer.contains("<Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"), "{answer}");
    assert!(answer.contains(id), "{answer}");
    let kms = edge.ask(&format!("POST / HTTP/1.1\r\nX-Amz-Target: TrentService.Encrypt\r\n{CLOSE}")).await;
    assert!(kms.contains("ThrottlingException"), "{kms}");
    // Health is asked about most when there is much to do.
    assert!(edge.ask(&format!("GET /health/ready HTTP/1.1\r\n{CLOSE}")).await.starts_with("HTTP/1.1 200 "));
    edge.gate.add_permits(2);
    for mut client in running {
        assert!(client.rest().await.ends_with("waited"));
    }
    assert!(edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await.ends_with("root"));
}

#[tokio::test]
async fn a_request_that_its_client_gives_up_is_counted_by_its_operation() {
    let edge = start(settings()).await;
    for (target, counted) in [
        ("", "s3_requests_total{op=\"TestOperation\",code=\"499\",sse=\"\"} 1"),
        ("X-Amz-Target: TrentService.Sign\r\n", "kms_requests_total{op=\"TestOperation\",result=\"499\"} 1"),
    ] {
        let mut client = edge.connect().await;
        client.send(&format!("GET /wait HTTP/1.1\r\nHost: h\r\n{target}\r\n")).await;
        while !edge.metrics.render().contains("http_requests_in_flight 1") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(client);
        let begun = Instant::now();
        while !edge.metrics.render().contains(counted) {
            assert!(begun.elapsed() < super::PATIENCE, "{counted} is missing in\n{}", edge.metrics.render());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn connections_over_the_cap_wait() {
    let edge = with(|limits| limits.max_connections = 1).await;
    let mut first = edge.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    first.until("root").await;
    let mut second = edge.connect().await;
    second.send(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    let early = tokio::time::timeout(SHORT, tokio::io::AsyncReadExt::read_u8(&mut second.0)).await;
    assert!(early.is_err(), "answered beyond the cap");
    drop(first);
    assert!(second.rest().await.ends_with("root"));
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let mut settings = settings();
    settings.metrics_listen = Some(settings.listen);
    let edge = start(settings).await;
    edge.ask(&format!("GET /refuse HTTP/1.1\r\n{CLOSE}")).await;
    let address = edge.running.metrics_address().expect("a metrics listener");
    let mut client = super::Client(tokio::net::TcpStream::connect(address).await.expect("connected"));
    client.send(&format!("GET /metrics HTTP/1.1\r\n{CLOSE}")).await;
    let text = client.rest().await;
    assert!(text.contains("s3_requests_total{op=\"TestOperation\",code=\"403\",sse=\"\"} 1"), "{text}");
    assert!(edge.ask(&format!("GET /metrics HTTP/1.1\r\n{CLOSE}")).await.ends_with("root"));
}
