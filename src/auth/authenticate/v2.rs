//! Verification of presigned URLs of Signature Version 2.

use super::{AuthError, Context, Proved, SignatureKind, Verified};
use crate::auth::payload::ContentHash;
use crate::crypto::constant_time_eq;
use crate::sigv4::{Params, V2Request, signature_v2, string_to_sign_v2};
use crate::sources::Timestamp;
use crate::wire::{iso8601_seconds, virtual_bucket};

impl Context<'_> {
    /// Unlike Version 4 there is no skew and no longest life: `Expires` is a moment.
    pub(super) async fn verify_v2_query(&self, params: &Params) -> Result<Verified, AuthError> {
        if !self.settings.presigned_v2 || self.service != "s3" {
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
        let token = params.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
        let identity = self.identity(access_key_id, token.map(|(_, token)| token)).await?;
        let text = string_to_sign_v2(&V2Request {
            method: self.head.method.as_str(),
            host_bucket: virtual_bucket(&self.edge.host, &self.settings.domains),
            path: self.head.uri.path(),
            params,
            headers: &self.head.headers,
            expires,
        });
        let signature = signature_v2(identity.secret.expose(), &text);
        if !constant_time_eq(signature.as_bytes(), provided.as_bytes()) {
            return Err(AuthError::SignatureDoesNotMatch {
                access_key_id: access_key_id.to_owned(),
                string_to_sign: text,
                signature_provided: provided.to_owned(),
                canonical_request: None,
            });
        }
        Ok(Verified {
            proved: Proved {
                caller: self.caller(&identity, access_key_id),
                kind: SignatureKind::V2Query,
                signed: None,
                region: self.settings.home().clone(),
            },
            hash: ContentHash::parse(self.content_sha256().as_deref())?,
            signer: None,
        })
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
