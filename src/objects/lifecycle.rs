//! The lifecycle worker: once a day it walks through the buckets that have rules, and does what is due.
//!
//! One gateway at a time does it ([`super::lease`]). How far it has come lies in a row of the bucket, so that a pass that
//! was cut off goes on behind the last key whose fate is committed. What is done to an object commits only while all
//! that it was judged by is as it was: the object, the bucket with its rules, and the lease.

mod act;
#[cfg(test)]
mod testing;
mod walk;

use std::time::Duration;

use futures_util::StreamExt as _;
use minicbor::{Decode, Encode};

use super::lease::Lease;
use super::record::{BucketRecord, Id};
use super::{Bucket, ObjectInfo, Objects, ObjectsError};
use crate::index::{CommitError, Direction, KeyRange, Record, Stamp, Table, Tuple, TupleReader};
use crate::names::BucketName;
use crate::rules::lifecycle::{Lifecycle, Object, Subject};
use crate::rules::{BucketConfiguration as _, ConfigurationKind};
use crate::sources::Timestamp;
use act::{Act, Judged};
pub use act::{RuleDone, Told};
pub(super) use walk::Place;
use walk::Walk;

/// How long the lease is held without being renewed.
const LEASE: Duration = Duration::from_secs(60);
/// It is renewed when less than this is left of it.
const RENEWED_BEFORE: Duration = Duration::from_secs(40);
/// Rows that are judged before something is done, and before others have their turn.
const PAGE_ROWS: usize = 512;
/// Objects that are acted on at the same time: their commits share syncs, and requests have room beside them.
const AT_ONCE: usize = 8;
/// Rows after which the place is noted at the latest.
const NOTED_AFTER_ROWS: u64 = 8_192;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LifecyclePass {
    /// Buckets that are done for the day with it.
    pub buckets: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Current objects that expired.
    pub expired: u64,
    /// Noncurrent versions that were deleted.
    pub versions: u64,
    /// Delete markers that were all that was left of their keys and were removed.
    pub markers: u64,
    /// Versions that changed their class.
    pub transitions: u64,
    /// Unfinished uploads that were aborted.
    pub uploads: u64,
    /// What was due and has changed since it was looked at: it is judged again by the next pass.
    pub changed: u64,
    /// What was due and is locked.
    pub locked: u64,
    /// What was due and waits for its replication, or has missed it.
    pub unreplicated: u64,
    /// What was due and failed; the log says why, and the next pass tries it again.
    pub failed: u64,
}

/// How far a bucket's pass has come.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct LifecycleProgress {
    /// The day that it is of, counted from 1970.
    #[n(0)]
    pub(super) day: i64,
    /// The rules that it goes by, as in the bucket's row.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) rules: Id,
    /// What is behind it.
    #[n(2)]
    pub(super) place: Place,
    /// Where the first failure was: the next pass of the day goes on from there, once this one is at its end.
    #[n(3)]
    pub(super) again_from: Option<Place>,
}

impl Record for LifecycleProgress {
    const TABLE: Table = Table::BucketConfig;
}

/// `(bucket id, number)`: beside the configurations, whose numbers are smaller; never reuse one.
pub(super) fn lifecycle_progress_row(bucket: &Id) -> Vec<u8> {
    const PROGRESS: u8 = 129;
    Tuple::new().id(bucket).bytes(&[PROGRESS]).build()
}

impl ObjectInfo {
    /// As lifecycle rules see it.
    pub fn as_subject(&self) -> Subject<'_> {
        let class = self.meta.storage_class.as_deref().unwrap_or("STANDARD");
        let object = Object { plain_len: self.plain_len, tags: &self.meta.tags, class };
        Subject { key: self.key.as_str(), created: self.modified, object: Some(object) }
    }
}

/// A bucket's pass as it goes.
struct Pass<'a> {
    lease: &'a mut Lease,
    now: Timestamp,
    done: &'a mut LifecyclePass,
}

/// Why a bucket's pass ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// All of it is done.
    Done,
    /// The rules have changed, or the bucket is gone.
    Rules,
    /// Another process has the lease.
    Lease,
}

impl Objects {
    /// Does what is due by `now` in all buckets with rules, each once a day and when its rules have changed, and again
    /// what has failed. None if another process does it.
    pub async fn apply_lifecycles(&self, now: Timestamp) -> Result<Option<LifecyclePass>, ObjectsError> {
        let Some(mut lease) = self.take_lease("lifecycle", LEASE).await? else { return Ok(None) };
        let mut done = LifecyclePass::default();
        let outcome = self.apply_all(&mut Pass { lease: &mut lease, now, done: &mut done }).await;
        self.give_up_lease(lease).await?;
        outcome.map(|()| Some(done))
    }

    async fn apply_all(&self, pass: &mut Pass<'_>) -> Result<(), ObjectsError> {
        let mut after = None;
        loop {
            let (names, last) = self.buckets_with(ConfigurationKind::Lifecycle, after.as_deref()).await?;
            for name in names {
                let bucket = match self.bucket(&name).await {
                    Err(ObjectsError::NoSuchBucket) => continue,
                    other => other?,
                };
                match self.apply_to(bucket, pass).await {
                    Ok(Ended::Done) => pass.done.buckets += 1,
                    Ok(Ended::Rules) | Err(ObjectsError::NoSuchBucket) => {}
                    Ok(Ended::Lease) => return Ok(()),
                    // One bucket's damage keeps no other from its pass.
                    Err(error) => {
                        pass.done.failed += 1;
                        tracing::error!(bucket = name.as_str(), ?error, "lifecycle rules could not be applied");
                    }
                }
            }
            let Some(last) = last else { return Ok(()) };
            after = Some(last);
        }
    }

    /// A page of the names of the buckets that have such a configuration, and where the next page begins.
    pub(crate) async fn buckets_with(
        &self,
        kind: ConfigurationKind,
        after: Option<&[u8]>,
    ) -> Result<(Vec<BucketName>, Option<Vec<u8>>), ObjectsError> {
        const PAGE: usize = 256;
        let start = after.map_or_else(Vec::new, |after| [after, &[0]].concat());
        let range = KeyRange { start, end: None };
        let rows = self.rows.list::<BucketRecord>(&range, PAGE, Direction::Forward).await?;
        let last = rows.last().map(|(row, _)| row.to_vec()).filter(|_| rows.len() == PAGE);
        let having = rows.iter().filter(|(_, stored)| {
            stored.value.configurations.as_ref().is_some_and(|configurations| configurations.get(kind).is_some())
        });
        let names = having.filter_map(|(row, _)| {
            let name = TupleReader::new(row).bytes().and_then(|name| String::from_utf8(name).ok())?;
            BucketName::parse(&name).ok()
        });
        Ok((names.collect(), last))
    }

    async fn apply_to(&self, mut bucket: Bucket, pass: &mut Pass<'_>) -> Result<Ended, ObjectsError> {
        let Some(rules_id) = bucket.configurations.get(Lifecycle::KIND) else { return Ok(Ended::Rules) };
        let Some(rules) = self.configuration::<Lifecycle>(&bucket).await? else { return Ok(Ended::Rules) };
        let row = lifecycle_progress_row(&bucket.id);
        let fresh = LifecycleProgress {
            day: pass.now.0.div_euclid(DAY_MS),
            rules: rules_id,
            place: Place::Versions(String::new()),
            again_from: None,
        };
        let mut noted = self.rows.load::<LifecycleProgress>(&row).await?;
        let before = noted.as_ref().map(|noted| &noted.value);
        let (place, mut again_from) = match before.filter(|noted| noted.day == fresh.day && noted.rules == rules_id) {
            Some(LifecycleProgress { place: Place::End, again_from: None, .. }) => return Ok(Ended::Done),
            Some(LifecycleProgress { place: Place::End, again_from: Some(place), .. }) => (place.clone(), None),
            Some(noted) => (noted.place.clone(), noted.again_from.clone()),
            None => (fresh.place.clone(), None),
        };
        let mut walk = Walk::new(self, &bucket, &rules, place);
        let (mut last_noted, mut at_once) = (0, true);
        loop {
            let (before, failures) = (walk.place().0.clone(), pass.done.failures());
            let judged = walk.judge(PAGE_ROWS, pass.now).await?;
            pass.done.locked += walk.take_locked();
            pass.done.unreplicated += walk.take_unreplicated();
            let acted = !judged.is_empty();
            if !self.act_on_all(&mut bucket, rules_id, judged, pass).await? {
                return Ok(Ended::Rules);
            }
            if pass.done.failures() > failures {
                again_from.get_or_insert(before);
            }
            let (place, rows) = walk.place();
            if !self.hold(pass.lease).await? {
                return Ok(Ended::Lease);
            }
            let end = *place == Place::End;
            if end || acted || at_once || rows - last_noted >= NOTED_AFTER_ROWS {
                (last_noted, at_once) = (rows, false);
                let progress =
                    LifecycleProgress { place: place.clone(), again_from: again_from.clone(), ..fresh.clone() };
                let before = noted.as_ref().map(|noted| &noted.stamp);
                let Some(stamp) = self.note_progress(pass.lease, &bucket, &progress, before).await? else {
                    return Ok(Ended::Rules);
                };
                noted = Some(crate::index::Stored { value: progress, stamp });
            }
            if end {
                pass.done.rows += rows;
                return Ok(Ended::Done);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Notes how far a pass has come; none if somebody else has, or the bucket is not as it was.
    async fn note_progress(
        &self,
        lease: &Lease,
        bucket: &Bucket,
        progress: &LifecycleProgress,
        before: Option<&Stamp>,
    ) -> Result<Option<Stamp>, ObjectsError> {
        let row = lifecycle_progress_row(&bucket.id);
        let mut batch = self.rows.batch();
        lease.guard(&mut batch);
        // A bucket that is gone leaves no such row behind.
        batch.expect_unchanged(Table::Bucket, super::record::bucket_row(&bucket.name), &bucket.stamp);
        match before {
            Some(stamp) => batch.expect_unchanged(Table::BucketConfig, row.clone(), stamp),
            None => batch.expect_absent(Table::BucketConfig, row.clone()),
        }
        let stamp = batch.put_stamped(row, progress);
        match self.rows.commit(batch).await {
            Ok(()) => Ok(Some(stamp)),
            Err(CommitError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps the lease; `false` if it is lost.
    pub(crate) async fn hold(&self, lease: &mut Lease) -> Result<bool, ObjectsError> {
        if lease.until().since(self.sources.now()) > RENEWED_BEFORE {
            return Ok(true);
        }
        self.renew_lease(lease, LEASE).await
    }

    /// Does what was found due: several keys at a time, what concerns one key in turn. What a change of the bucket got
    /// in the way of is tried once more. `false` if the rules are not in force any more.
    async fn act_on_all(
        &self,
        bucket: &mut Bucket,
        rules: Id,
        judged: Vec<Judged>,
        pass: &mut Pass<'_>,
    ) -> Result<bool, ObjectsError> {
        let mut waiting = judged;
        for last_try in [false, true] {
            if waiting.is_empty() {
                return Ok(true);
            }
            let (of_bucket, lease) = (&*bucket, &*pass.lease);
            let acts = futures_util::stream::iter(by_key(waiting)).map(|of_key| async move {
                let mut outcomes = Vec::with_capacity(of_key.len());
                for judged in of_key {
                    let outcome = self.act(of_bucket, lease, &judged).await;
                    outcomes.push((judged, outcome));
                }
                outcomes
            });
            let outcomes: Vec<_> = acts.buffer_unordered(AT_ONCE).concat().await;
            waiting = Vec::new();
            for (judged, outcome) in outcomes {
                match outcome {
                    Ok(()) => pass.done.count(&judged.act),
                    Err(ObjectsError::Contention) if !last_try => waiting.push(judged),
                    Err(error) => pass.done.count_failure(bucket, &judged, &error),
                }
            }
            if !waiting.is_empty() {
                *bucket = match self.same_bucket(bucket).await {
                    Ok(now) if now.configurations.get(Lifecycle::KIND) == Some(rules) => now,
                    Ok(_) | Err(ObjectsError::NoSuchBucket) => return Ok(false),
                    Err(error) => return Err(error),
                };
            }
        }
        Ok(true)
    }
}

impl LifecyclePass {
    fn count(&mut self, act: &Act) {
        let counter = match act {
            Act::Expire => &mut self.expired,
            Act::Delete(_) => &mut self.versions,
            Act::RemoveMarker(_) => &mut self.markers,
            Act::Transition { .. } => &mut self.transitions,
            Act::Abort(_) => &mut self.uploads,
        };
        *counter += 1;
    }

    fn count_failure(&mut self, bucket: &Bucket, judged: &Judged, error: &ObjectsError) {
        if *error == ObjectsError::Contention {
            self.changed += 1;
            return;
        }
        self.failed += 1;
        let (bucket, key) = (bucket.name.as_str(), judged.key.as_str());
        tracing::warn!(bucket, key, ?error, "a lifecycle rule could not be applied to an object");
    }

    /// What was due and could not be done.
    fn failures(&self) -> u64 {
        self.failed + self.changed
    }

    /// Whether it changed anything.
    pub fn acted(&self) -> bool {
        self.expired + self.versions + self.markers + self.transitions + self.uploads > 0
    }
}

/// What concerns one key together, in the order found.
fn by_key(judged: Vec<Judged>) -> Vec<Vec<Judged>> {
    let mut keys: Vec<Vec<Judged>> = Vec::new();
    for one in judged {
        match keys.last_mut().filter(|of_key| of_key.last().is_some_and(|before| before.key == one.key)) {
            Some(of_key) => of_key.push(one),
            None => keys.push(vec![one]),
        }
    }
    keys
}
