//! Answers that begin before their outcome is known, so that neither the client nor a proxy on the way gives up on an
//! operation that takes long.
//!
//! S3 does so for copies and for completed uploads: it sends 200, white space as long as the operation runs, and then the
//! result or an `<Error>`; SDKs look for the latter in such answers and try again as if its status had been sent. S3
//! begins at once. Here an operation has its own status as long as that is known in time ([`PATIENCE`]).
//!
//! An early head holds what is known by then: request ids, content type, and what the operation has noted ([`Early`]),
//! which is how the copy will be encrypted and which version of its source it is of, as with S3. Left out are
//! `x-amz-version-id` and `x-amz-expiration`, which HeadObject tells, and the headers of an error. An operation that waited
//! for leave to use a key for so long has noted nothing.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::error::Error;
use super::object_answer::Answer;
use super::table::Handled;
use crate::wire::xml::DECLARATION;
use crate::wire::{LateOutcome, Outcome, Response, ResponseBody};

/// How long an operation may run before its answer begins without it: well below the read time-outs of clients and
/// proxies, of which 30 s is a short one.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two signs of life.
const INTERVAL: Duration = Duration::from_secs(1);
/// A sign of life. The SDK for Rust gives up answers of less than a byte a second: four leave room for a late one.
const BLANKS: &[u8] = b"    ";

type Chunk = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Headers of an answer that are known before its outcome is. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Early(Arc<Mutex<HeaderMap>>);

impl Early {
    /// What the answer says, whatever comes of the operation. The last one counts.
    pub(crate) fn note(&self, head: &Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = head.headers().clone();
    }

    fn take(&self) -> HeaderMap {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs an operation. If it ends in time that is the outcome, else an answer of 200 that goes on until the operation
/// ends, with the document of what `conclude` makes of it.
///
/// An answer that is dropped before its end drops the operation where it waits, as without it.
pub(super) async fn answer(
    mut operation: Handled<Response>,
    early: &Early,
    conclude: impl FnOnce(Result<Response, Error>) -> Response + Send + 'static,
) -> Result<Response, Error> {
    if let Ok(outcome) = timeout(PATIENCE, &mut operation).await {
        return outcome;
    }
    let late = LateOutcome::default();
    let mut running = JoinSet::new();
    let noted = late.clone();
    // A task of its own, else it would stand still while the client takes nothing of the answer.
    running.spawn(async move {
        let ended = AssertUnwindSafe(operation).catch_unwind().await;
        // Beyond the edge's own guard against panics; as there, the hook has logged the place.
        let outcome = ended.unwrap_or_else(|_| Err(Error::internal("the handler of a request panicked")));
        let answer = conclude(outcome);
        noted.note(Outcome::of(&answer));
        answer
    });
    let chunks = document(running).boxed();
    let mut answer = Response::new(ResponseBody::Stream { chunks, remaining: None });
    *answer.headers_mut() = early.take();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer.extensions_mut().insert(late);
    Ok(answer)
}

/// The declaration, blanks until the answer is there, and the rest of its document. (A document with white space before
/// the declaration is malformed.)
fn document(running: JoinSet<Response>) -> impl Stream<Item = Chunk> + Send {
    let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
    // A client that took nothing for a while needs no blanks for that time.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rest = stream::unfold(Some((running, ticks)), async |waiting| {
        let (mut running, mut ticks) = waiting?;
        tokio::select! {
            biased;
            ended = running.join_next() => Some((rest_of_document(ended?).await, None)),
            _ = ticks.tick() => Some((Ok(Bytes::from_static(BLANKS)), Some((running, ticks)))),
        }
    });
    stream::once(async { Ok(Bytes::from_static(DECLARATION.as_bytes())) }).chain(rest)
}

async fn rest_of_document(answer: Result<Response, tokio::task::JoinError>) -> Chunk {
    let document = answer?.into_body().collect().await?.to_bytes();
    match document.strip_prefix(DECLARATION.as_bytes()) {
        Some(rest) => Ok(document.slice_ref(rest)),
        None => Ok(document),
    }
}

#[cfg(test)]
mod tests;
