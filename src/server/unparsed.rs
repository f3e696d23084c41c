//! Answers to requests that hyper can't parse.
//!
//! hyper answers them by itself, without a body or an id, and has no hook for it: a head that is none (400), a target of
//! 65,535 bytes and more (414), a header beyond its limits (431). So the stream between hyper and the client watches for
//! that answer and sends ours instead: the same error XML, ids, log line and count as for every other refusal.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::access_log::log_unparsed;
use super::activity::Activity;
use super::answer::{Refusal, refuse};
use super::exchange::{Shared, mark};
use super::protocol::Protocol;
use crate::wire::{ErrorCode, RequestId, Response, ResponseBody};

/// A connection's stream on which hyper's own refusals become ours.
#[derive(Debug)]
pub(super) struct Refusing<S, F> {
    stream: S,
    activity: Arc<Activity>,
    /// The answer to a request that hyper refuses with this status.
    refuse: F,
    /// What [`Activity::at_rest`] said when all that hyper had to write was written. As long as it says the same, no
    /// request has reached our service since, and what hyper writes can only be its own.
    written_at: Option<u64>,
    /// What is left of our answer, once hyper began one: nothing of hyper's goes out from then on.
    answer: Option<Bytes>,
}

impl<S, F: FnMut(StatusCode) -> Bytes> Refusing<S, F> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, refuse: F) -> Self {
        let written_at = activity.at_rest();
        Self { stream, activity, refuse, written_at, answer: None }
    }

    /// Whether `written` is, or belongs to, a refusal of hyper's own.
    ///
    /// Bytes of the answer before may stand ahead of it in one write, if the client was slow to take them: then hyper's
    /// goes out as it is.
    fn replaces(&mut self, written: &[u8]) -> bool {
        if self.answer.is_none()
            && self.written_at.is_some()
            && self.written_at == self.activity.at_rest()
            && let Some(status) = client_error(written)
        {
            self.answer = Some((self.refuse)(status));
            // Of a head that is too large there may be more to come, for as long as the client likes.
            self.activity.leave_body_unread();
        }
        self.answer.is_some()
    }
}

/// The status, if this begins an HTTP/1 answer that blames the client. HTTP/2 frames begin with a length.
fn client_error(written: &[u8]) -> Option<StatusCode> {
    let line = written.strip_prefix(b"HTTP/1.")?;
    let status = StatusCode::from_bytes(line.get(2..5)?).ok()?;
    status.is_client_error().then_some(status)
}

impl<S: AsyncWrite + Unpin, F> Refusing<S, F> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(answer) = self.answer.as_mut().filter(|answer| answer.has_remaining()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, answer))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => answer.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin, F: Unpin> AsyncRead for Refusing<S, F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, F: FnMut(StatusCode) -> Bytes + Unpin> AsyncWrite for Refusing<S, F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.replaces(buf) {
            return self.poll_answer(cx).map_ok(|()| buf.len());
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bufs.iter().find(|buf| !buf.is_empty()).map_or(&[], |buf| buf)) {
            return self.poll_answer(cx).map_ok(|()| bufs.iter().map(|buf| buf.len()).sum());
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the stream only when it has nothing more to write to it.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.written_at = self.activity.at_rest();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Logs and counts a request that hyper refuses, and makes our answer to it: head and body as they go over the wire.
pub(super) fn refuse_unparsed(shared: &Shared, peer: IpAddr, status: StatusCode) -> Bytes {
    let request_id = RequestId::generate(&shared.sources);
    let refusal = match status {
        // A target that is too long for hyper is so for our limit on line and header together as well.
        StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Refusal::HeaderTooLarge,
        _ => Refusal::Unparsable,
    };
    // What protocol it was to be stands in its header.
    let mut answer = refuse(Protocol::S3, refusal, &request_id);
    mark(answer.headers_mut(), &request_id, &shared.sources);
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let error = answer.extensions().get::<ErrorCode>().map(|code| code.0);
    log_unparsed(&request_id, peer, answer.status(), error, &shared.metrics);
    rendered(answer)
}

fn rendered(answer: Response) -> Bytes {
    let (mut head, body) = answer.into_parts();
    let body = match body {
        ResponseBody::Full(bytes) => bytes.unwrap_or_default(),
        // No refusal has one.
        ResponseBody::Stream { .. } => Bytes::new(),
    };
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut out = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    out.extend([b"\r\n", &body[..]].concat());
    out.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::AsyncWriteExt as _;

    use super::super::Limits;
    use super::*;

    #[test]
    fn what_begins_an_answer_that_blames_the_client() {
        for (bytes, status) in [
            ("HTTP/1.1 400 Bad Request\r\n", Some(400)),
            ("HTTP/1.0 431 Request Header Fields Too Large\r\n", Some(431)),
            ("HTTP/1.1 414", Some(414)),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1 40", None),
            ("HTTP/2 400", None),
            ("", None),
        ] {
            assert_eq!(client_error(bytes.as_bytes()).map(|status| status.as_u16()), status, "{bytes:?}");
        }
    }

    /// What reaches the client of what is written, each piece flushed; `Some` begins or ends a request of ours.
    async fn passed(steps: &[Result<&str, bool>]) -> String {
        let activity = Activity::new(&Limits::for_tests());
        let asked = Mutex::new(0);
        let mut out = Vec::new();
        let mut stream = Refusing::new(&mut out, Arc::clone(&activity), |status: StatusCode| {
            *asked.lock().expect("one thread") += 1;
            Bytes::from(format!("<{}>", status.as_u16()))
        });
        let mut request = None;
        for step in steps {
            match step {
                Ok(written) => {
                    stream.write_all(written.as_bytes()).await.expect("written");
                    stream.flush().await.expect("flushed");
                }
                Err(begins) => request = begins.then(|| activity.begin(false)),
            }
        }
        drop(request);
        assert!(*asked.lock().expect("one thread") <= 1, "one refusal ends a connection");
        String::from_utf8(out).expect("text")
    }

    #[tokio::test]
    async fn only_what_no_request_of_ours_answers_is_replaced() {
        let refusal = Ok("HTTP/1.1 400 Bad Request\r\n");
        let (begin, end) = (Err(true), Err(false));
        assert_eq!(passed(&[refusal]).await, "<400>");
        assert_eq!(passed(&[refusal, Ok("\r\n"), refusal]).await, "<400>");
        // An object whose bytes look like a refusal, in a write of their own.
        assert_eq!(passed(&[begin, refusal, Ok("a"), refusal]).await.matches("HTTP").count(), 2);
        // The answer's last bytes are written after its request has ended.
        assert_eq!(passed(&[begin, Ok("a"), end, refusal]).await.matches("HTTP").count(), 1);
        // After them hyper is at its own again.
        assert_eq!(passed(&[begin, Ok("a"), end, Ok("b"), refusal]).await, "ab<400>");
    }
}
