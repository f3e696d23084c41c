//! The settings in force, to be looked at.

use std::path::PathBuf;

use toml::{Table, Value};

use super::values::Span;
use super::{AccountConfig, Config, NotificationTarget, Ownership, Pkcs11Config, ReplicationTarget};
use crate::crypto::SecretBytes;
use crate::policy::{Attached, PublicAccessBlock, ReadyMade};

const HIDDEN: &str = "(hidden)";

/// The settings as a TOML file with every secret and every value of `store_options` replaced by `(hidden)`.
pub fn render_redacted(config: &Config) -> String {
    let mut table = Table::new();
    let text = |value: &dyn std::fmt::Display| Value::String(value.to_string());
    let texts = |values: Vec<String>| Value::Array(values.into_iter().map(Value::String).collect());
    let count = |value: usize| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let mut put = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
    put("data_dir", text(&config.data_dir.display()));
    put("listen", text(&config.listen));
    if let Some(address) = &config.metrics_listen {
        put("metrics_listen", text(address));
    }
    put("regions", texts(config.regions.iter().map(ToString::to_string).collect()));
    put("domains", texts(config.domains.clone()));
    put("website_domains", texts(config.website_domains.clone()));
    if let Some(store) = &config.store {
        put("store", text(store));
    }
    if !config.store_options.is_empty() {
        let option = |(name, _): &(String, String)| (name.clone(), text(&HIDDEN));
        put("store_options", Value::Table(config.store_options.iter().map(option).collect()));
    }
    put("object_ownership", text(&ownership(config.object_ownership)));
    put("block_public_access", Value::Boolean(config.block_public_access));
    let pair = |(key, path): (&str, &std::path::Path)| (key.to_owned(), text(&path.display()));
    let files = config.tls.iter().map(|f| [("cert", f.cert.as_path()), ("key", &f.key)].map(pair));
    put("tls", Value::Array(files.map(|pairs| Value::Table(pairs.into_iter().collect())).collect()));
    let network = |(address, bits): &(std::net::IpAddr, u8)| format!("{address}/{bits}");
    put("trusted_proxies", texts(config.trusted_proxies.iter().map(network).collect()));
    put("presigned_v2", Value::Boolean(config.presigned_v2));
    put("signature_v2", Value::Boolean(config.signature_v2));
    put("max_requests", count(config.max_requests));
    put("max_connections", count(config.max_connections));
    put("client_min_rate", Value::Integer(i64::try_from(config.client_min_rate).unwrap_or(i64::MAX)));
    for (key, span) in [
        ("header_timeout", config.header_timeout),
        ("body_idle_timeout", config.body_idle_timeout),
        ("write_stall_timeout", config.write_stall_timeout),
        ("keep_alive_timeout", config.keep_alive_timeout),
        ("drain_timeout", config.drain_timeout),
        ("sweep_interval", config.sweep_interval),
        ("lifecycle_interval", config.lifecycle_interval),
        ("access_log_interval", config.access_log_interval),
    ] {
        put(key, text(&Span(span)));
    }
    put("lifecycle_days_ahead", Value::Integer(config.lifecycle_days_ahead.into()));
    put("root_key_file", text(&config.root_key_file.display()));
    put("root_credential", text(&config.root_credential));
    for (key, value) in roots(config) {
        put(key, Value::String(value));
    }
    if let Some(file) = &config.xks_ca_file {
        put("xks_ca_file", text(&file.display()));
    }
    put("xks_port", count(usize::from(config.xks_port)));
    put("xks_timeout", text(&Span(config.xks_timeout)));
    if let Some(file) = &config.oidc_ca_file {
        put("oidc_ca_file", text(&file.display()));
    }
    put("oidc_hosts", texts(config.oidc_hosts.clone()));
    put("pkcs11", Value::Array(config.pkcs11.iter().map(token).collect()));
    put("notification_targets", Value::Array(config.notification_targets.iter().map(notification_target).collect()));
    put("replication_targets", Value::Array(config.replication_targets.iter().map(replication_target).collect()));
    put("log_json", Value::Boolean(config.log_json));
    put("allow_dumps", Value::Boolean(config.allow_dumps));
    put("log_filter", text(&config.log_filter));
    put("account", Value::Array(config.accounts.iter().map(account).collect()));
    // Every value above is one that TOML can write.
    toml::to_string(&table).unwrap_or_default().trim_end().to_owned() + "\n"
}

/// What is set of the token and the key service that hold roots.
fn roots(config: &Config) -> Vec<(&'static str, String)> {
    let path = |path: &std::path::Path| path.display().to_string();
    let mut out = Vec::new();
    if let Some(token) = &config.root_token {
        out.push(("root_token_module", path(&token.module)));
        out.push(("root_token_pin_file", path(&token.pin_file)));
        out.extend(token.label.iter().map(|label| ("root_token_label", label.clone())));
    }
    if let Some(kms) = &config.root_kms {
        out.push(("root_kms_endpoint", kms.endpoint.clone()));
        out.push(("root_kms_region", kms.region.clone()));
        out.push(("root_kms_credentials_file", path(&kms.credentials_file)));
        out.extend(kms.ca_file.iter().map(|file| ("root_kms_ca_file", path(file))));
    }
    out
}

fn token(token: &Pkcs11Config) -> Value {
    let mut table = Table::new();
    table.insert("cluster_id".to_owned(), token.cluster_id.as_str().into());
    table.insert("module".to_owned(), token.module.display().to_string().into());
    table.extend(token.label.iter().map(|label| ("label".to_owned(), label.as_str().into())));
    table.extend(token.trust_anchor.iter().map(|pem| ("trust_anchor".to_owned(), pem.as_str().into())));
    Value::Table(table)
}

fn notification_target(target: &NotificationTarget) -> Value {
    let mut table = Table::new();
    table.insert("arn".to_owned(), target.arn.as_str().into());
    // A URL may hold a secret: who knows it may send.
    let shown = target.url.split(['?', '@']).next().filter(|shown| shown.len() == target.url.len());
    table.insert("url".to_owned(), shown.unwrap_or(HIDDEN).into());
    table.extend(accounts(&target.accounts));
    let file =
        |key: &str, file: &Option<PathBuf>| file.as_ref().map(|f| (key.to_owned(), f.display().to_string().into()));
    table.extend(file("token_file", &target.token_file));
    table.extend(file("ca_file", &target.ca_file));
    Value::Table(table)
}

/// The accounts that may use a target, if any are listed.
fn accounts(listed: &[String]) -> Option<(String, Value)> {
    let values = listed.iter().map(|account| Value::from(account.as_str())).collect();
    (!listed.is_empty()).then(|| ("accounts".to_owned(), Value::Array(values)))
}

fn replication_target(target: &ReplicationTarget) -> Value {
    let mut table = Table::new();
    let ReplicationTarget { bucket, accounts: listed, endpoint, region, access_key_id, .. } = target;
    let ReplicationTarget { secret_access_key_file, ca_file, .. } = target;
    for (key, value) in
        [("bucket", bucket), ("endpoint", endpoint), ("region", region), ("access_key_id", access_key_id)]
    {
        table.insert(key.to_owned(), value.as_str().into());
    }
    table.extend(accounts(listed));
    table.insert("secret_access_key_file".to_owned(), secret_access_key_file.display().to_string().into());
    table.extend(ca_file.as_ref().map(|file| ("ca_file".to_owned(), file.display().to_string().into())));
    Value::Table(table)
}

fn ownership(value: Ownership) -> &'static str {
    match value {
        Ownership::BucketOwnerEnforced => "BucketOwnerEnforced",
        Ownership::BucketOwnerPreferred => "BucketOwnerPreferred",
        Ownership::ObjectWriter => "ObjectWriter",
    }
}

fn account(account: &AccountConfig) -> Value {
    let mut table = Table::new();
    table.insert("id".to_owned(), account.id.as_str().into());
    table.insert("canonical_id".to_owned(), account.canonical_id.as_str().into());
    table.insert("display_name".to_owned(), account.display_name.as_str().into());
    if let Some(email) = &account.email {
        table.insert("email".to_owned(), email.as_str().into());
    }
    if account.public_access_block != PublicAccessBlock::default() {
        table.insert("public_access_block".to_owned(), switches(account.public_access_block));
    }
    table.insert("access_keys".to_owned(), access_keys(&account.access_keys));
    let user = |user: &super::UserConfig| {
        let mut table = Table::new();
        table.insert("name".to_owned(), user.name.as_str().into());
        table.insert("access_keys".to_owned(), access_keys(&user.access_keys));
        table.insert("policies".to_owned(), Value::Array(user.policies.iter().map(policy).collect()));
        Value::Table(table)
    };
    table.insert("user".to_owned(), Value::Array(account.users.iter().map(user).collect()));
    Value::Table(table)
}

fn switches(block: PublicAccessBlock) -> Value {
    let switches = [
        ("block_public_acls", block.block_public_acls),
        ("ignore_public_acls", block.ignore_public_acls),
        ("block_public_policy", block.block_public_policy),
        ("restrict_public_buckets", block.restrict_public_buckets),
    ];
    Value::Table(switches.into_iter().map(|(name, on)| (name.to_owned(), Value::Boolean(on))).collect())
}

/// As it was written: a document, or the name of one that comes with the program.
fn policy(attached: &Attached) -> Value {
    let named = ReadyMade::is_named(&attached.name);
    if named { (*attached.name).into() } else { attached.policy.text().into() }
}

fn access_keys(keys: &[(String, SecretBytes)]) -> Value {
    let key = |(id, _): &(String, SecretBytes)| {
        Value::Table(
            [("id".to_owned(), id.as_str().into()), ("secret".to_owned(), HIDDEN.into())].into_iter().collect(),
        )
    };
    Value::Array(keys.iter().map(key).collect())
}
