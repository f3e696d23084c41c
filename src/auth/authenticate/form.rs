//! Verification of upload forms of browsers: what is signed is the form's policy, as it was sent. That the form keeps
//! to its policy is checked by its protocol.

use http::request::Parts;

use super::v4::Form;
use super::{AuthError, AuthSettings, Context, Proved, SignatureKind, access};
use crate::auth::{Access, Caller, Directory, Principal};
use crate::crypto::constant_time_eq;
use crate::sigv4::{ALGORITHM, SigningKey, signature_v2};
use crate::wire::{Edge, parse_amz_date};

/// What a form says of who made its policy.
#[derive(Debug, Clone, Copy)]
pub enum FormClaim<'a> {
    /// Nothing: anybody may have made it.
    Nobody,
    /// Signature Version 4.
    V4(FormV4<'a>),
    /// Signature Version 2.
    V2(FormV2<'a>),
}

/// The fields of a form that is signed by Version 4.
#[derive(Debug, Clone, Copy)]
pub struct FormV4<'a> {
    /// `policy`, base64.
    pub policy: &'a str,
    /// `x-amz-algorithm`
    pub algorithm: &'a str,
    /// `x-amz-credential`
    pub credential: &'a str,
    /// `x-amz-date`
    pub date: &'a str,
    /// `x-amz-signature`
    pub signature: &'a str,
    /// `x-amz-security-token`
    pub token: Option<&'a str>,
}

/// The fields of a form that is signed by Version 2.
#[derive(Debug, Clone, Copy)]
pub struct FormV2<'a> {
    /// `policy`, base64.
    pub policy: &'a str,
    /// `AWSAccessKeyId`
    pub access_key_id: &'a str,
    /// `signature`
    pub signature: &'a str,
    /// `x-amz-security-token`
    pub token: Option<&'a str>,
}

/// Authenticates an upload form by its policy. Headers of the request prove nothing.
pub async fn authenticate_form(
    head: &Parts,
    edge: &Edge,
    claim: FormClaim<'_>,
    directory: &Directory,
    settings: &AuthSettings,
) -> Result<Access, AuthError> {
    let context = Context { head, edge, service: "s3", directory, settings, body_sha256: None };
    let proved = match claim {
        FormClaim::Nobody => return Ok(anonymous(head, edge, settings)),
        FormClaim::V4(form) => context.verify_v4_form(form).await?,
        FormClaim::V2(form) => context.verify_v2_form(form).await?,
    };
    let access = access(head, edge, proved);
    directory.used(access.caller(), "s3", &access.facts().region, edge.received);
    Ok(access)
}

/// A request whose credentials, if it has any, are not looked at: of websites.
pub fn anonymous(head: &Parts, edge: &Edge, settings: &AuthSettings) -> Access {
    let caller = Caller::new(Principal::anonymous(), None);
    let region = settings.home().clone();
    access(head, edge, Proved { caller, kind: SignatureKind::Anonymous, signed: None, region })
}

impl Context<'_> {
    async fn verify_v4_form(&self, form: FormV4<'_>) -> Result<Proved, AuthError> {
        let FormV4 { policy, algorithm, credential, date, signature, token } = form;
        if algorithm != ALGORITHM {
            return Err(argument("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"", "X-Amz-Algorithm", algorithm));
        }
        let wrong_date = || {
            let message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
            argument(message, "X-Amz-Date", date)
        };
        let signed = parse_amz_date(date).ok_or_else(wrong_date)?;
        let (access_key_id, scope, region) = self.check_credential(Form::Query, credential, date)?;
        let identity = self.identity(&access_key_id, token).await?;
        let key = SigningKey::derive(identity.secret.expose(), &scope).ok_or_else(wrong_date)?;
        if !key.verifies(policy.as_bytes(), signature) {
            return Err(mismatch(access_key_id, policy, signature));
        }
        let caller = self.caller(&identity, &access_key_id);
        Ok(Proved { caller, kind: SignatureKind::V4Form, signed: Some(signed), region })
    }

    async fn verify_v2_form(&self, form: FormV2<'_>) -> Result<Proved, AuthError> {
        let FormV2 { policy, access_key_id, signature, token } = form;
        if !self.settings.signature_v2 {
            return Err(AuthError::unsupported_mechanism());
        }
        let identity = self.identity(access_key_id, token).await?;
        let computed = signature_v2(identity.secret.expose(), policy);
        if !constant_time_eq(computed.as_bytes(), signature.as_bytes()) {
            return Err(mismatch(access_key_id.to_owned(), policy, signature));
        }
        let (caller, region) = (self.caller(&identity, access_key_id), self.settings.home().clone());
        Ok(Proved { caller, kind: SignatureKind::V2Form, signed: None, region })
    }
}

fn argument(message: &str, name: &str, value: &str) -> AuthError {
    AuthError::InvalidArgument { message: message.to_owned(), name: name.to_owned(), value: value.to_owned() }
}

/// What is signed of a form is its policy alone.
fn mismatch(access_key_id: String, policy: &str, signature: &str) -> AuthError {
    AuthError::SignatureDoesNotMatch {
        access_key_id,
        string_to_sign: policy.to_owned(),
        signature_provided: signature.to_owned(),
        canonical_request: None,
    }
}
