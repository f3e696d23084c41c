//! What a connection is doing, and when it has done nothing for too long.
//!
//! hyper has one header time-out, which also runs on an idle connection, and none on the bytes before it knows the
//! protocol version, or on writing. Here all of them are told apart by watching the bytes go by.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::Limits;

/// How long the rest of a body that nobody wants is still read after the answer, so that closing does not reset the
/// connection before the client has read the answer.
const LINGER: Duration = Duration::from_secs(5);

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// No request for too long.
    Idle,
    /// A header was begun and did not come to its end.
    SlowHeader,
    /// The client does not take the answer.
    StalledWrite,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    in_flight: usize,
    next_request: u64,
    /// Requests whose answer waits for the client to take more of it, and since when. With HTTP/2 the client may leave
    /// its window shut while the connection itself goes on.
    waiting: BTreeMap<u64, Instant>,
    idle_since: Instant,
    /// The first byte since the connection became idle.
    head_since: Option<Instant>,
    stalled_since: Option<Instant>,
    /// Frames between requests (settings, pings) are no header.
    http2: bool,
    unread_body: bool,
}

/// A request being answered, until dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    request: u64,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            in_flight: 0,
            next_request: 0,
            waiting: BTreeMap::new(),
            idle_since: Instant::now(),
            head_since: None,
            stalled_since: None,
            http2: false,
            unread_body: false,
        })))
    }

    /// A header has arrived whole.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.head_since = None;
        state.http2 = http2;
        state.next_request += 1;
        InFlight { activity: Arc::clone(self), request: state.next_request }
    }

    /// A request's body was not read to its end: linger at shutdown.
    pub(super) fn leave_body_unread(&self) {
        self.state().unread_body = true;
    }

    /// Counts idleness from now.
    pub(super) fn restart_idle(&self) {
        let mut state = self.state();
        state.idle_since = Instant::now();
        state.head_since = None;
    }

    /// Comes back when the connection should be given up.
    pub(super) async fn expired(&self, limits: &Limits) -> Expiry {
        // Deadlines come into being while this sleeps, each at least the shortest limit away.
        let shortest = limits.header_timeout.min(limits.write_stall_timeout).min(limits.keep_alive_timeout);
        loop {
            let now = Instant::now();
            let wake = match self.deadline(limits) {
                Some((at, expiry)) if at <= now => return expiry,
                Some((at, _)) => at.min(now + shortest),
                None => now + shortest,
            };
            sleep_until(wake).await;
        }
    }

    fn deadline(&self, limits: &Limits) -> Option<(Instant, Expiry)> {
        let state = self.state();
        if let Some(since) = state.stalled_since.iter().chain(state.waiting.values()).min() {
            return Some((*since + limits.write_stall_timeout, Expiry::StalledWrite));
        }
        match state.head_since {
            _ if state.in_flight > 0 => None,
            Some(since) if !state.http2 => Some((since + limits.header_timeout, Expiry::SlowHeader)),
            _ => Some((state.idle_since + limits.keep_alive_timeout, Expiry::Idle)),
        }
    }

    fn note_read(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    fn note_write<T>(&self, outcome: &Poll<T>) {
        let mut state = self.state();
        match outcome {
            Poll::Ready(_) => state.stalled_since = None,
            Poll::Pending if state.stalled_since.is_none() => state.stalled_since = Some(Instant::now()),
            Poll::Pending => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole at each step: a holder that panicked left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// There is something for the client to take.
    pub(super) fn wait_for_client(&self) {
        self.activity.state().waiting.insert(self.request, Instant::now());
    }

    /// The client has taken all there was; now it waits.
    pub(super) fn client_waits(&self) {
        self.activity.state().waiting.remove(&self.request);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.in_flight -= 1;
        state.waiting.remove(&self.request);
        if state.in_flight == 0 {
            state.idle_since = Instant::now();
            state.head_since = None;
        }
    }
}

/// A connection's stream, watched.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if outcome.is_ready() && buf.filled().len() > before {
            self.activity.note_read();
        }
        outcome
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.note_write(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.note_write(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.activity.note_write(&outcome);
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
            self.activity.note_write(&outcome);
            ready!(outcome)?;
            if !self.activity.state().unread_body {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        let mut scratch = [0; 16 * 1024];
        loop {
            if let Some(limit) = &mut self.lingering
                && limit.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut unwanted = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut unwanted)) {
                Ok(()) if !unwanted.filled().is_empty() => {}
                // The client has closed too, or is gone: nothing to be careful of any more.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            max_requests: 1,
            max_connections: 1,
            header_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(1),
            write_stall_timeout: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(100),
            drain_timeout: Duration::from_secs(1),
        }
    }

    async fn seconds_until(activity: &Activity, expected: Expiry) -> u64 {
        let start = Instant::now();
        assert_eq!(activity.expired(&limits()).await, expected);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_limit() {
        let activity = Activity::new();
        assert_eq!(seconds_until(&activity, Expiry::Idle).await, 100);
        activity.restart_idle();
        activity.note_read();
        assert_eq!(seconds_until(&activity, Expiry::SlowHeader).await, 10);
        activity.note_write(&Poll::<()>::Pending);
        assert_eq!(seconds_until(&activity, Expiry::StalledWrite).await, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_request_is_never_idle() {
        let activity = Activity::new();
        let request = activity.begin(false);
        activity.note_read();
        let long = tokio::time::timeout(Duration::from_secs(10_000), activity.expired(&limits())).await;
        assert!(long.is_err());
        drop(request);
        assert_eq!(seconds_until(&activity, Expiry::Idle).await, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_the_client_leaves_lying_stalls() {
        let activity = Activity::new();
        let (one, other) = (activity.begin(true), activity.begin(true));
        one.wait_for_client();
        one.client_waits();
        let slow_store = tokio::time::timeout(Duration::from_secs(10_000), activity.expired(&limits())).await;
        assert!(slow_store.is_err());
        other.wait_for_client();
        assert_eq!(seconds_until(&activity, Expiry::StalledWrite).await, 20);
        drop(other);
        assert!(tokio::time::timeout(Duration::from_secs(10_000), activity.expired(&limits())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_http2_requests_are_no_slow_header() {
        let activity = Activity::new();
        drop(activity.begin(true));
        activity.note_read();
        assert_eq!(seconds_until(&activity, Expiry::Idle).await, 100);
    }
}
