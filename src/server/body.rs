//! Bodies on their way through the edge: counted, and timed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::access_log::Record;
use crate::auth::BodyTimeout;
use crate::wire::ResponseBody;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How far the reading of a request's body has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    bytes: AtomicU64,
    ended: AtomicBool,
}

impl Progress {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Nothing of the body is left on the connection.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// A request's body, counted. The time-out runs only while somebody waits for data, so that a slow store is not the client's
/// fault.
pub(super) struct TimedBody<B> {
    inner: B,
    progress: Arc<Progress>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B: Body> TimedBody<B> {
    pub(super) fn new(inner: B, idle: Duration) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress { bytes: AtomicU64::new(0), ended: AtomicBool::new(inner.is_end_stream()) });
        (Self { inner, progress: Arc::clone(&progress), idle, timer: None }, progress)
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
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(this.idle)));
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Box::new(BodyTimeout))));
        };
        this.timer = None;
        match &frame {
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.progress.bytes.fetch_add(len, Ordering::Relaxed);
                this.progress.ended.store(this.inner.is_end_stream(), Ordering::Relaxed);
            }
            Some(Err(_)) => {}
            None => this.progress.ended.store(true, Ordering::Relaxed),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body, with the record of the exchange that is written when it has been sent or given up.
#[derive(Debug)]
pub(super) struct AnswerBody {
    inner: ResponseBody,
    record: Record,
}

impl AnswerBody {
    pub(super) fn new(inner: ResponseBody, record: Record) -> Self {
        Self { inner, record }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            self.record.stands_still();
            return Poll::Pending;
        };
        match &frame {
            Some(Ok(frame)) => self.record.sent(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(error)) => self.record.failed(error.as_ref()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_clock_runs_between_frames_and_only_while_waited_for() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(4);
        let frames = futures_util::stream::unfold(receiver, |mut receiver| async move {
            let data = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(data)), receiver))
        });
        let (mut body, progress) = TimedBody::new(StreamBody::new(Box::pin(frames)), Duration::from_secs(30));
        for _ in 0..3 {
            // Nobody polls for longer than the limit.
            sleep(Duration::from_secs(60)).await;
            let sender = sender.clone();
            tokio::spawn(async move {
                sleep(Duration::from_secs(29)).await;
                sender.send(Bytes::from_static(b"abc")).await
            });
            assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        }
        assert_eq!((progress.bytes(), progress.ended()), (9, false));
        let start = Instant::now();
        let error = body.frame().await.and_then(Result::err).expect("a time-out");
        assert!(error.is::<BodyTimeout>());
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}
