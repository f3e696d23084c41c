//! `strongroom serve`

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, warn_of_misspelt_variables};
use crate::app::{App, Door, Prepared, StoreUse};
use crate::config::{Config, SettingsArgs};
use crate::server::{self, Control, Metrics};
use crate::sources::Sources;

/// Time between two looks for a root that needs nobody, while the store is sealed.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Serve S3 and KMS (what strongroom does when no command is given)
///
/// The first start makes the data directory, a root key file and an account, and prints the account's credentials
/// once. Where a store is and none of its roots, the server starts sealed: see strongroom unseal. SIGTERM and SIGINT let running requests finish.
#[derive(clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(command: Serve) -> Result<(), Failure> {
    let config = command.settings.load()?;
    warn_of_misspelt_variables();
    server::init_logging(config.log_json, &config.log_filter);
    server::prepare_process(config.allow_dumps);
    // Before anything is opened: a signal that comes early still ends the process in order.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let sources = Sources::system();
    let bound = server::bind(server::Settings::from(&config)).await;
    let bound = bound.map_err(|error| Failure::Failed(error.0))?;
    let data_dir = config.data_dir.clone();
    let door = tokio::select! {
        door = Box::pin(open_door(config, sources.clone())) => Arc::new(door?),
        // A store that does not answer holds the start up for a while, and nobody who stops it.
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let control = Control::listen(&data_dir, &door)
        .map_err(|error| Failure::Failed(format!("{}: no control socket: {error}", data_dir.display())))?;
    let listening = Listening { address: bound.address(), metrics: bound.metrics_address() };
    // Clients are answered only after this: who sees the server ready finds the credentials told.
    let metrics = Metrics::new();
    let mut told = tell(&door, &listening, &metrics);
    let running = bound.serve(sources, server::gateway(&door), Arc::clone(&metrics));

    let mut retry = tokio::time::interval_at(tokio::time::Instant::now() + RETRY_INTERVAL, RETRY_INTERVAL);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = door.wait(), if !told => told = tell(&door, &listening, &metrics),
            // A token is plugged in again, a key service or a mount comes back.
            _ = retry.tick(), if !told => drop(tokio::spawn(try_again(Arc::clone(&door)))),
        }
    }
    drop(control);
    tracing::info!("draining");
    let cut = running.shutdown().await;
    if cut > 0 {
        tracing::warn!(connections = cut, "drain_timeout is over; what still ran was cut off");
    }
    if let Some(app) = door.app() {
        app.deliver_last_access_logs().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// A door that a root has opened, or a closed one: somebody has to unseal it then.
async fn open_door(config: Config, sources: Sources) -> Result<Door, Failure> {
    let prepared = Box::pin(Prepared::open(config, sources, StoreUse::Objects)).await?;
    match prepared.unlock().await? {
        Ok(store_key) => {
            let blobs = prepared.open_store().await?;
            Ok(Door::open(Box::pin(prepared.start(store_key, blobs)).await?))
        }
        Err(reasons) => {
            for reason in reasons {
                tracing::warn!(reason, "a root does not open the store");
            }
            Ok(Door::sealed(prepared))
        }
    }
}

async fn try_again(door: Arc<Door>) {
    if let Err(error) = door.unseal_unattended().await {
        tracing::warn!(%error, "a root does not open the store");
    }
}

/// Where the server listens.
struct Listening {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
}

/// Says what is served, or that nothing is, and starts the background passes of an open store. Whether it is open.
fn tell(door: &Door, listening: &Listening, metrics: &Metrics) -> bool {
    let (text, open) = match door.app() {
        Some(app) => {
            app.start_jobs();
            metrics.register(|registry| app.notifier.register(registry));
            metrics.register(|registry| app.replicator.register(registry));
            metrics.register(|registry| app.queue_lengths.register(registry));
            (greeting(app, listening, door.take_new_credentials()), true)
        }
        None => (sealed_greeting(listening), false),
    };
    if let Err(error) = stdout().write_all(text.as_bytes()) {
        // It serves all the same: whoever started it may have closed what it does not read.
        tracing::warn!(%error, "the start could not be told on standard output");
    }
    open
}

fn sealed_greeting(listening: &Listening) -> String {
    let (version, address) = (env!("CARGO_PKG_VERSION"), listening.address);
    format!(
        "Strongroom {version} listens on {address} and is sealed: no root that opens the store is there\n\
         Every request is answered 503 until you run: strongroom unseal\n"
    )
}

fn greeting(app: &App, listening: &Listening, new_credentials: Option<(String, String)>) -> String {
    let config = &app.config;
    // In full: the lines are copied into a shell in another directory.
    let in_full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let ca_bundle = config.tls.first().map(|files| in_full(&files.cert));
    let reach = Reach {
        address: listening.address,
        ca_bundle: ca_bundle.as_deref(),
        home_region: config.regions.first().map_or("us-east-1", |region| region.as_str()),
    };
    let (version, endpoint) = (env!("CARGO_PKG_VERSION"), reach.endpoint());
    let kept_in = in_full(&config.data_dir);
    let mut out = format!("Strongroom {version} serves S3 and KMS at {endpoint}\n");
    let _infallible = writeln!(out, "Everything is kept in {}", kept_in.display());
    out += &match new_credentials {
        Some((id, secret)) => first_steps(&reach, &id, &secret),
        None if !config.accounts.is_empty() => "The accounts are those of the configuration\n".to_owned(),
        None => "For new root credentials, stop the server and run: strongroom credentials new\n".to_owned(),
    };
    if config.tls.is_empty() && config.trusted_proxies.is_empty() && !reach.address.ip().is_loopback() {
        out += "This is plain http: SSE-C, SSE-KMS and KMS calls from other machines are refused until tls is set\n";
    }
    if let Some(address) = listening.metrics {
        let _infallible = writeln!(out, "Metrics are at http://{address}/metrics");
    }
    out
}

/// How a client on this machine reaches the server.
struct Reach<'a> {
    address: SocketAddr,
    ca_bundle: Option<&'a Path>,
    home_region: &'a str,
}

impl Reach<'_> {
    fn endpoint(&self) -> String {
        let ip = match self.address.ip() {
            // "Every address" is none that a client can call.
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        match self.ca_bundle {
            // Certificates are made out to names.
            Some(_) if ip.is_loopback() => format!("https://localhost:{}", self.address.port()),
            Some(_) => format!("https://{}", SocketAddr::new(ip, self.address.port())),
            None => format!("http://{}", SocketAddr::new(ip, self.address.port())),
        }
    }
}

/// The lines that a newcomer copies. The AWS CLI of version 1 and boto3 read `AWS_DEFAULT_REGION`, others `AWS_REGION`.
fn first_steps(reach: &Reach<'_>, id: &str, secret: &str) -> String {
    let (region, endpoint) = (reach.home_region, reach.endpoint());
    let mut out = format!(
        "
An account and its root credentials were made. The secret is shown this once; to use them, copy these lines:

export AWS_ACCESS_KEY_ID={id}
export AWS_SECRET_ACCESS_KEY={secret}
export AWS_REGION={region} AWS_DEFAULT_REGION={region}
export AWS_ENDPOINT_URL={endpoint}
"
    );
    if let Some(certificate) = reach.ca_bundle {
        let _infallible = writeln!(out, "export AWS_CA_BUNDLE={}", certificate.display());
    }
    out.push_str(
        "
aws s3 mb s3://my-bucket
echo 'Hello, Strongroom' > hello.txt
aws s3 cp hello.txt s3://my-bucket/
aws s3 ls s3://my-bucket
KEY_ID=$(aws kms create-key --description 'my first key' --query KeyMetadata.KeyId --output text)
aws s3 cp hello.txt s3://my-bucket/under-my-key.txt --sse aws:kms --sse-kms-key-id \"$KEY_ID\"
aws s3 cp s3://my-bucket/under-my-key.txt -

",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str, tls: bool) -> Reach<'static> {
        let ca_bundle = tls.then(|| Path::new("cert.pem"));
        Reach { address: address.parse().expect("an address"), ca_bundle, home_region: "eu-central-1" }
    }

    #[test]
    fn endpoints_can_be_called() {
        for (address, tls, endpoint) in [
            ("127.0.0.1:9000", false, "http://127.0.0.1:9000"),
            ("0.0.0.0:9000", false, "http://127.0.0.1:9000"),
            ("[::]:9000", false, "http://[::1]:9000"),
            ("192.0.2.1:9000", false, "http://192.0.2.1:9000"),
            ("0.0.0.0:443", true, "https://localhost:443"),
            ("192.0.2.1:443", true, "https://192.0.2.1:443"),
        ] {
            assert_eq!(reach(address, tls).endpoint(), endpoint);
        }
    }

    #[test]
    fn first_steps_name_all_that_a_client_needs() {
        let text = first_steps(&reach("127.0.0.1:9000", true), "AKIDEXAMPLE", "secret/key");
        for line in [
            "export AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
            "export AWS_SECRET_ACCESS_KEY=secret/key",
            "export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1",
            "export AWS_ENDPOINT_URL=https://localhost:9000",
            "export AWS_CA_BUNDLE=cert.pem",
            "aws s3 ls s3://my-bucket",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
        assert!(!first_steps(&reach("127.0.0.1:9000", false), "a", "b").contains("CA_BUNDLE"));
    }
}
