//! Answers about objects: their headers, and the three kinds of body. Pure.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::version_id;
use crate::objects::{Bucket, VersionId};
use crate::wire::xml::Writer;
use crate::wire::{Response, ResponseBody};

/// The chunks of a streamed body.
pub(crate) type Chunks = BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// The headers of an answer in the making.
#[derive(Debug, Default)]
pub(crate) struct Answer(HeaderMap);

impl Answer {
    /// No headers yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets a header of ours.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.insert(HeaderName::from_static(name), value.as_bytes());
    }

    /// Sets a header. A value that is none, having control characters, is left out: nothing stored has such, since
    /// it came as a header's value, and what is decoded from one is encoded again.
    pub(crate) fn insert(&mut self, name: HeaderName, value: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.0.insert(name, value);
        }
    }

    /// `ETag`, quoted.
    pub(crate) fn set_etag(&mut self, etag: &str) {
        self.insert(ETAG, quoted(etag).as_bytes());
    }

    /// `x-amz-version-id`, where the bucket's versions are seen.
    pub(crate) fn set_version(&mut self, bucket: &Bucket, version: VersionId) {
        if let Some(version) = version_id::shown(bucket, version) {
            self.set("x-amz-version-id", &version);
        }
    }

    /// `x-amz-version-id` of what a write made. In a bucket whose versioning is suspended a write does not name the
    /// null version, other than a read or a delete (as recorded from AWS).
    pub(crate) fn set_made_version(&mut self, version: VersionId) {
        if version != VersionId::Null {
            self.set("x-amz-version-id", &version.to_string());
        }
    }

    /// What is set until now.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0
    }

    /// The headers alone.
    pub(crate) fn empty(self, status: StatusCode) -> Response {
        self.with(status, ResponseBody::empty())
    }

    /// To a HEAD: headers alone, with the length that the body of a GET would have.
    pub(crate) fn head(mut self, status: StatusCode, plain_len: u64) -> Response {
        self.0.insert(CONTENT_LENGTH, HeaderValue::from(plain_len));
        self.with(status, ResponseBody::empty())
    }

    /// 200 with a document.
    pub(crate) fn xml(mut self, document: Writer) -> Response {
        self.0.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        self.with(StatusCode::OK, ResponseBody::full(document.finish()))
    }

    /// 200 with a JSON document as it is kept.
    pub(crate) fn json(mut self, document: &str) -> Response {
        self.0.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.with(StatusCode::OK, ResponseBody::full(document.to_owned()))
    }

    /// `plain_len` bytes of an object as they come; an error in them cuts the connection.
    pub(crate) fn stream(mut self, status: StatusCode, plain_len: u64, chunks: Chunks) -> Response {
        self.0.insert(CONTENT_LENGTH, HeaderValue::from(plain_len));
        self.with(status, ResponseBody::Stream { chunks, remaining: Some(plain_len) })
    }

    /// A header as it stands, for tests.
    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| std::str::from_utf8(value.as_bytes()).unwrap())
    }

    fn with(self, status: StatusCode, body: ResponseBody) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = self.0;
        response
    }
}

/// An ETag as it is shown.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
