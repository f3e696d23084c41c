//! Why a document is no policy.

use std::fmt;

/// A document that is refused. The protocols give each its code: IAM `MalformedPolicyDocument`, KMS
/// `MalformedPolicyDocumentException`, S3 `MalformedPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyError {
    /// Longer than its kind may be. Codes are IAM and KMS `LimitExceeded…`, S3 `PolicyTooLarge`.
    TooLarge {
        /// The limit in bytes.
        limit_bytes: usize,
    },
    /// Not a policy. The text is for the client, in AWS's words where those are known.
    Malformed(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit_bytes } => write!(f, "the policy is longer than {limit_bytes} bytes"),
            Self::Malformed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for PolicyError {}
