//! What a handler left unread of an HTTP/2 request's body.
//!
//! Dropping it makes h2 reset the stream as soon as the answer is sent, with `NO_ERROR` (RFC 9113, section 8.1). Clients
//! must not drop the answer for that, and some do: curl 7.88 fails with "Stream error in the HTTP/2 framing layer" where
//! it still had a byte to send. So the answer goes out whole, and the rest is read for a while. HTTP/1.1 has the same in
//! `Watched`, where a connection is shut down.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

/// How long a rest is read. A client that has read the answer and stops sending does not say so.
const LINGER: Duration = Duration::from_secs(5);

/// The most bytes of a rest that are read.
const REST_MAX_BYTES: usize = 16 << 20;

/// Where a body is left by who was reading it.
#[derive(Debug)]
pub(super) struct Left<B>(Arc<Mutex<Option<B>>>);

impl<B> Clone for Left<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> Left<B> {
    pub(super) fn nothing() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    pub(super) fn put(&self, body: B) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    /// None while somebody reads.
    pub(super) fn take(&self) -> Option<B> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads the rest of a body, if there is one, and forgets it. The connection ends before if the client closes it.
pub(super) fn read<B>(body: B)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    if !body.is_end_stream() {
        tokio::spawn(timeout(LINGER, read_all(body)));
    }
}

/// How many bytes were read.
async fn read_all<B: Body<Data = Bytes> + Unpin>(mut body: B) -> usize {
    let mut bytes = 0;
    while bytes < REST_MAX_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => break,
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test]
    async fn a_rest_is_read_to_its_end_or_as_far_as_the_limit() {
        for (frames, read) in [(3, 3 << 20), (1_000, REST_MAX_BYTES)] {
            let sent = stream::repeat(Bytes::from_static(&[b'x'; 1 << 20])).take(frames);
            let body = StreamBody::new(sent.map(|data| Ok::<_, io::Error>(Frame::data(data))));
            assert_eq!(read_all(body).await, read);
        }
    }
}
