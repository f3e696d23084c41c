//! The one definition of all settings.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};
use serde::Deserialize;

use super::accounts::RawAccount;
use super::targets::{NotificationTarget, ReplicationTarget, Tables};
use super::tokens::RawTokens;
use super::values::{Network, Span, StoreOption, one_or_many, option_table};
use super::{Config, ConfigError, Ownership, TlsFiles, check, environment, file};

/// Read from the working directory if no `--config` is given and it is there.
pub const DEFAULT_FILE: &str = "strongroom.toml";

/// Every setting: a key of the file, a flag and a variable in one. The first line of each comment is the help text
/// and the row in `docs/configuration.md`.
#[derive(Default, Args, Deserialize)]
#[command(next_help_heading = "Settings (flag, else variable, else file, else default)")]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    /// Directory in which everything is kept: index, objects, root key
    #[arg(long, env = "STRONGROOM_DATA_DIR", value_name = "DIR", default_value = "./strongroom-data")]
    pub(super) data_dir: Option<PathBuf>,

    /// Address for S3 and KMS
    #[arg(long, env = "STRONGROOM_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    pub(super) listen: Option<SocketAddr>,

    /// Address for Prometheus metrics at /metrics, without authentication; off unless set
    #[arg(long, env = "STRONGROOM_METRICS_LISTEN", value_name = "ADDRESS:PORT", hide_short_help = true)]
    pub(super) metrics_listen: Option<SocketAddr>,

    /// Served Regions; the first is home
    #[arg(long, env = "STRONGROOM_REGIONS", value_name = "REGION", value_delimiter = ',', default_value = "us-east-1")]
    pub(super) regions: Option<Vec<String>>,

    /// Domains for virtual-host style addressing: s3.example.com serves BUCKET.s3.example.com
    #[arg(long, env = "STRONGROOM_DOMAINS", value_name = "DOMAIN", value_delimiter = ',')]
    pub(super) domains: Option<Vec<String>>,

    /// Domains for static websites: web.example.com serves the website of BUCKET at BUCKET.web.example.com
    #[arg(long, env = "STRONGROOM_WEBSITE_DOMAINS", value_name = "DOMAIN", value_delimiter = ',')]
    pub(super) website_domains: Option<Vec<String>>,

    /// Where object bytes go: file:///path, s3://bucket/prefix, gs://…, az://… or, for tests, memory://; unless set, into data_dir
    #[arg(long, env = "STRONGROOM_STORE", value_name = "URL")]
    pub(super) store: Option<String>,

    /// Options of an upstream store by object_store's names, over those from AWS_*, GOOGLE_* or AZURE_* variables
    #[arg(long, env = "STRONGROOM_STORE_OPTIONS", value_name = "NAME=VALUE", value_delimiter = ',')]
    #[arg(hide_env_values = true, hide_short_help = true)]
    #[serde(deserialize_with = "option_table")]
    pub(super) store_options: Option<Vec<StoreOption>>,

    /// Object ownership of new buckets; ObjectWriter for sites that use ACLs
    #[arg(long, env = "STRONGROOM_OBJECT_OWNERSHIP", value_name = "RULE", default_value = "BucketOwnerEnforced")]
    #[arg(hide_short_help = true)]
    pub(super) object_ownership: Option<Ownership>,

    /// Make buckets with all four switches of their public access block on, as AWS does since 2023
    #[arg(long, env = "STRONGROOM_BLOCK_PUBLIC_ACCESS", value_name = "BOOL", default_value = "true")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    pub(super) block_public_access: Option<bool>,

    /// Certificate chain and key, PEM, reloaded when they change; several pairs are chosen by server name (SNI)
    #[arg(long, env = "STRONGROOM_TLS", value_name = "CERT,KEY", value_delimiter = ';')]
    #[serde(deserialize_with = "one_or_many")]
    pub(super) tls: Option<Vec<TlsFiles>>,

    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses or networks
    #[arg(long, env = "STRONGROOM_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
    #[arg(hide_short_help = true)]
    pub(super) trusted_proxies: Option<Vec<Network>>,

    /// Take presigned URLs of Signature Version 2, which boto3 and aws-cli v1 still make for us-east-1
    #[arg(long, env = "STRONGROOM_PRESIGNED_V2", value_name = "BOOL", default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) presigned_v2: Option<bool>,

    /// Take Signature Version 2 in every form: the Authorization header, presigned URLs, and upload forms of browsers
    #[arg(long, env = "STRONGROOM_SIGNATURE_V2", value_name = "BOOL", default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) signature_v2: Option<bool>,

    /// Concurrent requests beyond which the answer is 503 SlowDown
    #[arg(long, env = "STRONGROOM_MAX_REQUESTS", value_name = "COUNT", default_value = "1024", hide_short_help = true)]
    pub(super) max_requests: Option<usize>,

    /// Connections beyond which new ones wait
    #[arg(long, env = "STRONGROOM_MAX_CONNECTIONS", value_name = "COUNT", default_value = "8192")]
    #[arg(hide_short_help = true)]
    pub(super) max_connections: Option<usize>,

    /// Time for a request's header, and for a TLS handshake, to arrive whole
    #[arg(long, env = "STRONGROOM_HEADER_TIMEOUT", value_name = "TIME", default_value = "30s", hide_short_help = true)]
    pub(super) header_timeout: Option<Span>,

    /// Time without a byte of a request's body after which the request is given up (RequestTimeout)
    #[arg(long, env = "STRONGROOM_BODY_IDLE_TIMEOUT", value_name = "TIME", default_value = "30s")]
    #[arg(hide_short_help = true)]
    pub(super) body_idle_timeout: Option<Span>,

    /// Time in which a client takes no byte of an answer after which the connection is cut
    #[arg(long, env = "STRONGROOM_WRITE_STALL_TIMEOUT", value_name = "TIME", default_value = "1m")]
    #[arg(hide_short_help = true)]
    pub(super) write_stall_timeout: Option<Span>,

    /// Bytes a second that a client sends of a body, or takes of an answer, at least; averaged over a minute of waiting for it; 0: no limit
    #[arg(long, env = "STRONGROOM_CLIENT_MIN_RATE", value_name = "BYTES", default_value = "1024")]
    #[arg(hide_short_help = true)]
    pub(super) client_min_rate: Option<u64>,

    /// Time an idle connection is kept
    #[arg(long, env = "STRONGROOM_KEEP_ALIVE_TIMEOUT", value_name = "TIME", default_value = "2m")]
    #[arg(hide_short_help = true)]
    pub(super) keep_alive_timeout: Option<Span>,

    /// Time that running requests get after SIGTERM or SIGINT
    #[arg(long, env = "STRONGROOM_DRAIN_TIMEOUT", value_name = "TIME", default_value = "30s", hide_short_help = true)]
    pub(super) drain_timeout: Option<Span>,

    /// Time between two passes of the sweeper, which deletes blobs that nothing refers to
    #[arg(long, env = "STRONGROOM_SWEEP_INTERVAL", value_name = "TIME", default_value = "10m", hide_short_help = true)]
    pub(super) sweep_interval: Option<Span>,

    /// Time between two looks for lifecycle rules and inventories that are due; each bucket has its turn once a day, and when its rules change
    #[arg(long, env = "STRONGROOM_LIFECYCLE_INTERVAL", value_name = "TIME", default_value = "1h")]
    #[arg(hide_short_help = true)]
    pub(super) lifecycle_interval: Option<Span>,

    /// Time between two deliveries of the server access logs of buckets
    #[arg(long, env = "STRONGROOM_ACCESS_LOG_INTERVAL", value_name = "TIME", default_value = "5m")]
    #[arg(hide_short_help = true)]
    pub(super) access_log_interval: Option<Span>,

    /// For tests only: days by which the clock of lifecycle rules and inventories is ahead
    #[arg(long, env = "STRONGROOM_LIFECYCLE_DAYS_AHEAD", value_name = "DAYS", default_value = "0")]
    #[arg(hide_short_help = true)]
    pub(super) lifecycle_days_ahead: Option<u32>,

    /// File of the root key, made with mode 0600 on first start; unless set, root.key in data_dir
    #[arg(long, env = "STRONGROOM_ROOT_KEY_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) root_key_file: Option<PathBuf>,

    /// Name of the systemd credential that holds a root (LoadCredentialEncrypted=NAME in the unit)
    #[arg(long, env = "STRONGROOM_ROOT_CREDENTIAL", value_name = "NAME", default_value = "strongroom-root")]
    #[arg(hide_short_help = true)]
    pub(super) root_credential: Option<String>,

    /// PKCS#11 module (a shared library) of the token that holds a root
    #[arg(long, env = "STRONGROOM_ROOT_TOKEN_MODULE", value_name = "FILE", hide_short_help = true)]
    pub(super) root_token_module: Option<PathBuf>,

    /// Label of that token, if the module knows several
    #[arg(long, env = "STRONGROOM_ROOT_TOKEN_LABEL", value_name = "LABEL", hide_short_help = true)]
    pub(super) root_token_label: Option<String>,

    /// File with the PIN of that token, mode 0600
    #[arg(long, env = "STRONGROOM_ROOT_TOKEN_PIN_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) root_token_pin_file: Option<PathBuf>,

    /// URL of the AWS-KMS-compatible service that holds a root
    #[arg(long, env = "STRONGROOM_ROOT_KMS_ENDPOINT", value_name = "URL", hide_short_help = true)]
    pub(super) root_kms_endpoint: Option<String>,

    /// Region of that service
    #[arg(long, env = "STRONGROOM_ROOT_KMS_REGION", value_name = "REGION", default_value = "us-east-1")]
    #[arg(hide_short_help = true)]
    pub(super) root_kms_region: Option<String>,

    /// JSON file with access_key_id and secret_access_key for that service, mode 0600
    #[arg(long, env = "STRONGROOM_ROOT_KMS_CREDENTIALS_FILE", value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub(super) root_kms_credentials_file: Option<PathBuf>,

    /// Certificates to believe of that service, PEM; unless set, those that the system believes
    #[arg(long, env = "STRONGROOM_ROOT_KMS_CA_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) root_kms_ca_file: Option<PathBuf>,

    /// Certificates to believe of external key store proxies, PEM, besides those that the system believes
    #[arg(long, env = "STRONGROOM_XKS_CA_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) xks_ca_file: Option<PathBuf>,

    /// Port of external key store proxies
    #[arg(long, env = "STRONGROOM_XKS_PORT", value_name = "PORT", default_value = "443", hide_short_help = true)]
    pub(super) xks_port: Option<u16>,

    /// Time for an external key store proxy to answer, the connection included
    #[arg(long, env = "STRONGROOM_XKS_TIMEOUT", value_name = "TIME", default_value = "250ms", hide_short_help = true)]
    pub(super) xks_timeout: Option<Span>,

    /// Certificates to believe of OpenID Connect providers, PEM, besides those that the system believes
    #[arg(long, env = "STRONGROOM_OIDC_CA_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) oidc_ca_file: Option<PathBuf>,

    /// Hosts that keys of OpenID Connect providers are fetched from; unless set, any that a provider's URL or its discovery document names
    #[arg(long, env = "STRONGROOM_OIDC_HOSTS", value_name = "HOST", value_delimiter = ',', hide_short_help = true)]
    pub(super) oidc_hosts: Option<Vec<String>>,

    /// Log JSON lines instead of text
    #[arg(long, env = "STRONGROOM_LOG_JSON", value_name = "BOOL", default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) log_json: Option<bool>,

    /// What is logged: error, warn, info, debug, trace, or a filter such as info,strongroom::access=off
    #[arg(long, env = "STRONGROOM_LOG_FILTER", value_name = "FILTER", default_value = "info", hide_short_help = true)]
    pub(super) log_filter: Option<String>,

    /// Let core dumps be written and debuggers attach: both show keys, so for debugging only
    #[arg(long, env = "STRONGROOM_ALLOW_DUMPS", value_name = "BOOL", default_value = "false", hide_short_help = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) allow_dumps: Option<bool>,

    /// JSON file with an array of accounts, in the form of `[[account]]`; STRONGROOM_ACCOUNTS may hold the array itself
    #[arg(long, env = "STRONGROOM_ACCOUNTS_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) accounts_file: Option<PathBuf>,

    /// Tokens that custom key stores may be made over: JSON array with the keys of `[[pkcs11]]` in the settings file
    #[arg(long, env = "STRONGROOM_PKCS11", value_name = "JSON", hide_short_help = true)]
    pub(super) pkcs11: Option<RawTokens>,

    /// Where events go: JSON array with the keys of `[[notification_targets]]` in the settings file
    #[arg(long, env = "STRONGROOM_NOTIFICATION_TARGETS", value_name = "JSON", hide_short_help = true)]
    pub(super) notification_targets: Option<Tables<NotificationTarget>>,

    /// Buckets elsewhere that replicas go to: JSON array with the keys of `[[replication_targets]]` in the settings file
    #[arg(long, env = "STRONGROOM_REPLICATION_TARGETS", value_name = "JSON", hide_short_help = true)]
    pub(super) replication_targets: Option<Tables<ReplicationTarget>>,

    /// `[[account]]` of the file.
    #[arg(skip)]
    pub(super) account: Option<Vec<RawAccount>>,
}

/// The settings as flags and variables of a command, to be layered over the file by [`Self::load`].
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct SettingsArgs {
    config: Option<PathBuf>,
    given: Settings,
    /// Which of `given` came from a flag or variable; the others are defaults.
    explicit: BTreeSet<String>,
}

/// Where the file is; not itself a setting.
#[derive(Args)]
struct FileArg {
    /// Settings file (TOML); unless set, strongroom.toml in the working directory if it is there
    #[arg(long, env = "STRONGROOM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl SettingsArgs {
    /// Layers flags, variables, file and defaults, and checks the whole.
    pub fn load(self) -> Result<Config, ConfigError> {
        let from_file = match &self.config {
            Some(path) => file::load(path)?,
            None => file::load_if_present(DEFAULT_FILE.as_ref())?,
        };
        self.load_over(from_file)
    }

    /// As [`Self::load`], with what stands in the file given.
    pub(super) fn load_over(self, from_file: Settings) -> Result<Config, ConfigError> {
        let accounts = self.accounts_source(&from_file)?;
        let mut config = check::check(self.over(from_file), accounts, &environment::all())?;
        config.root_passphrase = environment::root_passphrase();
        Ok(config)
    }

    /// The settings file, which may be absent unless it was named.
    pub(super) fn file(&self) -> &Path {
        self.config.as_deref().unwrap_or_else(|| DEFAULT_FILE.as_ref())
    }

    pub(super) fn accounts_source(&self, from_file: &Settings) -> Result<AccountsSource, ConfigError> {
        if let Some(json) = environment::accounts() {
            return Ok(AccountsSource::Variable(json));
        }
        match (&self.given.accounts_file, &from_file.accounts_file, &from_file.account) {
            (Some(path), _, _) => Ok(AccountsSource::File(path.clone())),
            (None, Some(_), Some(_)) => Err(ConfigError("give accounts_file or [[account]], not both".to_owned())),
            (None, Some(path), None) => Ok(AccountsSource::File(path.clone())),
            (None, None, _) => Ok(AccountsSource::Tables),
        }
    }

    fn over(self, from_file: Settings) -> Settings {
        macro_rules! layer {
            ($($key:ident)*) => {
                Settings {
                    $($key: if self.explicit.contains(stringify!($key)) {
                        self.given.$key
                    } else {
                        from_file.$key.or(self.given.$key)
                    },)*
                    account: from_file.account,
                }
            };
        }
        layer! {
            data_dir listen metrics_listen regions domains website_domains store store_options object_ownership
            block_public_access tls trusted_proxies presigned_v2 signature_v2 max_requests max_connections header_timeout body_idle_timeout write_stall_timeout
            client_min_rate keep_alive_timeout drain_timeout sweep_interval lifecycle_interval access_log_interval lifecycle_days_ahead root_key_file root_credential
            root_token_module root_token_label root_token_pin_file root_kms_endpoint root_kms_region
            root_kms_credentials_file root_kms_ca_file xks_ca_file xks_port xks_timeout oidc_ca_file oidc_hosts log_json log_filter allow_dumps
            accounts_file pkcs11 notification_targets replication_targets
        }
    }
}

/// Where the accounts are listed: one place, never a mixture.
pub(super) enum AccountsSource {
    /// The JSON in `STRONGROOM_ACCOUNTS`.
    Variable(crate::crypto::SecretBytes),
    /// `accounts_file`.
    File(PathBuf),
    /// `[[account]]` of the settings file, if any.
    Tables,
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given =
            |id: &str| matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
        let explicit = matches.ids().map(|id| id.as_str()).filter(|id| given(id)).map(str::to_owned).collect();
        Ok(Self {
            config: FileArg::from_arg_matches(matches)?.config,
            given: Settings::from_arg_matches(matches)?,
            explicit,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for SettingsArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        Settings::augment_args(FileArg::augment_args(command))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
impl Config {
    /// The defaults, and over them `toml` in the form of the settings file: for tests of other layers.
    pub(crate) fn for_tests(toml: &str) -> Self {
        let command = SettingsArgs::augment_args(clap::Command::new("test"));
        let defaults = SettingsArgs::from_arg_matches(&command.get_matches_from(["test"])).expect("no flag is wrong");
        let given = file::parse(toml, "the test's settings").unwrap_or_else(|error| panic!("{error}"));
        check::check(defaults.over(given), AccountsSource::Tables, &[]).unwrap_or_else(|error| panic!("{error}"))
    }
}
