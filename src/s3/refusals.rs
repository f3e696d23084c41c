//! What S3 has and this server does not do: how each operation is refused, and why. Leave is asked for first.
//!
//! Some of it AWS refuses too: what was discontinued, and what only directory buckets and access points have.

use super::code::Code;
use super::error::Error;
use super::table::Row;

/// How an operation is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    /// The operation.
    pub(crate) operation: &'static str,
    /// `NotImplemented`, or what AWS answers.
    pub(crate) code: Code,
    /// What the error says; none: the code's own message.
    pub(crate) message: Option<&'static str>,
    /// The `ResourceType` that AWS's `MethodNotAllowed` names.
    resource: Option<&'static str>,
    /// Why, for the documentation: whole sentences.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is made of it, by a test"))]
    pub(crate) note: &'static str,
}

const DIRECTORY: &str =
    "Only directory buckets (S3 Express One Zone) have it; this server has general purpose buckets.";
const METADATA: &str = "Metadata tables are made by Amazon S3 Tables, another service.";
const ANNOTATIONS: &str = "Annotations are kept with metadata tables, which this server does not have.";

const fn not_implemented(operation: &'static str, message: &'static str, note: &'static str) -> Refusal {
    Refusal { operation, code: Code::NotImplemented, message: Some(message), resource: None, note }
}

const fn directory(operation: &'static str, message: &'static str) -> Refusal {
    not_implemented(operation, message, DIRECTORY)
}

const fn metadata(operation: &'static str) -> Refusal {
    not_implemented(operation, "Metadata tables of buckets are not implemented by this server.", METADATA)
}

const fn annotation(operation: &'static str) -> Refusal {
    not_implemented(operation, "Object annotations are not implemented by this server.", ANNOTATIONS)
}

const fn discontinued(operation: &'static str, resource: &'static str, note: &'static str) -> Refusal {
    Refusal { operation, code: Code::MethodNotAllowed, message: None, resource: Some(resource), note }
}

/// All that is refused for good; what is only not done yet has the general text.
pub(crate) static REFUSALS: &[Refusal] = &[
    directory("CreateSession", "Sessions are for directory buckets, which are not implemented by this server."),
    directory("ListDirectoryBuckets", "Directory buckets are not implemented by this server."),
    directory("RenameObject", "RenameObject is for directory buckets, which are not implemented by this server."),
    not_implemented(
        "WriteGetObjectResponse",
        "Object Lambda is not implemented by this server.",
        "Functions of Object Lambda answer by it; AWS takes no new customers of Object Lambda since November 2025.",
    ),
    discontinued(
        "GetObjectTorrent",
        "TORRENT",
        "AWS discontinued BitTorrent in April 2022 and answers 405 `MethodNotAllowed`.",
    ),
    discontinued(
        "SelectObjectContent",
        "SELECT",
        "AWS takes no new customers of S3 Select since July 2024 and answers them 405 `MethodNotAllowed`.",
    ),
    metadata("CreateBucketMetadataConfiguration"),
    metadata("CreateBucketMetadataTableConfiguration"),
    metadata("DeleteBucketMetadataConfiguration"),
    metadata("DeleteBucketMetadataTableConfiguration"),
    metadata("GetBucketMetadataConfiguration"),
    metadata("GetBucketMetadataTableConfiguration"),
    metadata("UpdateBucketMetadataAnnotationTableConfiguration"),
    metadata("UpdateBucketMetadataInventoryTableConfiguration"),
    metadata("UpdateBucketMetadataJournalTableConfiguration"),
    annotation("DeleteObjectAnnotation"),
    annotation("GetObjectAnnotation"),
    annotation("ListObjectAnnotations"),
    annotation("PutObjectAnnotation"),
];

/// How an operation is refused, if it is for good.
pub(crate) fn refusal(operation: &str) -> Option<&'static Refusal> {
    REFUSALS.iter().find(|refusal| refusal.operation == operation)
}

/// The refusal of an operation without a handler.
pub(crate) fn error(row: &Row) -> Error {
    let Some(refusal) = refusal(row.name) else {
        return Error::not_implemented(format!("{} is not implemented by this server.", row.name));
    };
    let error = Error::with_message(refusal.code, refusal.message.unwrap_or_else(|| refusal.code.message()));
    match refusal.resource {
        Some(resource) => error.and("Method", row.method).and("ResourceType", resource),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::table::TABLE;

    #[test]
    fn what_is_refused_is_not_served() {
        for refusal in REFUSALS {
            let row = TABLE.iter().find(|row| row.name == refusal.operation).expect(refusal.operation);
            assert!(row.handler.is_none(), "{}", refusal.operation);
            assert!(refusal.note.ends_with('.'), "{}", refusal.operation);
            assert_eq!(REFUSALS.iter().filter(|other| other.operation == refusal.operation).count(), 1);
        }
    }

    #[test]
    fn each_is_refused_in_its_own_way() {
        let row = |name: &str| TABLE.iter().find(|row| row.name == name).unwrap();
        let method = "The specified method is not allowed against this resource.";
        for (name, status, code, message) in [
            ("GetObjectTorrent", 405, "MethodNotAllowed", method),
            ("SelectObjectContent", 405, "MethodNotAllowed", method),
            ("ListObjectAnnotations", 501, "NotImplemented", "Object annotations are not implemented by this server."),
        ] {
            let error = error(row(name));
            assert_eq!((error.status().as_u16(), error.code().name(), error.message()), (status, code, message));
        }
        let elements: Vec<_> = [("Method", "POST"), ("ResourceType", "SELECT")].into();
        assert_eq!(error(row("SelectObjectContent")).elements().collect::<Vec<_>>(), elements);
    }
}
