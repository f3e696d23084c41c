//! `strongroom bench`: loads an S3 or KMS endpoint and says what it cost.
//!
//! Any endpoint will do (path style, http or https), so that other servers are measured by the same client. To cost
//! little itself, the client sends the same random body again and again, signs with a payload hash that is computed
//! once, and drives each worker's one connection inside the worker's own task.

mod client;
mod keys;
mod load;
mod plan;
mod process;
mod report;
mod sign;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::sources::Sources;
use client::Target;
use load::Bench;
use plan::{Encryption, Mix, Operation, Payload};

/// Load an S3 or KMS endpoint and report throughput, latency and the server's cost
#[derive(clap::Args)]
#[expect(missing_debug_implementations, reason = "holds the secret key")]
pub struct BenchArgs {
    /// Endpoint to load, addressed path style
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:9000", value_name = "URL")]
    pub endpoint: String,
    /// Bucket; created if it is not there, and then removed at the end
    #[arg(long, default_value = "strongroom-bench")]
    pub bucket: String,
    /// put, get, head, delete, list, mixed (get=45,head=30,put=15,delete=10), or own weights: put=30,get=70; of the key
    /// service data-key (GenerateDataKey), decrypt (of a data key) and encrypt
    #[arg(long, default_value = "put", value_parser = Mix::parse, value_name = "OPERATION")]
    pub operation: Mix,
    /// Size of objects, or of what is encrypted: bytes, or with KiB, MiB, GiB
    #[arg(long, default_value = "1MiB", value_parser = plan::parse_size)]
    pub size: u64,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub concurrency: u32,
    /// How long to load: 500ms, 10s, 2m
    #[arg(long, default_value = "10s", value_parser = plan::parse_duration)]
    pub duration: Duration,
    /// Stop after this many operations, if that comes before the end of --duration
    #[arg(long, value_name = "N")]
    pub max_operations: Option<u64>,
    /// Objects made beforehand for get, head, delete and list; default: 1 GiB of them, at most 1,000
    #[arg(long, value_name = "N")]
    pub objects: Option<u64>,
    /// Encryption asked for with each request; none leaves it to the bucket's default
    #[arg(long, value_enum, default_value_t = Encryption::None)]
    pub encryption: Encryption,
    /// KMS key for sse-kms and dsse-kms: id, ARN or alias; default: the account's aws/s3 key. For data-key, decrypt and
    /// encrypt; default: one that is made, and its deletion scheduled at the end
    #[arg(long, value_name = "ID")]
    pub kms_key: Option<String>,
    /// Whether the signature covers the body
    #[arg(long, value_enum, default_value_t = Payload::Unsigned)]
    pub payload: Payload,
    /// Upload in parts of this size
    #[arg(long, value_parser = plan::parse_size, value_name = "PART_SIZE")]
    pub multipart: Option<u64>,
    /// The server's process id on this machine: its CPU time and memory are reported
    #[arg(long)]
    pub pid: Option<u32>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    /// Leave bucket and objects behind
    #[arg(long)]
    pub keep: bool,
    /// Access key id
    #[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "ID")]
    pub access_key: String,
    /// Secret access key; better given by the environment, since a command line can be seen by others
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true, value_name = "SECRET")]
    pub secret_key: String,
    /// Region to sign for
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub region: String,
    /// Certificates to trust over https, PEM; default: the system's
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
}

/// Why a bench could not run. Failures of single operations under load are counted in the report instead.
#[derive(Debug)]
pub enum BenchError {
    /// An argument does not fit; the text says which and why.
    Argument(String),
    /// A file of the machine could not be read; the text names it.
    File(String, std::io::Error),
    /// A request that prepares or tidies up failed; says what was tried and how it failed.
    Request(&'static str, String),
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(text) => f.write_str(text),
            Self::File(name, error) => write!(f, "cannot read {name}: {error}"),
            Self::Request(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for BenchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Argument(_) | Self::Request(..) => None,
        }
    }
}

/// Prepares, loads, tidies up and prints the report on standard output; progress goes to standard error.
///
/// Ctrl-C ends the load early and reports what was measured until then.
pub async fn run(args: BenchArgs) -> Result<(), BenchError> {
    check(&args)?;
    let sources = Sources::system();
    let target = Arc::new(Target::new(&args)?);
    let bench = Arc::new(Bench::new(&args, target, sources));

    let of_keys = args.operation.is_of_keys();
    if of_keys {
        bench.prepare_keys(&args).await?;
    }
    let made_bucket = !of_keys && bench.make_bucket().await?;
    let outcome = measure(&bench, &args).await;
    if of_keys && !args.keep {
        bench.remove_keys().await?;
    } else if !args.keep {
        eprintln!("removing what was written …");
        bench.remove_objects().await?;
        if made_bucket {
            bench.remove_bucket().await?;
        }
    }
    let report = outcome?;
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}

async fn measure(bench: &Arc<Bench>, args: &BenchArgs) -> Result<report::Report, BenchError> {
    if bench.pool_objects() > 0 {
        eprintln!("writing {} objects to work on …", bench.pool_objects());
        bench.fill_pool().await?;
    }
    eprintln!("loading {} with {} connections …", args.endpoint, args.concurrency);
    let before = args.pid.map(process::Usage::of).transpose()?;
    let stop_on_signal = tokio::spawn({
        let bench = Arc::clone(bench);
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                bench.stop();
            }
        }
    });
    let measured = bench.load().await;
    stop_on_signal.abort();
    let after = args.pid.map(process::Usage::of).transpose()?;
    let server = before.zip(after).map(|(before, after)| after.since(before));
    Ok(report::Report::new(args, measured, server))
}

fn check(args: &BenchArgs) -> Result<(), BenchError> {
    let wants_kms = matches!(args.encryption, Encryption::SseKms | Encryption::DsseKms);
    if args.operation.operations().any(|o| o == Operation::Encrypt) && args.size > keys::PLAINTEXT_MAX_BYTES {
        let text = format!("encrypt seals at most {} bytes: give --size", keys::PLAINTEXT_MAX_BYTES);
        return Err(BenchError::Argument(text));
    }
    if args.kms_key.is_some() && !wants_kms && !args.operation.is_of_keys() {
        return Err(BenchError::Argument("--kms-key goes with --encryption sse-kms or dsse-kms".to_owned()));
    }
    let has = |operation| args.operation.operations().any(|o| o == operation);
    if has(Operation::Delete) && !has(Operation::Put) && args.operation.operations().count() > 1 {
        return Err(BenchError::Argument("delete beside other operations needs put in the mix".to_owned()));
    }
    match args.multipart {
        Some(0) => Err(BenchError::Argument("--multipart needs a part size above 0".to_owned())),
        Some(part) if args.size.div_ceil(part) > plan::MAX_PARTS => Err(BenchError::Argument(format!(
            "--size {} in parts of {part} makes more than {} parts",
            args.size,
            plan::MAX_PARTS
        ))),
        _ => Ok(()),
    }
}
