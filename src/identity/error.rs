//! What can go wrong with identities.

use std::fmt;

use crate::audit::AuditError;
use crate::index::{CommitError, IndexError};

/// Why it was not done. The names are IAM's error codes; the texts are for the client, but for the last two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// `NoSuchEntity`
    NoSuchEntity(String),
    /// `EntityAlreadyExists`
    EntityAlreadyExists(String),
    /// `LimitExceeded`
    LimitExceeded(String),
    /// `DeleteConflict`: something is attached still.
    DeleteConflict(String),
    /// `MalformedPolicyDocument`
    MalformedPolicyDocument(String),
    /// `InvalidInput`
    InvalidInput(String),
    /// `UnmodifiableEntity`: it stands in the settings, or comes with the program.
    Unmodifiable(String),
    /// `PolicyNotAttachable`
    PolicyNotAttachable(String),
    /// `ValidationError`: the text is the whole message.
    Validation(String),
    /// `PackedPolicyTooLarge` (STS).
    PackedPolicyTooLarge(String),
    /// `ConcurrentModification`: others were faster, time and again.
    Contention,
    /// There is no room left. The text is for the log.
    Full(String),
    /// Index or audit failed. The text is for the log.
    Internal(String),
}

impl IdentityError {
    /// There is no entity of this kind (`user`, `group`, `role`, `policy`) and name.
    pub fn absent(kind: &str, name: &str) -> Self {
        Self::NoSuchEntity(format!("The {kind} with name {name} cannot be found."))
    }

    /// The name is taken.
    pub fn taken(kind: &str, name: &str) -> Self {
        Self::EntityAlreadyExists(format!("{kind} with name {name} already exists."))
    }

    /// There is something attached that has to go first.
    pub fn attached(what: &str) -> Self {
        Self::DeleteConflict(format!("Cannot delete entity, must {what} first."))
    }

    /// A quota of AWS is reached.
    pub fn quota(what: &str, quota: usize) -> Self {
        Self::LimitExceeded(format!("Cannot exceed quota for {what}: {quota}"))
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchEntity(text)
            | Self::EntityAlreadyExists(text)
            | Self::LimitExceeded(text)
            | Self::DeleteConflict(text)
            | Self::MalformedPolicyDocument(text)
            | Self::InvalidInput(text)
            | Self::Unmodifiable(text)
            | Self::PolicyNotAttachable(text)
            | Self::Validation(text)
            | Self::PackedPolicyTooLarge(text)
            | Self::Full(text)
            | Self::Internal(text) => text,
            Self::Contention => "the account's identities were changed by others meanwhile",
        })
    }
}

impl std::error::Error for IdentityError {}

impl From<IndexError> for IdentityError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full(text) => Self::Full(text),
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<CommitError> for IdentityError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::Contention,
            CommitError::Engine(error) => error.into(),
        }
    }
}

impl From<AuditError> for IdentityError {
    fn from(error: AuditError) -> Self {
        error.0.into()
    }
}
