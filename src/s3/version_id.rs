//! Version ids in requests and answers.

use super::error::Error;
use super::query::Query;
use crate::objects::{Bucket, VersionId, Versioning};

/// `versionId` of the query.
pub(crate) fn of_query(query: &Query) -> Result<Option<VersionId>, Error> {
    query.value("versionId").map(parse).transpose()
}

/// A version id as a client sent it.
pub(crate) fn parse(text: &str) -> Result<VersionId, Error> {
    if text.is_empty() {
        return Err(Error::invalid_argument("Version id cannot be the empty string", "versionId", ""));
    }
    VersionId::parse(text).ok_or_else(|| Error::invalid_argument("Invalid version id specified", "versionId", text))
}

/// What an answer says of a version: nothing in a bucket that was never versioned.
pub(crate) fn shown(bucket: &Bucket, version: VersionId) -> Option<String> {
    (bucket.versioning != Versioning::Never).then(|| version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let of = |raw: &str| of_query(&Query::parse(raw).unwrap());
        assert_eq!(of("").unwrap(), None);
        assert_eq!(of("versionId=null").unwrap(), Some(VersionId::Null));
        let named = format!("versionId={}", "0f".repeat(16));
        assert_eq!(of(&named).unwrap(), Some(VersionId::Named([0x0f; 16])));
        assert_eq!(of("versionId=").unwrap_err().message(), "Version id cannot be the empty string");
        assert_eq!(of("versionId=x").unwrap_err().message(), "Invalid version id specified");
    }
}
