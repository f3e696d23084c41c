//! Limits and time-outs.

use std::time::Duration;

use tokio::time::Instant;

use super::slow::Log;
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
    // What hyper does not even parse.
    for answer in [edge.ask(&target(65_535)).await, edge.ask(&target(70_000)).await, ask(&fields(600)).await] {
        refused_unparsed(&answer, "RequestHeaderSectionTooLarge");
    }
}

/// An answer to a request that was not parsed is like any other.
fn refused_unparsed(answer: &str, code: &str) {
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains(&format!("<Error><Code>{code}</Code><Message>")), "{answer}");
    let id = header(answer, "x-amz-request-id").unwrap_or_else(|| panic!("no id in {answer}"));
    assert!(answer.contains(&format!("<RequestId>{id}</RequestId>")), "{answer}");
    for (name, value) in [("connection", "close"), ("content-type", "application/xml"), ("server", "Strongroom")] {
        assert_eq!(header(answer, name), Some(value), "{answer}");
    }
    let body = answer.split("\r\n\r\n").nth(1).expect("a body");
    assert_eq!(header(answer, "content-length"), Some(body.len().to_string().as_str()), "{answer}");
}

#[tokio::test]
async fn what_is_no_request_is_answered_like_one() {
    let (log, _logging) = Log::begin();
    let edge = start(settings()).await;
    for request in [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "G{T / HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
    ] {
        refused_unparsed(&edge.ask(request).await, "BadRequest");
    }
    refused_unparsed(
        &edge.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n").await,
        "BadRequest",
    );
    // After an answer to a request, with and without a body, in one piece and later.
    for first in
        ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"]
    {
        let mut client = edge.connect().await;
        client.send(&format!("{first}GARBAGE\r\n\r\n")).await;
        let answers = client.rest().await;
        let (answered, refused) = answers.split_at(answers.rfind("HTTP/1.1 ").expect("answers"));
        assert!(answered.starts_with("HTTP/1.1 200 "), "{answers}");
        refused_unparsed(refused, "BadRequest");
    }
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.until("root").await;
    client.send("GARBAGE\r\n\r\n").await;
    refused_unparsed(&client.rest().await, "BadRequest");
    // Counted and logged as any other.
    let counted = "s3_requests_total{op=\"Unknown\",code=\"400\",sse=\"\",cut_by=\"\"} 9";
    assert!(edge.metrics.render().contains(counted), "{}", edge.metrics.render());
    let log = log.text();
    assert_eq!(log.matches("status=400 error=\"BadRequest\"").count(), 9, "{log}");
}

#[tokio::test]
async fn an_object_that_looks_like_a_refusal_stays_as_it_is() {
    let edge = start(settings()).await;
    let text = "HTTP/1.1%20400%20Bad%20Request";
    for _ in 0..2 {
        let answer = edge.ask(&format!("GET /echo/{text} HTTP/1.1\r\n{CLOSE}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("/echo/{text}")), "{answer}");
    }
    let answer = edge.ask(&format!("PUT /refuse HTTP/1.1\r\n{CLOSE}")).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("AccessDenied"), "{answer}");
}

#[tokio::test]
async fn an_endless_header_and_an_endless_uri_are_cut_off() {
    let edge = start(settings()).await;
    for (start, piece) in [("GET / HTTP/1.1\r\nHost: h\r\nx: ", "v"), ("GET /", "p"), ("", "x: y\r\n")] {
        let mut client = edge.connect().await;
        client.send(start).await;
        // 16 MiB, if the server took it.
        let piece = piece.repeat(64 * 1024);
        for _ in 0..256 {
            if tokio::io::AsyncWriteExt::write_all(&mut client.0, piece.as_bytes()).await.is_err() {
                break;
            }
        }
        let code = if start.is_empty() { "BadRequest" } else { "RequestHeaderSectionTooLarge" };
        refused_unparsed(&client.rest().await, code);
    }
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
        ("", "s3_requests_total{op=\"TestOperation\",code=\"499\",sse=\"\",cut_by=\"\"} 1"),
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
async fn an_answer_that_was_cut_is_counted_as_cut() {
    let (log, _logging) = Log::begin();
    let edge = start(settings()).await;
    let mut broken = edge.connect().await;
    broken.send(&format!("GET /broken HTTP/1.1\r\n{CLOSE}")).await;
    assert!(broken.rest().await.ends_with("\r\n\r\nhalf"));
    let mut gone = edge.connect().await;
    gone.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n").await;
    gone.until("xxxx").await;
    drop(gone);
    // Whole: with a body, without one, and where the body is never asked for.
    assert!(edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await.ends_with("root"));
    assert!(edge.ask(&format!("GET /echo HTTP/1.1\r\n{CLOSE}")).await.ends_with("/echo"));
    assert!(edge.ask(&format!("HEAD /broken HTTP/1.1\r\n{CLOSE}")).await.ends_with("content-length: 8\r\n\r\n"));
    for (cut_by, count) in [("failure", 1), ("connection", 1), ("", 3)] {
        let counted =
            format!("s3_requests_total{{op=\"TestOperation\",code=\"200\",sse=\"\",cut_by=\"{cut_by}\"}} {count}");
        let begun = Instant::now();
        while !edge.metrics.render().contains(&counted) {
            assert!(begun.elapsed() < super::PATIENCE, "{counted} is missing in\n{}", edge.metrics.render());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let log = log.text();
    assert_eq!((log.matches("cut_by=\"failure\"").count(), log.matches("cut_by=\"connection\"").count()), (1, 1));
    assert_eq!(log.matches("cut_by").count(), 2, "{log}");
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
    assert!(text.contains("s3_requests_total{op=\"TestOperation\",code=\"403\",sse=\"\",cut_by=\"\"} 1"), "{text}");
    assert!(edge.ask(&format!("GET /metrics HTTP/1.1\r\n{CLOSE}")).await.ends_with("root"));
}
