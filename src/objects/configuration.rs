//! Configurations of buckets that lie in rows of their own.
//!
//! The bucket's row names each with an id that changes with every write, so that a request to a bucket without one
//! costs nothing, what was read can be held as long as the bucket's row names it, and a write that was decided by a
//! configuration commits only while that is in force (it is conditional on the bucket's row).

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use minicbor::{Decode, Encode};

use super::bucket::BUCKET_TRIES;
use super::record::{BucketRecord, Id};
use super::{Bucket, Objects, ObjectsError};
use crate::audit::{Event, Recorded};
use crate::auth::Grant;
use crate::index::{CommitError, Direction, KeyRange, Record, RowBatch, Stored, Table, Tuple, TupleReader};
use crate::names::{BucketName, bucket_arn};
use crate::rules::abac::Abac;
use crate::rules::accelerate::Accelerate;
use crate::rules::analytics::Analytics;
use crate::rules::cors::Cors;
use crate::rules::intelligent_tiering::IntelligentTiering;
use crate::rules::inventory::Inventory;
use crate::rules::lifecycle::Lifecycle;
use crate::rules::lock::LockConfiguration;
use crate::rules::logging::BucketLogging;
use crate::rules::metrics::Metrics;
use crate::rules::notification::NotificationConfiguration;
use crate::rules::replication::ReplicationConfiguration;
use crate::rules::tagging::BucketTags;
use crate::rules::website::Website;
use crate::rules::{BucketConfiguration, ConfigurationKind};

/// Bytes of stored configurations that are kept read, at most; beyond it all are dropped and read again as they are
/// asked for.
const KEPT_BYTES: usize = 16 << 20;
/// Configurations of one kind that a bucket has by id, at most (S3: 1,000 inventories, analytics, metrics, tierings).
pub const NAMED_MAX: usize = 1_000;

/// A configuration in its row.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct Configured<T> {
    /// As in the bucket's row that it was written with.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: Id,
    #[n(1)]
    pub(super) value: T,
}

impl<T: BucketConfiguration> Record for Configured<T> {
    const TABLE: Table = Table::BucketConfig;
}

/// Which configurations a bucket has, as its row says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Configurations(#[n(0)] Vec<ConfigurationReference>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct ConfigurationReference {
    #[n(0)]
    kind: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    id: Id,
}

impl Configurations {
    /// The id of the configuration in force; none if there is none. Of those that are known by ids of their own: the
    /// id of their last change.
    pub(super) fn get(&self, kind: ConfigurationKind) -> Option<Id> {
        self.0.iter().find(|reference| reference.kind == kind.number()).map(|reference| reference.id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set(&mut self, kind: ConfigurationKind, id: Option<Id>) {
        self.0.retain(|reference| reference.kind != kind.number());
        self.0.extend(id.map(|id| ConfigurationReference { kind: kind.number(), id }));
        self.0.sort_unstable_by_key(|reference| reference.kind);
    }
}

impl Bucket {
    /// Whether the bucket has a configuration of this kind.
    pub fn has(&self, kind: ConfigurationKind) -> bool {
        self.configurations.get(kind).is_some()
    }
}

/// The configurations that this process has read.
#[derive(Clone, Default)]
pub(super) struct ReadConfigurations(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// By bucket and kind; of each the last one that was read.
    read: HashMap<(Id, ConfigurationKind), Read>,
    bytes: usize,
}

struct Read {
    id: Id,
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
}

impl ReadConfigurations {
    fn get<T: BucketConfiguration>(&self, bucket: &Id, id: &Id) -> Option<Arc<T>> {
        let kept = self.0.lock().expect("no holder of this lock panics");
        let read = kept.read.get(&(*bucket, T::KIND)).filter(|read| read.id == *id)?;
        Arc::clone(&read.value).downcast().ok()
    }

    fn keep<T: BucketConfiguration>(&self, bucket: &Id, id: &Id, value: &Arc<T>, bytes: usize) {
        let mut kept = self.0.lock().expect("no holder of this lock panics");
        if kept.bytes + bytes > KEPT_BYTES {
            *kept = Kept::default();
        }
        let value = Arc::clone(value) as Arc<dyn Any + Send + Sync>;
        let before = kept.read.insert((*bucket, T::KIND), Read { id: *id, value, bytes });
        kept.bytes = kept.bytes + bytes - before.map_or(0, |before| before.bytes);
    }
}

impl Objects {
    /// The configuration of a bucket. Reads nothing where there is none, and where it is known already.
    pub async fn configuration<T: BucketConfiguration>(&self, bucket: &Bucket) -> Result<Option<Arc<T>>, ObjectsError> {
        let Some(id) = bucket.configurations.get(T::KIND) else { return Ok(None) };
        if let Some(known) = self.configurations.get(&bucket.id, &id) {
            return Ok(Some(known));
        }
        let mut named = id;
        for _ in 0..BUCKET_TRIES {
            let stored = self.rows.load::<Configured<T>>(&configuration_row(&bucket.id, T::KIND)).await?;
            if let Some(stored) = stored.filter(|stored| stored.value.id == named) {
                let (bytes, Configured { id, value }) = (stored.stamp.bytes(), stored.value);
                let value = Arc::new(value);
                self.configurations.keep(&bucket.id, &id, &value, bytes);
                return Ok(Some(value));
            }
            // It was changed since the bucket's row was read: what that names now is in force. If it names what is not
            // there, somebody has taken the row away, or put an earlier one in its place.
            match self.same_bucket(bucket).await?.configurations.get(T::KIND) {
                None => return Ok(None),
                Some(now) if now == named => {
                    let (kind, name) = (T::KIND, &bucket.name);
                    return Err(ObjectsError::Internal(format!("the {kind:?} configuration of bucket {name} is lost")));
                }
                Some(now) => named = now,
            }
        }
        Err(ObjectsError::Contention)
    }

    /// Sets a bucket's configuration, or removes it. `check` is asked about the bucket as it is at the commit, by which
    /// what it demands holds. `grant`: one of [`BucketConfiguration::ACTIONS`].
    pub async fn set_configuration<T: BucketConfiguration>(
        &self,
        grant: &Grant,
        name: &BucketName,
        value: Option<T>,
        check: impl Fn(&Bucket) -> Result<(), ObjectsError> + Send + Sync,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        assert_covers::<T>(grant, name);
        let id: Id = self.sources.random();
        let row = value.map(|value| Configured { id, value });
        for _ in 0..BUCKET_TRIES {
            let mut stored = self.bucket_to_change(grant, name).await?;
            check(&super::bucket::bucket_of(name, stored.clone())?)?;
            stored.value.set_configuration(T::KIND, row.is_some().then_some(id));
            let key = configuration_row(&stored.value.id, T::KIND);
            if let Some(recorded) = self.try_configure((name, &stored), (key, row.as_ref()), event).await? {
                return Ok(recorded);
            }
        }
        Err(ObjectsError::Contention)
    }

    /// One try to commit a bucket's row with that of a configuration, which goes if there is none; none if it has to be
    /// decided anew.
    async fn try_configure<T: BucketConfiguration>(
        &self,
        (name, bucket): (&BucketName, &Stored<BucketRecord>),
        (key, row): (Vec<u8>, Option<&Configured<T>>),
        event: &Event,
    ) -> Result<Option<Recorded>, ObjectsError> {
        let mut batch = self.replacing(name, bucket);
        match row {
            Some(row) => batch.put(key, row),
            None => batch.delete(Table::BucketConfig, key),
        }
        match self.audit.commit(batch, event).await {
            Ok(recorded) => Ok(Some(recorded)),
            Err(CommitError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a configuration to the commit of a new bucket.
    pub(super) fn configure_new<T: BucketConfiguration>(
        &self,
        batch: &mut RowBatch<'_>,
        bucket: &mut BucketRecord,
        value: T,
    ) {
        let id: Id = self.sources.random();
        bucket.set_configuration(T::KIND, Some(id));
        batch.put(configuration_row(&bucket.id, T::KIND), &Configured { id, value });
    }

    /// One of the configurations that a bucket has by id.
    pub async fn named_configuration<T: BucketConfiguration>(
        &self,
        bucket: &Bucket,
        id: &str,
    ) -> Result<Option<T>, ObjectsError> {
        if !bucket.has(T::KIND) {
            return Ok(None);
        }
        let stored = self.rows.load::<Configured<T>>(&named_row(&bucket.id, T::KIND, id)).await?;
        Ok(stored.map(|stored| stored.value.value))
    }

    /// At most `limit` of the configurations that a bucket has by id, in the order of their ids, after `after`.
    pub async fn named_configurations<T: BucketConfiguration>(
        &self,
        bucket: &Bucket,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, T)>, ObjectsError> {
        if !bucket.has(T::KIND) {
            return Ok(Vec::new());
        }
        let mut range = KeyRange::prefix(&configuration_row(&bucket.id, T::KIND));
        if let Some(after) = after {
            range.start = [&named_row(&bucket.id, T::KIND, after)[..], &[0]].concat();
        }
        let rows = self.rows.list::<Configured<T>>(&range, limit, Direction::Forward).await?;
        let named = rows.into_iter().map(|(row, stored)| Some((name_of(&row)?, stored.value.value)));
        named.collect::<Option<_>>().ok_or_else(|| ObjectsError::Internal("a configuration has no id".to_owned()))
    }

    /// Sets one of the configurations that a bucket has by id, or removes it; that there is none to remove is an
    /// error. `grant`: one of [`BucketConfiguration::ACTIONS`].
    pub async fn set_named_configuration<T: BucketConfiguration>(
        &self,
        grant: &Grant,
        name: &BucketName,
        id: &str,
        value: Option<T>,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        assert_covers::<T>(grant, name);
        let change: Id = self.sources.random();
        let row = value.map(|value| Configured { id: change, value });
        for _ in 0..BUCKET_TRIES {
            let mut stored = self.bucket_to_change(grant, name).await?;
            let key = named_row(&stored.value.id, T::KIND, id);
            // Every change of them replaces the bucket's row: what is counted here is so at the commit.
            let range = KeyRange::prefix(&configuration_row(&stored.value.id, T::KIND));
            let there = self.rows.engine().scan(Table::BucketConfig, &range, NAMED_MAX + 1, Direction::Forward).await?;
            let known = there.iter().any(|(row, _)| row[..] == key[..]);
            let left = match (&row, known) {
                (None, false) => return Err(ObjectsError::NoSuchConfiguration),
                (None, true) => there.len() - 1,
                (Some(_), false) if there.len() >= NAMED_MAX => return Err(ObjectsError::TooManyConfigurations),
                (Some(_), _) => 1,
            };
            stored.value.set_configuration(T::KIND, (left > 0).then_some(change));
            if let Some(recorded) = self.try_configure((name, &stored), (key, row.as_ref()), event).await? {
                return Ok(recorded);
            }
        }
        Err(ObjectsError::Contention)
    }
}

impl Objects {
    /// The kinds of a bucket's configurations that are not there as the bucket's row says, or cannot be read.
    pub(super) async fn damaged_configurations(&self, bucket: &Bucket) -> Vec<ConfigurationKind> {
        let damaged = [
            self.is_damaged::<Cors>(bucket).await,
            self.is_damaged::<Lifecycle>(bucket).await,
            self.is_damaged::<Website>(bucket).await,
            self.is_damaged::<BucketLogging>(bucket).await,
            self.is_damaged::<NotificationConfiguration>(bucket).await,
            self.is_damaged::<ReplicationConfiguration>(bucket).await,
            self.is_damaged::<BucketTags>(bucket).await,
            self.is_damaged::<LockConfiguration>(bucket).await,
            self.is_damaged::<Accelerate>(bucket).await,
            self.is_damaged::<Abac>(bucket).await,
            self.are_damaged::<Analytics>(bucket).await,
            self.are_damaged::<Metrics>(bucket).await,
            self.are_damaged::<IntelligentTiering>(bucket).await,
            self.are_damaged::<Inventory>(bucket).await,
        ];
        damaged.into_iter().flatten().collect()
    }

    async fn is_damaged<T: BucketConfiguration>(&self, bucket: &Bucket) -> Option<ConfigurationKind> {
        self.configuration::<T>(bucket).await.is_err().then_some(T::KIND)
    }

    /// Of those that a bucket has by id there is at least one, if the bucket's row says that there are any.
    async fn are_damaged<T: BucketConfiguration>(&self, bucket: &Bucket) -> Option<ConfigurationKind> {
        let there = self.named_configurations::<T>(bucket, None, NAMED_MAX).await;
        there.map_or(true, |there| bucket.has(T::KIND) && there.is_empty()).then_some(T::KIND)
    }
}

fn assert_covers<T: BucketConfiguration>(grant: &Grant, name: &BucketName) {
    let action = T::ACTIONS.iter().find(|action| **action == grant.action());
    grant.assert_covers(action.unwrap_or(&"an action that changes it"), &bucket_arn(name));
}

/// `(bucket id, kind)`
pub(super) fn configuration_row(bucket: &Id, kind: ConfigurationKind) -> Vec<u8> {
    Tuple::new().id(bucket).bytes(&[kind.number()]).build()
}

/// `(bucket id, kind, id)`
pub(super) fn named_row(bucket: &Id, kind: ConfigurationKind, id: &str) -> Vec<u8> {
    Tuple::new().id(bucket).bytes(&[kind.number()]).bytes(id.as_bytes()).build()
}

fn name_of(row: &[u8]) -> Option<String> {
    let mut reader = TupleReader::new(row);
    reader.id::<16>()?;
    reader.bytes()?;
    String::from_utf8(reader.bytes()?).ok()
}
