//! Why an object cannot be sealed or opened.

use crate::auth::Denied;
use crate::keyring::KeyringError;

/// Variants are what a caller may branch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SseError {
    /// The object is SSE-C and the request has no key: 400 `InvalidRequest` "The object was stored using a form of …".
    CustomerKeyRequired,
    /// The key is not the object's: 403 `AccessDenied`.
    WrongCustomerKey,
    /// The request has a key and the object is not SSE-C: 400 "The encryption parameters are not applicable …".
    NotApplicable,
    /// The bucket blocks SSE-C: 403 `AccessDenied`.
    SseCBlocked,
    /// SSE-C or KMS over plain http: 400 `InvalidRequest`; holds which.
    NotConfidential(&'static str),
    /// SSE-KMS with a signature that is not Version 4: 400 `InvalidArgument`.
    NeedsSignatureV4,
    /// The caller lacks a KMS permission: 403 `AccessDenied`.
    Denied(Denied),
    /// The key module refused: `KMS.…`.
    Kms(KeyringError),
    /// The envelope or a row does not open: damaged or tampered with. 500; the text is for the log only.
    Corrupt(String),
}
