//! A subject of NATS that a JetStream stream takes: a message is there once the stream has acknowledged it.
//!
//! Core NATS acknowledges nothing: what is published there may be lost with the connection, so it is not served.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, HeaderMap};
use bytes::Bytes;
use tokio::time::timeout;

use super::{Trust, connector};
use crate::crypto::SecretBytes;

/// The header by which a stream knows a message that comes again.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Where messages are published.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct NatsSubject {
    server: String,
    subject: String,
    token: Option<SecretBytes>,
    tls: Option<rustls::ClientConfig>,
    /// The connection that worked last.
    connected: Mutex<Option<Context>>,
}

impl NatsSubject {
    /// Of `nats://host:port/subject`, or `tls://host:port/subject`, where the server's certificate has to be believed.
    pub fn parse(url: &str, token: Option<SecretBytes>, ca_bundle: Option<&Path>) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{url:?} is no URL"))?;
        let (server, subject) = rest.split_once('/').unwrap_or((rest, ""));
        let words = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "*>".contains(c));
        if server.is_empty() || !subject.split('.').all(words) {
            return Err(format!("{url:?} names no server and subject: give nats://host:port/subject"));
        }
        let tls = match scheme {
            "nats" => None,
            "tls" => {
                let connector = connector(ca_bundle.map_or(Trust::System, Trust::Only))?;
                Some(rustls::ClientConfig::clone(connector.config()))
            }
            _ => return Err(format!("{url:?} is no URL of NATS")),
        };
        let (server, subject) = (format!("{scheme}://{server}"), subject.to_owned());
        Ok(Self { server, subject, token, tls, connected: Mutex::new(None) })
    }

    /// Publishes a message and waits for the stream's acknowledgement, all within `limit`. `id` is the same whenever the
    /// same message is sent again: the stream keeps one of them. The text of an error is for the operator.
    pub async fn publish(&self, id: &str, message: Bytes, limit: Duration) -> Result<(), String> {
        let published = timeout(limit, self.publish_once(id, message)).await;
        let outcome = published.unwrap_or_else(|_| Err(format!("no acknowledgement in {} ms", limit.as_millis())));
        if outcome.is_err() {
            // A new connection the next time: this one may be what is wrong.
            self.keep(None);
        }
        outcome
    }

    async fn publish_once(&self, id: &str, message: Bytes) -> Result<(), String> {
        let known = self.connected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let context = match known {
            Some(context) => context,
            None => self.connect().await?,
        };
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, id);
        let sent = context.publish_with_headers(self.subject.clone(), headers, message).await;
        let acknowledged = sent.map_err(|error| error.to_string())?.await;
        acknowledged.map_err(|error| format!("no stream has taken subject {}: {error}", self.subject))?;
        self.keep(Some(context));
        Ok(())
    }

    async fn connect(&self) -> Result<Context, String> {
        let mut options = ConnectOptions::new().name("strongroom");
        if let Some(token) = &self.token {
            options = options.token(String::from_utf8_lossy(token.expose()).trim().to_owned());
        }
        if let Some(tls) = &self.tls {
            options = options.require_tls(true).tls_client_config(tls.clone());
        }
        let client = options.connect(self.server.as_str()).await.map_err(|error| error.to_string())?;
        Ok(jetstream::new(client))
    }

    fn keep(&self, context: Option<Context>) {
        *self.connected.lock().unwrap_or_else(PoisonError::into_inner) = context;
    }
}

#[cfg(test)]
mod tests {
    use super::NatsSubject;

    #[test]
    fn server_and_subject() {
        let parse = |url: &str| NatsSubject::parse(url, None, None).map(|nats| (nats.server, nats.subject));
        let good = ("nats://127.0.0.1:4222".to_owned(), "s3.events".to_owned());
        assert_eq!(parse("nats://127.0.0.1:4222/s3.events"), Ok(good));
        for bad in ["nats://h", "nats://h/", "nats:///s", "nats://h/a..b", "nats://h/a.*", "nats://h/>", "nats://h/a b"]
        {
            assert!(parse(bad).is_err_and(|error| error.contains("names no server and subject")), "{bad}");
        }
        assert!(parse("http://h/s").is_err() && parse("h").is_err());
    }
}
