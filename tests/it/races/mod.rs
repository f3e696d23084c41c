//! Races and crashes that the simulation meets by chance only, forced: two operations in every order of their steps, and
//! a fault at each step of an operation.

mod buckets;
mod full;
mod jobs;
mod locks;
mod objects;
mod uploads;

use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt as _, poll};
use strongroom::objects::{Bucket, ObjectInfo, ObjectsError, Versioning};

use crate::stack::{Stack, Way, key};

/// No operation here has more steps: places where another one can come in between.
const STEPS_MAX: usize = 12;
const BUCKET: &str = "bucket";

/// Runs `steps` steps of `first`, then all of `second`, then the rest of `first`.
fn interleave<'a, A: 'a, B: 'a>(
    steps: usize,
    first: impl Future<Output = A> + 'a,
    second: impl Future<Output = B> + 'a,
) -> LocalBoxFuture<'a, (A, B)> {
    let (mut first, second) = (first.boxed_local(), second.boxed_local());
    Box::pin(async move {
        for _ in 0..steps {
            if let Poll::Ready(first) = poll!(&mut first) {
                return (first, second.await);
            }
            // What the operation has spawned gets on too.
            tokio::task::yield_now().await;
        }
        let second = second.await;
        (first.await, second)
    })
}

/// A store with one object, `source`.
async fn store(seed: u64, len: usize, versioning: Versioning) -> (Stack, Bucket, ObjectInfo) {
    let stack = Stack::new(seed).await;
    let bucket = stack.create_bucket(BUCKET, versioning).await;
    let source = stack.put(&bucket, &key("source"), &vec![7; len], Way::Owned.requested()).await.unwrap();
    (stack, bucket, source)
}

/// Sweeps all that is due, and checks that what is left is whole: scrub finds neither damage nor leftovers.
async fn assert_whole(stack: &Stack, what: &str) {
    stack.sources.advance(Duration::from_secs(3_600));
    stack.objects.sweep(true).await.unwrap();
    let report = stack.scrub().await.unwrap();
    assert_eq!((&report.damage, &report.orphans), (&Vec::new(), &Vec::new()), "{what}");
}

async fn read(stack: &Stack, bucket: &Bucket, name: &str) -> Option<Vec<u8>> {
    match stack.get(bucket, &key(name), None, None).await {
        Ok(data) => Some(data),
        Err(ObjectsError::NoSuchKey { .. }) => None,
        Err(error) => panic!("{name} cannot be read: {error:?}"),
    }
}

/// All orders of two operations, on inline and blob contents, with and without versions.
fn orders() -> impl Iterator<Item = (usize, usize, Versioning, String)> {
    let sizes = [(100, Versioning::Never), (70_000, Versioning::Never), (100, Versioning::Enabled)];
    sizes.into_iter().flat_map(|(len, versioning)| {
        (0..STEPS_MAX).map(move |steps| (steps, len, versioning, format!("{len} bytes, {versioning:?}, step {steps}")))
    })
}
