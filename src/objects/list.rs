//! Listing objects and versions: cost bound by what is returned; a delimiter skips over a prefix by seeking.

use std::collections::HashSet;

use bytes::Bytes;

use super::cursor::{Cursor, rolled_up};
use super::record::{Current, Id, Noncurrent, object_row, version_row};
use super::versions::{prefix_range, read_row};
use super::{Bucket, ObjectInfo, Objects, ObjectsError, VersionId, Versioning};
use crate::auth::Grant;
use crate::index::{Direction, KeyRange, Table, Tuple};
use crate::names::{ObjectKey, bucket_arn};
use crate::sources::Timestamp;

/// Looks at a page of versions, at most: each is one more because something was written there meanwhile.
const LIST_TRIES: usize = 4;

/// Which objects to list. Strings may hold any bytes of UTF-8.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Keys that begin so.
    pub prefix: String,
    /// Roll up what lies behind the first of these after the prefix; empty: no roll-up.
    pub delimiter: String,
    /// Keys (or rolled-up prefixes) after this one.
    pub after: String,
    /// At most so many keys and prefixes together.
    pub limit: usize,
}

/// A page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// Objects, in order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// Rolled-up prefixes, in order.
    pub prefixes: Vec<String>,
    /// There are more: the last key or prefix of this page, for `after`.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
pub struct ListVersions {
    /// As for objects; `after` is the key marker.
    pub query: ListQuery,
    /// Versions of the key `query.after` that come behind this one; none: keys after `query.after`.
    pub after_version: Option<VersionId>,
}

/// A version or delete marker in a listing.
#[derive(Debug, Clone)]
pub enum ListedVersion {
    /// An object.
    Object {
        /// Its record.
        info: Box<ObjectInfo>,
        /// It is the current version.
        latest: bool,
    },
    /// A delete marker.
    DeleteMarker {
        /// Key.
        key: ObjectKey,
        /// Version.
        version: VersionId,
        /// When it was made.
        modified: Timestamp,
        /// It is the current version.
        latest: bool,
    },
}

/// A page of versions.
#[derive(Debug, Clone, Default)]
pub struct VersionPage {
    /// In order of keys, newest first within a key.
    pub versions: Vec<ListedVersion>,
    /// Rolled-up prefixes.
    pub prefixes: Vec<String>,
    /// There are more: markers for the next page.
    pub next: Option<(String, Option<VersionId>)>,
}

impl Objects {
    /// Lists current objects. `grant`: `s3:ListBucket`.
    pub async fn list(&self, grant: &Grant, bucket: &Bucket, query: &ListQuery) -> Result<ListPage, ObjectsError> {
        grant.assert_covers("s3:ListBucket", &bucket_arn(&bucket.name));
        let mut page = ListPage::default();
        if query.limit == 0 {
            return Ok(page);
        }
        let mut cursor = Cursor::new(&self.rows, Table::Object, start_range(bucket, query));
        let mut last = String::new();
        while let Some((row, sealed)) = cursor.next().await? {
            let (key, _) = read_row(&row).ok_or_else(malformed)?;
            let group = rolled_up(key.as_str(), &query.prefix, &query.delimiter).map(str::to_owned);
            if let Some(group) = group {
                cursor.seek(&group_end(bucket, &group));
                if is_behind(&group, query) {
                    if page.objects.len() + page.prefixes.len() == query.limit {
                        page.next = Some(last);
                        return Ok(page);
                    }
                    last.clone_from(&group);
                    page.prefixes.push(group);
                }
                continue;
            }
            if page.objects.len() + page.prefixes.len() == query.limit {
                page.next = Some(last);
                return Ok(page);
            }
            let record = self.rows.open_value::<Current>(&row, sealed)?.value.0;
            key.as_str().clone_into(&mut last);
            page.objects.push(self.info_of(bucket, &key, record)?);
        }
        Ok(page)
    }

    /// Lists versions and delete markers. `grant`: `s3:ListBucketVersions`.
    pub async fn list_versions(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        query: &ListVersions,
    ) -> Result<VersionPage, ObjectsError> {
        grant.assert_covers("s3:ListBucketVersions", &bucket_arn(&bucket.name));
        let mut page = VersionPage::default();
        for _ in 0..LIST_TRIES {
            let stretches;
            (page, stretches) = self.look_at_versions(bucket, query).await?;
            if bucket.versioning == Versioning::Never || self.are_as_read(&stretches).await? {
                return Ok(page);
            }
        }
        // So much is written here that no look is undisturbed. What became noncurrent meanwhile is told once.
        let mut told = HashSet::new();
        page.versions.retain(|listed| {
            let (key, version) = listed.place();
            told.insert((key.clone(), version.to_string()))
        });
        Ok(page)
    }

    /// One look at the rows of a page, and which rows of current versions it saw.
    async fn look_at_versions(
        &self,
        bucket: &Bucket,
        query: &ListVersions,
    ) -> Result<(VersionPage, Vec<Stretch>), ObjectsError> {
        let (mut merged, start) = self.version_cursors(bucket, query).await?;
        let (query, mut page) = (&query.query, VersionPage::default());
        let mut stretches = vec![Stretch::from(start)];
        if query.limit == 0 {
            return Ok((page, stretches));
        }
        let mut last: (String, Option<VersionId>) = Default::default();
        while let Some((key, from_current)) = merged.peek().await? {
            let group = rolled_up(key.as_str(), &query.prefix, &query.delimiter).map(str::to_owned);
            let full = page.versions.len() + page.prefixes.len() == query.limit;
            if let Some(group) = group {
                let end = group_end(bucket, &group);
                if full && is_behind(&group, query) {
                    page.next = Some(last);
                    break;
                }
                merged.current.seek(&end);
                merged.noncurrent.seek(&end);
                stretches.push(Stretch::from(end));
                if is_behind(&group, query) {
                    last = (group.clone(), None);
                    page.prefixes.push(group);
                }
                continue;
            }
            if full {
                page.next = Some(last);
                break;
            }
            let stretch = stretches.last_mut().ok_or_else(malformed)?;
            let listed = self.take_version(bucket, &key, from_current, &mut merged, stretch).await?;
            last = (key.to_string(), Some(listed.place().1));
            page.versions.push(listed);
        }
        if let Some(stretch) = stretches.last_mut().filter(|_| page.next.is_none()) {
            // To the end, and there was nothing more.
            stretch.end = Some(group_end(bucket, &query.prefix));
        }
        Ok((page, stretches))
    }

    /// Whether the rows of current versions are as they were read. A version moves from its row to another one when it
    /// becomes current or ceases to be, and both move the row of the key's current version: where none has moved, none
    /// was seen twice or missed.
    async fn are_as_read(&self, stretches: &[Stretch]) -> Result<bool, ObjectsError> {
        for Stretch { start, end, rows } in stretches {
            // In the middle of a key the row of its current version is not read.
            let Some(end) = end.as_ref().filter(|end| *end > start) else { continue };
            let range = KeyRange { start: start.clone(), end: Some(end.clone()) };
            let now = self.rows.engine().scan(Table::Object, &range, rows.len() + 1, Direction::Forward).await?;
            if now != *rows {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn take_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        from_current: bool,
        merged: &mut Merged<'_>,
        stretch: &mut Stretch,
    ) -> Result<ListedVersion, ObjectsError> {
        let cursor = if from_current { &mut merged.current } else { &mut merged.noncurrent };
        let (row, sealed) = cursor.next().await?.ok_or_else(malformed)?;
        let latest = merged.seen.as_ref() != Some(key);
        merged.seen = Some(key.clone());
        stretch.end = Some([&object_row(&bucket.id, key)[..], &[0]].concat());
        let record = match from_current {
            true => {
                stretch.rows.push((row.clone(), sealed.clone()));
                self.rows.open_value::<Current>(&row, sealed)?.value.0
            }
            false => self.rows.open_value::<Noncurrent>(&row, sealed)?.value.0,
        };
        if record.body.is_some() {
            return Ok(ListedVersion::Object { info: Box::new(self.info_of(bucket, key, record)?), latest });
        }
        let (version, modified) = (record.version(), Timestamp(record.modified_ms));
        Ok(ListedVersion::DeleteMarker { key: key.clone(), version, modified, latest })
    }

    /// Both cursors behind the markers. `seen` is the marker's key if a newer version of it than those behind the
    /// marker is there: none of those is the latest then.
    /// And where the rows of current versions begin.
    async fn version_cursors(
        &self,
        bucket: &Bucket,
        query: &ListVersions,
    ) -> Result<(Merged<'_>, Vec<u8>), ObjectsError> {
        let range = start_range(bucket, &query.query);
        let (mut current, mut noncurrent) = (range.clone(), range);
        let marker = ObjectKey::parse(query.query.after.as_str()).ok();
        let mut seen = None;
        if let (Some(key), Some(version)) = (marker, query.after_version)
            && let Some(position) = self.position_of(bucket, &key, version).await?
        {
            let first = prefix_range(bucket, &query.query.prefix).start;
            let mut behind = version_row(&bucket.id, &key, &position);
            behind.push(0);
            let object = object_row(&bucket.id, &key);
            match self.rows.load::<Current>(&object).await?.map(|found| found.value.0.position) {
                // What was newer has been deleted since the marker was given.
                Some(newest) if newest > position => current.start = object.max(first.clone()),
                Some(_) => seen = Some(key),
                None => {
                    let newer = KeyRange { end: Some(behind.clone()), ..KeyRange::prefix(&object) };
                    let newer = self.rows.list::<Noncurrent>(&newer, 1, Direction::Forward).await?;
                    seen = Some(key).filter(|_| !newer.is_empty());
                }
            }
            noncurrent.start = behind.max(first);
        }
        let start = current.start.clone();
        let current = Cursor::new(&self.rows, Table::Object, current);
        let noncurrent = Cursor::new(&self.rows, Table::Version, noncurrent);
        Ok((Merged { current, noncurrent, seen }, start))
    }

    /// Where a version stands, or stood, among those of its key; unknown of a null version that is gone.
    async fn position_of(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: VersionId,
    ) -> Result<Option<Id>, ObjectsError> {
        match (self.version_record(bucket, key, Some(version)).await, version) {
            (Ok(record), _) => Ok(Some(record.position)),
            (Err(ObjectsError::NoSuchVersion), VersionId::Named(position)) => Ok(Some(position)),
            (Err(ObjectsError::NoSuchVersion), VersionId::Null) => Ok(None),
            (Err(error), _) => Err(error),
        }
    }
}

/// Rows of current versions that were read, from one rolled-up prefix to the next.
struct Stretch {
    start: Vec<u8>,
    /// Behind the row of the last key from which something was taken; none: nothing was.
    end: Option<Vec<u8>>,
    rows: Vec<(Bytes, Bytes)>,
}

impl Stretch {
    fn from(start: Vec<u8>) -> Self {
        Self { start, end: None, rows: Vec::new() }
    }
}

impl ListedVersion {
    /// Its key and its version.
    fn place(&self) -> (&ObjectKey, VersionId) {
        match self {
            Self::Object { info, .. } => (&info.key, info.version),
            Self::DeleteMarker { key, version, .. } => (key, *version),
        }
    }
}

/// Current and noncurrent rows, in the order of keys and ages.
struct Merged<'a> {
    current: Cursor<'a>,
    noncurrent: Cursor<'a>,
    seen: Option<ObjectKey>,
}

impl Merged<'_> {
    /// The next key, and whether its row is in the table of current versions.
    async fn peek(&mut self) -> Result<Option<(ObjectKey, bool)>, ObjectsError> {
        let read = |row: Option<&(Bytes, Bytes)>| match row {
            Some((row, _)) => read_row(row).map(|(key, _)| Some(key)).ok_or_else(malformed),
            None => Ok(None),
        };
        let current = read(self.current.peek().await?)?;
        let noncurrent = read(self.noncurrent.peek().await?)?;
        Ok(match (current, noncurrent) {
            (None, None) => None,
            (Some(key), None) => Some((key, true)),
            (None, Some(key)) => Some((key, false)),
            (Some(a), Some(b)) if a <= b => Some((a, true)),
            (Some(_), Some(b)) => Some((b, false)),
        })
    }
}

/// Rows with the prefix, behind `after`.
pub(super) fn start_range(bucket: &Bucket, query: &ListQuery) -> KeyRange {
    let mut range = prefix_range(bucket, &query.prefix);
    if !query.after.is_empty() {
        // Behind every row of the key `after`: 01 ends the key, and no key's bytes sort between 01 and 02 there.
        let mut start = Tuple::new().id(&bucket.id).open_bytes(query.after.as_bytes()).build();
        start.extend_from_slice(&[0, 2]);
        range.start = range.start.max(start);
    }
    range
}

/// A rolled-up prefix is shown only if it lies behind the marker; a marker inside of it has shown it already.
pub(super) fn is_behind(group: &str, query: &ListQuery) -> bool {
    group > query.after.as_str() && !query.after.starts_with(group)
}

/// The first row behind all keys of a group.
pub(super) fn group_end(bucket: &Bucket, group: &str) -> Vec<u8> {
    prefix_range(bucket, group).end.unwrap_or_else(|| vec![u8::MAX; 64])
}

pub(super) fn malformed() -> ObjectsError {
    ObjectsError::Internal("a row of the index has a malformed key".to_owned())
}
