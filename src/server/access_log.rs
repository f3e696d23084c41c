//! One line and one set of metrics for each exchange, written when its answer has been sent or given up.
//!
//! Never in a line: `Authorization`, signatures, session tokens, SSE-C keys, or any header as the client sent it. Of
//! the query only parameters that are known to hold no secret are shown with their value.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::activity::{Expiry, InFlight};
use super::body::Progress;
use super::metrics::{Measured, Metrics};
use super::protocol::Protocol;
use crate::wire::{Ended, Findings, Found, LateOutcome, Outcome, RequestId, Response};

/// The most bytes of a path or query in a line. Longer ones are cut: the request id finds the audit record.
const SHOWN_MAX_BYTES: usize = 2048;

/// Parameters whose values are shown. Of all others only the name is.
const SHOWN_PARAMETERS: [&str; 17] = [
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "start-after",
    "uploadId",
    "versionId",
    "x-id",
];

/// What stands in logs and metrics for "the client went away before the outcome".
const CLIENT_GONE: Outcome = Outcome { status: 499, error: None, encryption: "" };

/// What is known of one exchange. Dropping it writes the line.
#[derive(Debug)]
pub(super) struct Record {
    request_id: RequestId,
    protocol: Protocol,
    method: http::Method,
    path: String,
    query: String,
    source_ip: IpAddr,
    started: Instant,
    /// When the answer's head was there.
    answered: Option<Instant>,
    first_byte: Option<Instant>,
    received: Arc<Progress>,
    sent_bytes: u64,
    /// The status in the head of an answer that began without the outcome.
    sent_status: Option<u16>,
    outcome: Outcome,
    /// Where the outcome will be found, if the answer began without it.
    late: Option<LateOutcome>,
    findings: Findings,
    cut: Option<String>,
    /// All of the answer's body was handed to the connection.
    ended: bool,
    /// Health checks come every few seconds and say nothing.
    quiet: bool,
    metrics: Arc<Metrics>,
    in_flight: InFlight,
    permit: Option<OwnedSemaphorePermit>,
}

impl Record {
    pub(super) fn begin(
        request_id: RequestId,
        head: &Parts,
        source_ip: IpAddr,
        received: Arc<Progress>,
        metrics: Arc<Metrics>,
        in_flight: InFlight,
    ) -> Self {
        metrics.begin();
        Self {
            request_id,
            protocol: Protocol::of(head),
            method: head.method.clone(),
            path: cut(head.uri.path()).into_owned(),
            query: cut(&shown_query(head.uri.query().unwrap_or_default())).into_owned(),
            source_ip,
            started: Instant::now(),
            answered: None,
            first_byte: None,
            received,
            sent_bytes: 0,
            sent_status: None,
            outcome: CLIENT_GONE,
            late: None,
            findings: Findings::default(),
            cut: None,
            ended: false,
            quiet: false,
            metrics,
            in_flight,
            permit: None,
        }
    }

    /// Where the protocol notes what it finds out.
    pub(super) fn findings(&self) -> Findings {
        self.findings.clone()
    }

    /// Keeps the place among the concurrent requests until the answer is sent.
    pub(super) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// No line and no metrics for this one.
    pub(super) fn silence(&mut self) {
        self.quiet = true;
    }

    /// Takes over what the protocol said of its answer.
    pub(super) fn answered(&mut self, answer: &Response) {
        self.answered = Some(Instant::now());
        self.late = answer.extensions().get::<LateOutcome>().cloned();
        if self.late.is_none() {
            self.outcome = Outcome::of(answer);
        }
        self.sent_status = self.late.is_some().then(|| answer.status().as_u16());
        // The body that a GET would have is never asked for.
        self.ended = self.method == http::Method::HEAD;
        self.in_flight.wait_for_client(0);
    }

    /// The next bytes of the answer's body are not there yet.
    pub(super) fn stands_still(&mut self) {
        self.in_flight.client_waits();
    }

    /// Bytes of the answer's body were handed to the connection.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
        self.first_byte.get_or_insert_with(Instant::now);
        self.in_flight.wait_for_client(bytes);
    }

    /// The answer's body failed in the middle; the connection is being cut.
    pub(super) fn failed(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.cut = Some(error.to_string());
    }

    /// There is no more of the answer's body.
    pub(super) fn ended(&mut self) {
        self.ended = true;
    }

    /// In one word: why an answer that was begun did not come to its end.
    fn cut_by(&self, outcome: Outcome) -> Option<&'static str> {
        match self.in_flight.given_up() {
            _ if self.cut.is_some() => Some("failure"),
            Some(Expiry::StalledWrite) => Some("stall"),
            Some(Expiry::SlowWrite) => Some("min-rate"),
            Some(Expiry::Idle | Expiry::SlowHeader) | None if self.ended || outcome.status == CLIENT_GONE.status => {
                None
            }
            Some(Expiry::Idle | Expiry::SlowHeader) | None => Some("connection"),
        }
    }

    /// What the protocol is told at the end.
    fn end(&self, outcome: Outcome) -> Ended {
        let began = self.received.ended_at().unwrap_or(self.started);
        let first = self.first_byte.or(self.answered);
        Ended {
            status: self.sent_status.unwrap_or(outcome.status),
            error: outcome.error,
            sent_bytes: self.sent_bytes,
            total: self.started.elapsed(),
            turn_around: first.map(|first| first.saturating_duration_since(began)),
        }
    }

    fn line(&self, operation: &str, found: &Found, outcome: Outcome) {
        tracing::info!(
            target: "strongroom::access",
            request_id = self.request_id.as_str(),
            service = self.protocol.name(),
            operation,
            method = self.method.as_str(),
            bucket = found.bucket.as_deref().map(cut).as_deref(),
            path = self.path,
            query = self.query,
            status = outcome.status,
            sent_status = self.sent_status,
            error = outcome.error,
            cut_by = self.cut_by(outcome),
            received_bytes = self.received.bytes(),
            sent_bytes = self.sent_bytes,
            duration_ms = self.started.elapsed().as_secs_f64() * 1000.0,
            source_ip = %self.source_ip,
            access_key_id = found.access_key_id,
        );
        if let Some(error) = &self.cut {
            tracing::error!(request_id = self.request_id.as_str(), error, "an answer was cut off in the middle");
        }
    }
}

/// The line and the count of a request of which nothing is known, since it could not be parsed.
pub(super) fn log_unparsed(
    request_id: &RequestId,
    peer: IpAddr,
    status: StatusCode,
    error: Option<&'static str>,
    metrics: &Metrics,
) {
    let (protocol, operation, status) = (Protocol::S3, "Unknown", status.as_u16());
    tracing::info!(
        target: "strongroom::access",
        request_id = request_id.as_str(),
        service = protocol.name(),
        operation,
        status,
        error,
        source_ip = %peer,
    );
    metrics.observe(&Measured {
        protocol,
        operation,
        status,
        error,
        encryption: "",
        cut_by: None,
        received_bytes: 0,
        sent_bytes: 0,
        duration: Duration::ZERO,
        first_byte: None,
    });
}

impl Drop for Record {
    fn drop(&mut self) {
        self.metrics.end();
        if self.quiet {
            return;
        }
        let found = self.findings.found();
        let operation = found.operation.unwrap_or("Unknown");
        let outcome = self.late.as_ref().and_then(LateOutcome::get).unwrap_or(self.outcome);
        self.line(operation, &found, outcome);
        self.findings.end(|| self.end(outcome));
        self.metrics.observe(&Measured {
            protocol: self.protocol,
            operation,
            status: outcome.status,
            error: outcome.error,
            encryption: outcome.encryption,
            cut_by: self.cut_by(outcome),
            received_bytes: self.received.bytes(),
            sent_bytes: self.sent_bytes,
            duration: self.started.elapsed(),
            first_byte: self.first_byte.map(|first| first - self.started),
        });
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN_MAX_BYTES {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(SHOWN_MAX_BYTES)]))
}

fn shown_query(query: &str) -> String {
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if SHOWN_PARAMETERS.contains(&name) => format!("{name}={value}"),
        Some((name, _)) => format!("{name}=*"),
        // A parameter without `=` is a sub-resource, or a slip that may hold anything.
        None if pair.len() <= 32 => pair.to_owned(),
        None => "*".to_owned(),
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(shown).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_show_no_secret() {
        for (query, shown) in [
            ("", ""),
            ("list-type=2&prefix=a%2Fb&max-keys=5", "list-type=2&prefix=a%2Fb&max-keys=5"),
            ("uploads", "uploads"),
            (
                "X-Amz-Signature=abc&x-amz-security-token=t&partNumber=1",
                "X-Amz-Signature=*&x-amz-security-token=*&partNumber=1",
            ),
            ("AWSAccessKeyId=AK&Signature=s%3D&Expires=1", "AWSAccessKeyId=*&Signature=*&Expires=*"),
            ("x-amz-server-side-encryption-customer-key=KEY", "x-amz-server-side-encryption-customer-key=*"),
            ("Prefix=mistyped", "Prefix=*"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "*"),
        ] {
            assert_eq!(shown_query(query), shown);
        }
    }

    #[test]
    fn long_paths_are_cut_between_characters() {
        assert_eq!(cut(&"a".repeat(SHOWN_MAX_BYTES)).len(), SHOWN_MAX_BYTES);
        assert_eq!(cut(&"é".repeat(SHOWN_MAX_BYTES)), "é".repeat(SHOWN_MAX_BYTES / 2) + "…");
    }
}
