//! Verification of Signature Version 4.

use std::time::Duration;

use super::{AuthError, Context, EMPTY_SHA256, MAX_EXPIRES_SECONDS, MAX_SKEW_MS, Proved, SignatureKind, Verified};
use crate::auth::payload::ContentHash;
use crate::names::Region;
use crate::sigv4::{
    ALGORITHM, ALGORITHM_V4A, AuthorizationFault, ChunkSigner, Credential, Params, PathRule, Presigned, Scope,
    SignedParts, SigningKey, TERMINAL, UNSIGNED_PAYLOAD, canonical_request, parse_authorization, string_to_sign,
};
use crate::sources::Timestamp;
use crate::wire::{amz_date, iso8601_seconds, parse_amz_date, parse_http_date};

const CREDENTIAL_FORM: &str =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

/// Where the claim stood: AWS words its faults accordingly.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Header,
    Query,
}

/// A signature whose form, time and scope are in order.
struct Claim<'a> {
    form: Form,
    access_key_id: String,
    scope: Scope,
    region: Region,
    amz_date: String,
    signed_headers: &'a str,
    signature: &'a str,
    /// `X-Amz-Security-Token`
    token: Option<&'a str>,
    hash: ContentHash,
    payload_hash: String,
}

impl Context<'_> {
    pub(super) async fn verify_v4_header(&self, parameters: &str) -> Result<Verified, AuthError> {
        let (request_time, sent) = self.request_time()?;
        self.check_skew(request_time, &sent)?;
        let claimed =
            parse_authorization(parameters).map_err(|fault| {
                malformed(Form::Header, match fault {
                AuthorizationFault::Count => {
                    "the authorization header requires three components: Credential, SignedHeaders, and Signature."
                        .to_owned()
                }
                AuthorizationFault::Component(component) => {
                    format!("the authorization component \"{component}\" is malformed.")
                }
                AuthorizationFault::Missing(name) => format!("missing {name}."),
            })
            })?;
        let amz_date = amz_date(request_time);
        let (access_key_id, scope, region) = self.check_credential(Form::Header, &claimed.credential, &amz_date)?;
        let content = self.content_sha256();
        let payload_hash = self.payload_hash(Form::Header, content.as_deref())?;
        let claim = Claim {
            form: Form::Header,
            access_key_id,
            scope,
            region,
            amz_date,
            signed_headers: &claimed.signed_headers,
            signature: &claimed.signature,
            token: None,
            hash: ContentHash::parse(content.as_deref())?,
            payload_hash,
        };
        self.verify_claim(claim).await
    }

    pub(super) async fn verify_v4_query(&self, params: &Params) -> Result<Verified, AuthError> {
        match params.first("X-Amz-Algorithm") {
            Some(ALGORITHM) => {}
            Some(ALGORITHM_V4A) => return Err(AuthError::v4a()),
            _ => return Err(query("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"")),
        }
        let presigned = Presigned::parse(params).ok_or_else(|| {
            query(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        })?;
        let request_time = parse_amz_date(presigned.date)
            .ok_or_else(|| query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
        self.check_life(request_time, parse_expires(presigned.expires)?)?;
        let (access_key_id, scope, region) =
            self.check_credential(Form::Query, presigned.credential, presigned.date)?;
        let moved = || params.first("X-Amz-Content-Sha256").map(str::to_owned);
        let content = self.content_sha256().or_else(moved);
        let payload_hash = self.payload_hash(Form::Query, content.as_deref())?;
        let claim = Claim {
            form: Form::Query,
            access_key_id,
            scope,
            region,
            amz_date: presigned.date.to_owned(),
            signed_headers: presigned.signed_headers,
            signature: presigned.signature,
            token: params.first("X-Amz-Security-Token"),
            hash: ContentHash::parse(content.as_deref())?,
            payload_hash,
        };
        self.verify_claim(claim).await
    }

    async fn verify_claim(&self, claim: Claim<'_>) -> Result<Verified, AuthError> {
        let identity = self.identity(&claim.access_key_id, claim.token).await?;
        self.check_signed_headers(claim.signed_headers)?;
        let uri = &self.head.uri;
        let parts = SignedParts {
            method: self.head.method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: &self.head.headers,
            host: &self.edge.host_header,
        };
        let rule = if self.service == "s3" { PathRule::AsSent } else { PathRule::NormalizedTwice };
        let canonical = canonical_request(&parts, claim.signed_headers, &claim.payload_hash, rule);
        let text = string_to_sign(&claim.amz_date, &claim.scope, &canonical);
        let key = SigningKey::derive(identity.secret.expose(), &claim.scope)
            .ok_or_else(|| malformed(claim.form, date_format(&claim.scope.date)))?;
        if !key.verifies(text.as_bytes(), claim.signature) {
            return Err(AuthError::SignatureDoesNotMatch {
                access_key_id: claim.access_key_id,
                string_to_sign: text,
                signature_provided: claim.signature.to_owned(),
                canonical_request: Some(String::from_utf8_lossy(&canonical).into_owned()),
            });
        }
        Ok(Verified {
            proved: Proved {
                caller: self.caller(&identity, &claim.access_key_id),
                kind: if claim.form == Form::Header { SignatureKind::V4Header } else { SignatureKind::V4Query },
                signed: parse_amz_date(&claim.amz_date),
                region: claim.region,
            },
            hash: claim.hash,
            signer: Some(ChunkSigner::new(key, &claim.amz_date, &claim.scope, claim.signature)),
            headers: None,
        })
    }

    /// `x-amz-date`, or `Date` in any form: the time, and the text as sent.
    fn request_time(&self) -> Result<(Timestamp, String), AuthError> {
        let header = |name: &str| self.head.headers.get(name).and_then(|v| v.to_str().ok());
        let time = match (header("x-amz-date"), header("date")) {
            (Some(text), _) => parse_amz_date(text).map(|time| (time, text.to_owned())),
            (None, Some(text)) => {
                parse_amz_date(text).or_else(|| parse_http_date(text)).map(|time| (time, text.to_owned()))
            }
            (None, None) => None,
        };
        let none = || AuthError::Denied("AWS authentication requires a valid Date or x-amz-date header".to_owned());
        time.ok_or_else(none)
    }

    pub(super) fn check_skew(&self, request_time: Timestamp, sent: &str) -> Result<(), AuthError> {
        let now = self.edge.received;
        let skew = now.since(request_time).max(request_time.since(now));
        if skew <= Duration::from_millis(MAX_SKEW_MS) {
            return Ok(());
        }
        Err(AuthError::TimeTooSkewed {
            request_time: sent.to_owned(),
            server_time: iso8601_seconds(now),
            max_allowed_ms: MAX_SKEW_MS,
        })
    }

    /// A presigned URL may be used from its date (and the skew before it) until it expires.
    fn check_life(&self, request_time: Timestamp, expires_seconds: u64) -> Result<(), AuthError> {
        let now = self.edge.received;
        if request_time.since(now) > Duration::from_millis(MAX_SKEW_MS) {
            return Err(AuthError::NotYetValid);
        }
        let end = request_time.plus(Duration::from_secs(expires_seconds));
        if now <= end {
            return Ok(());
        }
        Err(AuthError::Expired {
            expires_seconds: Some(expires_seconds),
            expired_at: iso8601_seconds(end),
            server_time: iso8601_seconds(now),
        })
    }

    pub(super) fn check_credential(
        &self,
        form: Form,
        text: &str,
        amz_date: &str,
    ) -> Result<(String, Scope, Region), AuthError> {
        let fault = |text: String| malformed(form, text);
        let credential = Credential::parse(text).ok_or_else(|| fault(CREDENTIAL_FORM.to_owned()))?;
        let Credential { access_key_id, date, region, service, terminal } = credential;
        if access_key_id.is_empty() {
            return Err(fault("a non-empty Access Key (AKID) must be provided in the credential.".to_owned()));
        }
        if region.is_empty() {
            return Err(fault("a non-empty region must be provided in the credential.".to_owned()));
        }
        let Some(served) = self.settings.regions.iter().find(|served| served.as_str() == region) else {
            return Err(wrong_region(form, &region, self.settings.home()));
        };
        if service != self.service {
            let own = self.service;
            return Err(fault(format!("incorrect service \"{service}\". This endpoint belongs to \"{own}\".")));
        }
        if terminal != TERMINAL {
            return Err(fault(format!("incorrect terminal \"{terminal}\". This endpoint uses \"{TERMINAL}\".")));
        }
        if date.len() != 8 || !date.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fault(date_format(&date)));
        }
        if date != amz_date[..8] {
            return Err(match form {
                Form::Header => fault("Invalid credential date. Date is not the same as X-Amz-Date.".to_owned()),
                Form::Query => AuthError::QueryMalformed(format!(
                    "Invalid credential date \"{date}\". This date is not the same as X-Amz-Date: \"{}\".",
                    &amz_date[..8]
                )),
            });
        }
        Ok((access_key_id, Scope { date, region, service }, served.clone()))
    }

    /// What the signature says of the body. S3 wants it said in a header; a presigned URL says nothing unless it covers
    /// such a header. Other services sign the hash of the body.
    fn payload_hash(&self, form: Form, content: Option<&str>) -> Result<String, AuthError> {
        match (content, form) {
            (Some(hash), _) => Ok(hash.to_owned()),
            (None, Form::Query) if self.service == "s3" => Ok(UNSIGNED_PAYLOAD.to_owned()),
            (None, Form::Header) if self.service == "s3" => Err(AuthError::InvalidRequest(
                "Missing required header for this request: x-amz-content-sha256".to_owned(),
            )),
            (None, _) => Ok(EMPTY_SHA256.to_owned()),
        }
    }

    /// `host` and every `x-amz-*` header that was sent must be signed: a header that was not could have been added by
    /// whoever passed the request on.
    fn check_signed_headers(&self, signed_headers: &str) -> Result<(), AuthError> {
        let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
        let names = self.head.headers.keys().map(|name| name.as_str());
        let required = names.filter(|name| name.starts_with("x-amz-")).chain(["host"]);
        let missing: Vec<String> = required.filter(|name| !is_signed(name)).map(str::to_owned).collect();
        if missing.is_empty() { Ok(()) } else { Err(AuthError::HeadersNotSigned(missing)) }
    }
}

/// `X-Amz-Expires` in seconds.
fn parse_expires(text: &str) -> Result<u64, AuthError> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(query("X-Amz-Expires should be a number"));
    }
    if negative {
        return Err(query("X-Amz-Expires must be non-negative"));
    }
    digits.parse().ok().filter(|seconds| *seconds <= MAX_EXPIRES_SECONDS).ok_or_else(|| {
        query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )
    })
}

fn date_format(date: &str) -> String {
    format!("incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\".")
}

fn query(message: &str) -> AuthError {
    AuthError::QueryMalformed(message.to_owned())
}

fn malformed(form: Form, detail: String) -> AuthError {
    let message = in_words(form, &detail);
    match form {
        Form::Header => AuthError::HeaderMalformed { message, region: None },
        Form::Query => AuthError::QueryMalformed(message),
    }
}

fn wrong_region(form: Form, sent: &str, home: &Region) -> AuthError {
    let message = in_words(form, &format!("the region '{sent}' is wrong; expecting '{home}'"));
    let region = home.as_str().to_owned();
    match form {
        Form::Header => AuthError::HeaderMalformed { message, region: Some(region) },
        Form::Query => AuthError::QueryRegion { message, region },
    }
}

fn in_words(form: Form, detail: &str) -> String {
    match form {
        Form::Header => format!("The authorization header is malformed; {detail}"),
        Form::Query => format!("Error parsing the X-Amz-Credential parameter; {detail}"),
    }
}
