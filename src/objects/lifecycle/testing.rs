//! What tests of other modules need of the object store's inside.

use super::{LEASE, LifecyclePass, Pass, Place, Walk};
use crate::names::{BucketName, ObjectKey};
use crate::objects::change::Follows;
use crate::objects::replicate::ReplicationState;
use crate::objects::{Objects, ReplicationStatus};
use crate::rules::BucketConfiguration as _;
use crate::rules::lifecycle::Lifecycle;
use crate::rules::lock::{ObjectLock, Retention, RetentionMode};
use crate::sources::Timestamp;

impl Objects {
    /// The same store as another process has it.
    pub(crate) fn as_another_process_for_tests(&self) -> Self {
        Self { process: self.sources.random(), ..self.clone() }
    }

    /// Locks noncurrent versions of a key, counted from the newest: until some time, or by a legal hold.
    pub(crate) async fn lock_for_tests(&self, bucket: &str, key: &str, locks: &[(usize, Option<Timestamp>)]) {
        let bucket = self.bucket(&BucketName::parse(bucket).unwrap()).await.unwrap();
        let key = ObjectKey::parse(key).unwrap();
        let versions = self.versions_of(&bucket, &key, usize::MAX).await.unwrap();
        for (at, until) in locks {
            let retention = until.map(|until| Retention {
                mode: RetentionMode::Compliance,
                until_ms: until.0,
                until_trusted_ms: until.0,
            });
            let lock = ObjectLock { retention, legal_hold: retention.is_none().then_some(true) };
            let version = versions[*at].1.value.0.version();
            let changed = self.change_version(&bucket, &key, Some(version), Follows::default(), |record| {
                record.lock = Some(lock);
            });
            changed.await.unwrap();
        }
    }

    /// Says of the current version of a key, or of the newest that is not current, how its replication stands.
    pub(crate) async fn replication_for_tests(
        &self,
        bucket: &str,
        key: &str,
        current: bool,
        status: ReplicationStatus,
    ) {
        let bucket = self.bucket(&BucketName::parse(bucket).unwrap()).await.unwrap();
        let key = ObjectKey::parse(key).unwrap();
        let version = match current {
            true => None,
            false => Some(self.versions_of(&bucket, &key, 1).await.unwrap()[0].1.value.0.version()),
        };
        let changed = self.change_version(&bucket, &key, version, Follows::default(), |record| {
            record.replication = Some(ReplicationState::in_status(status));
        });
        changed.await.unwrap();
    }

    /// A pass over a bucket in the middle of which something else happens: behind the judgement, before the deed.
    pub(crate) async fn apply_around_for_tests(
        &self,
        bucket: &str,
        now: Timestamp,
        between: impl Future<Output = ()>,
    ) -> LifecyclePass {
        let mut bucket = self.bucket(&BucketName::parse(bucket).unwrap()).await.unwrap();
        let rules = self.configuration::<Lifecycle>(&bucket).await.unwrap().unwrap();
        let mut lease = self.take_lease("lifecycle", LEASE).await.unwrap().expect("it is free");
        let place = Place::Versions(String::new());
        let judged = Walk::new(self, &bucket, &rules, place).judge(usize::MAX, now).await.unwrap();
        between.await;
        let mut done = LifecyclePass::default();
        let id = bucket.configurations.get(Lifecycle::KIND).unwrap();
        let mut pass = Pass { lease: &mut lease, now, done: &mut done };
        self.act_on_all(&mut bucket, id, judged, &mut pass).await.unwrap();
        self.give_up_lease(lease).await.unwrap();
        done
    }

    /// A pass of a process that was stopped for so long that another has taken its lease.
    pub(crate) async fn apply_with_a_lost_lease_for_tests(&self, now: Timestamp) -> LifecyclePass {
        let mut lease = self.take_lease("lifecycle", LEASE).await.unwrap().expect("it is free");
        self.sources.advance(LEASE * 2);
        let other = self.as_another_process_for_tests();
        other.take_lease("lifecycle", LEASE).await.unwrap().expect("it is over");
        let mut done = LifecyclePass::default();
        self.apply_all(&mut Pass { lease: &mut lease, now, done: &mut done }).await.unwrap();
        done
    }
}
