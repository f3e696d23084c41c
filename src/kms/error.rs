//! What KMS answers to refusals: the one place where this protocol's error names and status codes are set.

use serde_json::json;

use crate::auth::{AuthError, CollectError, Denied, PayloadError};
use crate::keyring::KeyringError;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KmsError {
    /// `__type`.
    pub(super) code: &'static str,
    /// HTTP status.
    pub(super) status: u16,
    /// For the client; some errors have none, as with AWS.
    pub(super) message: Option<String>,
    /// For the log only.
    pub(super) cause: Option<String>,
}

/// An error and whether the trail has a record of it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: KmsError,
    pub(super) recorded: bool,
}

impl KmsError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, status: 400, message: Some(message.into()), cause: None }
    }

    pub(super) fn bare(code: &'static str, status: u16) -> Self {
        Self { code, status, message: None, cause: None }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UnsupportedOperationException", message)
    }

    /// The body.
    pub(super) fn render(&self) -> Vec<u8> {
        let body = match &self.message {
            Some(message) => json!({ "__type": self.code, "message": message }),
            None => json!({ "__type": self.code }),
        };
        body.to_string().into_bytes()
    }
}

impl Refusal {
    /// Of a method of the key module that took a grant: those record their outcomes themselves.
    pub(super) fn recorded(error: KeyringError) -> Self {
        Self { error: error.into(), recorded: true }
    }
}

impl From<KmsError> for Refusal {
    fn from(error: KmsError) -> Self {
        Self { error, recorded: false }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        KmsError::new("AccessDeniedException", denied.message).into()
    }
}

impl From<KeyringError> for KmsError {
    fn from(error: KeyringError) -> Self {
        let (code, message) = (error.code(), error.message());
        let (status, cause) = match error {
            KeyringError::Internal(cause) | KeyringError::Full(cause) => (500, Some(cause)),
            KeyringError::Contention => (500, None),
            KeyringError::DependencyTimeout => (503, None),
            KeyringError::NotFound(_)
            | KeyringError::Disabled(_)
            | KeyringError::PendingDeletion(_)
            | KeyringError::InvalidState(_)
            | KeyringError::InvalidCiphertext
            | KeyringError::InvalidSignature
            | KeyringError::InvalidMac
            | KeyringError::IncorrectKey
            | KeyringError::Denied(_)
            | KeyringError::Validation(_)
            | KeyringError::AlreadyExists(_)
            | KeyringError::InvalidAliasName(_)
            | KeyringError::LimitExceeded(_)
            | KeyringError::InvalidMarker
            | KeyringError::InvalidKeyUsage(_)
            | KeyringError::InvalidArn(_)
            | KeyringError::Unsupported(_)
            | KeyringError::Conflict(_)
            | KeyringError::KeyStore { .. }
            | KeyringError::Tag(_)
            | KeyringError::IncorrectKeyMaterial(_)
            | KeyringError::InvalidImportToken
            | KeyringError::ExpiredImportToken
            | KeyringError::InvalidGrantToken
            | KeyringError::InvalidGrantId
            | KeyringError::DryRun => (400, None),
        };
        Self { code, status, message, cause }
    }
}

impl From<AuthError> for KmsError {
    fn from(error: AuthError) -> Self {
        let invalid = |text: String| Self::new("InvalidSignatureException", text);
        let incomplete = |text: String| Self::new("IncompleteSignatureException", text);
        match error {
            AuthError::UnknownAccessKey(_) | AuthError::InvalidToken => {
                Self::new("UnrecognizedClientException", "The security token included in the request is invalid.")
            }
            AuthError::ExpiredToken => {
                Self::new("ExpiredTokenException", "The security token included in the request is expired")
            }
            AuthError::Unavailable(cause) => Self { cause: Some(cause), ..Self::bare("KMSInternalException", 500) },
            AuthError::SignatureDoesNotMatch { .. } => invalid(WRONG_SIGNATURE.to_owned()),
            AuthError::TimeTooSkewed { request_time, server_time, max_allowed_ms } => {
                let minutes = max_allowed_ms / 60_000;
                invalid(format!(
                    "Signature expired or not yet current: {request_time} is more than {minutes} min. away from \
                     {server_time}"
                ))
            }
            AuthError::Expired { expired_at, .. } => invalid(format!("Signature expired: {expired_at}")),
            AuthError::NotYetValid => invalid("Signature not yet current".to_owned()),
            AuthError::HeaderMalformed { region: Some(_), .. } | AuthError::QueryRegion { .. } => {
                invalid("Credential should be scoped to a valid region.".to_owned())
            }
            AuthError::HeaderMalformed { message, region: None } => incomplete(message),
            AuthError::HeadersNotSigned(names) => {
                invalid(format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", names.join(", ")))
            }
            AuthError::QueryMalformed(text) | AuthError::Denied(text) | AuthError::InvalidRequest(text) => {
                incomplete(text)
            }
            AuthError::InvalidArgument { message, .. } => incomplete(message),
            AuthError::MissingContentLength | AuthError::TransferEncoding => Self::bare("SerializationException", 411),
            AuthError::InvalidDigest(_) | AuthError::ChecksumInvalid(_) | AuthError::ChecksumHeaders(_) => {
                Self::validation("A checksum header of the request is malformed.")
            }
        }
    }
}

impl From<CollectError> for KmsError {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Auth(error) => error.into(),
            CollectError::Payload(error) => error.into(),
            CollectError::TooLarge => Self::bare("RequestEntityTooLargeException", 413),
        }
    }
}

impl From<PayloadError> for KmsError {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Sha256Mismatch { .. } | PayloadError::ChunkSignature => {
                Self::new("InvalidSignatureException", WRONG_SIGNATURE)
            }
            PayloadError::Md5Mismatch { .. }
            | PayloadError::ChecksumMismatch { .. }
            | PayloadError::ChecksumInvalid { .. } => {
                Self::validation("A checksum of the request does not fit its body.")
            }
            PayloadError::Timeout => Self::bare("RequestTimeoutException", 408),
            // The last four are of upload forms.
            PayloadError::Incomplete
            | PayloadError::TooLong
            | PayloadError::Framing(_)
            | PayloadError::Trailer
            | PayloadError::Form
            | PayloadError::SecondFile
            | PayloadError::FileTooLong { .. }
            | PayloadError::FileTooShort { .. } => Self::bare("SerializationException", 400),
        }
    }
}

const WRONG_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. Check \
                               your AWS Secret Access Key and signing method. Consult the service documentation for \
                               details.";

#[cfg(test)]
mod tests {
    use super::*;

    /// As the model has it: faults of the service are 5xx, so that clients try again; all else is 400.
    #[test]
    fn statuses() {
        let status = |error: KeyringError| KmsError::from(error).status;
        assert_eq!(status(KeyringError::Internal(String::new())), 500);
        assert_eq!(status(KeyringError::Contention), 500);
        assert_eq!(status(KeyringError::DependencyTimeout), 503);
        for error in [KeyringError::InvalidCiphertext, KeyringError::IncorrectKey, KeyringError::unknown_sealer()] {
            assert_eq!(status(error), 400);
        }
    }
}
