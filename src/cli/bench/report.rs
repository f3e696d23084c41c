//! The result, as a table for people and as JSON for programs.

use std::fmt;

use serde_json::{Value, json};

use super::BenchArgs;
use super::load::{Measured, Samples};
use super::plan::{self, Operation};
use super::process::Usage;

const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;
/// Percentiles shown; the maximum stands beside them.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// A run's figures.
#[derive(Debug)]
pub(super) struct Report {
    endpoint: String,
    mix: String,
    size: u64,
    multipart: Option<u64>,
    concurrency: u32,
    encryption: String,
    payload: String,
    measured: Measured,
    server: Option<Usage>,
}

impl Report {
    pub(super) fn new(args: &BenchArgs, measured: Measured, server: Option<Usage>) -> Self {
        Self {
            endpoint: args.endpoint.clone(),
            mix: args.operation.label(),
            size: args.size,
            multipart: args.multipart,
            concurrency: args.concurrency,
            encryption: plan::value_name(args.encryption),
            payload: plan::value_name(args.payload),
            measured,
            server,
        }
    }

    fn seconds(&self) -> f64 {
        self.measured.elapsed_ns as f64 / 1e9
    }

    fn total(&self, count: impl Fn(&Samples) -> u64) -> u64 {
        self.measured.operations.values().map(count).sum()
    }

    /// CPU seconds per GiB that moved, if any did.
    fn cpu_per_gib(&self, server: &Usage) -> Option<f64> {
        ratio(server.cpu_seconds, self.total(|s| s.bytes) as f64 / GIB)
    }

    /// CPU seconds per 1,000 operations, failed ones too: the server worked for them as well.
    fn cpu_per_1000(&self, server: &Usage) -> Option<f64> {
        ratio(server.cpu_seconds, self.total(|s| s.latency_us.len() + s.failed) as f64 / 1_000.0)
    }

    pub(super) fn to_json(&self) -> Value {
        let operation = |(operation, samples): (&Operation, &Samples)| {
            let mut latency: serde_json::Map<_, _> =
                PERCENTILES.iter().map(|&(name, p)| (name.to_owned(), json!(percentile_ms(samples, p)))).collect();
            latency.insert("max".to_owned(), json!(samples.latency_us.max() as f64 / 1e3));
            json!({
                "operation": operation.name(),
                "succeeded": samples.latency_us.len(),
                "failed": samples.failed,
                "per_second": ratio(samples.latency_us.len() as f64, self.seconds()),
                "mib_per_second": ratio(samples.bytes as f64 / MIB, self.seconds()),
                "latency_ms": latency,
            })
        };
        json!({
            "endpoint": self.endpoint,
            "mix": self.mix,
            "size_bytes": self.size,
            "part_size_bytes": self.multipart,
            "concurrency": self.concurrency,
            "encryption": self.encryption,
            "payload": self.payload,
            "seconds": self.seconds(),
            "operations": self.measured.operations.iter().map(operation).collect::<Vec<_>>(),
            "errors": self.measured.failures.iter().map(|(code, (count, detail))| {
                json!({ "code": code, "count": count, "example": detail })
            }).collect::<Vec<_>>(),
            "server": self.server.map(|server| json!({
                "cpu_seconds": server.cpu_seconds,
                "cpu_seconds_per_gib": self.cpu_per_gib(&server),
                "cpu_seconds_per_1000_operations": self.cpu_per_1000(&server),
                "peak_memory_bytes": server.peak_memory_bytes,
            })),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} of {} bytes, {} connections, encryption {}, payload {}, {:.1} s\n",
            self.endpoint,
            self.mix,
            self.size,
            self.concurrency,
            self.encryption,
            self.payload,
            self.seconds()
        )?;
        write!(f, "{:<9}{:>10}{:>8}{:>11}{:>10}", "", "done", "failed", "op/s", "MiB/s")?;
        for (name, _) in PERCENTILES {
            write!(f, "{:>10}", format!("{name} ms"))?;
        }
        writeln!(f, "{:>10}", "max ms")?;
        for (operation, samples) in &self.measured.operations {
            let done = samples.latency_us.len();
            let (rate, throughput) = (done as f64 / self.seconds(), samples.bytes as f64 / MIB / self.seconds());
            write!(f, "{:<9}{done:>10}{:>8}{rate:>11.1}{throughput:>10.1}", operation.name(), samples.failed)?;
            for (_, percentile) in PERCENTILES {
                write!(f, "{:>10.2}", percentile_ms(samples, percentile))?;
            }
            writeln!(f, "{:>10.2}", samples.latency_us.max() as f64 / 1e3)?;
        }
        for (code, (count, detail)) in &self.measured.failures {
            writeln!(f, "\n{count} × {code}: {detail}")?;
        }
        if let Some(server) = &self.server {
            let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"));
            writeln!(f, "\nserver CPU s     {:>10.2}", server.cpu_seconds)?;
            writeln!(f, "  per GiB        {:>10}", figure(self.cpu_per_gib(server)))?;
            writeln!(f, "  per 1,000 op   {:>10}", figure(self.cpu_per_1000(server)))?;
            writeln!(f, "peak memory MiB  {:>10.1}", server.peak_memory_bytes as f64 / MIB)?;
        }
        Ok(())
    }
}

/// `None` where there is nothing to divide by.
fn ratio(amount: f64, by: f64) -> Option<f64> {
    (by > 0.0).then(|| amount / by)
}

fn percentile_ms(samples: &Samples, percentile: f64) -> f64 {
    samples.latency_us.value_at_percentile(percentile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut samples = Samples { bytes: 1 << 30, failed: 1, ..Samples::default() };
        for ms in 1..=999 {
            samples.latency_us.record(ms * 1_000).expect("in range");
        }
        let mut measured = Measured { elapsed_ns: 2_000_000_000, ..Measured::default() };
        measured.operations.insert(Operation::Put, samples);
        measured.failures.insert("SlowDown".to_owned(), (1, "503".to_owned()));
        Report {
            endpoint: "http://x".to_owned(),
            mix: "put".to_owned(),
            size: 4096,
            multipart: None,
            concurrency: 16,
            encryption: "sse-s3".to_owned(),
            payload: "unsigned".to_owned(),
            measured,
            server: Some(Usage { cpu_seconds: 3.0, peak_memory_bytes: 64 << 20 }),
        }
    }

    #[test]
    fn figures() {
        let json = report().to_json();
        assert_eq!(json["operations"][0]["per_second"], 499.5);
        assert_eq!(json["operations"][0]["mib_per_second"], 512.0);
        assert_eq!(json["server"]["cpu_seconds_per_gib"], 3.0);
        assert_eq!(json["server"]["cpu_seconds_per_1000_operations"], 3.0);
        assert_eq!(json["errors"][0]["code"], "SlowDown");
        let p99 = json["operations"][0]["latency_ms"]["p99"].as_f64().expect("is a number");
        assert!((989.0..=992.0).contains(&p99), "{p99}");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let text = report().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2].len(), lines[3].len(), "{text}");
    }

    #[test]
    fn no_operation_divides_by_nothing() {
        let empty = Report { measured: Measured::default(), ..report() };
        assert_eq!(empty.to_json()["server"]["cpu_seconds_per_gib"], Value::Null);
        assert!(empty.to_string().contains("per GiB                 -"));
    }
}
