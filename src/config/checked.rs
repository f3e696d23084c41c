//! The checked settings.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{NotificationTarget, ReplicationTarget};
use crate::crypto::SecretBytes;
use crate::names::{AccountId, CanonicalId, Region, StoreUrl};
use crate::policy::{Attached, PublicAccessBlock};

/// `object_ownership` of new buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Ownership {
    /// ACLs off; the bucket's owner owns all.
    BucketOwnerEnforced,
    /// The bucket's owner owns what is uploaded with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The writer owns; ACLs as before 2023.
    ObjectWriter,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// An account of the configuration.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct AccountConfig {
    /// 12 digits.
    pub id: AccountId,
    /// 64 hexadecimal digits; derived from the id where none is given.
    pub canonical_id: CanonicalId,
    /// Shown as owner.
    pub display_name: String,
    /// For grants by e-mail.
    pub email: Option<String>,
    /// The root's keys: id, secret.
    pub access_keys: Vec<(String, SecretBytes)>,
    /// Users.
    pub users: Vec<UserConfig>,
    /// The public access block of all its buckets.
    pub public_access_block: PublicAccessBlock,
}

/// A user of an account.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct UserConfig {
    /// Its name.
    pub name: String,
    /// Its keys: id, secret.
    pub access_keys: Vec<(String, SecretBytes)>,
    /// Its identity policies: documents, and those that come with the program.
    pub policies: Vec<Attached>,
}

/// `root_token_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenConfig {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The token's label.
    pub label: Option<String>,
    /// The file with its PIN.
    pub pin_file: PathBuf,
}

/// `root_kms_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsConfig {
    /// URL.
    pub endpoint: String,
    /// Region.
    pub region: String,
    /// The file with its credentials.
    pub credentials_file: PathBuf,
    /// Certificates to believe.
    pub ca_file: Option<PathBuf>,
}

/// `[[pkcs11]]`: a token that can stand behind custom key stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Config {
    /// `cluster-…`, by which the API names it.
    pub cluster_id: String,
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The token's label.
    pub label: Option<String>,
    /// The certificate that stands for the token, PEM.
    pub trust_anchor: Option<String>,
}

/// All settings, checked.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Config {
    /// Where all that is kept lies.
    pub data_dir: PathBuf,
    /// S3 and KMS.
    pub listen: SocketAddr,
    /// Prometheus metrics; off unless set.
    pub metrics_listen: Option<SocketAddr>,
    /// Served Regions; the first is home. Never empty.
    pub regions: Vec<Region>,
    /// Virtual-host style domains, lower case.
    pub domains: Vec<String>,
    /// Domains of static websites, lower case.
    pub website_domains: Vec<String>,
    /// Where blobs go; `None`: `blobs` inside `data_dir`.
    pub store: Option<StoreUrl>,
    /// Settings of an upstream store, as `object_store` names them (endpoint, credentials, Region).
    pub store_options: Vec<(String, String)>,
    /// Ownership of new buckets.
    pub object_ownership: Ownership,
    /// New buckets have all four switches of their public access block on.
    pub block_public_access: bool,
    /// Certificates; empty: plain http.
    pub tls: Vec<TlsFiles>,
    /// Peers whose `X-Forwarded-*` headers are believed: addresses with prefix length.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// Presigned URLs of Signature Version 2 are taken.
    pub presigned_v2: bool,
    /// Signature Version 2 is taken in every form.
    pub signature_v2: bool,
    /// Concurrent requests beyond which the answer is `SlowDown`.
    pub max_requests: usize,
    /// Connections beyond which new ones wait in the system's queue.
    pub max_connections: usize,
    /// Time for a request's header to arrive.
    pub header_timeout: Duration,
    /// Time without a byte of a body after which the request is given up.
    pub body_idle_timeout: Duration,
    /// Time in which a client takes no byte of an answer after which the connection is cut.
    pub write_stall_timeout: Duration,
    /// Bytes a second that a client sends of a body or takes of an answer at least; 0: no limit.
    pub client_min_rate: u64,
    /// Time an idle connection is kept.
    pub keep_alive_timeout: Duration,
    /// Time that running requests get after SIGTERM.
    pub drain_timeout: Duration,
    /// Time between two passes of the sweeper.
    pub sweep_interval: Duration,
    /// Time between two looks for lifecycle rules and inventories that are due.
    pub lifecycle_interval: Duration,
    /// Time between two deliveries of server access logs.
    pub access_log_interval: Duration,
    /// Days by which the clock of lifecycle rules and inventories is ahead: for tests.
    pub lifecycle_days_ahead: u32,
    /// The root key file; default `root.key` inside `data_dir`.
    pub root_key_file: PathBuf,
    /// The credential's file that systemd made for this process: `root_credential` in `CREDENTIALS_DIRECTORY`.
    pub root_credential_file: Option<PathBuf>,
    /// `root_credential`.
    pub root_credential: String,
    /// `STRONGROOM_ROOT_PASSPHRASE`; no flag and no key of the file has it.
    pub root_passphrase: Option<SecretBytes>,
    /// The token that holds a root, if one is named.
    pub root_token: Option<TokenConfig>,
    /// The service that holds a root, if one is named.
    pub root_kms: Option<KmsConfig>,
    /// Certificates to believe of external key store proxies, besides the system's.
    pub xks_ca_file: Option<PathBuf>,
    /// Their port.
    pub xks_port: u16,
    /// Time for one of them to answer.
    pub xks_timeout: Duration,
    /// Certificates to believe of OpenID Connect providers, besides the system's.
    pub oidc_ca_file: Option<PathBuf>,
    /// Hosts that their keys may be fetched from; empty: any.
    pub oidc_hosts: Vec<String>,
    /// Tokens that can stand behind custom key stores.
    pub pkcs11: Vec<Pkcs11Config>,
    /// Where events go.
    pub notification_targets: Vec<NotificationTarget>,
    /// Buckets elsewhere that replicas go to.
    pub replication_targets: Vec<ReplicationTarget>,
    /// Logs as JSON lines instead of text.
    pub log_json: bool,
    /// `tracing` filter, e.g. `info`.
    pub log_filter: String,
    /// Core dumps may be written and debuggers may attach.
    pub allow_dumps: bool,
    /// Accounts; empty: one is made on first start.
    pub accounts: Vec<AccountConfig>,
}

/// A setting is wrong. The text names it, says why, and for an unknown key the nearest right name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
