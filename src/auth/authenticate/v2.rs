//! Verification of Signature Version 2.

use http::HeaderMap;

use super::{AuthError, Context, Identity, Proved, SignatureKind, Verified};
use crate::auth::payload::ContentHash;
use crate::crypto::constant_time_eq;
use crate::sigv4::{Params, V2Ambiguity, V2Request, check_v2, headers_of_v2_url, signature_v2, string_to_sign_v2};
use crate::sources::Timestamp;
use crate::wire::{iso8601_seconds, parse_amz_date, parse_http_date, virtual_bucket};

impl Context<'_> {
    /// Unlike Version 4 there is no skew and no longest life: `Expires` is a moment.
    pub(super) async fn verify_v2_query(&self, params: &Params) -> Result<Verified, AuthError> {
        if !(self.settings.presigned_v2 || self.settings.signature_v2) || self.service != "s3" {
            return Err(AuthError::unsupported_mechanism());
        }
        let (Some(access_key_id), Some(expires), Some(provided)) =
            (params.first("AWSAccessKeyId"), params.first("Expires"), params.first("Signature"))
        else {
            return Err(AuthError::Denied(
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters".to_owned(),
            ));
        };
        self.check_v2_expires(expires)?;
        let headers = headers_of_v2_url(params, &self.head.headers).map_err(ambiguous)?;
        let token = params.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
        let identity = self.identity(access_key_id, token.map(|(_, token)| token)).await?;
        let request = V2Request {
            method: self.head.method.as_str(),
            host_bucket: virtual_bucket(&self.edge.host, &self.settings.domains),
            path: self.head.uri.path(),
            params,
            headers: &headers,
            date: expires,
        };
        let verified = self.verified_v2(SignatureKind::V2Query, &identity, access_key_id, &request, provided)?;
        Ok(Verified { headers: Some(headers), ..verified })
    }

    /// `Authorization: AWS AccessKeyId:Signature`. The time is `x-amz-date`, or else `Date`, and as near to ours as in
    /// Version 4.
    pub(super) async fn verify_v2_header(&self, parameters: &str) -> Result<Verified, AuthError> {
        if !self.settings.signature_v2 || self.service != "s3" {
            return Err(AuthError::unsupported_mechanism());
        }
        let Some((access_key_id, provided)) = parameters.trim().split_once(':').filter(|(id, _)| !id.is_empty()) else {
            let message = "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature";
            return Err(super::authorization_argument(message, "AWS".to_owned()));
        };
        let header = |name: &str| self.head.headers.get(name).and_then(|value| value.to_str().ok());
        let (own, date) = (header("x-amz-date"), header("date"));
        let sent = own.or(date).unwrap_or_default();
        let none = || AuthError::Denied("AWS authentication requires a valid Date or x-amz-date header".to_owned());
        let time = parse_http_date(sent).or_else(|| parse_amz_date(sent)).ok_or_else(none)?;
        self.check_skew(time, sent)?;
        let identity = self.identity(access_key_id, None).await?;
        let params = Params::parse(self.head.uri.query().unwrap_or_default());
        let request = V2Request {
            method: self.head.method.as_str(),
            host_bucket: virtual_bucket(&self.edge.host, &self.settings.domains),
            path: self.head.uri.path(),
            params: &params,
            headers: &self.head.headers,
            date: if own.is_some() { "" } else { sent },
        };
        self.verified_v2(SignatureKind::V2Header, &identity, access_key_id, &request, provided)
    }

    fn verified_v2(
        &self,
        kind: SignatureKind,
        identity: &Identity,
        access_key_id: &str,
        request: &V2Request<'_>,
        provided: &str,
    ) -> Result<Verified, AuthError> {
        check_v2(request).map_err(ambiguous)?;
        let string_to_sign = string_to_sign_v2(request);
        let signature = signature_v2(identity.secret.expose(), &string_to_sign);
        if !constant_time_eq(signature.as_bytes(), provided.as_bytes()) {
            return Err(AuthError::SignatureDoesNotMatch {
                access_key_id: access_key_id.to_owned(),
                string_to_sign,
                signature_provided: provided.to_owned(),
                canonical_request: None,
            });
        }
        let (caller, region) = (self.caller(identity, access_key_id), self.settings.home().clone());
        let hash = ContentHash::parse(content_sha256(request.headers).as_deref())?;
        Ok(Verified { proved: Proved { caller, kind, signed: None, region }, hash, signer: None, headers: None })
    }

    /// `Expires`: seconds since 1970, of 31 bits, as AWS reads it.
    fn check_v2_expires(&self, text: &str) -> Result<(), AuthError> {
        let now = self.edge.received;
        let seconds = text
            .parse::<i32>()
            .map_err(|_| AuthError::Denied(format!("Invalid date (should be seconds since epoch): {text}")))?;
        let end = Timestamp(i64::from(seconds) * 1000);
        if now <= end {
            return Ok(());
        }
        Err(AuthError::Expired {
            expires_seconds: None,
            expired_at: iso8601_seconds(end),
            server_time: iso8601_seconds(now),
        })
    }
}

/// AWS's text is not recorded.
fn ambiguous(V2Ambiguity(what): V2Ambiguity) -> AuthError {
    AuthError::InvalidRequest(format!("{what}, which Signature Version 2 cannot sign"))
}

/// As the headers name it that are signed. (No body is read before, as other services than S3 do: those take no Version 2.)
fn content_sha256(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-amz-content-sha256")?;
    Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}
