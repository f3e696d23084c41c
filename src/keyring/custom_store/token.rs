//! PKCS#11 tokens behind custom key stores.
//!
//! Calls of a module block, over a network perhaps for long: they go to a few threads of their own, and who waits too
//! long is told so. A call that hangs keeps its thread; when all hang, further calls end in time without having begun.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::failure::{ConnectionError, StoreCode};
use super::record::TokenRecord;
use super::wire::Encrypted;
use crate::crypto::{
    Generation, SecretBytes, TOKEN_NONCE_BYTES, TOKEN_TAG_BYTES, TokenAccess, TokenError, TokenFault, TokenSession,
};
use crate::keyring::KeyringError;
use crate::sources::Sources;

/// Longest time for one call of a token, the wait for a thread included.
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls that run at once.
const CALLS_MAX: usize = 4;

/// A token that the settings name: `[[pkcs11]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredToken {
    /// `cluster-…`, by which `CloudHsmClusterId` names it.
    pub cluster_id: String,
    /// The PKCS#11 module, a shared library.
    pub module: PathBuf,
    /// The token's label; `None`: the only one there is.
    pub label: Option<String>,
    /// The certificate that `TrustAnchorCertificate` must be, PEM; `None`: any certificate will do.
    pub trust_anchor: Option<String>,
}

/// All of them, and the sessions that are open.
#[expect(missing_debug_implementations, reason = "holds sessions")]
pub struct Tokens {
    configured: Vec<ConfiguredToken>,
    turns: Arc<Semaphore>,
    sessions: Mutex<BTreeMap<String, Held>>,
}

/// The session of a store, shared by its calls: one at a time, as PKCS#11 has it.
type Held = Arc<Mutex<Option<TokenSession>>>;

/// A store: its id, its token, its PIN.
type At<'a> = (&'a str, &'a TokenRecord, &'a SecretBytes);

impl Default for Tokens {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Tokens {
    /// Of the settings.
    pub fn new(configured: Vec<ConfiguredToken>) -> Self {
        Self { configured, turns: Arc::new(Semaphore::new(CALLS_MAX)), sessions: Mutex::default() }
    }

    fn find(&self, cluster_id: &str) -> Option<&ConfiguredToken> {
        self.configured.iter().find(|token| token.cluster_id == cluster_id)
    }

    /// Whether a store can be made over a token. What stands for the cluster's certificate is checked, the PIN is not:
    /// as with AWS, that shows when the store is connected.
    pub(super) fn check(&self, record: &TokenRecord) -> Result<(), KeyringError> {
        let configured = self.find(&record.cluster_id).ok_or_else(no_such_token)?;
        let given = certificate(&record.trust_anchor);
        let expected = configured.trust_anchor.as_deref().map(certificate);
        if given.is_some() && expected.is_none_or(|expected| expected == given) {
            return Ok(());
        }
        Err(StoreCode::IncorrectTrustAnchor.says(
            "The request was rejected because the trust anchor certificate in the request to create an CloudHSM key \
             store is not the trust anchor certificate for the specified CloudHSM cluster.",
        ))
    }

    /// Whether a store can go over to another token: one that is known by the same certificate.
    pub(super) fn check_related(&self, record: &TokenRecord) -> Result<(), KeyringError> {
        let configured = self.find(&record.cluster_id).ok_or_else(no_such_token)?;
        let expected = configured.trust_anchor.as_deref().map(certificate);
        if expected.is_some_and(|expected| expected == certificate(&record.trust_anchor)) {
            return Ok(());
        }
        Err(StoreCode::ClusterNotRelated.says(
            "The request was rejected because the specified CloudHSM cluster has a different cluster certificate than \
             the original cluster.",
        ))
    }

    /// Opens a store's session anew.
    pub(super) async fn connect(
        &self,
        store_id: &str,
        token: &TokenRecord,
        pin: SecretBytes,
    ) -> Result<(), ConnectionError> {
        self.close(store_id);
        let connected = self.call((store_id, token, &pin), |_| Ok(())).await;
        connected.map_err(|failure| match failure {
            Failure::Unknown => ConnectionError::ClusterNotFound,
            Failure::TimedOut => ConnectionError::Network,
            Failure::Lost => ConnectionError::Internal,
            Failure::Token(error) => match error.fault {
                TokenFault::Module => ConnectionError::ClusterNotFound,
                TokenFault::Absent => ConnectionError::InsufficientHsms,
                TokenFault::Pin => ConnectionError::InvalidCredentials,
                TokenFault::Locked => ConnectionError::UserLockedOut,
                TokenFault::NoPin => ConnectionError::UserNotFound,
                TokenFault::NoKey | TokenFault::Damaged | TokenFault::Failed => ConnectionError::Internal,
            },
        })
    }

    /// Ends a store's session as soon as no call uses it.
    pub(super) fn close(&self, store_id: &str) {
        self.sessions().remove(store_id);
    }

    /// Makes a key.
    pub(super) async fn make_key(&self, at: At<'_>, id: Generation) -> Result<(), KeyringError> {
        Ok(self.call(at, move |session| session.make_key(&id)).await?)
    }

    /// Removes a key.
    pub(super) async fn destroy_key(&self, at: At<'_>, id: Generation) -> Result<(), KeyringError> {
        Ok(self.call(at, move |session| session.destroy_key(&id)).await?)
    }

    /// Seals under a key.
    pub(super) async fn seal(
        &self,
        at: At<'_>,
        id: Generation,
        aad: Vec<u8>,
        plain: Vec<u8>,
        sources: Sources,
    ) -> Result<Encrypted, KeyringError> {
        let sealed = self.call(at, move |session| session.seal(&id, &aad, &plain, &sources)).await?;
        let cut = sealed.split_first_chunk::<TOKEN_NONCE_BYTES>();
        let cut = cut.and_then(|(iv, body)| Some((iv, body.split_last_chunk::<TOKEN_TAG_BYTES>()?)));
        let (iv, (ciphertext, tag)) =
            cut.ok_or_else(|| KeyringError::Internal("a token sealed too little".to_owned()))?;
        Ok(Encrypted { ciphertext: ciphertext.to_vec(), metadata: Vec::new(), iv: iv.to_vec(), tag: *tag })
    }

    /// Opens `sealed`: nonce | ciphertext | tag.
    pub(super) async fn open(
        &self,
        at: At<'_>,
        id: Generation,
        aad: Vec<u8>,
        sealed: Vec<u8>,
    ) -> Result<Vec<u8>, KeyringError> {
        let opened = self.call(at, move |session| session.open_sealed(&id, &aad, &sealed)).await?;
        Ok(opened.expose().to_vec())
    }

    /// Random bytes of its own making.
    pub(super) async fn random(&self, at: At<'_>, bytes: usize) -> Result<SecretBytes, KeyringError> {
        Ok(self.call(at, move |session| session.random(bytes)).await?)
    }

    /// Runs one call of a store's session, which is opened if it is not.
    async fn call<T: Send + 'static>(
        &self,
        (store_id, token, pin): At<'_>,
        act: impl FnOnce(&TokenSession) -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, Failure> {
        let configured = self.find(&token.cluster_id).ok_or(Failure::Unknown)?;
        let (module, label) = (configured.module.clone(), configured.label.clone());
        let access = TokenAccess { module, label, pin: SecretBytes::new(pin.expose().to_vec()) };
        let held = Arc::clone(self.sessions().entry(store_id.to_owned()).or_default());
        let turns = Arc::clone(&self.turns);
        let work = async move {
            let turn = turns.acquire_owned().await.map_err(|_| Failure::Lost)?;
            // The turn goes along: what hangs keeps its thread, and no more than these few.
            let run = tokio::task::spawn_blocking(move || {
                let done = run(&held, &access, act);
                drop(turn);
                done
            });
            run.await.map_err(|_| Failure::Lost)?.map_err(Failure::Token)
        };
        let done = timeout(TOKEN_TIMEOUT, work).await.unwrap_or(Err(Failure::TimedOut));
        done.inspect_err(|failure| tracing::warn!(key_store = store_id, ?failure, "a token did not do what was asked"))
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run<T>(
    held: &Mutex<Option<TokenSession>>,
    access: &TokenAccess,
    act: impl FnOnce(&TokenSession) -> Result<T, TokenError>,
) -> Result<T, TokenError> {
    let mut session = held.lock().unwrap_or_else(PoisonError::into_inner);
    let open = match session.take() {
        Some(open) => open,
        None => TokenSession::open(access)?,
    };
    let done = act(&open);
    // A session that failed is not used again: a token that was unplugged and is back wants a new one.
    let sound = done.as_ref().err().is_none_or(|e| matches!(e.fault, TokenFault::Damaged | TokenFault::NoKey));
    *session = sound.then_some(open);
    done
}

#[derive(Debug)]
enum Failure {
    /// No token is configured under that id.
    Unknown,
    TimedOut,
    /// A thread ended without an answer.
    Lost,
    Token(TokenError),
}

impl From<Failure> for KeyringError {
    fn from(failure: Failure) -> Self {
        // AWS's texts are not recorded.
        let unavailable = |text: &str| Self::InvalidState(text.to_owned());
        match failure {
            Failure::TimedOut => Self::DependencyTimeout,
            Failure::Unknown => unavailable("The CloudHSM cluster of the custom key store is not configured."),
            Failure::Lost => Self::Internal("a call of a token was lost".to_owned()),
            Failure::Token(error) => match error.fault {
                TokenFault::Damaged => Self::InvalidCiphertext,
                TokenFault::NoKey => unavailable("The key was not found in the CloudHSM cluster."),
                TokenFault::Module
                | TokenFault::Absent
                | TokenFault::Pin
                | TokenFault::Locked
                | TokenFault::NoPin
                | TokenFault::Failed => unavailable("The CloudHSM cluster of the custom key store is not available."),
            },
        }
    }
}

fn no_such_token() -> KeyringError {
    StoreCode::ClusterNotFound
        .says("The request was rejected because KMS cannot find the CloudHSM cluster with the specified cluster ID.")
}

/// The bytes of the first certificate in a PEM text; `None`: there is none.
fn certificate(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok().filter(|der| !der.is_empty())
}
