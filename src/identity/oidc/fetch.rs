//! Keys of issuers, fetched from where the issuer publishes them (OpenID Connect Discovery 1.0, section 4) and held.
//!
//! Only URLs of providers that an account has registered get here. A gateway that fetches what it is told could be made to
//! knock at doors of its own network, so: https alone, with a certificate that is believed; no redirect is followed;
//! nothing of an answer is shown to a client but whether keys were found; a setting may name the hosts.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderValue, Uri};
use tokio::sync::Mutex as AsyncMutex;

use super::KeySet;
use crate::client::{Connector, Endpoint, Trust, connector};
use crate::sources::Timestamp;
use crate::wire::parse_strict_json;

/// Time for each of the two documents, the connection included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long fetched keys are used without asking again.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long keys are used that can't be fetched anew.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Time between two fetches from one issuer, whatever tokens come: of unknown keys, or after a failure.
const REFETCH_MIN: Duration = Duration::from_secs(10);
/// Issuers held. At the limit all are dropped.
const ISSUERS_MAX: usize = 1_000;
/// Where an issuer says where its keys are.
const DISCOVERY_PATH: &str = ".well-known/openid-configuration";

/// Why there are no keys. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// The issuer was not reached, or did not answer in time.
    Unreachable(String),
    /// What it answered is not what the standard wants.
    Unusable(String),
}

/// The keys of issuers.
#[expect(missing_debug_implementations, reason = "a TLS configuration says nothing")]
pub struct Issuers {
    ca_file: Option<PathBuf>,
    /// Host names that may be asked, in lower case; empty: any.
    hosts: Vec<String>,
    /// Made at the first use: it reads the system's certificates.
    connector: OnceLock<Result<Connector, String>>,
    held: Mutex<HashMap<String, Arc<Held>>>,
}

#[derive(Default)]
struct Held {
    /// Fetched when. Read without waiting for a fetch, which a token that nobody has signed can start.
    keys: Mutex<Option<(Arc<KeySet>, Timestamp)>>,
    /// When it was last asked, and what came of it if nothing good did. Held over a fetch.
    asked: AsyncMutex<Option<(Timestamp, Option<FetchError>)>>,
}

impl Held {
    fn keys(&self) -> Option<(Arc<KeySet>, Timestamp)> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Issuers {
    /// Believes the system's certificates and those of `ca_file` (PEM). `hosts`: which may be asked; empty: any.
    pub fn new(ca_file: Option<PathBuf>, hosts: Vec<String>) -> Self {
        Self { ca_file, hosts, connector: OnceLock::new(), held: Mutex::default() }
    }

    /// That the certificates of the settings can be read.
    pub fn check(&self) -> Result<(), String> {
        self.connector().map(drop)
    }

    fn connector(&self) -> Result<Connector, String> {
        let made =
            self.connector.get_or_init(|| connector(self.ca_file.as_deref().map_or(Trust::System, Trust::SystemAnd)));
        made.clone()
    }

    /// The keys of the issuer `https://URL`, `url` without scheme, with the one that `kid` names among them if the issuer
    /// has it. Asks the issuer if nothing fresh is held, or if it is asked for a key that is not held.
    pub async fn keys(&self, url: &str, kid: Option<&str>, now: Timestamp) -> Result<Arc<KeySet>, FetchError> {
        let slot = self.slot(url);
        let fits = |(keys, at): &(Arc<KeySet>, Timestamp)| now.since(*at) < FRESH && keys.has(kid);
        if let Some((keys, _)) = slot.keys().filter(fits) {
            return Ok(keys);
        }
        // One fetch at a time for an issuer; who waited finds what the other one has fetched.
        let mut asked = slot.asked.lock().await;
        let known = slot.keys();
        if let Some((keys, _)) = known.as_ref().filter(|known| fits(known)) {
            return Ok(Arc::clone(keys));
        }
        let recent = asked.as_ref().filter(|(at, _)| now.since(*at) < REFETCH_MIN).map(|(_, failure)| failure.clone());
        let failure = match recent {
            Some(failure) => failure,
            None => match self.fetch(url).await {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    *slot.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&keys), now));
                    *asked = Some((now, None));
                    return Ok(keys);
                }
                Err(failure) => {
                    tracing::warn!(issuer = url, %failure, "the keys of an identity provider could not be fetched");
                    *asked = Some((now, Some(failure.clone())));
                    Some(failure)
                }
            },
        };
        match (known.filter(|(_, at)| now.since(*at) < STALE), failure) {
            (Some((keys, _)), _) => Ok(keys),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(FetchError::Unusable("the issuer has no keys".to_owned())),
        }
    }

    fn slot(&self, url: &str) -> Arc<Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= ISSUERS_MAX && !held.contains_key(url) {
            held.clear();
        }
        Arc::clone(held.entry(url.to_owned()).or_default())
    }

    async fn fetch(&self, url: &str) -> Result<KeySet, FetchError> {
        let issuer = format!("https://{url}");
        let discovery = format!("{}/{DISCOVERY_PATH}", issuer.trim_end_matches('/'));
        let document = self.get(&discovery).await?;
        let unusable = |what: &str| FetchError::Unusable(format!("{discovery}: {what}"));
        let document = parse_strict_json(&document).ok_or_else(|| unusable("no JSON"))?;
        // Section 4.3: else one issuer could speak for another one.
        if document["issuer"] != issuer.as_str() {
            return Err(unusable("its issuer is another one"));
        }
        let jwks_uri = document["jwks_uri"].as_str().ok_or_else(|| unusable("no jwks_uri"))?;
        let keys = self.get(jwks_uri).await?;
        KeySet::parse(&keys).ok_or_else(|| FetchError::Unusable(format!("{jwks_uri}: no key set")))
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let unusable = |what: &str| FetchError::Unusable(format!("{url}: {what}"));
        let (host, port, path) = parts(url).ok_or_else(|| unusable("no https URL"))?;
        if !self.hosts.is_empty() && !self.hosts.contains(&host) {
            return Err(unusable("the setting oidc_hosts does not list this host"));
        }
        let connector = self.connector().map_err(FetchError::Unreachable)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("strongroom"));
        let answer = Endpoint::https(&host, port, connector).get(&path, headers, FETCH_TIMEOUT).await;
        let answer = answer.map_err(|error| FetchError::Unreachable(format!("{url}: {error}")))?;
        if answer.status != http::StatusCode::OK {
            return Err(unusable(&format!("status {}", answer.status)));
        }
        Ok(answer.body.expose().to_vec())
    }

    /// Holds keys as if they had been fetched.
    #[cfg(test)]
    pub(crate) async fn hold(&self, url: &str, keys: KeySet, now: Timestamp) {
        let slot = self.slot(url);
        *slot.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(keys), now));
        *slot.asked.lock().await = Some((now, None));
    }
}

/// Host in lower case, port, and path with query of an https URL.
fn parts(url: &str) -> Option<(String, u16, String)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    if uri.scheme_str() != Some("https") || authority.as_str().contains('@') || url.contains('#') {
        return None;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some((host, authority.port_u16().unwrap_or(443), path.to_owned()))
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Unusable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for FetchError {}

#[cfg(test)]
mod tests;
