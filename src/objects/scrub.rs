//! Scrub: every stored byte against the index, without changing anything.
//!
//! Each stream's length and CRC are compared with the index (that needs no key, so it holds for SSE-C and for disabled
//! KMS keys too); objects under SSE-S3 are opened as well, segment by segment. Every sealed row of the index is opened.
//! Holders of shared contents are counted, and blobs that nothing refers to are found. Keeps about 60 bytes a blob and
//! content in memory.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::record::{
    Content, Current, Garbage, Id, Noncurrent, ObjectRecord, PartBytes, PartRecord, Pending, Place, RefCount, id_row,
};
use super::versions::read_row;
use super::{Bucket, Objects, ObjectsError};
use crate::auth::{Access, Resource, system};
use crate::crypto::{PlainRange, SealedRange, crc64_nvme, sealed_len};
use crate::index::{Direction, KeyRange, Record, Stored, Table, TupleReader};
use crate::names::{BucketName, object_arn};
use crate::policy::{Acls, NoContext, Target};
use crate::sse::{Mode, ObjectRef, suite_of};

/// Rows read at once.
const PAGE: usize = 512;

/// Tables that no other pass reads from end to end: it is checked that their rows open. The rows of `Inline` and `Meta`
/// are sealed otherwise.
const OTHER_TABLES: [Table; 14] = [
    Table::Account,
    Table::NullVersion,
    Table::Upload,
    Table::Layout,
    Table::Key,
    Table::Alias,
    Table::Audit,
    Table::BucketOwner,
    Table::Grant,
    Table::BucketConfig,
    Table::Identity,
    Table::AccessKey,
    Table::Queue,
    Table::Lease,
];

/// Something that is not as the index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Bucket, key and version, or the blob where there are none.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// How far a scrub is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubProgress {
    /// Sealed bytes of the store in all.
    pub bytes_in_all: u64,
    /// Sealed bytes read so far.
    pub bytes_read: u64,
    /// Versions looked at so far.
    pub versions: u64,
}

/// What a scrub found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Versions of objects, delete markers not counted.
    pub versions: u64,
    /// Parts of uploads under way.
    pub parts: u64,
    /// Sealed bytes read.
    pub bytes_read: u64,
    /// What is wrong.
    pub damage: Vec<Damage>,
    /// Blobs, and sealed bytes in the index, that nothing refers to: no data is lost, only space.
    pub orphans: Vec<String>,
}

/// A scrub under way.
struct Scrub<'a> {
    objects: &'a Objects,
    access: Access,
    blobs: HashMap<Id, u64>,
    known: HashSet<Id>,
    holders: HashMap<Id, u64>,
    report: ScrubReport,
    progress: ScrubProgress,
    tell: &'a mut (dyn FnMut(ScrubProgress) + Send),
}

impl Objects {
    /// Looks at everything. `tell` hears of the progress after each version.
    pub async fn scrub(
        &self,
        region: crate::names::Region,
        tell: &mut (dyn FnMut(ScrubProgress) + Send),
    ) -> Result<ScrubReport, ObjectsError> {
        let blobs: HashMap<Id, u64> = self.blobs.list().try_collect().await?;
        let progress = ScrubProgress { bytes_in_all: blobs.values().sum(), ..ScrubProgress::default() };
        let mut scrub = Scrub {
            objects: self,
            access: system("scrub", region, self.sources.now()),
            blobs,
            known: HashSet::new(),
            holders: HashMap::new(),
            report: ScrubReport::default(),
            progress,
            tell,
        };
        let buckets = scrub.buckets().await?;
        scrub.versions::<Current>(&buckets, |r| r.0).await?;
        scrub.versions::<Noncurrent>(&buckets, |r| r.0).await?;
        scrub.uploaded_parts().await?;
        scrub.holders().await?;
        scrub.expected_leftovers().await?;
        for table in OTHER_TABLES {
            scrub.other_rows(table).await?;
        }
        scrub.orphans().await?;
        Ok(scrub.report)
    }
}

fn everything() -> KeyRange {
    KeyRange { start: Vec::new(), end: None }
}

type OpenedRow<R> = (Vec<u8>, Stored<R>);

impl Scrub<'_> {
    fn damaged(&mut self, place: &str, what: impl Into<String>) {
        self.report.damage.push(Damage { place: place.to_owned(), what: what.into() });
    }

    /// The next rows of a table; none: it is done. A row that does not open is damage, and the scrub goes on behind it.
    async fn page<R: Record>(&mut self, range: &mut KeyRange) -> Result<Option<Vec<OpenedRow<R>>>, ObjectsError> {
        let rows = self.objects.rows.engine().scan(R::TABLE, range, PAGE, Direction::Forward).await?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        range.start = [&last[..], &[0]].concat();
        let mut opened = Vec::with_capacity(rows.len());
        for (row, sealed) in rows {
            match self.objects.rows.open_value::<R>(&row, sealed) {
                Ok(stored) => opened.push((row.to_vec(), stored)),
                Err(error) => self.damaged("the index", error.to_string()),
            }
        }
        Ok(Some(opened))
    }

    async fn other_rows(&mut self, table: Table) -> Result<(), ObjectsError> {
        let mut range = everything();
        loop {
            let rows = self.objects.rows.engine().scan(table, &range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            range.start = [&last[..], &[0]].concat();
            for (row, sealed) in rows {
                if let Err(error) = self.objects.rows.sealer().open_row(table, &row, &sealed) {
                    self.damaged("the index", error.0);
                }
            }
        }
    }

    async fn buckets(&mut self) -> Result<HashMap<Id, Bucket>, ObjectsError> {
        let (mut range, mut out) = (everything(), HashMap::new());
        loop {
            let Some(rows) = self.page::<super::record::BucketRecord>(&mut range).await? else { return Ok(out) };
            for (key, stored) in rows {
                let name = TupleReader::new(&key).bytes().and_then(|n| String::from_utf8(n).ok());
                let name = name.and_then(|n| BucketName::parse(&n).ok());
                let Some(bucket) = name.and_then(|n| stored.value.bucket(n, stored.stamp.clone())) else {
                    self.damaged("a bucket's row", "it does not tell a valid name");
                    continue;
                };
                // One that is lost or is no policy allows nothing any more; one that does not open is told below too.
                if self.objects.bucket_policy(&bucket).await.is_err() {
                    self.damaged(&format!("bucket {}", bucket.name), "its policy is lost or cannot be read");
                }
                for kind in self.objects.damaged_configurations(&bucket).await {
                    let what = format!("its {kind:?} configuration is lost, an earlier one or cannot be read");
                    self.damaged(&format!("bucket {}", bucket.name), what);
                }
                out.insert(bucket.id, bucket);
            }
        }
    }

    /// All rows of `Object` or `Version`. A row that does not open is damage, and the scrub goes on behind it.
    async fn versions<R: Record>(
        &mut self,
        buckets: &HashMap<Id, Bucket>,
        record: fn(R) -> ObjectRecord,
    ) -> Result<(), ObjectsError> {
        let mut range = everything();
        loop {
            let engine = self.objects.rows.engine();
            let rows = engine.scan(R::TABLE, &range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            range.start = [&last[..], &[0]].concat();
            for (row, sealed) in rows {
                let place = place_of(&row, buckets);
                match self.objects.rows.open_value::<R>(&row, sealed) {
                    Ok(stored) => self.version(&place, &row, record(stored.value), buckets).await?,
                    Err(error) => self.damaged(&place, error.to_string()),
                }
                (self.tell)(self.progress);
            }
        }
    }

    async fn version(
        &mut self,
        place: &str,
        row: &[u8],
        record: ObjectRecord,
        buckets: &HashMap<Id, Bucket>,
    ) -> Result<(), ObjectsError> {
        let Some(body) = &record.body else { return Ok(()) };
        self.report.versions += 1;
        self.progress.versions += 1;
        let (content, mode, plain_len) = (body.content.clone(), body.envelope.mode, body.plain_len);
        let holders = self.holders.entry(content.id).or_default();
        *holders += 1;
        if *holders == 1 {
            self.content(place, &content, mode, plain_len).await?;
        }
        let known = TupleReader::new(row).id::<16>().and_then(|id| buckets.get(&id));
        let Some((bucket, (key, _))) = known.zip(read_row(row)) else {
            self.damaged(place, "its bucket does not exist");
            return Ok(());
        };
        // Other modes need a key that a scrub has not, or a recorded use of one for each object.
        if mode != Mode::SseS3 {
            return Ok(());
        }
        if let Err(error) = self.open_all(bucket, key, record).await {
            self.damaged(place, format!("it cannot be read: {error:?}"));
        }
        Ok(())
    }

    /// Reads an object as a client would.
    async fn open_all(
        &mut self,
        bucket: &Bucket,
        key: crate::names::ObjectKey,
        record: ObjectRecord,
    ) -> Result<(), ObjectsError> {
        let info = self.objects.info_of(bucket, &key, record)?;
        let resource = Resource { arn: object_arn(&bucket.name, &key), owner: bucket.owner.clone() };
        let grant = self
            .access
            .authorize("s3:GetObject", resource, &Target::Bucket { policy: None, acls: Acls::default() }, &NoContext)
            .map_err(|d| ObjectsError::Internal(d.message))?;
        let object = ObjectRef { bucket: &bucket.name, key: &key, id: info.holder_id };
        let keys = self.objects.sse.open(&self.access, object, &info.envelope, None).await?;
        let whole = PlainRange { start: 0, end: info.plain_len };
        let mut plain = self.objects.read(&grant, &info, whole, keys).await?;
        let mut read = 0;
        while let Some(chunk) = plain.next().await.transpose()? {
            read += chunk.len() as u64;
        }
        if read == info.plain_len { Ok(()) } else { Err(ObjectsError::Internal("its length is wrong".to_owned())) }
    }

    async fn content(
        &mut self,
        place: &str,
        content: &Content,
        mode: Mode,
        plain_len: u64,
    ) -> Result<(), ObjectsError> {
        if content.place != Place::Parts {
            let bytes = PartBytes { id: content.id, place: content.place, sealed_crc: content.sealed_crc };
            return self.stream(place, &bytes, Some(sealed_len(plain_len, suite_of(mode)))).await;
        }
        let Ok(layout) = self.objects.layout(content).await else {
            self.damaged(place, "its part table is missing or damaged");
            return Ok(());
        };
        if layout.parts.iter().map(|p| p.plain_len).sum::<u64>() != plain_len {
            self.damaged(place, "its parts do not add up to its size");
        }
        for part in layout.parts {
            let place = format!("{place} part {}", part.number);
            self.stream(&place, &part.bytes, Some(sealed_len(part.plain_len, suite_of(mode)))).await?;
        }
        Ok(())
    }

    /// One stream: its length where the index tells it, and the CRC of its sealed bytes.
    async fn stream(&mut self, place: &str, bytes: &PartBytes, length: Option<u64>) -> Result<(), ObjectsError> {
        self.known.insert(bytes.id);
        if bytes.place == Place::Inline {
            let inline = self.objects.rows.engine().get(Table::Inline, &id_row(&bytes.id)).await?;
            let found = inline.as_ref().map_or(0, |inline| inline.len() as u64);
            self.report.bytes_read += found;
            match inline {
                Some(inline) if length.is_none_or(|l| l == found) && crc64_nvme(0, &inline) == bytes.sealed_crc => {}
                Some(_) => self.damaged(place, "its bytes in the index are not those that were written"),
                None => self.damaged(place, "its bytes in the index are missing"),
            }
            return Ok(());
        }
        match self.blobs.get(&bytes.id) {
            None => self.damaged(place, "its blob is missing"),
            Some(&found) if length.is_some_and(|length| found != length) => {
                let length = length.unwrap_or_default();
                self.damaged(place, format!("its blob has {found} bytes instead of {length}"));
            }
            Some(&found) => {
                let mut chunks = self.objects.blobs.read(bytes.id, SealedRange { start: 0, end: found });
                let mut crc = 0;
                while let Some(chunk) = chunks.next().await {
                    let Ok(chunk) = chunk else {
                        self.damaged(place, "its blob cannot be read");
                        return Ok(());
                    };
                    crc = crc64_nvme(crc, &chunk);
                    self.progress.bytes_read += chunk.len() as u64;
                    self.report.bytes_read += chunk.len() as u64;
                    (self.tell)(self.progress);
                }
                if crc != bytes.sealed_crc {
                    self.damaged(place, "its blob's bytes are not those that were written");
                }
            }
        }
        Ok(())
    }

    /// Parts of uploads under way. How they are sealed stands in another row; the CRC covers their length too.
    async fn uploaded_parts(&mut self) -> Result<(), ObjectsError> {
        let ended = self.ended_uploads().await?;
        let mut range = everything();
        loop {
            let Some(rows) = self.page::<PartRecord>(&mut range).await? else { return Ok(()) };
            for (row, part) in rows {
                let PartRecord { number, bytes, .. } = part.value;
                if TupleReader::new(&row).id::<16>().is_some_and(|upload| ended.contains(&upload)) {
                    // The sweeper deletes blobs before their rows: this one may be gone already.
                    self.known.insert(bytes.id);
                    continue;
                }
                self.report.parts += 1;
                self.stream(&format!("part {number} of an upload"), &bytes, None).await?;
            }
        }
    }

    /// Uploads whose parts wait for the sweeper.
    async fn ended_uploads(&mut self) -> Result<HashSet<Id>, ObjectsError> {
        let (mut range, mut ended) = (everything(), HashSet::new());
        while let Some(rows) = self.page::<Garbage>(&mut range).await? {
            ended.extend(rows.into_iter().filter_map(|(_, garbage)| match garbage.value {
                Garbage::Upload(id) => Some(id),
                Garbage::Content(_) | Garbage::Part(_) | Garbage::Bucket(_) => None,
            }));
        }
        Ok(ended)
    }

    /// The count of each shared content is the number of versions that hold it.
    async fn holders(&mut self) -> Result<(), ObjectsError> {
        let (mut range, mut counted) = (everything(), HashMap::new());
        while let Some(rows) = self.page::<RefCount>(&mut range).await? {
            let read = |row: &[u8]| TupleReader::new(row).id::<16>();
            counted.extend(rows.into_iter().filter_map(|(row, count)| Some((read(&row)?, count.value.holders))));
        }
        let wrong: Vec<String> = self
            .holders
            .iter()
            .map(|(id, found)| (id, *found, counted.remove(id).unwrap_or(1)))
            .filter(|(_, found, noted)| found != noted)
            .map(|(id, found, noted)| format!("{}: {found} holders, {noted} noted", crate::names::hex(id)))
            .collect();
        for what in wrong {
            self.damaged("a shared content", what);
        }
        for id in counted.into_keys() {
            self.damaged("a shared content", format!("{}: counted, and held by none", crate::names::hex(&id)));
        }
        Ok(())
    }

    /// Blobs that wait for the sweeper are no orphans.
    async fn expected_leftovers(&mut self) -> Result<(), ObjectsError> {
        let mut range = everything();
        while let Some(rows) = self.page::<Garbage>(&mut range).await? {
            for (_, garbage) in rows {
                match garbage.value {
                    Garbage::Part(part) => drop(self.known.insert(part.id)),
                    Garbage::Upload(_) | Garbage::Bucket(_) => {}
                    Garbage::Content(content) if content.place == Place::Parts => {
                        let parts = self.objects.layout(&content).await.map(|l| l.parts).unwrap_or_default();
                        self.known.extend(parts.into_iter().map(|p| p.bytes.id));
                    }
                    Garbage::Content(content) => drop(self.known.insert(content.id)),
                }
            }
        }
        let mut range = everything();
        while let Some(rows) = self.page::<Pending>(&mut range).await? {
            self.known.extend(rows.into_iter().filter_map(|(row, _)| TupleReader::new(&row).id::<16>()));
        }
        Ok(())
    }

    async fn orphans(&mut self) -> Result<(), ObjectsError> {
        let mut found: Vec<Id> = self.blobs.keys().copied().collect();
        let mut range = everything();
        loop {
            // Up to 32 KiB each: some megabytes at once.
            let rows = self.objects.rows.engine().scan(Table::Inline, &range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { break };
            range.start = [&last[..], &[0]].concat();
            found.extend(rows.iter().filter_map(|(row, _)| TupleReader::new(row).id::<16>()));
        }
        let orphans = found.iter().filter(|id| !self.known.contains(*id)).map(|id| crate::names::hex(id));
        self.report.orphans.extend(orphans);
        self.report.orphans.sort();
        Ok(())
    }
}

fn place_of(row: &[u8], buckets: &HashMap<Id, Bucket>) -> String {
    let bucket = TupleReader::new(row).id::<16>().and_then(|id| buckets.get(&id));
    let bucket = bucket.map_or("(no bucket)", |b| b.name.as_str());
    match read_row(row) {
        Some((key, None)) => format!("{bucket}/{key}"),
        Some((key, Some(position))) => format!("{bucket}/{key}?versionId={}", crate::names::hex(&position)),
        None => format!("a row of {bucket}"),
    }
}
