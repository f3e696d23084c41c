//! Stopping.

use std::time::Duration;

use tokio::net::TcpStream;

use super::{CLOSE, settings, start};

async fn in_flight(edge: &super::Edge, count: usize) {
    while !edge.metrics.render().contains(&format!("http_requests_in_flight {count}\n")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn running_requests_finish_and_new_ones_are_not_taken() {
    let edge = start(settings()).await;
    let (address, gate) = (edge.address, std::sync::Arc::clone(&edge.gate));
    let mut idle = edge.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    idle.until("root").await;
    let mut running = edge.connect().await;
    running.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await;
    in_flight(&edge, 1).await;
    let stopping = tokio::spawn(edge.stop());
    // The idle connection is closed at once, the listener with it.
    assert_eq!(idle.rest().await, "");
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!stopping.is_finished());
    gate.add_permits(1);
    assert!(running.rest().await.ends_with("waited"));
    assert_eq!(stopping.await.expect("stopped"), 0);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let mut settings = settings();
    settings.limits.drain_timeout = Duration::from_millis(200);
    let edge = start(settings).await;
    let mut running = edge.connect().await;
    running.send(&format!("GET /wait HTTP/1.1\r\n{CLOSE}")).await;
    in_flight(&edge, 1).await;
    assert_eq!(edge.stop().await, 1);
    assert_eq!(running.rest().await, "");
}
