//! Errors of the layers below, translated once, without `_`.
//!
//! Elements whose value stands in the request (`BucketName`, `Key`, `UploadId`, …) are added by `serve` by
//! the code, so that no operation has to; what only an operation knows it adds itself.

use super::code::Code;
use super::error::Error;
use crate::auth::{AuthError, PayloadError};
use crate::crypto::ChecksumAlgorithm;
use crate::keyring::KeyringError;
use crate::objects::{ObjectsError, PART_MIN_BYTES};
use crate::sse::SseError;
use crate::wire::http_date;

impl Error {
    /// 503 lets a client try again once there is room; S3 itself has no word for a full disk.
    pub(crate) fn full(detail: impl Into<String>) -> Self {
        Self::with_message(Code::ServiceUnavailable, "There is not enough storage left to do this.").detailed(detail)
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        let message = error.to_string();
        let as_code = |code| Self::with_message(code, message.clone());
        match error {
            AuthError::UnknownAccessKey(id) => as_code(Code::InvalidAccessKeyId).and("AWSAccessKeyId", id),
            AuthError::InvalidToken => as_code(Code::InvalidToken),
            AuthError::ExpiredToken => as_code(Code::ExpiredToken),
            AuthError::Unavailable(cause) => Self::internal(cause),
            AuthError::SignatureDoesNotMatch {
                access_key_id,
                string_to_sign,
                signature_provided,
                canonical_request,
            } => signature_mismatch(access_key_id, string_to_sign, signature_provided, canonical_request),
            AuthError::TimeTooSkewed { request_time, server_time, max_allowed_ms } => {
                as_code(Code::RequestTimeTooSkewed)
                    .and("RequestTime", request_time)
                    .and("ServerTime", server_time)
                    .and("MaxAllowedSkewMilliseconds", max_allowed_ms.to_string())
            }
            AuthError::Expired { expires_seconds, expired_at, server_time } => {
                let denied = as_code(Code::AccessDenied);
                let denied = match expires_seconds {
                    Some(seconds) => denied.and("X-Amz-Expires", seconds.to_string()),
                    None => denied,
                };
                denied.and("Expires", expired_at).and("ServerTime", server_time)
            }
            AuthError::NotYetValid | AuthError::Denied(_) => as_code(Code::AccessDenied),
            AuthError::HeaderMalformed { region, .. } => match region {
                Some(region) => as_code(Code::AuthorizationHeaderMalformed).and("Region", region),
                None => as_code(Code::AuthorizationHeaderMalformed),
            },
            AuthError::QueryMalformed(_) => as_code(Code::AuthorizationQueryParametersError),
            AuthError::QueryRegion { region, .. } => {
                as_code(Code::AuthorizationQueryParametersError).and("Region", region)
            }
            AuthError::HeadersNotSigned(names) => as_code(Code::AccessDenied).and("HeadersNotSigned", names.join(", ")),
            AuthError::InvalidRequest(_) | AuthError::ChecksumInvalid(_) | AuthError::ChecksumHeaders(_) => {
                as_code(Code::InvalidRequest)
            }
            AuthError::InvalidArgument { name, value, .. } => Self::invalid_argument(message, name, value),
            AuthError::MissingContentLength => as_code(Code::MissingContentLength),
            AuthError::TransferEncoding => Self::header_not_implemented("Transfer-Encoding"),
            AuthError::InvalidDigest(md5) => as_code(Code::InvalidDigest).and("Content-MD5", md5),
        }
    }
}

/// With what AWS shows of the computation; the `…Bytes` elements are hexadecimal bytes with blanks between them.
fn signature_mismatch(key: String, to_sign: String, provided: String, canonical: Option<String>) -> Error {
    let bytes = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
    let to_sign_bytes = bytes(&to_sign);
    let error = Error::new(Code::SignatureDoesNotMatch)
        .and("AWSAccessKeyId", key)
        .and("StringToSign", to_sign)
        .and("SignatureProvided", provided)
        .and("StringToSignBytes", to_sign_bytes);
    match canonical {
        Some(canonical) => {
            let canonical_bytes = bytes(&canonical);
            error.and("CanonicalRequest", canonical).and("CanonicalRequestBytes", canonical_bytes)
        }
        None => error,
    }
}

impl From<PayloadError> for Error {
    fn from(error: PayloadError) -> Self {
        let message = error.to_string();
        let as_code = |code| Self::with_message(code, message);
        match error {
            PayloadError::Incomplete | PayloadError::TooLong => as_code(Code::IncompleteBody),
            PayloadError::Framing(fault) => as_code(Code::IncompleteBody).detailed(fault),
            PayloadError::Sha256Mismatch { provided, computed } => as_code(Code::XAmzContentSHA256Mismatch)
                .and("ClientComputedContentSHA256", provided)
                .and("S3ComputedContentSHA256", computed),
            PayloadError::ChunkSignature => as_code(Code::SignatureDoesNotMatch),
            PayloadError::Trailer => as_code(Code::MalformedTrailerError),
            PayloadError::Md5Mismatch { expected, calculated } => {
                as_code(Code::BadDigest).and("ExpectedDigest", expected).and("CalculatedDigest", calculated)
            }
            PayloadError::ChecksumMismatch { algorithm: _ } => as_code(Code::BadDigest),
            PayloadError::ChecksumInvalid { algorithm: _ } => as_code(Code::InvalidRequest),
            PayloadError::Form => as_code(Code::MalformedPOSTRequest),
            PayloadError::SecondFile => {
                as_code(Code::InvalidArgument).and("ArgumentName", "file").and("ArgumentValue", "2")
            }
            PayloadError::FileTooLong { proposed, limit } => as_code(Code::EntityTooLarge)
                .and("ProposedSize", proposed.to_string())
                .and("MaxSizeAllowed", limit.to_string()),
            PayloadError::FileTooShort { proposed, limit } => as_code(Code::EntityTooSmall)
                .and("ProposedSize", proposed.to_string())
                .and("MinSizeAllowed", limit.to_string()),
            PayloadError::Timeout => as_code(Code::RequestTimeout),
        }
    }
}

const VERSIONS_ARE_LEFT: &str =
    "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
const LOCKED: &str = "Access Denied because object protected by object lock.";
const LOCK_NEEDS_VERSIONING: &str =
    "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
const REPLICATED: &str = "A replication configuration is present on this bucket, so you cannot change the versioning state. To change the \
     versioning state, first delete the replication configuration.";
const REPLICA_NOT_VERSIONED: &str = "Destination bucket must have versioning enabled.";
/// Not recorded.
const REPLICA_NOT_LOCKABLE: &str =
    "Object Lock must be enabled on the destination bucket, since it is enabled on the source bucket.";
const NOT_VERSIONED: &str = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";

impl From<ObjectsError> for Error {
    fn from(error: ObjectsError) -> Self {
        match error {
            ObjectsError::NoSuchBucket => Self::new(Code::NoSuchBucket),
            ObjectsError::BucketAlreadyExists => Self::new(Code::BucketAlreadyExists),
            ObjectsError::BucketAlreadyOwnedByYou => Self::new(Code::BucketAlreadyOwnedByYou),
            ObjectsError::BucketNotEmpty { versions: false } => Self::new(Code::BucketNotEmpty),
            ObjectsError::BucketNotEmpty { versions: true } => {
                Self::with_message(Code::BucketNotEmpty, VERSIONS_ARE_LEFT)
            }
            ObjectsError::Locked { bypass_helps: _ } => Self::with_message(Code::AccessDenied, LOCKED),
            ObjectsError::LockNeedsVersioning => Self::with_message(Code::InvalidBucketState, LOCK_NEEDS_VERSIONING),
            ObjectsError::ReplicationNeedsVersioning => Self::with_message(Code::InvalidBucketState, REPLICATED),
            ObjectsError::LockNotVersioned => Self::with_message(Code::InvalidBucketState, NOT_VERSIONED),
            ObjectsError::NoSuchConfiguration => Self::new(Code::NoSuchConfiguration),
            ObjectsError::TooManyConfigurations => Self::new(Code::TooManyConfigurations),
            ObjectsError::ReplicaNotVersioned => Self::invalid_request(REPLICA_NOT_VERSIONED),
            ObjectsError::ReplicaNotLockable => Self::invalid_request(REPLICA_NOT_LOCKABLE),
            ObjectsError::NotOwned => Self::with_message(Code::AccessDenied, "Access Denied"),
            ObjectsError::BucketHasAcl => Self::new(Code::InvalidBucketAclWithObjectOwnership),
            ObjectsError::NoSuchKey { delete_marker: None } => Self::new(Code::NoSuchKey),
            ObjectsError::NoSuchKey { delete_marker: Some(version) } => Self::new(Code::NoSuchKey)
                .header("x-amz-delete-marker", "true")
                .header("x-amz-version-id", version.to_string()),
            ObjectsError::NoSuchVersion => Self::new(Code::NoSuchVersion),
            ObjectsError::IsDeleteMarker { modified } => {
                delete_marker_not_allowed().header("last-modified", http_date(modified))
            }
            ObjectsError::PreconditionFailed(condition) => {
                Self::new(Code::PreconditionFailed).and("Condition", condition)
            }
            ObjectsError::ConditionalConflict(condition) => {
                Self::new(Code::ConditionalRequestConflict).and("Condition", condition)
            }
            ObjectsError::NoSuchUpload => Self::new(Code::NoSuchUpload),
            ObjectsError::TooLarge { proposed, limit } => Self::new(Code::EntityTooLarge)
                .and("ProposedSize", proposed.to_string())
                .and("MaxSizeAllowed", limit.to_string()),
            ObjectsError::InvalidPart { part_number, etag } => {
                Self::new(Code::InvalidPart).and("PartNumber", part_number.to_string()).and("ETag", etag)
            }
            ObjectsError::InvalidPartOrder => Self::new(Code::InvalidPartOrder),
            ObjectsError::PartTooSmall { part_number, plain_len, etag } => Self::new(Code::EntityTooSmall)
                .and("ProposedSize", plain_len.to_string())
                .and("MinSizeAllowed", PART_MIN_BYTES.to_string())
                .and("PartNumber", part_number.to_string())
                .and("ETag", etag),
            ObjectsError::SizeMismatch { declared, computed } => size_mismatch(declared, computed),
            ObjectsError::ChecksumTypeMismatch(kind) => checksum_type_mismatch(kind),
            ObjectsError::ChecksumAlgorithmMismatch { expected, actual } => {
                checksum_algorithm_mismatch(expected, actual)
            }
            ObjectsError::PartChecksumMissing { part_number, algorithm } => {
                part_checksum_missing(part_number, algorithm)
            }
            ObjectsError::PartChecksumMismatch { part_number, algorithm } => {
                bad_digest(algorithm, &format!("for part {part_number} did not match what we received."))
            }
            ObjectsError::ObjectChecksumMismatch(algorithm) => {
                bad_digest(algorithm, "did not match the calculated checksum.")
            }
            ObjectsError::CopyToItself => copy_to_itself(),
            ObjectsError::Payload(error) => error.into(),
            ObjectsError::Sse(error) => error.into(),
            ObjectsError::Full(detail) => Self::full(detail),
            ObjectsError::Contention | ObjectsError::SourceChanged => Self::new(Code::SlowDown),
            ObjectsError::Busy(detail) => Self::new(Code::SlowDown).detailed(detail),
            ObjectsError::Internal(detail) => Self::internal(detail),
        }
    }
}

/// What AWS answers where a delete marker stands and an object is needed.
pub(crate) fn delete_marker_not_allowed() -> Error {
    Error::new(Code::MethodNotAllowed)
        .and("ResourceType", "DeleteMarker")
        .header("x-amz-delete-marker", "true")
        .header("allow", "DELETE")
}

fn copy_to_itself() -> Error {
    Error::invalid_request(
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
         metadata, storage class, website redirect location or encryption attributes.",
    )
}

fn size_mismatch(declared: u64, computed: u64) -> Error {
    Error::invalid_request(format!(
        "The provided 'x-amz-mp-object-size' header value {declared} does not match what was computed: {computed}"
    ))
}

fn checksum_type_mismatch(of_upload: &str) -> Error {
    Error::invalid_request(format!(
        "The upload was created using the {of_upload} checksum mode. The complete request must use the same checksum \
         mode."
    ))
}

/// The algorithm's name as the messages of multipart uploads have it.
fn lower_case(algorithm: ChecksumAlgorithm) -> String {
    algorithm.name().to_ascii_lowercase()
}

fn checksum_algorithm_mismatch(expected: Option<ChecksumAlgorithm>, actual: Option<ChecksumAlgorithm>) -> Error {
    let [expected, actual] = [expected, actual].map(|named| named.map_or_else(|| "null".to_owned(), lower_case));
    Error::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {actual}"
    ))
}

fn part_checksum_missing(part_number: u32, algorithm: ChecksumAlgorithm) -> Error {
    Error::invalid_request(format!(
        "The upload was created using a {} checksum. The complete request must include the checksum for each part. It \
         was missing for part {part_number} in the request.",
        lower_case(algorithm)
    ))
}

fn bad_digest(algorithm: ChecksumAlgorithm, how: &str) -> Error {
    Error::with_message(Code::BadDigest, format!("The {} you specified {how}", lower_case(algorithm)))
}

impl From<SseError> for Error {
    fn from(error: SseError) -> Self {
        match error {
            SseError::CustomerKeyRequired => Self::invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be \
                 provided to retrieve the object.",
            ),
            SseError::WrongCustomerKey => Self::with_message(
                Code::AccessDenied,
                "Requests specifying Server Side Encryption with Customer provided keys must provide the correct \
                 secret key.",
            ),
            SseError::NotApplicable => {
                Self::invalid_request("The encryption parameters are not applicable to this object.")
            }
            SseError::SseCBlocked => Self::with_message(
                Code::AccessDenied,
                "This bucket has blocked upload requests that specify Server Side Encryption with Customer provided \
                 keys (SSE-C). Please specify a different server-side encryption type.",
            ),
            SseError::NotConfidential(what) => Self::invalid_request(format!(
                "Requests specifying Server Side Encryption with {what} must be made over a secure connection."
            )),
            SseError::NeedsSignatureV4 => Self::with_message(
                Code::InvalidArgument,
                "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
            )
            .and("ArgumentName", "Authorization")
            .and("ArgumentValue", "null"),
            SseError::Denied(denied) => denied.into(),
            SseError::Kms(error) => error.into(),
            SseError::Corrupt(detail) => Self::internal(detail),
        }
    }
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        let kms = |name, message: String| Self::with_message(Code::Kms(name), message);
        match error {
            KeyringError::NotFound(text) => kms("KMS.NotFoundException", text),
            KeyringError::Disabled(arn) => kms("KMS.DisabledException", format!("{arn} is disabled.")),
            KeyringError::PendingDeletion(arn) => {
                kms("KMS.KMSInvalidStateException", format!("{arn} is pending deletion."))
            }
            KeyringError::InvalidState(text) => kms("KMS.KMSInvalidStateException", text),
            // A stored data key that does not open is damage, not the client's fault.
            KeyringError::InvalidCiphertext => Self::internal("a stored data key does not open"),
            KeyringError::IncorrectKey => Self::internal("a stored data key is another key's"),
            KeyringError::Denied(denied) => denied.into(),
            KeyringError::Validation(text) => kms("KMS.ValidationException", text),
            KeyringError::AlreadyExists(text) => kms("KMS.AlreadyExistsException", text),
            KeyringError::InvalidAliasName(text) => kms("KMS.InvalidAliasNameException", text),
            KeyringError::LimitExceeded(text) => kms("KMS.LimitExceededException", text),
            KeyringError::InvalidMarker => kms("KMS.InvalidMarkerException", "The marker is invalid.".to_owned()),
            KeyringError::InvalidKeyUsage(text) => kms("KMS.InvalidKeyUsageException", text),
            KeyringError::InvalidArn(text) => kms("KMS.InvalidArnException", text),
            KeyringError::Unsupported(text) => kms("KMS.UnsupportedOperationException", text),
            KeyringError::DryRun => Self::internal("a dry run came from inside"),
            KeyringError::DependencyTimeout => {
                let message = error.message().unwrap_or_default();
                kms("KMS.DependencyTimeoutException", message)
            }
            KeyringError::Conflict(_)
            | KeyringError::KeyStore { .. }
            | KeyringError::Tag(_)
            | KeyringError::IncorrectKeyMaterial(_)
            | KeyringError::InvalidImportToken
            | KeyringError::ExpiredImportToken
            | KeyringError::InvalidGrantToken
            | KeyringError::InvalidGrantId => Self::internal("S3 manages no KMS key"),
            KeyringError::InvalidSignature | KeyringError::InvalidMac => {
                Self::internal("S3 verifies nothing with a KMS key")
            }
            KeyringError::Contention => Self::new(Code::SlowDown),
            KeyringError::Full(detail) => Self::full(detail),
            KeyringError::Internal(detail) => Self::internal(detail),
        }
    }
}

#[cfg(test)]
mod tests;
