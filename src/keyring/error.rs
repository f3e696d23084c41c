//! What the key module answers when it does not do what was asked.

use crate::auth::Denied;

/// Variants are what a caller may branch on; texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringError {
    /// `NotFoundException` with AWS's text.
    NotFound(String),
    /// `DisabledException`: the key's ARN.
    Disabled(String),
    /// `KMSInvalidStateException` "<arn> is pending deletion.": the key's ARN.
    PendingDeletion(String),
    /// `KMSInvalidStateException` with another text.
    InvalidState(String),
    /// `InvalidCiphertextException`: which fault is never told.
    InvalidCiphertext,
    /// `IncorrectKeyException`.
    IncorrectKey,
    /// `AccessDeniedException`.
    Denied(Denied),
    /// `ValidationException`.
    Validation(String),
    /// `AlreadyExistsException`.
    AlreadyExists(String),
    /// `InvalidAliasNameException`.
    InvalidAliasName(String),
    /// `LimitExceededException`.
    LimitExceeded(String),
    /// `InvalidMarkerException`.
    InvalidMarker,
    /// `InvalidKeyUsageException`.
    InvalidKeyUsage(String),
    /// `InvalidArnException`.
    InvalidArn(String),
    /// `UnsupportedOperationException`.
    Unsupported(String),
    /// `DryRunOperationException`: all checks passed.
    DryRun,
    /// Two callers changed the same thing at once, repeatedly: `KMSInternalException`, to be tried again.
    Contention,
    /// Index, audit or material failed: `KMSInternalException`; the text is for the log only.
    Internal(String),
}
