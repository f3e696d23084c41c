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
use super::pace::Pace;

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
    /// The client takes nothing of an answer.
    StalledWrite,
    /// It takes too little of it.
    SlowWrite,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    next_request: u64,
    /// HTTP/2 requests whose answer waits for the client to take more of it, and until when: the client may leave a
    /// stream's window shut while the connection itself goes on. With HTTP/1.1 all waiting is seen at the connection.
    waiting: BTreeMap<u64, (Instant, Expiry)>,
    idle_since: Instant,
    /// The first byte since the connection became idle.
    head_since: Option<Instant>,
    /// The connection takes no more bytes. What the system has in its own buffers counts as taken.
    stalled_since: Option<Instant>,
    write_pace: Pace,
    /// Frames between requests (settings, pings) are no header.
    http2: bool,
    unread_body: bool,
    given_up: Option<Expiry>,
}

/// A request being answered, until dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    request: u64,
    http2: bool,
    pace: Pace,
    /// The wait for the client to take so many bytes.
    wait: Option<(Instant, usize)>,
}

impl Activity {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let state = Mutex::new(State {
            in_flight: 0,
            next_request: 0,
            waiting: BTreeMap::new(),
            idle_since: Instant::now(),
            head_since: None,
            stalled_since: None,
            write_pace: Pace::new(limits.min_rate),
            http2: false,
            unread_body: false,
            given_up: None,
        });
        Arc::new(Self { limits: limits.clone(), state })
    }

    /// A header has arrived whole.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.head_since = None;
        state.http2 = http2;
        state.next_request += 1;
        let pace = Pace::new(self.limits.min_rate);
        InFlight { activity: Arc::clone(self), request: state.next_request, http2, pace, wait: None }
    }

    /// A request's body was not read to its end: linger at shutdown.
    pub(super) fn leave_body_unread(&self) {
        self.state().unread_body = true;
    }

    /// How many requests were begun, if none is being answered on this connection and it does not speak HTTP/2.
    pub(super) fn at_rest(&self) -> Option<u64> {
        let state = self.state();
        (state.in_flight == 0 && !state.http2).then_some(state.next_request)
    }

    /// Counts idleness from now.
    pub(super) fn restart_idle(&self) {
        let mut state = self.state();
        state.idle_since = Instant::now();
        state.head_since = None;
    }

    /// Comes back when the connection should be given up.
    pub(super) async fn expired(&self) -> Expiry {
        let limits = &self.limits;
        // Deadlines come into being while this sleeps, each but those of slow writes at least the shortest limit away;
        // a slow write that is found late is found in the end.
        let shortest = limits.header_timeout.min(limits.write_stall_timeout).min(limits.keep_alive_timeout);
        let shortest = limits.min_rate.map_or(shortest, |slowest| shortest.min(slowest.window));
        loop {
            let now = Instant::now();
            let wake = match self.deadline() {
                Some((at, expiry)) if at <= now => {
                    self.state().given_up = Some(expiry);
                    return expiry;
                }
                Some((at, _)) => at.min(now + shortest),
                None => now + shortest,
            };
            sleep_until(wake).await;
        }
    }

    fn deadline(&self) -> Option<(Instant, Expiry)> {
        let (limits, state) = (&self.limits, self.state());
        let stalled = state.stalled_since.map(|since| self.write_deadline(since, &state.write_pace));
        if let Some(first) = state.waiting.values().copied().chain(stalled).min_by_key(|(at, _)| *at) {
            return Some(first);
        }
        match state.head_since {
            _ if state.in_flight > 0 => None,
            Some(since) if !state.http2 => Some((since + limits.header_timeout, Expiry::SlowHeader)),
            _ => Some((state.idle_since + limits.keep_alive_timeout, Expiry::Idle)),
        }
    }

    /// When a client is given up that has taken nothing since then.
    fn write_deadline(&self, since: Instant, pace: &Pace) -> (Instant, Expiry) {
        match self.limits.write_stall_timeout {
            limit if limit <= pace.left() => (since + limit, Expiry::StalledWrite),
            _ => (since + pace.left(), Expiry::SlowWrite),
        }
    }

    fn note_read(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// So many bytes were written, or none could be.
    fn note_write(&self, written: Poll<usize>) {
        let mut state = self.state();
        match written {
            Poll::Ready(bytes) => {
                let waiting = state.stalled_since.take().map_or(Duration::ZERO, |since| since.elapsed());
                state.write_pace.moved(bytes, waiting);
            }
            Poll::Pending => drop(state.stalled_since.get_or_insert_with(Instant::now)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole at each step: a holder that panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// There are so many bytes more for the client to take. It has taken those before them.
    pub(super) fn wait_for_client(&mut self, bytes: usize) {
        if !self.http2 {
            return;
        }
        self.end_wait();
        let since = Instant::now();
        self.wait = Some((since, bytes));
        let deadline = self.activity.write_deadline(since, &self.pace);
        self.activity.state().waiting.insert(self.request, deadline);
    }

    /// The client has taken all there was; now it waits.
    pub(super) fn client_waits(&mut self) {
        if self.end_wait() {
            self.activity.state().waiting.remove(&self.request);
        }
    }

    /// Why the connection is given up, if it is.
    pub(super) fn given_up(&self) -> Option<Expiry> {
        self.activity.state().given_up
    }

    fn end_wait(&mut self) -> bool {
        let Some((since, bytes)) = self.wait.take() else { return false };
        self.pace.moved(bytes, since.elapsed());
        true
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
        self.activity.note_write(bytes_of(&outcome));
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.note_write(bytes_of(&outcome));
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.activity.note_write(none_of(&outcome));
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
            self.activity.note_write(none_of(&outcome));
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

/// How far a write came; one that failed waits for nobody.
fn bytes_of(outcome: &Poll<io::Result<usize>>) -> Poll<usize> {
    match outcome {
        Poll::Ready(written) => Poll::Ready(written.as_ref().copied().unwrap_or(0)),
        Poll::Pending => Poll::Pending,
    }
}

fn none_of(outcome: &Poll<io::Result<()>>) -> Poll<usize> {
    if outcome.is_ready() { Poll::Ready(0) } else { Poll::Pending }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_until(activity: &Activity, expected: Expiry) -> u64 {
        let start = Instant::now();
        assert_eq!(activity.expired().await, expected);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_limit() {
        let activity = Activity::new(&Limits::for_tests());
        assert_eq!(seconds_until(&activity, Expiry::Idle).await, 100);
        activity.restart_idle();
        activity.note_read();
        assert_eq!(seconds_until(&activity, Expiry::SlowHeader).await, 10);
        activity.note_write(Poll::Pending);
        assert_eq!(seconds_until(&activity, Expiry::StalledWrite).await, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_trickles_away_is_given_up_by_its_rate() {
        let start = Instant::now();
        let trickling = async |bytes: usize| {
            let activity = Activity::new(&Limits::for_tests());
            let mut request = activity.begin(true);
            let stalling = Arc::clone(&activity);
            let client = async move {
                loop {
                    stalling.note_write(Poll::Pending);
                    sleep(Duration::from_secs(15)).await;
                    stalling.note_write(Poll::Ready(bytes));
                }
            };
            let stream = async {
                loop {
                    request.wait_for_client(bytes);
                    sleep(Duration::from_secs(15)).await;
                }
            };
            let given_up = tokio::select! {
                connection = activity.expired() => Some(connection),
                () = client, if bytes.is_multiple_of(2) => None,
                () = stream, if !bytes.is_multiple_of(2) => None,
                () = sleep(Duration::from_secs(10_000)) => None,
            };
            assert_eq!(request.given_up(), given_up);
            given_up
        };
        for (slow, fast) in [(14_000, 16_000), (14_001, 16_001)] {
            assert_eq!(trickling(fast).await, None);
            assert_eq!(trickling(slow).await, Some(Expiry::SlowWrite));
        }
        assert!(start.elapsed() > Duration::from_secs(20_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_request_is_never_idle() {
        let activity = Activity::new(&Limits::for_tests());
        let request = activity.begin(false);
        activity.note_read();
        let long = tokio::time::timeout(Duration::from_secs(10_000), activity.expired()).await;
        assert!(long.is_err());
        drop(request);
        assert_eq!(seconds_until(&activity, Expiry::Idle).await, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_the_client_leaves_lying_stalls() {
        let activity = Activity::new(&Limits::for_tests());
        let (mut one, mut other) = (activity.begin(true), activity.begin(true));
        one.wait_for_client(1);
        one.client_waits();
        let slow_store = tokio::time::timeout(Duration::from_secs(10_000), activity.expired()).await;
        assert!(slow_store.is_err());
        other.wait_for_client(1);
        assert_eq!(seconds_until(&activity, Expiry::StalledWrite).await, 20);
        drop(other);
        assert!(tokio::time::timeout(Duration::from_secs(10_000), activity.expired()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_http2_requests_are_no_slow_header() {
        let activity = Activity::new(&Limits::for_tests());
        drop(activity.begin(true));
        activity.note_read();
        assert_eq!(seconds_until(&activity, Expiry::Idle).await, 100);
    }
}
