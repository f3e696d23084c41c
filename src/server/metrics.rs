//! What Prometheus sees of the edge.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::protocol::Protocol;
use crate::sources::Timestamp;

/// Upper bounds of the duration histograms, in seconds: from an inline object to a large one.
const DURATION_BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// One finished exchange.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) protocol: Protocol,
    pub(super) operation: &'static str,
    pub(super) status: u16,
    pub(super) error: Option<&'static str>,
    pub(super) encryption: &'static str,
    pub(super) cut_by: Option<&'static str>,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) duration: Duration,
    pub(super) first_byte: Option<Duration>,
}

/// All metrics of the program.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    s3_requests: Family<S3Labels, Counter>,
    s3_durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    s3_first_bytes: Family<OperationLabels, Histogram, fn() -> Histogram>,
    s3_received_bytes: Counter,
    s3_sent_bytes: Counter,
    kms_requests: Family<KmsLabels, Counter>,
    kms_durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    iam_requests: Family<IamLabels, Counter>,
    iam_durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    connections: Gauge,
    certificate_expiry: Family<CertificateLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct S3Labels {
    op: &'static str,
    code: u16,
    sse: &'static str,
    cut_by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KmsLabels {
    op: &'static str,
    result: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IamLabels {
    service: &'static str,
    op: &'static str,
    result: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    op: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabels {
    file: String,
}

fn durations() -> Histogram {
    Histogram::new(DURATION_BOUNDS)
}

impl Metrics {
    /// The edge's metrics, all at zero.
    pub fn new() -> Arc<Self> {
        let metrics = Self {
            registry: Mutex::new(Registry::default()),
            s3_requests: Family::default(),
            s3_durations: Family::new_with_constructor(durations),
            s3_first_bytes: Family::new_with_constructor(durations),
            s3_received_bytes: Counter::default(),
            s3_sent_bytes: Counter::default(),
            kms_requests: Family::default(),
            kms_durations: Family::new_with_constructor(durations),
            iam_requests: Family::default(),
            iam_durations: Family::new_with_constructor(durations),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            certificate_expiry: Family::default(),
        };
        metrics.register(|registry| {
            let info = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
            registry.register("strongroom_build", "The running program", info);
            registry.register("s3_requests", "S3 requests answered", metrics.s3_requests.clone());
            let text = "Time from an S3 request's header to the end of its answer";
            registry.register("s3_request_duration_seconds", text, metrics.s3_durations.clone());
            let text = "Time from an S3 request's header to the first byte of its answer's body";
            registry.register("s3_ttfb_seconds", text, metrics.s3_first_bytes.clone());
            let text = "Bytes of S3 request bodies, framing included";
            registry.register("s3_bytes_received", text, metrics.s3_received_bytes.clone());
            registry.register("s3_bytes_sent", "Bytes of S3 answer bodies", metrics.s3_sent_bytes.clone());
            registry.register("kms_requests", "KMS requests answered", metrics.kms_requests.clone());
            let text = "Time from a KMS request's header to the end of its answer";
            registry.register("kms_request_duration_seconds", text, metrics.kms_durations.clone());
            registry.register("iam_requests", "IAM and STS requests answered", metrics.iam_requests.clone());
            let text = "Time from an IAM or STS request's header to the end of its answer";
            registry.register("iam_request_duration_seconds", text, metrics.iam_durations.clone());
            registry.register("http_requests_in_flight", "Requests being answered", metrics.in_flight.clone());
            registry.register("http_connections", "Open connections", metrics.connections.clone());
            let text = "When a certificate expires, seconds since 1970";
            registry.register("tls_certificate_expiry_seconds", text, metrics.certificate_expiry.clone());
        });
        Arc::new(metrics)
    }

    /// Lets another part of the program add its metrics.
    pub fn register<R>(&self, add: impl FnOnce(&mut Registry) -> R) -> R {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics in OpenMetrics text form.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if self.register(|registry| encode(&mut text, registry)).is_err() {
            // Only a collector's own error gets here; what was written until then is still right.
            let _infallible = writeln!(text, "# EOF");
        }
        text
    }

    pub(super) fn begin(&self) {
        self.in_flight.inc();
    }

    pub(super) fn end(&self) {
        self.in_flight.dec();
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.inc();
        Connected(Arc::clone(self))
    }

    pub(super) fn certificate(&self, file: String, expires: Timestamp) {
        self.certificate_expiry.get_or_create(&CertificateLabels { file }).set(expires.seconds());
    }

    pub(super) fn observe(&self, measured: &Measured) {
        let op = measured.operation;
        let labels = OperationLabels { op };
        let result = || measured.error.map_or_else(|| measured.status.to_string(), str::to_owned);
        match measured.protocol {
            Protocol::Kms => {
                self.kms_requests.get_or_create(&KmsLabels { op, result: result() }).inc();
                self.kms_durations.get_or_create(&labels).observe(measured.duration.as_secs_f64());
                return;
            }
            Protocol::Iam(service) => {
                let service = service.name();
                self.iam_requests.get_or_create(&IamLabels { service, op, result: result() }).inc();
                self.iam_durations.get_or_create(&labels).observe(measured.duration.as_secs_f64());
                return;
            }
            Protocol::S3 | Protocol::UnknownTarget => {}
        }
        let (code, sse, cut_by) = (measured.status, measured.encryption, measured.cut_by.unwrap_or_default());
        self.s3_requests.get_or_create(&S3Labels { op, code, sse, cut_by }).inc();
        self.s3_durations.get_or_create(&labels).observe(measured.duration.as_secs_f64());
        if let Some(first_byte) = measured.first_byte {
            self.s3_first_bytes.get_or_create(&labels).observe(first_byte.as_secs_f64());
        }
        self.s3_received_bytes.inc_by(measured.received_bytes);
        self.s3_sent_bytes.inc_by(measured.sent_bytes);
    }
}

/// An open connection, counted.
#[derive(Debug)]
pub(super) struct Connected(Arc<Metrics>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::Service;

    /// With at least one sample of each metric: those without are left out of the text.
    fn filled() -> Arc<Metrics> {
        let metrics = Metrics::new();
        let measured = |protocol, operation, error| Measured {
            protocol,
            operation,
            status: 200,
            error,
            encryption: "sse-kms",
            cut_by: None,
            received_bytes: 10,
            sent_bytes: 20,
            duration: Duration::from_millis(3),
            first_byte: Some(Duration::from_millis(2)),
        };
        metrics.observe(&measured(Protocol::S3, "GetObject", None));
        metrics.observe(&measured(Protocol::Kms, "Decrypt", Some("DisabledException")));
        metrics.observe(&measured(Protocol::Iam(Service::Sts), "GetCallerIdentity", None));
        metrics.certificate("cert.pem".to_owned(), Timestamp(1_795_608_000_000));
        metrics
    }

    #[test]
    fn the_manual_lists_every_metric() {
        let manual = include_str!("../../docs/configuration.md");
        let chapter = manual.split("\n## ").find(|chapter| chapter.starts_with("Metrics\n")).expect("its chapter");
        let metrics = filled();
        let notifier = crate::app::Notifier::open(&[]).expect("no target is wrong");
        metrics.register(|registry| notifier.register(registry));
        let text = metrics.render();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let suffix = |kind: &str| match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let mut count = 0;
        for (name, kind) in types {
            let row = format!("| `{name}{}` |", suffix(kind));
            assert!(chapter.contains(&row), "{row} is missing in docs/configuration.md");
            count += 1;
        }
        assert_eq!(chapter.lines().filter(|line| line.starts_with("| `")).count(), count);
    }

    #[test]
    fn names_and_labels() {
        let metrics = filled();
        let connection = metrics.connected();
        let text = metrics.render();
        for line in [
            "strongroom_build_info{version=\"0.1.0\"} 1",
            "s3_requests_total{op=\"GetObject\",code=\"200\",sse=\"sse-kms\",cut_by=\"\"} 1",
            "s3_request_duration_seconds_bucket{le=\"0.005\",op=\"GetObject\"} 1",
            "s3_ttfb_seconds_count{op=\"GetObject\"} 1",
            "s3_bytes_received_total 10",
            "s3_bytes_sent_total 20",
            "kms_requests_total{op=\"Decrypt\",result=\"DisabledException\"} 1",
            "kms_request_duration_seconds_count{op=\"Decrypt\"} 1",
            "iam_requests_total{service=\"sts\",op=\"GetCallerIdentity\",result=\"200\"} 1",
            "iam_request_duration_seconds_count{op=\"GetCallerIdentity\"} 1",
            "http_requests_in_flight 0",
            "http_connections 1",
            "tls_certificate_expiry_seconds{file=\"cert.pem\"} 1795608000",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        drop(connection);
        assert!(metrics.render().contains("http_connections 0"));
    }
}
