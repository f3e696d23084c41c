//! HTTP/1.1 over raw sockets.

use super::{CLOSE, header, settings, start};

#[tokio::test]
async fn every_answer_is_marked() {
    let edge = start(settings()).await;
    let answer = edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let id = header(&answer, "x-amz-request-id").expect("an id");
    assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{id}");
    assert!(header(&answer, "x-amz-id-2").is_some_and(|id| id.len() == 44), "{answer}");
    assert_eq!(header(&answer, "server"), Some("Strongroom"));
    assert!(header(&answer, "date").is_some_and(|date| date.ends_with(" GMT")), "{answer}");
    let other = edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert_ne!(header(&other, "x-amz-request-id"), Some(id));
    assert_eq!(edge.stop().await, 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let edge = start(settings()).await;
    let put = |n: usize| format!("PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: {n}\r\n\r\n{}", "x".repeat(n));
    let answers = edge.ask(&format!("{}{}{}GET / HTTP/1.1\r\n{CLOSE}", put(3), put(0), put(5))).await;
    let bodies: Vec<_> = answers.split("\r\n\r\n").skip(1).map(|text| text.split("HTTP").next()).collect();
    assert_eq!(bodies, [Some("3"), Some("0"), Some("5"), Some("root")]);
}

#[tokio::test]
async fn chunked_bodies_and_bodies_cut_off() {
    let edge = start(settings()).await;
    let chunked = "PUT /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: h\r\nConnection: close\r\n\r\n\
                   3\r\nabc\r\nA\r\n0123456789\r\n0\r\nsome-trailer: x\r\n\r\n";
    assert!(edge.ask(chunked).await.ends_with("\r\n\r\n13"));
    let mut client = edge.connect().await;
    client.send("PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.expect("half closed");
    let answer = client.rest().await;
    assert!(answer.is_empty() || answer.ends_with("IncompleteBody"), "{answer}");
}

#[tokio::test]
async fn expect_100_continue_is_granted_when_the_body_is_wanted() {
    let edge = start(settings()).await;
    let mut client = edge.connect().await;
    client.send("PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(header(&head, "connection"), None);
    assert_eq!(client.until("4").await, "4");
    // The connection lives on.
    client.send(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert!(client.rest().await.ends_with("root"));
}

/// Older botocore takes such an answer's status for that of the connection's next request that expects.
#[tokio::test]
async fn an_expectation_without_a_body_is_answered_at_once_and_closes() {
    let edge = start(settings()).await;
    for (expectation, connection) in [("Expect: 100-continue\r\n", Some("close")), ("", None)] {
        let mut client = edge.connect().await;
        client.send(&format!("PUT /length HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n{expectation}\r\n")).await;
        let head = client.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(header(&head, "connection"), connection);
        assert_eq!(client.until("0").await, "0");
        if connection.is_some() {
            assert_eq!(client.rest().await, "");
        }
    }
}

#[tokio::test]
async fn a_refusal_comes_instead_of_100_continue_and_closes() {
    let edge = start(settings()).await;
    let head = "PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    let mut client = edge.connect().await;
    client.send(head).await;
    let answer = client.until("AccessDenied").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.expect("half closed");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let edge = start(settings()).await;
    let mut client = edge.connect().await;
    // More than both sockets' buffers hold: without reading on, the server's close would reset the connection.
    let len = 32 << 20;
    client.send(&format!("PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n")).await;
    let chunk = "x".repeat(1 << 20);
    for _ in 0..32 {
        client.send(&chunk).await;
    }
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && answer.ends_with("AccessDenied"), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_nothing_more() {
    let edge = start(settings()).await;
    let mut client = edge.connect().await;
    client.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = client.until("</Error>").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    let id = header(&answer, "x-amz-request-id").expect("an id");
    assert!(answer.contains("<Code>InternalError</Code>"), "{answer}");
    assert!(answer.contains(&format!("<RequestId>{id}</RequestId>")), "{answer}");
    assert!(!answer.contains("on purpose"), "{answer}");
    client.send(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert!(client.rest().await.ends_with("root"));
    let kms = edge.ask(&format!("POST /panic HTTP/1.1\r\nX-Amz-Target: TrentService.Decrypt\r\n{CLOSE}")).await;
    assert!(kms.contains("{\"__type\":\"KMSInternalException\""), "{kms}");
}

#[tokio::test]
async fn garbage_ends_the_connection_and_not_the_server() {
    let edge = start(settings()).await;
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "PUT /length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage",
    ] {
        let mut client = edge.connect().await;
        client.send(garbage).await;
        // Some garbage is a beginning: the end of the client's side makes it whole.
        tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.expect("half closed");
        let answer = client.rest().await;
        assert!(!answer.contains(" 200 "), "{garbage:?}: {answer}");
    }
    assert!(edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await.ends_with("root"));
}

#[tokio::test]
async fn hosts_are_one_and_lower_case() {
    let edge = start(settings()).await;
    let ask = async |host: &str| edge.ask(&format!("GET /edge HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
    let answer = ask("Host: Bucket.S3.example.com:9000\r\n").await;
    assert!(answer.ends_with("127.0.0.1 false true bucket.s3.example.com Bucket.S3.example.com:9000|none"), "{answer}");
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let answer = ask(hosts).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("<Code>BadRequest</Code>"), "{answer}");
    }
}

#[tokio::test]
async fn targets_arrive_as_they_were_sent() {
    let edge = start(settings()).await;
    for target in [
        "//",
        "//bucket//key",
        "/echo/./../..//a",
        "/echo/a%20b+c%2Bd%2F%c3%a9%C3%A9",
        "/echo/a%00b%0d%0a",
        "/echo/:@!$&'()*,;=~[]|^",
        "/echo/?",
        "/echo?a=%2B+b&&c=&d==e?f/g",
        "/echo/trailing/",
    ] {
        let answer = edge.ask(&format!("GET {target} HTTP/1.1\r\n{CLOSE}")).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{target}")), "{target}: {answer}");
    }
}

#[tokio::test]
async fn forwarded_headers_count_from_a_trusted_proxy_only() {
    let request = format!(
        "GET /edge HTTP/1.1\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n{CLOSE}"
    );
    let edge = start(settings()).await;
    let answer = edge.ask(&request).await;
    assert!(answer.ends_with("127.0.0.1 false true h h|none"), "{answer}");
    let mut trusting = settings();
    trusting.trusted_proxies = vec![([127, 0, 0, 0].into(), 8)];
    let edge = start(trusting).await;
    let answer = edge.ask(&request).await;
    assert!(answer.ends_with("203.0.113.9 true true h h|none"), "{answer}");
    let answer = edge.ask(&request.replace("Proto: https", "Proto: http")).await;
    assert!(answer.ends_with("203.0.113.9 false false h h|none"), "{answer}");
}

#[tokio::test]
async fn health_stands_ahead_of_buckets_on_two_paths_only() {
    let edge = start(settings()).await;
    let ask = async |line: &str| edge.ask(&format!("{line} HTTP/1.1\r\n{CLOSE}")).await;
    assert!(ask("GET /health/live").await.ends_with("{\"status\":\"live\"}"));
    assert!(ask("GET /health/ready").await.ends_with("{\"status\":\"ready\"}"));
    assert!(ask("HEAD /health/ready").await.starts_with("HTTP/1.1 200 "));
    for of_the_bucket in
        ["GET /health", "GET /health/", "GET /health/live/", "PUT /health/live", "GET /health/live?acl"]
    {
        assert!(ask(of_the_bucket).await.ends_with("root"), "{of_the_bucket}");
    }
    let signed = edge.ask(&format!("GET /health/live HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 x\r\n{CLOSE}")).await;
    assert!(signed.ends_with("root"), "{signed}");
}
