//! `[[notification_targets]]` and `[[replication_targets]]`: where events and replicas may go outside this gateway.
//!
//! Users name a target by its ARN and can reach no other: which hosts this gateway talks to is the operator's choice.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::ConfigError;
use crate::names::{AccountId, BucketName, Region};

/// `[[notification_targets]]`: where the events go whose configuration names an ARN.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationTarget {
    /// What configurations name.
    pub arn: String,
    /// Where its events are sent.
    pub url: String,
    /// Further accounts whose buckets may name it, beside the ARN's own.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// A file with what the target wants to see: the bearer's token of a webhook, the token of NATS.
    pub token_file: Option<PathBuf>,
    /// Certificates to believe, PEM; none: those that the system believes.
    pub ca_file: Option<PathBuf>,
}

/// `[[replication_targets]]`: a bucket at another S3 endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicationTarget {
    /// What rules name: `arn:aws:s3:::bucket`.
    pub bucket: String,
    /// The accounts whose buckets may replicate there. The key that signs is the operator's: without this list every
    /// account could write with it.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The endpoint: scheme, host and port.
    pub endpoint: String,
    /// Its Region.
    pub region: String,
    /// Whose key signs.
    pub access_key_id: String,
    /// The file with the key's secret.
    pub secret_access_key_file: PathBuf,
    /// Certificates to believe, PEM; none: those that the system believes.
    pub ca_file: Option<PathBuf>,
}

impl NotificationTarget {
    /// Whether a bucket of this account may name it: it is of the ARN's account, or of one that the operator lists.
    pub fn is_open_to(&self, account: &str) -> bool {
        self.arn.split(':').nth(4) == Some(account) || self.accounts.iter().any(|listed| listed == account)
    }
}

/// A list of tables: in the file as such, as flag or variable a JSON array.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Tables<T>(Vec<T>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: for<'de> Deserialize<'de>> FromStr for Tables<T> {
    type Err = String;

    fn from_str(json: &str) -> Result<Self, String> {
        let tables: Vec<T> = serde_json::from_str(json)
            .map_err(|error| format!("give a JSON array of what the tables hold: {error}"))?;
        Ok(Self(tables))
    }
}

/// Checks the targets of events: forms, and that no ARN occurs twice.
pub(super) fn check_notification(raw: Tables<NotificationTarget>) -> Result<Vec<NotificationTarget>, ConfigError> {
    let mut seen = HashSet::new();
    for target in &raw.0 {
        let NotificationTarget { arn, url, accounts, token_file, .. } = target;
        let wrong = |what: &dyn fmt::Display| Err(ConfigError(format!("notification_targets {arn:?}: {what}")));
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let known = matches!(parts[..], ["arn", _, "sqs" | "sns" | "lambda" | "events", region, account, name]
            if !region.is_empty() && account.len() == 12 && !name.is_empty());
        if !known {
            return wrong(
                &"arn is that of a queue, a topic, a function or an event bus: arn:aws:sqs:REGION:ACCOUNT:NAME",
            );
        }
        if !seen.insert(arn) {
            return wrong(&"is listed twice");
        }
        if let Some(account) = no_account(accounts) {
            return wrong(&format!("accounts: {account:?} is no account id of 12 digits"));
        }
        let (scheme, host) = split(url);
        if !["http", "https", "nats", "tls"].contains(&scheme) || host.is_empty() {
            return wrong(&format!("url = {url:?}: give http://, https://, nats:// or tls://"));
        }
        if ["http", "nats"].contains(&scheme) && token_file.is_some() && !is_here(host) {
            return wrong(&"a token does not travel in the clear: give https:// or tls://");
        }
    }
    Ok(raw.0)
}

/// Checks the buckets elsewhere.
pub(super) fn check_replication(raw: Tables<ReplicationTarget>) -> Result<Vec<ReplicationTarget>, ConfigError> {
    let mut seen = HashSet::new();
    for target in &raw.0 {
        let ReplicationTarget { bucket, accounts, endpoint, region, .. } = target;
        let wrong = |what: &dyn fmt::Display| Err(ConfigError(format!("replication_targets {bucket:?}: {what}")));
        let name = bucket.strip_prefix("arn:aws:s3:::").and_then(|name| BucketName::parse(name).ok());
        if name.is_none() {
            return wrong(&"bucket is arn:aws:s3:::NAME");
        }
        if !seen.insert(bucket) {
            return wrong(&"is listed twice");
        }
        if accounts.is_empty() {
            return wrong(&"accounts is missing: list the accounts whose buckets may replicate there");
        }
        if let Some(account) = no_account(accounts) {
            return wrong(&format!("accounts: {account:?} is no account id of 12 digits"));
        }
        if Region::parse(region).is_err() {
            return wrong(&format!("region = {region:?} is no Region name such as us-east-1"));
        }
        match split(endpoint) {
            ("https", host) if !host.is_empty() => {}
            ("http", host) if is_here(host) => {}
            ("http", _) => return wrong(&"plain http only goes to this machine: give https://"),
            _ => return wrong(&format!("endpoint = {endpoint:?}: give https://")),
        }
    }
    Ok(raw.0)
}

/// What of a list of accounts is none.
fn no_account(accounts: &[String]) -> Option<&String> {
    accounts.iter().find(|account| AccountId::parse(account).is_err())
}

/// Scheme and host of a URL, the host without port.
fn split(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let bare = match host.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    (scheme, bare)
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:q";

    fn target(arn: &str, url: &str, token: bool) -> NotificationTarget {
        let token_file = token.then(|| PathBuf::from("token"));
        NotificationTarget { arn: arn.to_owned(), url: url.to_owned(), accounts: Vec::new(), token_file, ca_file: None }
    }

    #[test]
    fn targets_of_events() {
        let refusal = |raw: Vec<NotificationTarget>| {
            check_notification(Tables(raw)).map_or_else(|error| error.0, |_| String::new())
        };
        let topic = "arn:aws:sns:us-east-1:111122223333:t";
        assert_eq!(refusal(vec![target(QUEUE, "http://h/p", false), target(topic, "tls://h:4/s", true)]), "");
        assert_eq!(refusal(vec![target(QUEUE, "http://[::1]:80/p", true)]), "");
        assert!(refusal(vec![target(QUEUE, "http://h", true)]).contains("in the clear"));
        assert!(refusal(vec![target(QUEUE, "nats://h/s", true)]).contains("in the clear"));
        assert!(refusal(vec![target(QUEUE, "h", false)]).contains("give http://"));
        assert!(refusal(vec![target(QUEUE, "kafka://h/t", false)]).contains("give http://"));
        assert!(refusal(vec![target("q", "http://h", false)]).contains("arn is that of"));
        assert!(refusal(vec![target("arn:aws:s3:::bucket", "http://h", false)]).contains("arn is that of"));
        let listed = |account: &str| NotificationTarget {
            accounts: vec![account.to_owned()],
            ..target(QUEUE, "http://h", false)
        };
        assert_eq!(refusal(vec![listed("444455556666")]), "");
        assert!(refusal(vec![listed("*")]).contains("no account id"));
        for (account, open) in [("111122223333", true), ("444455556666", true), ("777788889999", false)] {
            assert_eq!(listed("444455556666").is_open_to(account), open, "{account}");
        }
        let twice = vec![target(QUEUE, "http://h", false), target(QUEUE, "http://g", false)];
        assert!(refusal(twice).contains("listed twice"));
    }

    #[test]
    fn buckets_elsewhere() {
        let target = |bucket: &str, endpoint: &str, region: &str| ReplicationTarget {
            bucket: bucket.to_owned(),
            accounts: vec!["111122223333".to_owned()],
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
            access_key_id: "A".to_owned(),
            secret_access_key_file: PathBuf::from("secret"),
            ca_file: None,
        };
        let refusal = |raw: Vec<ReplicationTarget>| {
            check_replication(Tables(raw)).map_or_else(|error| error.0, |_| String::new())
        };
        let bucket = "arn:aws:s3:::there";
        assert_eq!(refusal(vec![target(bucket, "https://s3.example.com", "us-east-1")]), "");
        assert_eq!(refusal(vec![target(bucket, "http://127.0.0.1:9000", "us-east-1")]), "");
        assert!(refusal(vec![target(bucket, "http://s3.example.com", "us-east-1")]).contains("plain http"));
        assert!(refusal(vec![target(bucket, "https://h", "")]).contains("no Region"));
        for (accounts, expected) in [(vec![], "accounts is missing"), (vec!["alice".to_owned()], "no account id")] {
            let target = ReplicationTarget { accounts, ..target(bucket, "https://h", "us-east-1") };
            assert!(refusal(vec![target]).contains(expected));
        }
        assert!(refusal(vec![target("there", "https://h", "us-east-1")]).contains("arn:aws:s3:::NAME"));
        let twice = vec![target(bucket, "https://h", "us-east-1"), target(bucket, "https://g", "us-east-1")];
        assert!(refusal(twice).contains("listed twice"));
    }

    #[test]
    fn as_flag_and_variable_they_are_json() {
        let json = format!(r#"[{{"arn": "{QUEUE}", "url": "https://h/p"}}]"#);
        let tables: Tables<NotificationTarget> = json.parse().unwrap();
        assert_eq!(tables.0, [target(QUEUE, "https://h/p", false)]);
        assert!("[{}]".parse::<Tables<NotificationTarget>>().is_err());
        assert!(r#"[{"arn": "a", "url": "b", "x": 1}]"#.parse::<Tables<NotificationTarget>>().is_err());
    }
}
