//! Bodies on their way through the edge: counted, and timed.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::Limits;
use super::access_log::Record;
use super::pace::Pace;
use super::unread::Left;
use crate::auth::BodyTimeout;
use crate::wire::ResponseBody;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The most bytes that are handed to an HTTP/2 stream at once. h2 keeps what the client's window does not take yet, and
/// does not tell how much of it that is: whether the client takes something is seen from one piece to the next. As large
/// as the frames that it makes of them.
const HTTP2_PIECE_BYTES: usize = 16 * 1024;

/// How far the reading of a request's body has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    bytes: AtomicU64,
    ended: AtomicBool,
    /// When a body that was there had been read.
    ended_at: OnceLock<Instant>,
}

impl Progress {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Nothing of the body is left on the connection.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// When the last byte of the body was read; none if there was none, or it was not read.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.ended_at.get().copied()
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.ended_at.get_or_init(Instant::now);
    }
}

/// A request's body, counted. Its clock runs only while somebody waits for data, so that a slow store is not the client's
/// fault.
pub(super) struct TimedBody<B> {
    /// None only once it is dropped.
    inner: Option<B>,
    left: Left<B>,
    progress: Arc<Progress>,
    idle: Duration,
    pace: Pace,
    wait: Option<Wait>,
}

/// A wait for the client.
struct Wait {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl Wait {
    fn at_most(limit: Duration) -> Self {
        Self { since: Instant::now(), end: Box::pin(sleep(limit)) }
    }
}

impl<B: Body> TimedBody<B> {
    pub(super) fn new(inner: B, limits: &Limits) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress { ended: AtomicBool::new(inner.is_end_stream()), ..Progress::default() });
        let (idle, pace) = (limits.body_idle_timeout, Pace::new(limits.min_rate));
        let left = Left::nothing();
        (Self { inner: Some(inner), left, progress: Arc::clone(&progress), idle, pace, wait: None }, progress)
    }

    /// Where it will be left when it is dropped.
    pub(super) fn left(&self) -> Left<B> {
        self.left.clone()
    }
}

impl<B> Drop for TimedBody<B> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.left.put(inner);
        }
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(&mut *inner).poll_frame(cx) else {
            let wait = this.wait.get_or_insert_with(|| Wait::at_most(this.idle.min(this.pace.left())));
            ready!(wait.end.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Box::new(BodyTimeout))));
        };
        let waiting = this.wait.take().map_or(Duration::ZERO, |wait| wait.since.elapsed());
        match &frame {
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                this.pace.moved(len, waiting);
                this.progress.bytes.fetch_add(len as u64, Ordering::Relaxed);
                if inner.is_end_stream() {
                    this.progress.end();
                }
            }
            Some(Err(_)) => {}
            None => this.progress.end(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

/// An answer's body, with the record of the exchange that is written when it has been sent or given up.
#[derive(Debug)]
pub(super) struct AnswerBody {
    inner: ResponseBody,
    /// What came from `inner` and is still to be handed on.
    rest: Bytes,
    piece_bytes: usize,
    record: Record,
}

impl AnswerBody {
    pub(super) fn new(inner: ResponseBody, http2: bool, mut record: Record) -> Self {
        if inner.is_end_stream() {
            record.ended();
        }
        let piece_bytes = if http2 { HTTP2_PIECE_BYTES } else { usize::MAX };
        Self { inner, rest: Bytes::new(), piece_bytes, record }
    }

    fn next_piece(&mut self) -> Frame<Bytes> {
        let piece = self.rest.split_to(self.rest.len().min(self.piece_bytes));
        self.record.sent(piece.len());
        // Who is told of the end beforehand does not ask for it.
        if self.is_end_stream() {
            self.record.ended();
        }
        Frame::data(piece)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.next_piece())));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            self.record.stands_still();
            return Poll::Pending;
        };
        Poll::Ready(match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(data))) => {
                self.rest = data;
                Some(Ok(self.next_piece()))
            }
            Some(Ok(Err(no_data))) => Some(Ok(no_data)),
            Some(Err(error)) => {
                self.record.failed(error.as_ref());
                Some(Err(error))
            }
            None => {
                self.record.ended();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        match inner.exact() {
            Some(inner) => SizeHint::with_exact(inner + rest),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::BoxStream;
    use futures_util::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    type Frames = StreamBody<BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>;

    /// A client that sends `bytes` again and again, `pause` after the server began to wait for them.
    fn client(pause: Duration, bytes: usize) -> (TimedBody<Frames>, Arc<Progress>) {
        let frames = stream::repeat_with(move || Bytes::from(vec![b'x'; bytes])).then(move |data| async move {
            sleep(pause).await;
            Ok(Frame::data(data))
        });
        TimedBody::new(StreamBody::new(frames.boxed()), &Limits::for_tests())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_clock_runs_between_frames_and_only_while_waited_for() {
        let (mut body, progress) = client(29 * SECOND, 29_000);
        for _ in 0..10 {
            // Nobody polls for longer than all limits.
            sleep(200 * SECOND).await;
            assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        }
        assert_eq!((progress.bytes(), progress.ended()), (290_000, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_or_too_little_is_given_up() {
        for (pause, bytes, seconds) in [(10_000, 1_000_000, 30), (1, 500, 119), (29, 1, 60), (29, 20_000, 140)] {
            let (mut body, _) = client(pause * SECOND, bytes);
            let mut waited = Duration::ZERO;
            let error = loop {
                let begun = Instant::now();
                let frame = body.frame().await.expect("a client without end");
                waited += begun.elapsed();
                sleep(5 * SECOND).await;
                if let Err(error) = frame {
                    break error;
                }
            };
            assert!(error.is::<BodyTimeout>());
            assert_eq!(waited.as_secs(), seconds, "{bytes} bytes every {pause} s");
        }
    }
}
