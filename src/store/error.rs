//! What a store can fail with.

use std::error::Error;
use std::{fmt, io};

/// The store failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// There is no such blob.
    NotFound,
    /// No space, or a quota: the client hears 507-like trouble and nothing is lost.
    Full(String),
    /// Too many are writing at once: to be tried again.
    Busy(String),
    /// Anything else; the text is for the log.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such blob"),
            Self::Full(what) => write!(f, "the store is full: {what}"),
            Self::Busy(what) => write!(f, "the store is busy: {what}"),
            Self::Failed(what) => write!(f, "the store failed: {what}"),
        }
    }
}

impl Error for StoreError {}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match &error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            _ if is_full(&error) => Self::Full(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

/// Whether a file system or an upstream said that there is no room. `object_store` keeps the type of an upstream's
/// answer private, so its status is looked for in the text.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| match cause.downcast_ref::<io::Error>() {
        Some(io) => {
            matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                || io.get_ref().is_some_and(|inner| is_full(inner))
        }
        None => cause.to_string().contains("507 Insufficient Storage"),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::StoreError;

    fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        object_store::Error::Generic { store: "test", source: source.into() }.into()
    }

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let quota = io::Error::from(io::ErrorKind::QuotaExceeded);
        assert!(matches!(generic(full), StoreError::Full(_)));
        assert!(matches!(generic(io::Error::other(quota)), StoreError::Full(_)));
        assert!(matches!(generic("Server returned error status: 507 Insufficient Storage: "), StoreError::Full(_)));
        assert!(matches!(generic(io::Error::from(io::ErrorKind::PermissionDenied)), StoreError::Failed(_)));
        let lost = object_store::Error::NotFound { path: String::new(), source: "gone".into() };
        assert_eq!(StoreError::from(lost), StoreError::NotFound);
    }
}
