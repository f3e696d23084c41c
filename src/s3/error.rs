//! S3's error codes, and the one place where errors of the layers below become them.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

use super::code::Code;
use crate::auth::Denied;
use crate::names::InvalidBucketName;
use crate::wire::xml::Writer;
use crate::wire::{RequestId, Response, ResponseBody};

/// An error answer in the making: what the client sees, and apart from it what the log keeps.
#[derive(Debug, Clone)]
pub(crate) struct Error {
    code: Code,
    message: Cow<'static, str>,
    /// Further elements, in order.
    extra: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    /// For the log only.
    detail: Option<String>,
    status: Option<StatusCode>,
}

impl Error {
    /// The code with its usual message.
    pub(crate) fn new(code: Code) -> Self {
        let message = Cow::Borrowed(code.message());
        Self { code, message, extra: Vec::new(), headers: Vec::new(), detail: None, status: None }
    }

    /// The code with a message of its own.
    pub(crate) fn with_message(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(code) }
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

    /// `InternalError`; `detail` goes to the log only.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(Code::InternalError) }
    }

    /// Adds an element.
    #[must_use]
    pub(crate) fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.extra.push((name, value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Another status than the code's own.
    #[must_use]
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// The code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What the log keeps.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The message for the client.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The answer. A HEAD has no body.
    pub(crate) fn render(&self, resource: &str, request_id: &RequestId, head: bool) -> Response {
        let status = self.status.unwrap_or_else(|| self.code.status());
        let mut answer = http::Response::builder().status(status);
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer = answer.header(*name, value);
            }
        }
        if status == StatusCode::NOT_MODIFIED || head {
            return answer.body(ResponseBody::empty()).expect("status and headers are valid");
        }
        let mut xml = Writer::document();
        xml.node("Error", |w| self.write(w, resource, request_id));
        answer
            .header("content-type", "application/xml")
            .body(ResponseBody::full(xml.finish()))
            .expect("status and headers are valid")
    }

    /// What stands inside `<Error>`: also used where an error comes inside an answer of 200.
    pub(crate) fn write(&self, w: &mut Writer, resource: &str, request_id: &RequestId) {
        w.leaf("Code", self.code.name()).leaf("Message", &self.message);
        for (name, value) in &self.extra {
            w.leaf(name, value);
        }
        if self.extra.is_empty() {
            w.leaf("Resource", resource);
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
