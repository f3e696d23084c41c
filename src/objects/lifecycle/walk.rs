//! The way through a bucket: every version, newest first within its key, then every upload, each judged by the rules.
//! Holds one read of rows and what is known of one key, however many versions that has.

use std::collections::VecDeque;

use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::act::{Act, Judged};
use crate::index::{Rows, Stamp, Table};
use crate::names::ObjectKey;
use crate::objects::cursor::Cursor;
use crate::objects::list::{ListQuery, malformed, start_range};
use crate::objects::record::{Current, Noncurrent, ObjectRecord, UploadRecord};
use crate::objects::versions::read_row;
use crate::objects::{Bucket, Objects, ObjectsError, ReplicationStatus, UploadId, Versioning};
use crate::rules::lifecycle::{Lifecycle, Noncurrent as Standing, Object, Step, Subject};
use crate::sources::Timestamp;

/// How far a walk has come: all keys up to this one are done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(in crate::objects) enum Place {
    /// Among the versions.
    #[n(0)]
    Versions(#[n(0)] String),
    /// Among the uploads.
    #[n(1)]
    Uploads(#[n(0)] String),
    /// Behind all.
    #[n(2)]
    End,
}

pub(super) struct Walk<'a> {
    objects: &'a Objects,
    bucket: Bucket,
    rules: &'a Lifecycle,
    /// Prefixes that are still to come in this part of the way.
    prefixes: VecDeque<String>,
    ranges: Option<Ranges<'a>>,
    run: Option<Run>,
    place: Place,
    rows: u64,
    locked: u64,
    unreplicated: u64,
}

/// The rows under one prefix.
enum Ranges<'a> {
    Versions { current: Cursor<'a>, noncurrent: Cursor<'a> },
    Uploads(Cursor<'a>),
}

/// A row as it was read.
struct Read {
    key: ObjectKey,
    table: Table,
    row: Bytes,
    sealed: Bytes,
    /// Of an upload.
    id: Option<[u8; 16]>,
}

/// What is known of the key that the walk is at.
struct Run {
    key: ObjectKey,
    /// When the version before was made, which made the next one noncurrent.
    successor: Timestamp,
    /// Noncurrent versions so far.
    newer: u64,
    /// The key's newest version is a delete marker, and nothing else was met so far.
    marker: Option<Judged>,
    marker_made: Timestamp,
}

impl<'a> Walk<'a> {
    pub(super) fn new(objects: &'a Objects, bucket: &Bucket, rules: &'a Lifecycle, place: Place) -> Self {
        let prefixes = match &place {
            Place::Versions(_) => rules.version_prefixes(),
            Place::Uploads(_) => rules.upload_prefixes(),
            Place::End => Vec::new(),
        };
        let prefixes = prefixes.into_iter().map(str::to_owned).collect();
        let bucket = bucket.clone();
        Self { objects, bucket, rules, prefixes, ranges: None, run: None, place, rows: 0, locked: 0, unreplicated: 0 }
    }

    /// Where it is, and how many rows it has read.
    pub(super) fn place(&self) -> (&Place, u64) {
        (&self.place, self.rows)
    }

    /// Versions that were due and are locked, since the last call.
    pub(super) fn take_locked(&mut self) -> u64 {
        std::mem::take(&mut self.locked)
    }

    /// Versions that were due and are not replicated, since the last call.
    pub(super) fn take_unreplicated(&mut self) -> u64 {
        std::mem::take(&mut self.unreplicated)
    }

    /// Goes on over at most `limit` rows; what of them is due at `now`. The place afterwards counts once that is done.
    pub(super) async fn judge(&mut self, limit: usize, now: Timestamp) -> Result<Vec<Judged>, ObjectsError> {
        let mut due = Vec::new();
        for _ in 0..limit {
            let Some(read) = self.next().await? else {
                self.end_run(&mut due, now);
                if !self.next_part(&mut due, now) {
                    return Ok(due);
                }
                continue;
            };
            self.rows += 1;
            // What cannot be opened is damage, which scrub tells of; the rest of the bucket has its rules all the same.
            if let Err(error) = self.judge_row(&read, &mut due, now) {
                let (bucket, key) = (self.bucket.name.as_str(), read.key.as_str());
                tracing::error!(bucket, key, ?error, "a version cannot be judged by lifecycle rules");
            }
        }
        Ok(due)
    }

    /// From versions to uploads, from uploads to the end; `false` at the end.
    fn next_part(&mut self, due: &mut Vec<Judged>, now: Timestamp) -> bool {
        self.end_run(due, now);
        match self.place {
            Place::Versions(_) => {
                self.place = Place::Uploads(String::new());
                self.prefixes = self.rules.upload_prefixes().into_iter().map(str::to_owned).collect();
                true
            }
            Place::Uploads(_) | Place::End => {
                self.place = Place::End;
                false
            }
        }
    }

    /// The next row of this part of the way.
    async fn next(&mut self) -> Result<Option<Read>, ObjectsError> {
        loop {
            if self.ranges.is_none() && !self.open_prefix() {
                return Ok(None);
            }
            let found = match self.ranges.as_mut() {
                None => None,
                Some(Ranges::Uploads(cursor)) => take(cursor, Table::Upload).await?,
                Some(Ranges::Versions { current, noncurrent }) => {
                    match (key_at(current).await?, key_at(noncurrent).await?) {
                        (None, None) => None,
                        (Some(a), Some(b)) if a > b => take(noncurrent, Table::Version).await?,
                        (None, Some(_)) => take(noncurrent, Table::Version).await?,
                        (Some(_), _) => take(current, Table::Object).await?,
                    }
                }
            };
            if found.is_some() {
                return Ok(found);
            }
            self.ranges = None;
        }
    }

    /// Takes up the next prefix that is not behind already.
    fn open_prefix(&mut self) -> bool {
        let after = match &self.place {
            Place::Versions(after) | Place::Uploads(after) => after.clone(),
            Place::End => return false,
        };
        while let Some(prefix) = self.prefixes.pop_front() {
            if after > prefix && !after.starts_with(&prefix) {
                continue;
            }
            let query = ListQuery { prefix, after: after.clone(), ..ListQuery::default() };
            let range = start_range(&self.bucket, &query);
            let rows: &'a Rows = &self.objects.rows;
            self.ranges = Some(match self.place {
                Place::Uploads(_) => Ranges::Uploads(Cursor::new(rows, Table::Upload, range)),
                _ => Ranges::Versions {
                    current: Cursor::new(rows, Table::Object, range.clone()),
                    noncurrent: Cursor::new(rows, Table::Version, range),
                },
            });
            return true;
        }
        false
    }

    fn judge_row(&mut self, read: &Read, due: &mut Vec<Judged>, now: Timestamp) -> Result<(), ObjectsError> {
        let rows = &self.objects.rows;
        if read.table == Table::Upload {
            let stored = rows.open_value::<UploadRecord>(&read.row, read.sealed.clone())?;
            let initiated = Timestamp(stored.value.initiated_ms);
            if self.rules.abortion(read.key.as_str(), initiated).is_some_and(|due| due.at <= now) {
                let id = UploadId(read.id.ok_or_else(malformed)?);
                due.push(judged(read, stored.stamp, Act::Abort(id)));
            }
            // Uploads of one key are in several rows: the key is behind when another comes.
            self.end_run(due, now);
            self.run = Some(Run::at(read.key.clone(), initiated));
            return Ok(());
        }
        let (record, stamp) = if read.table == Table::Object {
            let stored = rows.open_value::<Current>(&read.row, read.sealed.clone())?;
            (stored.value.0, stored.stamp)
        } else {
            let stored = rows.open_value::<Noncurrent>(&read.row, read.sealed.clone())?;
            (stored.value.0, stored.stamp)
        };
        let same_key = self.run.as_ref().is_some_and(|run| run.key == read.key);
        if !same_key {
            self.end_run(due, now);
        }
        self.judge_version(read, (record, stamp), due, now);
        Ok(())
    }

    fn judge_version(
        &mut self,
        read: &Read,
        (record, stamp): (ObjectRecord, Stamp),
        due: &mut Vec<Judged>,
        now: Timestamp,
    ) {
        let made = Timestamp(record.modified_ms);
        let Some(run) = &mut self.run else {
            let mut run = Run::at(read.key.clone(), made);
            if record.body.is_some() {
                let versioned = self.bucket.versioning != Versioning::Never;
                match self.rules.current(&subject(&read.key, &record), versioned, now) {
                    Some(_) if is_unreplicated(&record) => self.unreplicated += 1,
                    step => due.extend(step.map(|step| judged(read, stamp, Act::of_current(step, record)))),
                }
            } else {
                run.marker = Some(judged(read, stamp, Act::RemoveMarker(record.version())));
            }
            self.run = Some(run);
            return;
        };
        let standing = Standing { since: run.successor, newer: run.newer };
        (run.successor, run.newer, run.marker) = (made, run.newer + 1, None);
        match self.rules.noncurrent(&subject(&read.key, &record), standing, now) {
            None => {}
            Some(_) if is_unreplicated(&record) => self.unreplicated += 1,
            // The clock of locks is the gateway's own, whatever the rules are asked for.
            Some(Step::Expire) if is_locked(&record, self.objects.sources.now()) => self.locked += 1,
            Some(step) => due.push(judged(read, stamp, Act::of_noncurrent(step, record))),
        }
    }

    /// The key is at its end: a delete marker may have been all of it.
    fn end_run(&mut self, due: &mut Vec<Judged>, now: Timestamp) {
        let Some(run) = self.run.take() else { return };
        if let Some(marker) = run.marker {
            let subject = Subject { key: run.key.as_str(), created: run.marker_made, object: None };
            due.extend(Some(marker).filter(|_| self.rules.lone_marker(&subject, now)));
        }
        match &mut self.place {
            Place::Versions(after) | Place::Uploads(after) => *after = run.key.to_string(),
            Place::End => {}
        }
    }
}

impl Run {
    fn at(key: ObjectKey, made: Timestamp) -> Self {
        Self { key, successor: made, newer: 0, marker: None, marker_made: made }
    }
}

fn judged(read: &Read, stamp: Stamp, act: Act) -> Judged {
    Judged { key: read.key.clone(), table: read.table, row: read.row.to_vec(), stamp, act }
}

fn is_locked(record: &ObjectRecord, now: Timestamp) -> bool {
    record.lock.is_some_and(|lock| {
        lock.legal_hold == Some(true) || lock.retention.is_some_and(|retention| retention.until() > now)
    })
}

/// What waits for its replication, or has missed it, stays as it is (S3 User Guide, "How S3 Lifecycle interacts with other
/// bucket configurations"): it may be the only one there is. A replica is not, whatever becomes of its changes.
fn is_unreplicated(record: &ObjectRecord) -> bool {
    let state = record.replication.as_ref().filter(|state| !state.is_replica());
    matches!(state.map(|state| state.status), Some(ReplicationStatus::Pending | ReplicationStatus::Failed))
}

fn subject<'r>(key: &'r ObjectKey, record: &'r ObjectRecord) -> Subject<'r> {
    let object = record.body.as_ref().map(|body| Object {
        plain_len: body.plain_len,
        tags: &body.meta.tags,
        class: body.meta.storage_class.as_deref().unwrap_or("STANDARD"),
    });
    Subject { key: key.as_str(), created: Timestamp(record.modified_ms), object }
}

async fn key_at(cursor: &mut Cursor<'_>) -> Result<Option<ObjectKey>, ObjectsError> {
    match cursor.peek().await? {
        Some((row, _)) => read_row(row).map(|(key, _)| Some(key)).ok_or_else(malformed),
        None => Ok(None),
    }
}

async fn take(cursor: &mut Cursor<'_>, table: Table) -> Result<Option<Read>, ObjectsError> {
    let Some((row, sealed)) = cursor.next().await? else { return Ok(None) };
    let (key, id) = read_row(&row).ok_or_else(malformed)?;
    Ok(Some(Read { key, table, row, sealed, id }))
}
