//! From settings as given to settings that hold.

use std::path::{Path, PathBuf};

use super::accounts;
use super::file::read_secret;
use super::settings::{AccountsSource, Settings};
use super::store_options;
use super::targets;
use super::tokens;
use super::values::Span;
use super::{AccountConfig, Config, ConfigError, KmsConfig, TokenConfig};
use crate::names::{Region, StoreUrl};

/// Checks every value. `environment` is where options of an upstream store may come from.
pub(super) fn check(
    settings: Settings,
    accounts_source: AccountsSource,
    environment: &[(String, String)],
) -> Result<Config, ConfigError> {
    let data_dir = given("data_dir", settings.data_dir)?;
    let store = settings.store.as_deref().map(StoreUrl::parse).transpose().map_err(|e| ConfigError(e.0))?;
    let store_options =
        store_options::collect(store.as_ref(), settings.store_options.unwrap_or_default(), environment)?;
    let trusted_proxies = settings.trusted_proxies.unwrap_or_default();
    let root_kms = match (settings.root_kms_endpoint, settings.root_kms_credentials_file) {
        (None, None) => None,
        (Some(endpoint), Some(credentials_file)) => {
            let region = given("root_kms_region", settings.root_kms_region)?;
            Some(KmsConfig { endpoint, region, credentials_file, ca_file: settings.root_kms_ca_file })
        }
        _ => return Err(ConfigError("root_kms_endpoint and root_kms_credentials_file go together".to_owned())),
    };
    let root_credential = credential_name(given("root_credential", settings.root_credential)?)?;
    let credentials = environment.iter().find(|(name, _)| name == "CREDENTIALS_DIRECTORY");
    let listen = given("listen", settings.listen)?;
    if settings.metrics_listen == Some(listen) && listen.port() != 0 {
        return Err(ConfigError(
            "metrics_listen: the same address as listen; metrics need one of their own".to_owned(),
        ));
    }
    Ok(Config {
        listen,
        metrics_listen: settings.metrics_listen,
        regions: regions(&given("regions", settings.regions)?)?,
        domains: domains("domains", settings.domains)?,
        website_domains: domains("website_domains", settings.website_domains)?,
        store,
        store_options,
        object_ownership: given("object_ownership", settings.object_ownership)?,
        block_public_access: given("block_public_access", settings.block_public_access)?,
        tls: settings.tls.unwrap_or_default(),
        trusted_proxies: trusted_proxies.iter().map(|network| (network.address, network.prefix_bits)).collect(),
        presigned_v2: given("presigned_v2", settings.presigned_v2)?,
        signature_v2: given("signature_v2", settings.signature_v2)?,
        max_requests: at_least_one("max_requests", settings.max_requests)?,
        max_connections: at_least_one("max_connections", settings.max_connections)?,
        header_timeout: span("header_timeout", settings.header_timeout)?,
        body_idle_timeout: span("body_idle_timeout", settings.body_idle_timeout)?,
        write_stall_timeout: span("write_stall_timeout", settings.write_stall_timeout)?,
        client_min_rate: given("client_min_rate", settings.client_min_rate)?,
        keep_alive_timeout: span("keep_alive_timeout", settings.keep_alive_timeout)?,
        drain_timeout: span("drain_timeout", settings.drain_timeout)?,
        sweep_interval: span("sweep_interval", settings.sweep_interval)?,
        lifecycle_interval: span("lifecycle_interval", settings.lifecycle_interval)?,
        access_log_interval: span("access_log_interval", settings.access_log_interval)?,
        lifecycle_days_ahead: given("lifecycle_days_ahead", settings.lifecycle_days_ahead)?,
        root_key_file: settings.root_key_file.unwrap_or_else(|| data_dir.join("root.key")),
        root_credential_file: credentials.map(|(_, directory)| Path::new(directory).join(&root_credential)),
        root_credential,
        root_passphrase: None,
        root_token: token(settings.root_token_module, settings.root_token_label, settings.root_token_pin_file)?,
        root_kms,
        xks_ca_file: settings.xks_ca_file,
        xks_port: given("xks_port", settings.xks_port)?,
        xks_timeout: span("xks_timeout", settings.xks_timeout)?,
        oidc_ca_file: settings.oidc_ca_file,
        oidc_hosts: oidc_hosts(settings.oidc_hosts.unwrap_or_default())?,
        pkcs11: tokens::check(settings.pkcs11.unwrap_or_default())?,
        notification_targets: targets::check_notification(settings.notification_targets.unwrap_or_default())?,
        replication_targets: targets::check_replication(settings.replication_targets.unwrap_or_default())?,
        log_json: given("log_json", settings.log_json)?,
        log_filter: log_filter(given("log_filter", settings.log_filter)?)?,
        allow_dumps: given("allow_dumps", settings.allow_dumps)?,
        accounts: accounts(accounts_source, settings.account)?,
        data_dir,
    })
}

/// A setting that has a default always has a value; should one lose its default, it says so instead of panicking.
fn given<T>(key: &str, value: Option<T>) -> Result<T, ConfigError> {
    value.ok_or_else(|| ConfigError(format!("{key} is not set")))
}

fn span(key: &str, value: Option<Span>) -> Result<std::time::Duration, ConfigError> {
    given(key, value).map(|span| span.0)
}

fn token(
    module: Option<PathBuf>,
    label: Option<String>,
    pin_file: Option<PathBuf>,
) -> Result<Option<TokenConfig>, ConfigError> {
    match (module, pin_file) {
        (None, None) => Ok(None),
        (Some(module), Some(pin_file)) => Ok(Some(TokenConfig { module, label, pin_file })),
        _ => Err(ConfigError("root_token_module and root_token_pin_file go together".to_owned())),
    }
}

/// A name that is one file in one directory, as systemd wants it.
fn credential_name(name: String) -> Result<String, ConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    match name.chars().all(plain) && !name.is_empty() && !name.starts_with('.') {
        true => Ok(name),
        false => Err(ConfigError(format!("root_credential = {name:?}: give letters, digits, - _ ."))),
    }
}

/// As many permits as tokio's semaphores hold.
const COUNT_MAX: usize = usize::MAX >> 3;

fn at_least_one(key: &str, value: Option<usize>) -> Result<usize, ConfigError> {
    match given(key, value)? {
        count @ 1..=COUNT_MAX => Ok(count),
        count => Err(ConfigError(format!("{key} = {count}: give 1 to {COUNT_MAX}"))),
    }
}

fn regions(names: &[String]) -> Result<Vec<Region>, ConfigError> {
    if names.is_empty() {
        return Err(ConfigError("regions: list at least one Region; the first is home".to_owned()));
    }
    let region = |name: &String| {
        Region::parse(name).map_err(|_| ConfigError(format!("regions: {name:?} is no Region name such as us-east-1")))
    };
    let regions = names.iter().map(region).collect::<Result<Vec<_>, _>>()?;
    match regions.iter().enumerate().find(|(at, region)| regions[..*at].contains(region)) {
        Some((_, twice)) => Err(ConfigError(format!("regions: {twice} is listed twice"))),
        None => Ok(regions),
    }
}

fn domains(key: &str, given: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    given.unwrap_or_default().iter().map(|text| domain(key, text)).collect()
}

/// Lower case, since host names are compared so.
fn domain(key: &str, text: &str) -> Result<String, ConfigError> {
    let label =
        |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if text.len() <= 253 && text.split('.').all(label) && text.parse::<std::net::IpAddr>().is_err() {
        return Ok(text.to_ascii_lowercase());
    }
    Err(ConfigError(format!("{key}: {text:?} is no host name; give it without scheme, port and wildcard")))
}

/// Host names or addresses, in lower case.
fn oidc_hosts(hosts: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let plain = |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
    match hosts.iter().find(|host| !plain(host)) {
        Some(host) => Err(ConfigError(format!("oidc_hosts: {host:?} is no host; give it without scheme and path"))),
        None => Ok(hosts.iter().map(|host| host.to_ascii_lowercase()).collect()),
    }
}

fn log_filter(text: String) -> Result<String, ConfigError> {
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Ok(text),
        Err(error) => Err(ConfigError(format!("log_filter = {text:?}: {error}"))),
    }
}

fn accounts(
    source: AccountsSource,
    tables: Option<Vec<accounts::RawAccount>>,
) -> Result<Vec<AccountConfig>, ConfigError> {
    let raw = match source {
        AccountsSource::Variable(json) => accounts::parse_json(&json, "STRONGROOM_ACCOUNTS")?,
        AccountsSource::File(path) => accounts::parse_json(&read_secret(&path)?, &path.display().to_string())?,
        AccountsSource::Tables => tables.unwrap_or_default(),
    };
    accounts::check(raw)
}
