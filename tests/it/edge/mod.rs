//! The HTTP edge, run on a free port in front of a handler made for the test.

mod drain;
mod http1;
mod http2;
mod late;
mod limits;
mod slow;
mod smuggling;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use strongroom::auth::BodyTimeout;
use strongroom::server::{self, Gateway, Limits, Metrics, Running, Settings};
use strongroom::sources::Sources;
use strongroom::wire::{Request, Response, ResponseBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longer than any wait of a passing test, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running edge.
struct Edge {
    running: Running,
    address: SocketAddr,
    metrics: Arc<Metrics>,
    /// Requests to `/wait` and `/late` go on when they get a permit from here.
    gate: Arc<Semaphore>,
}

/// Limits that no test reaches by accident.
fn settings() -> Settings {
    let long = Duration::from_secs(600);
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        metrics_listen: None,
        tls: Vec::new(),
        trusted_proxies: Vec::new(),
        limits: Limits {
            max_requests: 64,
            max_connections: 64,
            header_timeout: long,
            body_idle_timeout: long,
            write_stall_timeout: long,
            min_rate: None,
            keep_alive_timeout: long,
            drain_timeout: long,
        },
    }
}

async fn start(settings: Settings) -> Edge {
    let gate = Arc::new(Semaphore::new(0));
    let handler_gate = Arc::clone(&gate);
    let handler = move |request: Request| -> futures_util::future::BoxFuture<'static, Response> {
        let gate = Arc::clone(&handler_gate);
        Box::pin(async move { handle(request, gate).await })
    };
    let gateway = Gateway { handler: Arc::new(handler), ready: Arc::new(|| Ok(())) };
    let metrics = Metrics::new();
    let running =
        server::bind(settings).await.expect("it binds").serve(Sources::system(), gateway, Arc::clone(&metrics));
    Edge { address: running.address(), running, metrics, gate }
}

async fn handle(mut request: Request, gate: Arc<Semaphore>) -> Response {
    request.edge.findings.operation("TestOperation");
    let text = match request.head.uri.path() {
        "/length" => {
            let mut len = 0;
            while let Some(chunk) = request.body.next().await {
                match chunk {
                    Ok(chunk) => len += chunk.len(),
                    Err(error) if error.is::<BodyTimeout>() => return answer(400, "RequestTimeout".to_owned()),
                    Err(_) => return answer(400, "IncompleteBody".to_owned()),
                }
            }
            len.to_string()
        }
        "/refuse" => return answer(403, "AccessDenied".to_owned()),
        "/panic" => panic!("on purpose"),
        "/wait" => {
            gate.acquire().await.expect("the gate stays open").forget();
            "waited".to_owned()
        }
        "/late" => return late::answer(gate),
        "/endless" => {
            let chunk = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
            let chunks = Box::pin(futures_util::stream::repeat_with(move || Ok(chunk.clone())));
            return Response::new(ResponseBody::Stream { chunks, remaining: None });
        }
        "/broken" => {
            let half = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"half"))]);
            // What is failed at once would not even begin.
            let failure = futures_util::stream::once(async {
                tokio::task::yield_now().await;
                Err("on purpose".into())
            });
            let chunks = Box::pin(half.chain(failure));
            return Response::new(ResponseBody::Stream { chunks, remaining: Some(8) });
        }
        "/edge" => {
            let edge = request.edge;
            let tls = edge.tls.map_or_else(|| "none".to_owned(), |tls| format!("{} {}", tls.version, tls.cipher_suite));
            format!("{} {} {} {} {}|{tls}", edge.source_ip, edge.secure, edge.confidential, edge.host, edge.host_header)
        }
        path if path.starts_with("/echo") || path.starts_with("//") => {
            request.head.uri.path_and_query().map(ToString::to_string).unwrap_or_default()
        }
        _ => "root".to_owned(),
    };
    answer(200, text)
}

fn answer(status: u16, text: String) -> Response {
    let mut answer = Response::new(ResponseBody::full(text));
    *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    answer
}

impl Edge {
    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("connected"))
    }

    /// Sends `request` on a connection of its own and returns all that comes back until the server closes.
    async fn ask(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }

    async fn stop(self) -> usize {
        timeout(PATIENCE, self.running.shutdown()).await.expect("it stops")
    }
}

/// A client that speaks in bytes.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("sent");
    }

    /// All that comes until the server closes.
    async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut all)).await.expect("the server closes");
        read.expect("no reset");
        String::from_utf8_lossy(&all).into_owned()
    }

    /// All that comes until `end` has come.
    async fn until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            let byte = timeout(PATIENCE, self.0.read_u8()).await;
            let byte =
                byte.unwrap_or_else(|_| panic!("{end:?} does not come after {:?}", String::from_utf8_lossy(&all)));
            all.push(byte.unwrap_or_else(|e| panic!("{e} after {:?}", String::from_utf8_lossy(&all))));
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// The value of a header in the text of an answer.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let fields = answer.split("\r\n\r\n").next()?.split("\r\n").filter_map(|line| line.split_once(": "));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

const CLOSE: &str = "Host: h\r\nConnection: close\r\n\r\n";
