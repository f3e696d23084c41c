//! An S3 error answer in the making, and its XML.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

use super::code::Code;
use crate::auth::Denied;
use crate::names::InvalidBucketName;
use crate::wire::xml::{Malformed, Writer};
use crate::wire::{RequestId, Response, ResponseBody};

/// An error answer in the making: what the client sees, and apart from it what the log keeps.
///
/// Behind one pointer: a `Result` that carries it stays small.
#[derive(Debug, Clone)]
pub(crate) struct Error(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    message: Cow<'static, str>,
    /// Further elements, in order.
    extra: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    /// For the log only.
    detail: Option<String>,
}

impl Error {
    /// The code with its usual message.
    pub(crate) fn new(code: Code) -> Self {
        Self::with_message(code, code.message())
    }

    /// The code with a message of its own.
    pub(crate) fn with_message(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let (extra, headers) = (Vec::new(), Vec::new());
        Self(Box::new(Parts { code, message: message.into(), extra, headers, detail: None }))
    }

    /// `InvalidArgument` with the name and value of the argument.
    pub(crate) fn invalid_argument(
        message: impl Into<Cow<'static, str>>,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self::with_message(Code::InvalidArgument, message).and("ArgumentName", name).and("ArgumentValue", value)
    }

    /// `InvalidRequest` with a message.
    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_message(Code::InvalidRequest, message)
    }

    /// `NotImplemented` for a header, naming it.
    pub(crate) fn header_not_implemented(name: impl Into<String>) -> Self {
        Self::new(Code::NotImplemented).and("Header", name)
    }

    /// `NotImplemented` for something other than a header.
    pub(crate) fn not_implemented(message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_message(Code::NotImplemented, message)
    }

    /// `InternalError`; `detail` goes to the log only.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(Code::InternalError).detailed(detail)
    }

    /// Adds what only the log is told.
    #[must_use]
    pub(crate) fn detailed(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an element.
    #[must_use]
    pub(crate) fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.extra.push((name, value.into()));
        self
    }

    /// Adds an element unless one of this name is there already.
    pub(crate) fn supply(&mut self, name: &'static str, value: impl FnOnce() -> Option<String>) {
        if !self.0.extra.iter().any(|(n, _)| *n == name)
            && let Some(value) = value()
        {
            self.0.extra.push((name, value));
        }
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// The code.
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What the log keeps.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The message for the client.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Names and values of the further elements.
    pub(crate) fn elements(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.extra.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// The answer. A HEAD has no body.
    pub(crate) fn render(&self, request_id: &RequestId, head: bool) -> Response {
        let status = self.status();
        let mut answer = http::Response::builder().status(status);
        for (name, value) in &self.0.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer = answer.header(*name, value);
            }
        }
        if status == StatusCode::NOT_MODIFIED {
            return answer.body(ResponseBody::empty()).expect("status and headers are valid");
        }
        let answer = answer.header("content-type", "application/xml");
        if head {
            return answer.body(ResponseBody::empty()).expect("status and headers are valid");
        }
        let mut xml = Writer::document();
        xml.node("Error", |w| self.write(w, request_id));
        answer.body(ResponseBody::full(xml.finish())).expect("status and headers are valid")
    }

    /// What stands inside `<Error>`: also used where an error comes inside an answer of 200.
    /// AWS names no resource, though its documentation does: only what the code brings.
    pub(crate) fn write(&self, w: &mut Writer, request_id: &RequestId) {
        w.leaf("Code", self.0.code.name()).leaf("Message", &self.0.message);
        for (name, value) in &self.0.extra {
            w.leaf(name, value);
        }
        w.leaf("RequestId", request_id.as_str()).leaf("HostId", &request_id.extended());
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::with_message(Code::AccessDenied, denied.message)
    }
}

impl From<InvalidBucketName> for Error {
    fn from(_: InvalidBucketName) -> Self {
        Self::new(Code::InvalidBucketName)
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Self::new(Code::MalformedXML)
    }
}

#[cfg(test)]
mod tests;
