//! HTTP/2, here with prior knowledge.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Edge, settings, start};

async fn connect(edge: &Edge) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(edge.address).await.expect("connected");
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, path: &str, body: &str) -> (http::response::Parts, String) {
    let request = http::Request::put(format!("http://Bucket.example.com:9000{path}"));
    let request = request.body(Full::from(body.to_owned())).expect("a request");
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    (head, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn requests_share_a_connection() {
    let edge = start(settings()).await;
    let sender = connect(&edge).await;
    let (mut one, mut two, mut three) = (sender.clone(), sender.clone(), sender);
    edge.gate.add_permits(1);
    let (waited, counted, refused) =
        tokio::join!(ask(&mut one, "/wait", ""), ask(&mut two, "/length", "12345"), ask(&mut three, "/refuse", "body"));
    assert_eq!((waited.1.as_str(), counted.1.as_str(), refused.1.as_str()), ("waited", "5", "AccessDenied"));
    assert_eq!(refused.0.status, 403);
    assert_ne!(waited.0.headers["x-amz-request-id"], counted.0.headers["x-amz-request-id"]);
    // HTTP/2 knows no such header.
    assert!(!refused.0.headers.contains_key("connection"));
    let (_, edge_text) = ask(&mut one, "/edge", "").await;
    assert_eq!(edge_text, "127.0.0.1 false true bucket.example.com Bucket.example.com:9000|none");
    let (panicked, text) = ask(&mut one, "/panic", "").await;
    assert!(panicked.status == 500 && text.contains("InternalError"), "{text}");
    drop((one, two, three));
    assert_eq!(edge.stop().await, 0);
}

#[tokio::test]
async fn oversize_headers_are_refused() {
    let edge = start(settings()).await;
    let mut sender = connect(&edge).await;
    let request = |bytes: usize| {
        let request = http::Request::get("http://h/").header("x-long", "v".repeat(bytes));
        request.body(Full::default()).expect("a request")
    };
    let answer = sender.send_request(request(70 * 1024)).await.expect("an answer");
    assert_eq!(answer.status(), 400);
    let text = answer.into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&text).contains("RequestHeaderSectionTooLarge"));
    // Beyond what is even decoded.
    if let Ok(answer) = sender.send_request(request(300 * 1024)).await {
        assert_eq!(answer.status(), 431);
    }
    assert_eq!(ask(&mut connect(&edge).await, "/", "").await.1, "root");
}
