//! The targets of the settings, ready to be sent to.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::client::{Endpoint, NatsSubject};
use crate::config::NotificationTarget;
use crate::crypto::SecretBytes;
use crate::keyring::read_private;

/// Time for a target to take an event, the connection included.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer of a webhook that is read, in bytes: it is not looked at.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// Where events go.
pub(super) enum Target {
    Webhook { endpoint: Box<Endpoint>, path: String, headers: HeaderMap },
    Nats(Box<NatsSubject>),
}

impl Target {
    /// Of the settings; the error names what is wrong.
    pub(super) fn open(target: &NotificationTarget) -> Result<Self, String> {
        let token = target.token_file.as_deref().map(read_private).transpose().map_err(|error| error.to_string())?;
        let ca_file = target.ca_file.as_deref();
        if target.url.starts_with("nats://") || target.url.starts_with("tls://") {
            return Ok(Self::Nats(Box::new(NatsSubject::parse(&target.url, token, ca_file)?)));
        }
        let (endpoint, path) = Endpoint::with_path(&target.url, ca_file)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, bearer(&token)?);
        }
        let endpoint = Box::new(endpoint.with_answers_up_to(ANSWER_MAX_BYTES));
        Ok(Self::Webhook { endpoint, path, headers })
    }

    /// Sends a message; the text of an error is for the operator. `id` is the same when it is sent again.
    pub(super) async fn send(&self, id: &str, message: Vec<u8>, limit: Duration) -> Result<(), String> {
        match self {
            Self::Nats(nats) => nats.publish(id, Bytes::from(message), limit).await,
            Self::Webhook { endpoint, path, headers } => {
                let mut headers = headers.clone();
                headers.extend(HeaderValue::from_str(id).ok().map(|id| (ID_HEADER, id)));
                let answer = endpoint.post_to(path, headers, Bytes::from(message), limit).await;
                let status = answer.map_err(|error| error.to_string())?.status;
                // A redirect is no success, and is not followed: what is sent goes where the settings say.
                if status.is_success() { Ok(()) } else { Err(format!("the answer was {status}")) }
            }
        }
    }
}

/// By which a webhook knows an event that comes again.
const ID_HEADER: http::HeaderName = http::HeaderName::from_static("x-strongroom-event-id");

fn bearer(token: &SecretBytes) -> Result<HeaderValue, String> {
    let text = std::str::from_utf8(token.expose()).map_err(|_| "the token is no text".to_owned())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
        .map_err(|_| "the token has characters that no header can have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
