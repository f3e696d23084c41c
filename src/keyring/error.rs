//! What the key module answers when it does not do what was asked.

use super::StoreCode;
use crate::auth::Denied;
use crate::index::{CommitError, IndexError};

/// Variants are what a caller may branch on; texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringError {
    /// `NotFoundException` with AWS's text.
    NotFound(String),
    /// `DisabledException`: the key's ARN.
    Disabled(String),
    /// `KMSInvalidStateException` "ARN is pending deletion.": the key's ARN.
    PendingDeletion(String),
    /// `KMSInvalidStateException` with another text.
    InvalidState(String),
    /// `InvalidCiphertextException`: which fault is never told.
    InvalidCiphertext,
    /// `KMSInvalidSignatureException`: Verify never answers that a signature is not valid.
    InvalidSignature,
    /// `KMSInvalidMacException`: neither does VerifyMac.
    InvalidMac,
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
    /// `ConflictException`.
    Conflict(String),
    /// `TagException`.
    Tag(String),
    /// `IncorrectKeyMaterialException`.
    IncorrectKeyMaterial(String),
    /// `InvalidImportTokenException`.
    InvalidImportToken,
    /// `ExpiredImportTokenException`.
    ExpiredImportToken,
    /// `InvalidGrantTokenException`.
    InvalidGrantToken,
    /// `InvalidGrantIdException`.
    InvalidGrantId,
    /// An exception that is about custom key stores.
    KeyStore {
        /// Which.
        code: StoreCode,
        /// With AWS's text.
        text: String,
    },
    /// `DependencyTimeoutException`: a token did not answer in time.
    DependencyTimeout,
    /// `DryRunOperationException`: all checks passed.
    DryRun,
    /// Two callers changed the same thing at once, repeatedly: `KMSInternalException`, to be tried again.
    Contention,
    /// There is no room for what has to be kept or recorded: `KMSInternalException` as KMS answers it, whose model has no
    /// word for it, while S3 answers what it does of any full disk. The text is for the log only.
    Full(String),
    /// Index, audit or material failed: `KMSInternalException`; the text is for the log only.
    Internal(String),
}

impl KeyringError {
    /// The answer to who may not know whether the key that a ciphertext names exists.
    pub fn unknown_sealer() -> Self {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                       region, or you are not allowed to access.";
        Self::Denied(Denied { message: message.to_owned() })
    }

    /// The name of AWS's exception.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NotFoundException",
            Self::Disabled(_) => "DisabledException",
            Self::PendingDeletion(_) | Self::InvalidState(_) => "KMSInvalidStateException",
            Self::InvalidCiphertext => "InvalidCiphertextException",
            Self::InvalidSignature => "KMSInvalidSignatureException",
            Self::InvalidMac => "KMSInvalidMacException",
            Self::IncorrectKey => "IncorrectKeyException",
            Self::Denied(_) => "AccessDeniedException",
            Self::Validation(_) => "ValidationException",
            Self::AlreadyExists(_) => "AlreadyExistsException",
            Self::InvalidAliasName(_) => "InvalidAliasNameException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::InvalidMarker => "InvalidMarkerException",
            Self::InvalidKeyUsage(_) => "InvalidKeyUsageException",
            Self::InvalidArn(_) => "InvalidArnException",
            Self::Unsupported(_) => "UnsupportedOperationException",
            Self::Conflict(_) => "ConflictException",
            Self::Tag(_) => "TagException",
            Self::IncorrectKeyMaterial(_) => "IncorrectKeyMaterialException",
            Self::InvalidImportToken => "InvalidImportTokenException",
            Self::ExpiredImportToken => "ExpiredImportTokenException",
            Self::InvalidGrantToken => "InvalidGrantTokenException",
            Self::InvalidGrantId => "InvalidGrantIdException",
            Self::KeyStore { code, .. } => code.name(),
            Self::DependencyTimeout => "DependencyTimeoutException",
            Self::DryRun => "DryRunOperationException",
            Self::Contention | Self::Full(_) | Self::Internal(_) => "KMSInternalException",
        }
    }

    /// The text for the client; none where something does not open or verify, as AWS has none there.
    pub fn message(&self) -> Option<String> {
        Some(match self {
            Self::NotFound(text)
            | Self::InvalidState(text)
            | Self::Validation(text)
            | Self::AlreadyExists(text)
            | Self::InvalidAliasName(text)
            | Self::LimitExceeded(text)
            | Self::InvalidKeyUsage(text)
            | Self::InvalidArn(text)
            | Self::Conflict(text)
            | Self::Tag(text)
            | Self::IncorrectKeyMaterial(text)
            | Self::KeyStore { text, .. }
            | Self::Unsupported(text) => text.clone(),
            Self::Disabled(arn) => format!("{arn} is disabled."),
            Self::PendingDeletion(arn) => format!("{arn} is pending deletion."),
            Self::InvalidCiphertext | Self::InvalidSignature | Self::InvalidMac => return None,
            Self::IncorrectKey => {
                "The key ID in the request does not identify a CMK that can perform this operation.".to_owned()
            }
            Self::Denied(denied) => denied.message.clone(),
            Self::InvalidMarker => "The marker is invalid.".to_owned(),
            // The texts of the service model.
            Self::InvalidImportToken => {
                "The request was rejected because the provided import token is invalid or is associated with a \
                 different KMS key."
                    .to_owned()
            }
            Self::ExpiredImportToken => {
                "The request was rejected because the specified import token is expired. Use GetParametersForImport \
                 to get a new import token and public key, use the new public key to encrypt the key material, and \
                 then try the request again."
                    .to_owned()
            }
            Self::InvalidGrantToken => {
                "The request was rejected because the specified grant token is not valid.".to_owned()
            }
            Self::InvalidGrantId => "The request was rejected because the specified GrantId is not valid.".to_owned(),
            Self::DependencyTimeout => {
                "The system timed out while trying to fulfill the request. You can retry the request.".to_owned()
            }
            Self::DryRun => "The request would have succeeded, but the DryRun option is set.".to_owned(),
            Self::Contention => "Other requests changed the key or alias at the same time. Try again.".to_owned(),
            Self::Full(_) | Self::Internal(_) => "An internal error occurred. Try again.".to_owned(),
        })
    }
}

impl From<IndexError> for KeyringError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full(text) => Self::Full(text),
            IndexError::Corrupt(_) | IndexError::Engine(_) => Self::Internal(error.to_string()),
        }
    }
}

/// For what changes rows without a condition on them: to lose a race over one is a fault of the program.
impl From<CommitError> for KeyringError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::Internal(error.to_string()),
            CommitError::Engine(error) => error.into(),
        }
    }
}

impl From<Denied> for KeyringError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}
