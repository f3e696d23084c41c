//! A disk without room.

use strongroom::index::Faults;
use strongroom::objects::{Bucket, ObjectInfo, ObjectsError, Versioning};
use strongroom::store::faulty::StoreFaults;

use super::{assert_whole, read, store};
use crate::stack::{Stack, Way, key};

/// A disk without room at each write of the store and of the index, for every kind of operation: refused as full,
/// nothing half-made, nothing lost, and done at the next try.
#[tokio::test]
async fn a_full_disk_at_each_step() {
    for operation in FULL {
        let mut refused = 0;
        for in_store in [false, true] {
            for step in 1.. {
                let (stack, bucket, source) = store(8, 70_000, Versioning::Never).await;
                stack.put(&bucket, &key("k"), b"before", Way::Owned.requested()).await.unwrap();
                match in_store {
                    true => stack.store.set_faults(StoreFaults { full_in: Some(step), ..StoreFaults::default() }),
                    false => stack.index.set_faults(Faults { full_in: Some(step), ..Faults::default() }),
                }
                let what = format!("{operation:?}, step {step}, in the store: {in_store}");
                let outcome = operation.run(&stack, &bucket, &source).await;
                stack.store.set_faults(StoreFaults::default());
                stack.index.set_faults(Faults::default());
                // The last write of the operation lies behind.
                let Err(error) = outcome else { break };
                refused += 1;
                assert!(operation.tells_full(&error), "{what}: {error:?}");
                operation.assert_not_done(&stack, &bucket, &what).await;
                assert_whole(&stack, &what).await;
                operation
                    .run(&stack, &bucket, &source)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: again: {error:?}"));
                operation.assert_done(&stack, &bucket, &what).await;
                assert_whole(&stack, &what).await;
            }
        }
        assert!(refused > 0, "{operation:?} met no full disk");
    }
}

const FULL: [Full; 7] = [
    Full::Put(Way::Owned, 100),
    Full::Put(Way::Owned, 1_200_000),
    Full::Put(Way::Kms, 100),
    Full::Put(Way::Double, 70_000),
    Full::Upload,
    Full::Copy,
    Full::Delete,
];

/// An operation on the key `k`, which holds `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    Put(Way, usize),
    Upload,
    Copy,
    Delete,
}

impl Full {
    async fn run(self, stack: &Stack, bucket: &Bucket, source: &ObjectInfo) -> Result<(), ObjectsError> {
        match self {
            Self::Put(way, len) => stack.put(bucket, &key("k"), &vec![1; len], way.requested()).await.map(drop),
            Self::Upload => stack.upload(bucket, &key("k"), &[(1, &[1; 600_000])], Way::Owned).await.map(drop),
            Self::Copy => stack.copy(bucket, source, &key("k")).await.map(drop),
            Self::Delete => stack.delete(bucket, &key("k")).await.map(drop),
        }
    }

    /// The use of a KMS key that cannot be recorded fails closed, as an error of the key module.
    fn tells_full(self, error: &ObjectsError) -> bool {
        let by_key = matches!(self, Self::Put(Way::Kms | Way::Double, _)) && matches!(error, ObjectsError::Sse(_));
        by_key || matches!(error, ObjectsError::Full(_))
    }

    async fn assert_not_done(self, stack: &Stack, bucket: &Bucket, what: &str) {
        assert_eq!(read(stack, bucket, "k").await.as_deref(), Some(&b"before"[..]), "{what}");
        assert_eq!(read(stack, bucket, "source").await.unwrap(), vec![7; 70_000], "{what}");
    }

    async fn assert_done(self, stack: &Stack, bucket: &Bucket, what: &str) {
        let expected = match self {
            Self::Put(_, len) => Some(vec![1; len]),
            Self::Upload => Some(vec![1; 600_000]),
            Self::Copy => Some(vec![7; 70_000]),
            Self::Delete => None,
        };
        assert!(read(stack, bucket, "k").await == expected, "{what}");
    }
}
