//! Answers of the usual kinds.

use http::{HeaderValue, StatusCode};

use crate::wire::{Response, ResponseBody};

/// 200 with an XML document.
pub(crate) fn xml(document: String) -> Response {
    let mut answer = Response::new(ResponseBody::full(document));
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/xml"));
    answer
}

/// A status without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(ResponseBody::empty());
    *answer.status_mut() = status;
    answer
}

/// Sets a header if there is a value. One that cannot stand in a header (none that this program makes) is left out.
pub(crate) fn set(answer: &mut Response, name: &'static str, value: Option<&str>) {
    if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
        answer.headers_mut().insert(name, value);
    }
}
