//! The few answers that the edge gives by itself.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use super::HEADER_MAX_BYTES;
use super::protocol::Protocol;
use crate::iam::render_error;
use crate::wire::{ErrorCode, RequestId, Response, ResponseBody};

/// Why the edge answers instead of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many requests at once.
    SlowDown,
    /// Line and header go over a limit.
    HeaderTooLarge,
    /// No head that HTTP knows.
    Unparsable,
    /// No `Host`, or two of them: which bucket is meant, and what was signed, would be a matter of opinion.
    BadHost,
    /// The handler panicked.
    Internal,
    /// JSON for a service that is not served here.
    UnknownTarget,
    /// The store key is not open: nothing can be read, nobody known.
    Sealed,
}

/// Status, code and text of an error in one protocol.
struct Error {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// Further elements.
    more: String,
}

/// Renders a refusal in the protocol's own form.
pub(super) fn refuse(protocol: Protocol, refusal: Refusal, request_id: &RequestId) -> Response {
    let (error, content_type, body) = match protocol {
        Protocol::S3 => {
            let error = s3_error(refusal);
            let body = xml(&error, request_id);
            (error, "application/xml", body)
        }
        Protocol::Iam(service) => {
            let error = query_error(refusal);
            let body = render_error(service, error.status.as_u16(), error.code, error.message, request_id);
            (error, "text/xml", body)
        }
        Protocol::Kms | Protocol::UnknownTarget => {
            let error = json_error(refusal);
            let body = serde_json::json!({ "__type": error.code, "message": error.message }).to_string();
            (error, "application/x-amz-json-1.1", body)
        }
    };
    let mut answer = Response::new(ResponseBody::full(body));
    *answer.status_mut() = error.status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.extensions_mut().insert(ErrorCode(error.code));
    answer
}

fn xml(error: &Error, request_id: &RequestId) -> String {
    // Nothing here needs escaping: constants, an id of letters and digits, and base64.
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{}\
         <RequestId>{request_id}</RequestId><HostId>{}</HostId></Error>",
        error.code,
        error.message,
        error.more,
        request_id.extended()
    )
}

fn s3_error(refusal: Refusal) -> Error {
    let (status, code, message) = match refusal {
        Refusal::SlowDown => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."),
        Refusal::HeaderTooLarge => (
            StatusCode::BAD_REQUEST,
            "RequestHeaderSectionTooLarge",
            "Your request header section exceeds the maximum allowed size.",
        ),
        Refusal::Unparsable | Refusal::BadHost => {
            (StatusCode::BAD_REQUEST, "BadRequest", "An error occurred when parsing the HTTP request.")
        }
        Refusal::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error. Please try again.")
        }
        Refusal::UnknownTarget => {
            (StatusCode::BAD_REQUEST, "InvalidRequest", "X-Amz-Target names a service that is not served here.")
        }
        // AWS's code for a service that is down for a time. SDKs try again, which is right: it may be unsealed.
        Refusal::Sealed => {
            (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Service is unable to handle request.")
        }
    };
    let more = match refusal {
        Refusal::HeaderTooLarge => format!("<MaxSizeAllowed>{HEADER_MAX_BYTES}</MaxSizeAllowed>"),
        Refusal::SlowDown
        | Refusal::Unparsable
        | Refusal::BadHost
        | Refusal::Internal
        | Refusal::UnknownTarget
        | Refusal::Sealed => String::new(),
    };
    Error { status, code, message, more }
}

fn json_error(refusal: Refusal) -> Error {
    let (status, code, message) = match refusal {
        Refusal::SlowDown => (StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded"),
        Refusal::HeaderTooLarge => {
            (StatusCode::BAD_REQUEST, "RequestEntityTooLargeException", "The request's header section is too large.")
        }
        Refusal::Unparsable | Refusal::BadHost => {
            (StatusCode::BAD_REQUEST, "ValidationException", "An error occurred when parsing the HTTP request.")
        }
        Refusal::Internal => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "KMSInternalException",
            "The request failed because of an internal error. Please try again.",
        ),
        Refusal::UnknownTarget => (
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "X-Amz-Target names a service that is not served here; KMS is TrentService.",
        ),
        // Of the errors common to all JSON services of AWS; KMS's own list has none with 503 that fits.
        Refusal::Sealed => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
            "The request has failed due to a temporary failure of the server.",
        ),
    };
    Error { status, code, message, more: String::new() }
}

/// As the API references of IAM and STS list the errors common to all actions.
fn query_error(refusal: Refusal) -> Error {
    let (status, code, message) = match refusal {
        Refusal::SlowDown => (StatusCode::BAD_REQUEST, "Throttling", "Rate exceeded"),
        Refusal::HeaderTooLarge => {
            (StatusCode::BAD_REQUEST, "RequestEntityTooLarge", "The request's header section is too large.")
        }
        Refusal::Unparsable | Refusal::BadHost => {
            (StatusCode::BAD_REQUEST, "ValidationError", "An error occurred when parsing the HTTP request.")
        }
        Refusal::Internal => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
        Refusal::UnknownTarget => {
            (StatusCode::BAD_REQUEST, "InvalidAction", "X-Amz-Target names a service that is not served here.")
        }
        Refusal::Sealed => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        ),
    };
    Error { status, code, message, more: String::new() }
}

/// Answers health checks. Their two paths stand ahead of all buckets, for GET and HEAD without a signature; everything
/// else under `/health/` is the bucket of that name. `ready` is `Err` with one word where the gateway can't serve.
pub(super) fn health(head: &Parts, ready: impl FnOnce() -> Result<(), &'static str>) -> Option<Response> {
    let signed = head.headers.contains_key("authorization") || head.uri.query().is_some();
    if !matches!(head.method, Method::GET | Method::HEAD) || signed {
        return None;
    }
    let state = match head.uri.path() {
        "/health/live" => Ok("live"),
        "/health/ready" => ready().map(|()| "ready"),
        _ => return None,
    };
    let (status, word) = match state {
        Ok(word) => (StatusCode::OK, word),
        Err(word) => (StatusCode::SERVICE_UNAVAILABLE, word),
    };
    let mut answer = Response::new(ResponseBody::full(serde_json::json!({ "status": word }).to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Some(answer)
}
