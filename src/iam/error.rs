//! What IAM and STS answer to refusals: the one place where this protocol's error codes and status codes are set.

use super::table::Service;
use crate::audit::AuditError;
use crate::auth::{AuthError, CollectError, Denied, PayloadError};
use crate::identity::IdentityError;
use crate::sources::Timestamp;
use crate::wire::{RequestId, amz_date, parse_amz_date, parse_iso8601, xml};

/// An error's name on the wire, in the trail, and its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    /// `Code` of the answer.
    pub(super) name: &'static str,
    /// `errorCode` of the record: the exception's name in the model, as CloudTrail has it.
    pub(super) recorded: &'static str,
    /// HTTP status. From 500 on the fault is the receiver's.
    pub(super) status: u16,
}

/// The codes. A test holds those of the models to `fixtures/iam/errors.txt`; the others are those that the API references list
/// as common to all actions.
pub(super) mod code {
    use super::Code;

    macro_rules! codes {
        ($($name:ident $code:literal $recorded:literal $status:literal)*) => {
            $(pub(in crate::iam) const $name: Code = Code { name: $code, recorded: $recorded, status: $status };)*

            /// All of them, for the test.
            #[cfg(test)]
            pub(super) const ALL: &[Code] = &[$($name),*];
        };
    }

    codes! {
        ACCESS_DENIED "AccessDenied" "AccessDenied" 403
        CONCURRENT_MODIFICATION "ConcurrentModification" "ConcurrentModificationException" 409
        DELETE_CONFLICT "DeleteConflict" "DeleteConflictException" 409
        ENTITY_ALREADY_EXISTS "EntityAlreadyExists" "EntityAlreadyExistsException" 409
        EXPIRED_TOKEN "ExpiredToken" "ExpiredToken" 403
        EXPIRED_WEB_IDENTITY_TOKEN "ExpiredTokenException" "ExpiredTokenException" 400
        IDP_COMMUNICATION_ERROR "IDPCommunicationError" "IDPCommunicationErrorException" 400
        IDP_REJECTED_CLAIM "IDPRejectedClaim" "IDPRejectedClaimException" 403
        INCOMPLETE_SIGNATURE "IncompleteSignature" "IncompleteSignature" 403
        INTERNAL_FAILURE "InternalFailure" "InternalFailure" 500
        INVALID_ACTION "InvalidAction" "InvalidAction" 400
        INVALID_AUTHORIZATION_MESSAGE "InvalidAuthorizationMessageException" "InvalidAuthorizationMessageException" 400
        INVALID_CLIENT_TOKEN_ID "InvalidClientTokenId" "InvalidClientTokenId" 403
        INVALID_IDENTITY_TOKEN "InvalidIdentityToken" "InvalidIdentityTokenException" 400
        INVALID_INPUT "InvalidInput" "InvalidInputException" 400
        INVALID_PARAMETER_VALUE "InvalidParameterValue" "InvalidParameterValue" 400
        LIMIT_EXCEEDED "LimitExceeded" "LimitExceededException" 409
        MALFORMED_INPUT "MalformedInput" "MalformedInput" 400
        MALFORMED_POLICY_DOCUMENT "MalformedPolicyDocument" "MalformedPolicyDocumentException" 400
        MALFORMED_QUERY_STRING "MalformedQueryString" "MalformedQueryString" 404
        MISSING_ACTION "MissingAction" "MissingAction" 400
        MISSING_AUTHENTICATION_TOKEN "MissingAuthenticationToken" "MissingAuthenticationToken" 403
        NO_SUCH_ENTITY "NoSuchEntity" "NoSuchEntityException" 404
        NOT_IMPLEMENTED "NotImplemented" "NotImplemented" 501
        PACKED_POLICY_TOO_LARGE "PackedPolicyTooLarge" "PackedPolicyTooLargeException" 400
        POLICY_NOT_ATTACHABLE "PolicyNotAttachable" "PolicyNotAttachableException" 400
        REQUEST_ENTITY_TOO_LARGE "RequestEntityTooLarge" "RequestEntityTooLarge" 413
        REQUEST_TIMEOUT "RequestTimeout" "RequestTimeout" 408
        SERVICE_FAILURE "ServiceFailure" "ServiceFailureException" 500
        SIGNATURE_DOES_NOT_MATCH "SignatureDoesNotMatch" "SignatureDoesNotMatch" 403
        THROTTLING "Throttling" "ThrottlingException" 400
        UNMODIFIABLE_ENTITY "UnmodifiableEntity" "UnmodifiableEntityException" 400
        // AWS records `ValidationException`, as far as is known.
        VALIDATION_ERROR "ValidationError" "ValidationException" 400
    }
}

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IamError {
    pub(super) code: Code,
    /// For the client.
    pub(super) message: String,
    /// For the log only.
    pub(super) cause: Option<String>,
    /// Somebody else changed the account's identities in the meantime: the call is decided anew.
    pub(super) lost_race: bool,
}

impl IamError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cause: None, lost_race: false }
    }

    /// `ValidationError`: a parameter is wrong in a way that the model states, or that AWS words so.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(code::VALIDATION_ERROR, message)
    }

    /// `NoSuchEntity`.
    pub(super) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new(code::NO_SUCH_ENTITY, message)
    }

    /// A part of the API that is not served.
    pub(super) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(code::NOT_IMPLEMENTED, message)
    }

    /// Something that must not happen; `cause` is for the log.
    pub(super) fn internal(cause: impl Into<String>) -> Self {
        // The text of the API references.
        let message = "The request processing has failed because of an unknown error, exception or failure.";
        Self { cause: Some(cause.into()), ..Self::new(code::INTERNAL_FAILURE, message) }
    }

    /// A commit that lost against another one. The shell runs the operation again; what it answers after the last try
    /// is this (AWS's text of the exception).
    pub(super) fn lost_race() -> Self {
        let message = "The request was rejected because multiple requests to change this object were submitted \
                       simultaneously. Wait a few minutes and submit your request again.";
        Self { lost_race: true, ..Self::new(code::CONCURRENT_MODIFICATION, message) }
    }
}

/// The body of an error answer.
pub(crate) fn render_error(service: Service, status: u16, code: &str, message: &str, id: &RequestId) -> String {
    let mut out = xml::Writer::bare(512);
    out.root_in(service.namespace(), "ErrorResponse", |w| {
        w.node("Error", |w| {
            w.leaf("Type", if status < 500 { "Sender" } else { "Receiver" });
            w.leaf("Code", code).leaf("Message", message);
        });
        w.leaf("RequestId", id.as_str());
    });
    out.finish()
}

impl From<Denied> for IamError {
    fn from(denied: Denied) -> Self {
        Self::new(code::ACCESS_DENIED, denied.message)
    }
}

/// What can't be recorded is not done, and answered as an internal error (fail closed).
impl From<AuditError> for IamError {
    fn from(error: AuditError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<AuthError> for IamError {
    fn from(error: AuthError) -> Self {
        let mismatch = |text: String| Self::new(code::SIGNATURE_DOES_NOT_MATCH, text);
        let incomplete = |text: String| Self::new(code::INCOMPLETE_SIGNATURE, text);
        match error {
            AuthError::UnknownAccessKey(_) | AuthError::InvalidToken => {
                Self::new(code::INVALID_CLIENT_TOKEN_ID, "The security token included in the request is invalid.")
            }
            AuthError::ExpiredToken => {
                Self::new(code::EXPIRED_TOKEN, "The security token included in the request is expired")
            }
            AuthError::Unavailable(cause) => Self::internal(cause),
            AuthError::SignatureDoesNotMatch { .. } => mismatch(WRONG_SIGNATURE.to_owned()),
            AuthError::TimeTooSkewed { request_time, server_time, max_allowed_ms } => {
                mismatch(skewed(&request_time, &server_time, max_allowed_ms))
            }
            AuthError::Expired { expired_at, server_time, .. } => {
                mismatch(format!("Signature expired: {expired_at} is now earlier than {server_time}"))
            }
            AuthError::NotYetValid => mismatch("Signature not yet current".to_owned()),
            AuthError::HeaderMalformed { region: Some(_), .. } | AuthError::QueryRegion { .. } => {
                mismatch("Credential should be scoped to a valid region.".to_owned())
            }
            AuthError::HeadersNotSigned(names) => {
                mismatch(format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", names.join(", ")))
            }
            AuthError::HeaderMalformed { message, region: None }
            | AuthError::QueryMalformed(message)
            | AuthError::Denied(message)
            | AuthError::InvalidRequest(message)
            | AuthError::InvalidArgument { message, .. } => incomplete(message),
            AuthError::MissingContentLength
            | AuthError::TransferEncoding
            | AuthError::InvalidDigest(_)
            | AuthError::ChecksumInvalid(_)
            | AuthError::ChecksumHeaders(_) => {
                Self::new(code::MALFORMED_INPUT, "A header that describes the request's body is missing or malformed.")
            }
        }
    }
}

impl From<IdentityError> for IamError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::NoSuchEntity(text) => Self::new(code::NO_SUCH_ENTITY, text),
            IdentityError::EntityAlreadyExists(text) => Self::new(code::ENTITY_ALREADY_EXISTS, text),
            IdentityError::LimitExceeded(text) => Self::new(code::LIMIT_EXCEEDED, text),
            IdentityError::DeleteConflict(text) => Self::new(code::DELETE_CONFLICT, text),
            IdentityError::MalformedPolicyDocument(text) => Self::new(code::MALFORMED_POLICY_DOCUMENT, text),
            IdentityError::InvalidInput(text) => Self::new(code::INVALID_INPUT, text),
            IdentityError::Unmodifiable(text) => Self::new(code::UNMODIFIABLE_ENTITY, text),
            IdentityError::PolicyNotAttachable(text) => Self::new(code::POLICY_NOT_ATTACHABLE, text),
            IdentityError::Validation(text) => Self::validation(text),
            IdentityError::PackedPolicyTooLarge(text) => Self::new(code::PACKED_POLICY_TOO_LARGE, text),
            IdentityError::Contention => Self::lost_race(),
            IdentityError::Full(cause) => {
                let text = "There is not enough storage left to do this.";
                Self { cause: Some(cause), ..Self::new(code::SERVICE_FAILURE, text) }
            }
            IdentityError::Internal(cause) => Self::internal(cause),
        }
    }
}

impl From<CollectError> for IamError {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Auth(error) => error.into(),
            CollectError::Payload(error) => error.into(),
            CollectError::TooLarge => Self::new(code::REQUEST_ENTITY_TOO_LARGE, "The request's body is too large."),
        }
    }
}

impl From<PayloadError> for IamError {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Sha256Mismatch { .. } | PayloadError::ChunkSignature => {
                Self::new(code::SIGNATURE_DOES_NOT_MATCH, WRONG_SIGNATURE)
            }
            PayloadError::Timeout => Self::new(code::REQUEST_TIMEOUT, "The request's body did not come in time."),
            PayloadError::Md5Mismatch { .. }
            | PayloadError::ChecksumMismatch { .. }
            | PayloadError::ChecksumInvalid { .. }
            | PayloadError::Incomplete
            | PayloadError::TooLong
            | PayloadError::Framing(_)
            | PayloadError::Trailer
            | PayloadError::Form
            | PayloadError::SecondFile
            | PayloadError::FileTooLong { .. }
            | PayloadError::FileTooShort { .. } => {
                Self::new(code::MALFORMED_INPUT, "The request's body did not come whole and undamaged.")
            }
        }
    }
}

const WRONG_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. Check \
                               your AWS Secret Access Key and signing method. Consult the service documentation for \
                               details.";

/// `Signature expired: 20261126T010203Z is now earlier than 20261126T020203Z (20261126T021703Z - 15 min.)`
fn skewed(request_time: &str, server_time: &str, max_allowed_ms: u64) -> String {
    let minutes = max_allowed_ms / 60_000;
    let (Some(sent), Some(now)) = (parse_amz_date(request_time), parse_iso8601(server_time)) else {
        return format!("Signature expired: {request_time} is more than {minutes} min. away from {server_time}");
    };
    let allowed = i64::try_from(max_allowed_ms).unwrap_or(i64::MAX);
    let shown = amz_date(now);
    if sent < now {
        let earliest = amz_date(Timestamp(now.0.saturating_sub(allowed)));
        format!("Signature expired: {request_time} is now earlier than {earliest} ({shown} - {minutes} min.)")
    } else {
        let latest = amz_date(Timestamp(now.0.saturating_add(allowed)));
        format!("Signature not yet current: {request_time} is still later than {latest} ({shown} + {minutes} min.)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = include_str!("../../fixtures/iam/errors.txt");

    #[test]
    fn codes_are_those_of_the_models() {
        let mut known = 0;
        for line in MODEL.lines() {
            let [_, shape, name, status, fault] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            for code in code::ALL.iter().filter(|code| code.name == name) {
                known += 1;
                assert_eq!((code.recorded, code.status.to_string().as_str()), (shape, status), "{name}");
                assert_eq!(fault, if code.status < 500 { "Sender" } else { "Receiver" }, "{name}");
            }
        }
        assert!(known >= 17, "{known}");
    }

    #[test]
    fn clocks_that_differ() {
        let cases = [
            (
                "20261126T010203Z",
                "Signature expired: 20261126T010203Z is now earlier than 20261126T020203Z (20261126T021703Z - 15 min.)",
            ),
            (
                "20261126T030203Z",
                "Signature not yet current: 20261126T030203Z is still later than 20261126T023203Z (20261126T021703Z + \
                 15 min.)",
            ),
            ("Thu", "Signature expired: Thu is more than 15 min. away from 2026-11-26T02:17:03Z"),
        ];
        for (sent, text) in cases {
            assert_eq!(skewed(sent, "2026-11-26T02:17:03Z", 900_000), text);
        }
    }
}
