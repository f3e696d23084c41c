//! What protocols are made of: requests and answers, XML, JSON, dates, percent encoding. Pure but for the body's stream.

/// Says that what is written is a replica: between gateways. Not part of S3.
pub const REPLICA_HEADER: http::HeaderName = http::HeaderName::from_static("x-strongroom-replica");

mod body;
mod dates;
mod form;
mod json;
mod member;
mod multipart;
mod percent;
mod request;
pub mod xml;

pub use body::{RequestBody, ResponseBody};
pub use dates::{
    amz_date, http_date, iso8601_ms, iso8601_ms_into, iso8601_seconds, parse_amz_date, parse_http_date, parse_iso8601,
};
pub use form::{FormPair, MalformedForm, parse_form};
pub use json::parse_strict_json;
pub use member::lower_camel;
pub use multipart::{MalformedMultipart, Multipart, MultipartEvent, PartHead};
pub use percent::{decode_path, decode_query, encode_key_into, encode_uri};
pub use request::{
    AtEnd, Edge, EncryptionLabel, Ended, ErrorCode, Findings, Found, LateOutcome, Outcome, Request, RequestId,
    Response, TlsInfo, extended_request_id, virtual_bucket,
};
