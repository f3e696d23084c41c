//! From a request to a caller: Signature Version 4 in its forms, Version 2 in its forms, or nobody.
//!
//! Two ways in. [`authenticate`] is for S3: the signature covers a hash that the head names, so it is verified before
//! anything of the body is read, and the body's own promises are kept by [`Payload`]. [`authenticate_collected`] is for
//! services of small bodies (KMS, STS, IAM, CloudTrail) whose clients sign the body's hash without naming it: there the
//! body is read first, up to a limit, and no caller exists before its hash has been verified with the rest.
//!
//! Faults are looked for in the order in which AWS finds them, as far as that is known, so that a request with two
//! faults gets the same answer here.

mod error;
mod form;
#[cfg(test)]
mod tests;
mod v2;
mod v4;

use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::request::Parts;

use super::payload::{ContentHash, Promises};
use super::{
    Access, Caller, Directory, FindError, Identity, Payload, PayloadError, Principal, RequestFacts, SignatureKind,
};
use crate::crypto::{SecretBytes, sha256};
use crate::names::Region;
use crate::sigv4::{ALGORITHM, ALGORITHM_V4A, ChunkSigner, EMPTY_SHA256, Params, hex};
use crate::sources::Timestamp;
use crate::wire::{Edge, Request};

pub(super) use error::SIGNATURE_MISMATCH;
pub use error::{AuthError, ChecksumFault};
pub use form::{FormClaim, FormV2, FormV4, anonymous, authenticate_form};

/// How far a request's clock may be from ours: 15 minutes, as AWS.
const MAX_SKEW_MS: u64 = 900_000;

/// The longest life of a presigned URL of Version 4: a week, as AWS.
const MAX_EXPIRES_SECONDS: u64 = 604_800;

const ONE_MECHANISM: &str = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
                             string parameter or the Authorization header should be specified";

/// An authenticated request.
#[expect(missing_debug_implementations, reason = "holds signing keys")]
pub struct Authenticated {
    /// Caller and facts.
    pub access: Access,
    /// The body, ready to be read and verified.
    pub payload: Payload,
    /// The head, for the handler. `x-amz-*` parameters of a presigned URL that stand for headers are among its headers.
    pub head: Parts,
}

/// An authenticated request whose body was read to verify its signature.
#[expect(missing_debug_implementations, reason = "the body may be a secret")]
pub struct Collected {
    /// Caller and facts.
    pub access: Access,
    /// The body, whole. It may be what is to be encrypted, so it is wiped after use.
    pub body: SecretBytes,
    /// The head.
    pub head: Parts,
}

/// Why [`authenticate_collected`] did not take a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectError {
    /// Not authenticated.
    Auth(AuthError),
    /// The body did not come.
    Payload(PayloadError),
    /// The body is longer than the limit.
    TooLarge,
}

/// Settings of authentication.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Regions served; the first is home.
    pub regions: Vec<Region>,
    /// Presigned URLs of Signature Version 2 are taken.
    pub presigned_v2: bool,
    /// Signature Version 2 is taken in every form.
    pub signature_v2: bool,
    /// Domains of virtual-host style, lower case: Version 2 signs the bucket that the host names.
    pub domains: Vec<String>,
}

impl AuthSettings {
    fn home(&self) -> &Region {
        self.regions.first().expect("the configuration names at least one Region")
    }
}

/// Authenticates a request for `service` whose payload hash stands in its head: `s3`. Reads nothing of the body.
pub async fn authenticate(
    request: Request,
    service: &str,
    directory: &Directory,
    settings: &AuthSettings,
) -> Result<Authenticated, AuthError> {
    let Request { mut head, edge, body } = request;
    let context = Context { head: &head, edge: &edge, service, directory, settings, body_sha256: None };
    let verified = context.verify().await?;
    if let Some(headers) = verified.headers {
        head.headers = headers;
    }
    let payload = Payload::new(body, Promises::parse(&head, verified.hash, verified.signer)?);
    // Version 2 does not sign them.
    if matches!(verified.proved.kind, SignatureKind::V4Query | SignatureKind::V4Header | SignatureKind::Anonymous) {
        move_parameters_to_headers(&mut head)?;
    }
    let access = access(&head, &edge, verified.proved);
    directory.used(access.caller(), service, &access.facts().region, edge.received);
    Ok(Authenticated { access, payload, head })
}

/// Authenticates a request whose body is part of what is signed, and reads the body: at most `limit` bytes.
pub async fn authenticate_collected(
    request: Request,
    service: &str,
    limit: usize,
    directory: &Directory,
    settings: &AuthSettings,
) -> Result<Collected, CollectError> {
    let Request { head, edge, mut body } = request;
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut whole = SecretBytes::with_capacity(declared.map_or(0, |length: usize| length.min(limit)));
    let broken =
        |error: Box<dyn std::error::Error + Send + Sync>| CollectError::Payload(PayloadError::of_body(&*error));
    while let Some(data) = body.next().await.transpose().map_err(broken)? {
        if whole.expose().len() + data.len() > limit {
            return Err(CollectError::TooLarge);
        }
        whole.extend(&data);
    }
    let body_sha256 = Some(hex(&sha256(whole.expose())));
    let context = Context { head: &head, edge: &edge, service, directory, settings, body_sha256 };
    let verified = context.verify().await.map_err(CollectError::Auth)?;
    let access = access(&head, &edge, verified.proved);
    directory.used(access.caller(), service, &access.facts().region, edge.received);
    Ok(Collected { access, body: whole, head })
}

fn access(head: &Parts, edge: &Edge, proved: Proved) -> Access {
    let Proved { caller, kind, signed, region } = proved;
    Access::new(caller, RequestFacts::new(edge, &head.headers, region, (kind, signed)))
}

/// What verification looks at.
struct Context<'a> {
    head: &'a Parts,
    edge: &'a Edge,
    service: &'a str,
    directory: &'a Directory,
    settings: &'a AuthSettings,
    /// Of a body that was read already; none: the head names the hash.
    body_sha256: Option<String>,
}

/// Who signed, how and when.
struct Proved {
    caller: Caller,
    kind: SignatureKind,
    /// None where the signature does not tell.
    signed: Option<Timestamp>,
    region: Region,
}

/// A signature that was verified, or none.
struct Verified {
    proved: Proved,
    hash: ContentHash,
    /// For signed chunks.
    signer: Option<ChunkSigner>,
    /// The headers that were signed, where they are not those sent: signers of Version 2 move some into the query.
    headers: Option<HeaderMap>,
}

impl Context<'_> {
    async fn verify(&self) -> Result<Verified, AuthError> {
        let params = Params::parse(self.head.uri.query().unwrap_or_default());
        let mut headers = self.head.headers.get_all(AUTHORIZATION).iter();
        let (header, more) = (headers.next(), headers.next());
        let v4_query = params.first("X-Amz-Algorithm").is_some();
        let v2_query = params.first("Signature").is_some() || params.first("AWSAccessKeyId").is_some();
        if [header.is_some(), more.is_some(), v4_query, v2_query].into_iter().filter(|m| *m).count() > 1 {
            let scheme = header.map(|h| scheme_and_rest(h).0).unwrap_or_default();
            return Err(authorization_argument(ONE_MECHANISM, scheme));
        }
        if let Some(header) = header {
            self.verify_header(header).await
        } else if v4_query {
            self.verify_v4_query(&params).await
        } else if v2_query {
            self.verify_v2_query(&params).await
        } else {
            let hash = ContentHash::parse(self.content_sha256().as_deref())?;
            let caller = Caller::new(Principal::anonymous(), None);
            let region = self.settings.home().clone();
            let proved = Proved { caller, kind: SignatureKind::Anonymous, signed: None, region };
            Ok(Verified { proved, hash, signer: None, headers: None })
        }
    }

    async fn verify_header(&self, header: &HeaderValue) -> Result<Verified, AuthError> {
        match scheme_and_rest(header) {
            (scheme, None) => Err(authorization_argument(
                "Authorization header is invalid -- one and only one ' ' (space) required",
                scheme,
            )),
            (scheme, Some(parameters)) if scheme.eq_ignore_ascii_case(ALGORITHM) => {
                self.verify_v4_header(&parameters).await
            }
            (scheme, _) if scheme.eq_ignore_ascii_case(ALGORITHM_V4A) => Err(AuthError::v4a()),
            (scheme, Some(parameters)) if scheme.eq_ignore_ascii_case("AWS") => {
                self.verify_v2_header(&parameters).await
            }
            (scheme, _) => Err(authorization_argument("Unsupported Authorization Type", scheme)),
        }
    }

    /// `x-amz-content-sha256`; of a body that was read already, what it should say.
    fn content_sha256(&self) -> Option<String> {
        let header = || self.head.headers.get("x-amz-content-sha256");
        let sent = || header().map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
        self.body_sha256.clone().or_else(sent)
    }

    /// The identity behind a key. A session token stands in the form that the signature has; one that a header brings
    /// too must be the same.
    async fn identity(&self, access_key_id: &str, token: Option<&str>) -> Result<Arc<Identity>, AuthError> {
        let header = self.head.headers.get("x-amz-security-token");
        let header = header.map(|value| value.to_str().map_err(|_| AuthError::InvalidToken)).transpose()?;
        let token = match (token, header) {
            (Some(token), Some(other)) if token != other => return Err(AuthError::InvalidToken),
            (token, header) => token.or(header),
        };
        self.directory.find(access_key_id, token, self.edge.received).await.map_err(|error| match error {
            FindError::Unknown => AuthError::UnknownAccessKey(access_key_id.to_owned()),
            FindError::InvalidToken => AuthError::InvalidToken,
            FindError::Expired => AuthError::ExpiredToken,
            FindError::Unavailable(cause) => AuthError::Unavailable(cause),
        })
    }

    fn caller(&self, identity: &Identity, access_key_id: &str) -> Caller {
        Caller::new(Arc::clone(&identity.principal), Some(access_key_id.to_owned()))
    }
}

/// Cuts an `Authorization` header at its first blank. Only the scheme may be shown or logged: what follows may be a
/// password or a token of another service, sent here by mistake.
fn scheme_and_rest(header: &HeaderValue) -> (String, Option<String>) {
    let text = String::from_utf8_lossy(header.as_bytes());
    match text.trim().split_once(' ') {
        Some((scheme, rest)) => (scheme.to_owned(), Some(rest.to_owned())),
        None => (String::new(), None),
    }
}

fn authorization_argument(message: &str, scheme: String) -> AuthError {
    AuthError::InvalidArgument { message: message.to_owned(), name: "Authorization".to_owned(), value: scheme }
}

/// Signers of presigned URLs of Version 4 move `x-amz-*` headers into the query, and S3 takes them there as if they had been sent
/// as headers. Not so the values of checksums: the SDK for JavaScript puts there the checksum of an empty body, since it does not
/// know the one to come. What is asked so in a request that its header signs, or nobody, is not passed over either. A header that
/// says something else is a conflict; AWS documents the error, its text is the description there.
fn move_parameters_to_headers(head: &mut Parts) -> Result<(), AuthError> {
    let params = Params::parse(head.uri.query().unwrap_or_default());
    for (name, value) in params.iter() {
        let name = name.to_ascii_lowercase();
        let own = matches!(
            name.as_str(),
            "x-amz-algorithm"
                | "x-amz-credential"
                | "x-amz-date"
                | "x-amz-expires"
                | "x-amz-signedheaders"
                | "x-amz-signature"
                | "x-amz-security-token"
                | "x-amz-content-sha256"
                | "x-amz-user-agent"
                | "x-amz-sdk-checksum-algorithm"
        );
        let checksum = name.strip_prefix("x-amz-checksum-");
        let is_value = checksum.is_some_and(|what| !matches!(what, "algorithm" | "mode" | "type"));
        if own || is_value || !name.starts_with("x-amz-") {
            continue;
        }
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            if head.headers.get_all(&name).iter().any(|sent| *sent != value) {
                let text = "Conflicting values provided in HTTP headers and query parameters.";
                return Err(AuthError::InvalidRequest(text.to_owned()));
            }
            head.headers.entry(name).or_insert(value);
        }
    }
    Ok(())
}
