//! An upload form as it comes: its fields, which are few and small, and then the file, which is not held.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;

use super::code::Code;
use super::error::Error;
use super::post_policy::LengthRange;
use crate::auth::PayloadError;
use crate::wire::{Multipart, MultipartEvent, RequestBody};

/// All of a form that comes before the content of its file, in bytes (S3 API Reference, "POST Object").
const FIELDS_MAX_BYTES: u64 = 20 * 1024;
/// How much more of a file that is too long is read, to tell its length, in bytes.
const MEASURED_BYTES: u64 = 1 << 20;

/// A form whose file is about to come.
pub(crate) struct Form {
    /// Names in lower case, and values as sent.
    pub(crate) fields: Vec<(String, String)>,
    /// What the file is called, without a path.
    pub(crate) filename: String,
    file: File,
}

/// The rest of the body.
struct File {
    parser: Multipart,
    body: RequestBody,
    /// Bytes that the body has beyond those that were read.
    unread_bytes: u64,
    allowed: LengthRange,
    taken_bytes: u64,
}

impl Form {
    /// Reads the fields.
    pub(crate) async fn read(head: &Parts, body: RequestBody) -> Result<Self, Error> {
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("multipart/form-data") {
            return Err(Error::new(Code::PreconditionFailed)
                .and("Condition", "Bucket POST must be of the enclosure-type multipart/form-data"));
        }
        let parser = Multipart::of(content_type).ok_or_else(|| Error::new(Code::MalformedPOSTRequest))?;
        let length = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let unread_bytes = length.ok_or_else(|| Error::new(Code::MissingContentLength))?;
        let mut file = File { parser, body, unread_bytes, allowed: LengthRange::ANY, taken_bytes: 0 };
        let (fields, filename) = file.fields(unread_bytes).await?;
        Ok(Self { fields, filename, file })
    }

    /// The file's content, and its length at most. An error if it is not as long as is allowed.
    pub(crate) fn into_file(self, allowed: LengthRange) -> (BoxStream<'static, Result<Bytes, PayloadError>>, u64) {
        let file = File { allowed, ..self.file };
        let left = file.unread_bytes + file.parser.waiting_bytes() as u64;
        // Most forms end here, and only some in a line end: two bytes more than the file has do no harm.
        let at_most = left.saturating_sub(file.parser.closing_bytes());
        let content = stream::unfold(Some(file), |file| async move {
            let mut file = file?;
            match file.content().await {
                Ok(data) => Some((Ok(data?), Some(file))),
                Err(error) => Some((Err(error), None)),
            }
        });
        (content.boxed(), at_most)
    }
}

impl File {
    /// Reads up to the file: all fields, and its name.
    async fn fields(&mut self, length: u64) -> Result<(Vec<(String, String)>, String), Error> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut open: Option<(String, Vec<u8>)> = None;
        loop {
            let event = self.parser.next_event().map_err(|_| Error::new(Code::MalformedPOSTRequest))?;
            let read_bytes = length.saturating_sub(self.unread_bytes);
            let before_file = read_bytes.saturating_sub(self.parser.waiting_bytes() as u64);
            match event {
                None if read_bytes > FIELDS_MAX_BYTES => return Err(too_large()),
                _ if before_file > FIELDS_MAX_BYTES => return Err(too_large()),
                None if !self.more().await? => return Err(Error::new(Code::MalformedPOSTRequest)),
                None => {}
                Some(MultipartEvent::Part(part)) if part.name.eq_ignore_ascii_case("file") => {
                    return Ok((fields, part.filename.as_deref().map(without_path).unwrap_or_default().to_owned()));
                }
                Some(MultipartEvent::Part(part)) => open = Some((part.name.to_ascii_lowercase(), Vec::new())),
                Some(MultipartEvent::Data(data)) => {
                    if let Some((_, value)) = &mut open {
                        value.extend_from_slice(&data);
                    }
                }
                Some(MultipartEvent::PartEnd) => {
                    let Some((name, value)) = open.take() else { continue };
                    let value = String::from_utf8(value).map_err(|_| Error::new(Code::MalformedPOSTRequest))?;
                    // Which of two would count is not for anybody to guess: a policy may have been held against the
                    // other.
                    if fields.iter().any(|(known, _)| *known == name) {
                        // Not recorded.
                        let message = format!("Bucket POST must contain the field '{name}' only once.");
                        return Err(Error::invalid_argument(message, name, ""));
                    }
                    fields.push((name, value));
                }
                Some(MultipartEvent::End) => {
                    // Not recorded; as the service is known to answer.
                    let message = "POST requires exactly one file upload per request.";
                    return Err(Error::invalid_argument(message, "file", "0"));
                }
            }
        }
    }

    /// Reads more of the body; false at its end.
    async fn more(&mut self) -> Result<bool, PayloadError> {
        match self.body.next().await {
            Some(Ok(data)) => {
                self.unread_bytes = self.unread_bytes.saturating_sub(data.len() as u64);
                self.parser.push(&data);
                Ok(true)
            }
            Some(Err(error)) => Err(PayloadError::of_body(&*error)),
            None => Ok(false),
        }
    }

    async fn content(&mut self) -> Result<Option<Bytes>, PayloadError> {
        loop {
            match self.parser.next_event().map_err(|_| PayloadError::Form)? {
                Some(MultipartEvent::Data(data)) => {
                    self.taken_bytes += data.len() as u64;
                    if self.taken_bytes > self.allowed.max {
                        return Err(self.too_long().await);
                    }
                    return Ok(Some(data));
                }
                Some(MultipartEvent::PartEnd) => {
                    self.pass_over_the_rest().await?;
                    let LengthRange { min, .. } = self.allowed;
                    if self.taken_bytes < min {
                        return Err(PayloadError::FileTooShort { proposed: self.taken_bytes, limit: min });
                    }
                    return Ok(None);
                }
                Some(MultipartEvent::Part(_) | MultipartEvent::End) => return Err(PayloadError::Form),
                None if self.more().await? => {}
                None => return Err(PayloadError::Form),
            }
        }
    }

    /// What comes behind the file is of no account, but that it is no second one.
    async fn pass_over_the_rest(&mut self) -> Result<(), PayloadError> {
        let mut is_form = true;
        loop {
            match self.parser.next_event() {
                Ok(Some(MultipartEvent::Part(part))) if is_form && part.name.eq_ignore_ascii_case("file") => {
                    return Err(PayloadError::SecondFile);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) if !is_form => return self.drain().await,
                Err(_) => is_form = false,
                Ok(None) => {
                    if !self.more().await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn drain(&mut self) -> Result<(), PayloadError> {
        while let Some(data) = self.body.next().await {
            data.map_err(|error| PayloadError::of_body(&*error))?;
        }
        Ok(())
    }

    /// The length is told exactly if the end is not far, else as the request's length suggests it.
    async fn too_long(&mut self) -> PayloadError {
        let limit = self.allowed.max;
        let left = self.unread_bytes + self.parser.waiting_bytes() as u64;
        let suggested = (self.taken_bytes + left).saturating_sub(self.parser.closing_bytes());
        let until = self.taken_bytes.saturating_add(MEASURED_BYTES);
        while self.taken_bytes < until {
            match self.parser.next_event() {
                Ok(Some(MultipartEvent::Data(data))) => self.taken_bytes += data.len() as u64,
                Ok(Some(MultipartEvent::PartEnd)) => {
                    return PayloadError::FileTooLong { proposed: self.taken_bytes, limit };
                }
                Ok(None) if matches!(self.more().await, Ok(true)) => {}
                _ => break,
            }
        }
        PayloadError::FileTooLong { proposed: suggested, limit }
    }
}

fn too_large() -> Error {
    Error::new(Code::MaxPostPreDataLengthExceededError).and("MaxPostPreDataLengthBytes", FIELDS_MAX_BYTES.to_string())
}

/// Some browsers send a path.
fn without_path(filename: &str) -> &str {
    filename.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    const HEAD: &str = "multipart/form-data; boundary=b";

    fn part(name: &str, content: &str) -> String {
        let filename = if name == "file" { "; filename=\"C:\\x/y\\f.txt\"" } else { "" };
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n{content}\r\n")
    }

    async fn read(content_type: &str, body: String) -> Result<Form, Error> {
        let request = http::Request::builder().header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, body.len());
        let head = request.body(()).unwrap().into_parts().0;
        Form::read(&head, RequestBody::full(body)).await
    }

    async fn file(body: String, min: u64, max: u64) -> Result<String, PayloadError> {
        let form = read(HEAD, body).await.map_err(|_| PayloadError::Form)?;
        let (content, at_most) = form.into_file(LengthRange { min, max });
        let content: Vec<Bytes> = content.try_collect().await?;
        let content = String::from_utf8(content.concat()).unwrap();
        assert!(content.len() as u64 <= at_most, "{} of {at_most}", content.len());
        Ok(content)
    }

    #[tokio::test]
    async fn fields_before_the_file_count() {
        let body = format!("{}{}{}{}--b--", part("Key", "k"), part("acl", ""), part("file", "data"), part("late", "x"));
        let form = read(HEAD, body).await.ok().unwrap();
        let pairs = [("key", "k"), ("acl", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((form.fields, form.filename.as_str()), (pairs.to_vec(), "f.txt"));
    }

    #[tokio::test]
    async fn forms_that_are_refused() {
        let close = "--b--\r\n";
        let whole = format!("{}{}{close}", part("key", "k"), part("file", "x"));
        for (content_type, body, code) in [
            ("application/x-www-form-urlencoded", whole.clone(), Code::PreconditionFailed),
            ("multipart/form-data", whole.clone(), Code::MalformedPOSTRequest),
            (HEAD, String::new(), Code::MalformedPOSTRequest),
            (HEAD, part("key", "k"), Code::MalformedPOSTRequest),
            (HEAD, whole.replace("--b\r\n", "--b!"), Code::MalformedPOSTRequest),
            (HEAD, format!("{}{close}", part("key", "k")), Code::InvalidArgument),
            (HEAD, format!("{}{}{whole}", part("acl", "a"), part("ACL", "b")), Code::InvalidArgument),
        ] {
            let refused = read(content_type, body.clone()).await.err().map(|error| error.code());
            assert_eq!(refused, Some(code), "{content_type} {body}");
        }
    }

    #[tokio::test]
    async fn fields_have_a_limit() {
        let frame = part("key", "").len() + part("file", "").len() - 2;
        let room = usize::try_from(FIELDS_MAX_BYTES).unwrap() - frame;
        let form = |bytes: usize| format!("{}{}--b--", part("key", &"k".repeat(bytes)), part("file", "x"));
        assert!(read(HEAD, form(room)).await.is_ok());
        let refused = read(HEAD, form(room + 1)).await.err().map(|error| error.code());
        assert_eq!(refused, Some(Code::MaxPostPreDataLengthExceededError));
    }

    #[tokio::test]
    async fn the_file_and_what_comes_behind_it() {
        let before = part("key", "k");
        for (behind, expected) in [
            ("--b--\r\n", Ok("data".to_owned())),
            ("--b--", Ok("data".to_owned())),
            ("--b--\r\nanything --b", Ok("data".to_owned())),
            ("--b broken", Ok("data".to_owned())),
            ("--b\r\nContent-Disposition: form-data; name=submit\r\n\r\nx\r\n--b--", Ok("data".to_owned())),
            ("--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b--", Err(PayloadError::SecondFile)),
        ] {
            let form = format!("{before}{}{behind}", part("file", "data"));
            assert_eq!(file(form, 0, u64::MAX).await, expected, "{behind}");
        }
        let cut = format!("{before}{}", part("file", "data"));
        assert_eq!(file(cut, 0, u64::MAX).await, Err(PayloadError::Form));
    }

    #[tokio::test]
    async fn lengths_hold_at_their_edge() {
        let form = |bytes: usize| format!("{}{}--b--\r\n", part("key", "k"), part("file", &"x".repeat(bytes)));
        assert!(file(form(5), 5, 5).await.is_ok());
        assert!(file(form(0), 0, 0).await.is_ok());
        assert_eq!(file(form(4), 5, 9).await, Err(PayloadError::FileTooShort { proposed: 4, limit: 5 }));
        assert_eq!(file(form(10), 5, 9).await, Err(PayloadError::FileTooLong { proposed: 10, limit: 9 }));
    }
}
