//! What a handler left unread of an HTTP/2 request's body.
//!
//! An answer that ends before its request does makes h2 reset the stream with `NO_ERROR` (RFC 9113, section 8.1).
//! Clients must not drop the answer for that, and some do: curl 7.88 fails with "Stream error in the HTTP/2 framing
//! layer" where it still had a byte to send. So the end of the answer waits until the client is done, for a while.
//! HTTP/1.1 has the same in `Watched`, where a connection is shut down.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

/// How long the reading of a rest may take.
const LINGER: Duration = Duration::from_secs(5);

/// How long a client may send nothing: one that has seen the answer and stops sending waits for the answer's end and
/// does not say so.
const QUIET: Duration = Duration::from_millis(250);

/// The most bytes of a rest that are read.
const REST_MAX_BYTES: usize = 8 << 20;

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
    fn take(&self) -> Option<B> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A rest that is read for nobody, once it is polled.
pub(super) struct Unread(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Unread {
    /// The rest of a body, if there is one.
    pub(super) fn of<B>(left: &Left<B>) -> Option<Self>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Send,
    {
        let body = left.take().filter(|body| !body.is_end_stream())?;
        Some(Self(Box::pin(read(body))))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unread")
    }
}

async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let (end, mut bytes) = (Instant::now() + LINGER, 0);
    while bytes <= REST_MAX_BYTES {
        match timeout_at(end.min(Instant::now() + QUIET), body.frame()).await {
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Ok(Some(Err(_)) | None) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_read_for_a_while() {
        const MILLISECOND: Duration = Duration::from_millis(1);
        for (frames, pause, bytes, milliseconds) in [
            (3, 100, 1, 300),        // to its end
            (3, 251, 1, 250),        // silence
            (10_000, 100, 1, 5_000), // drops
            (10_000, 1, 1 << 20, 9), // a flood
            (10_000, 240, 1 << 20, 2_160),
        ] {
            let sent =
                stream::repeat_with(move || Bytes::from(vec![b'x'; bytes])).take(frames).then(move |data| async move {
                    sleep(pause * MILLISECOND).await;
                    Ok::<_, io::Error>(Frame::data(data))
                });
            let begun = Instant::now();
            read(StreamBody::new(sent.boxed())).await;
            assert_eq!(begun.elapsed().as_millis(), milliseconds, "{frames} frames of {bytes} bytes every {pause} ms");
        }
    }
}
