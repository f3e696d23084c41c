//! Reading an object: by segments, in bounded memory; nothing leaves before its tag is checked.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};

use super::record::{Current, Id, NullPointer, ObjectRecord, PartRecord, Place, id_row, object_row, version_row};
use super::versions::COMMIT_TRIES;
use super::{Bucket, ObjectInfo, Objects, ObjectsError, PartSpan, VersionId};
use crate::auth::Grant;
use crate::crypto::{
    Checksum, ChecksumAlgorithm, HEADER_BYTES, ObjectKeys, PlainRange, SealedRange, SealingId, Span, StreamOpener,
    sealed_len, segment_count, span,
};
use crate::index::{Stamp, Table};
use crate::names::{ObjectKey, object_arn};
use crate::sources::Timestamp;
use crate::store::{CHUNK_SEGMENTS, PieceLens, PieceReader};

/// Plaintext, in order; every byte's segment was authenticated before it came out.
pub type ByteStream = BoxStream<'static, Result<Bytes, ObjectsError>>;

/// A look for a version that found none: what the row of the current version was then, and where the version was looked
/// for.
#[derive(PartialEq)]
struct Missed {
    current: Option<Stamp>,
    position: Option<Id>,
}

/// One sealed stream of an object, and what is wanted of it.
struct Piece {
    id: Id,
    place: Place,
    part_number: u32,
    plain_len: u64,
    range: PlainRange,
}

impl Objects {
    /// An object's record: the current version, or the one named. `grant`: any action on the object's ARN.
    pub async fn head(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<ObjectInfo, ObjectsError> {
        assert_eq!(grant.resource().arn, object_arn(&bucket.name, key), "the grant is for another object");
        let record = self.version_record(bucket, key, version).await?;
        if record.body.is_some() {
            return self.info_of(bucket, key, record);
        }
        Err(match version {
            None => ObjectsError::NoSuchKey { delete_marker: Some(record.version()) },
            Some(_) => ObjectsError::IsDeleteMarker { modified: Timestamp(record.modified_ms) },
        })
    }

    /// The tags of an object, or of the version named; none where there is no such. Without a grant: they are what
    /// the decision on one may follow from.
    pub async fn existing_tags(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<Vec<(String, String)>, ObjectsError> {
        match self.version_record(bucket, key, version).await {
            Ok(record) => Ok(record.body.map(|body| body.meta.tags).unwrap_or_default()),
            Err(ObjectsError::NoSuchKey { .. } | ObjectsError::NoSuchVersion) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// A version's record, delete markers included.
    pub(super) async fn version_record(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<ObjectRecord, ObjectsError> {
        let Some(version) = version else { return self.current_record(bucket, key).await };
        let mut missed = None;
        for _ in 0..COMMIT_TRIES {
            match self.find_version(bucket, key, version).await? {
                Ok(record) => return Ok(record),
                // It becomes current, or ceases to be, from one read to the next: it is not there only if nothing has
                // moved meanwhile.
                Err(again) if missed.as_ref() == Some(&again) => return Err(ObjectsError::NoSuchVersion),
                Err(first) => missed = Some(first),
            }
        }
        Err(ObjectsError::Contention)
    }

    async fn current_record(&self, bucket: &Bucket, key: &ObjectKey) -> Result<ObjectRecord, ObjectsError> {
        match self.rows.load::<Current>(&object_row(&bucket.id, key)).await? {
            Some(current) => Ok(current.value.0),
            None if bucket.versioning == super::Versioning::Never => {
                Err(ObjectsError::NoSuchKey { delete_marker: None })
            }
            None => match self.versions_of(bucket, key, 1).await?.pop() {
                Some((_, marker)) if marker.value.0.body.is_none() => Ok(marker.value.0),
                _ => Err(ObjectsError::NoSuchKey { delete_marker: None }),
            },
        }
    }

    /// One look at the rows in which a version can be.
    async fn find_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: VersionId,
    ) -> Result<Result<ObjectRecord, Missed>, ObjectsError> {
        let row = object_row(&bucket.id, key);
        let current = self.rows.load::<Current>(&row).await?;
        let of_current = current.as_ref().map(|current| current.stamp.clone());
        if let Some(current) = current.filter(|current| current.value.0.version() == version) {
            return Ok(Ok(current.value.0));
        }
        let position = match version {
            VersionId::Named(position) => Some(position),
            VersionId::Null => self.rows.load::<NullPointer>(&row).await?.map(|p| p.value.position),
        };
        let missed = Missed { current: of_current, position };
        let Some(position) = position else { return Ok(Err(missed)) };
        let found = self.rows.load::<super::record::Noncurrent>(&version_row(&bucket.id, key, &position)).await?;
        let found = found.map(|found| found.value.0).filter(|found| found.version() == version);
        Ok(found.ok_or(missed))
    }

    /// The parts of a multipart object, in order; empty for others.
    pub async fn parts(&self, info: &ObjectInfo) -> Result<Vec<PartSpan>, ObjectsError> {
        if info.parts.is_none() || info.content.place != Place::Parts {
            return Ok(Vec::new());
        }
        let mut start = 0;
        let parts = self.layout(&info.content).await?.parts.into_iter().map(|part| {
            let range = PlainRange { start, end: start + part.plain_len };
            start = range.end;
            PartSpan {
                part_number: part.number,
                range,
                checksum: part.checksum.as_ref().and_then(super::record::ChecksumRecord::checksum),
                whole_crc: Checksum {
                    algorithm: ChecksumAlgorithm::Crc64Nvme,
                    value: part.plain_crc.to_be_bytes().to_vec(),
                },
            }
        });
        Ok(parts.collect())
    }

    /// Reads `range` of an object with the keys that [`crate::sse::Sse::open`] gave. The first segment is checked
    /// before this returns, so that a damaged object is an error and not a cut connection where possible.
    pub async fn read(
        &self,
        grant: &Grant,
        info: &ObjectInfo,
        range: PlainRange,
        keys: ObjectKeys,
    ) -> Result<ByteStream, ObjectsError> {
        assert_eq!(grant.resource().arn, object_arn(&info.bucket, &info.key), "the grant is for another object");
        let pieces = self.pieces(info, range).await?;
        let reader = Reader { objects: self.clone(), keys, sealing_id: info.content.sealing_id, pieces, open: None };
        let mut plain = stream::unfold(Some(reader), step).boxed();
        // The first chunk is waited for: its errors can still be answered.
        match plain.next().await {
            None => Ok(stream::empty().boxed()),
            Some(Err(error)) => Err(error),
            Some(first) => Ok(stream::iter([first]).chain(plain).boxed()),
        }
    }

    /// The sealed streams that `range` touches. An empty object has one, which is opened for its tag's sake.
    async fn pieces(&self, info: &ObjectInfo, range: PlainRange) -> Result<VecDeque<Piece>, ObjectsError> {
        if info.content.place != Place::Parts {
            let (id, place, plain_len) = (info.content.id, info.content.place, info.plain_len);
            return Ok(VecDeque::from([Piece { id, place, part_number: 0, plain_len, range }]));
        }
        let mut start = 0;
        let mut pieces = VecDeque::new();
        for PartRecord { number, plain_len, bytes, .. } in self.layout(&info.content).await?.parts {
            let end = start + plain_len;
            if start < range.end && range.start < end {
                let range = PlainRange { start: range.start.max(start) - start, end: range.end.min(end) - start };
                pieces.push_back(Piece { id: bytes.id, place: bytes.place, part_number: number, plain_len, range });
            }
            start = end;
        }
        Ok(pieces)
    }
}

/// What is left to read.
struct Reader {
    objects: Objects,
    keys: ObjectKeys,
    sealing_id: SealingId,
    pieces: VecDeque<Piece>,
    open: Option<ByteStream>,
}

/// The next chunk; after an error nothing more comes.
async fn step(reader: Option<Reader>) -> Option<(Result<Bytes, ObjectsError>, Option<Reader>)> {
    let mut reader = reader?;
    loop {
        if let Some(open) = &mut reader.open {
            match open.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => return Some((Ok(chunk), Some(reader))),
                Some(Err(error)) => return Some((Err(error), None)),
                None => reader.open = None,
            }
        }
        let piece = reader.pieces.pop_front()?;
        match reader.start(piece).await {
            Ok(stream) => reader.open = Some(stream),
            Err(error) => return Some((Err(error), None)),
        }
    }
}

impl Reader {
    /// The plaintext of one sealed stream.
    async fn start(&mut self, piece: Piece) -> Result<ByteStream, ObjectsError> {
        match piece.place {
            Place::Inline => self.start_inline(&piece).await,
            Place::Blob => self.start_blob(&piece).await,
            Place::Parts => Err(damaged("a part that has parts")),
        }
    }

    async fn start_inline(&mut self, piece: &Piece) -> Result<ByteStream, ObjectsError> {
        let row = self.objects.rows.engine().get(Table::Inline, &id_row(&piece.id)).await?;
        let mut sealed = BytesMut::from(row.ok_or_else(|| damaged("its bytes are missing from the index"))?);
        if sealed.len() as u64 != sealed_len(piece.plain_len, self.keys.suite()) {
            return Err(damaged("its inline bytes have the wrong length"));
        }
        let span = span(piece.range, piece.plain_len, self.keys.suite());
        let mut segments = self.segments(piece, &span, &sealed)?;
        let at = usize::try_from(span.sealed.start).map_err(|_| damaged("a range out of bounds"))?;
        let plain = segments.open(&mut sealed, at)?;
        Ok(slices(sealed.freeze(), plain).boxed())
    }

    /// Where the range begins at the front, the header comes with the first segments.
    async fn start_blob(&mut self, piece: &Piece) -> Result<ByteStream, ObjectsError> {
        let blobs = &self.objects.blobs;
        let span = span(piece.range, piece.plain_len, self.keys.suite());
        let each = CHUNK_SEGMENTS as usize * self.keys.suite().sealed_segment_bytes();
        let header = SealedRange { start: 0, end: HEADER_BYTES as u64 };
        if span.first_segment > 0 {
            let header = blobs.read(piece.id, header).next().await.transpose()?.unwrap_or_default();
            let segments = self.segments(piece, &span, &header)?;
            let pieces = blobs.read_pieces(piece.id, span.sealed, PieceLens { first: each, rest: each });
            return Ok(segments.open_pieces(pieces));
        }
        let range = SealedRange { start: 0, end: span.sealed.end };
        let lens = PieceLens { first: HEADER_BYTES + each, rest: each };
        let mut pieces = blobs.read_pieces(piece.id, range, lens);
        let Some(mut first) = pieces.next().await.transpose()? else { return Ok(stream::empty().boxed()) };
        let mut segments = self.segments(piece, &span, &first)?;
        let plain = segments.open(&mut first, HEADER_BYTES)?;
        Ok(slices(first.freeze(), plain).chain(segments.open_pieces(pieces)).boxed())
    }

    /// `front`: the stream's first bytes, at least its header.
    fn segments(&self, piece: &Piece, span: &Span, front: &[u8]) -> Result<Segments, ObjectsError> {
        let header = front.first_chunk().ok_or_else(|| damaged("its header is cut"))?;
        let opener = StreamOpener::new(&self.keys, &self.sealing_id, piece.part_number, &piece.id, header)
            .map_err(|_| damaged("its header does not open"))?;
        let count = u32::try_from(segment_count(piece.plain_len)).map_err(|_| damaged("a range out of bounds"))?;
        Ok(Segments {
            opener,
            sealed_bytes: self.keys.suite().sealed_segment_bytes(),
            next: span.first_segment,
            last: count - 1,
            skip: span.skip_bytes,
            left: span.take_bytes,
        })
    }
}

/// These ranges of `opened`, one after the other.
fn slices(opened: Bytes, ranges: Vec<Range<usize>>) -> impl Stream<Item = Result<Bytes, ObjectsError>> {
    stream::iter(ranges.into_iter().map(move |range| Ok(opened.slice(range))))
}

/// The segments of a sealed stream, opened in order.
struct Segments {
    opener: StreamOpener,
    /// Bytes of a full sealed segment.
    sealed_bytes: usize,
    next: u32,
    last: u32,
    /// Plaintext bytes before the range.
    skip: usize,
    /// Plaintext bytes of the range that are still to come.
    left: u64,
}

impl Segments {
    /// Opens the segments that `sealed` holds from `at` on, in place. Says where the plaintext lies that is wanted.
    fn open(&mut self, sealed: &mut [u8], mut at: usize) -> Result<Vec<Range<usize>>, ObjectsError> {
        let mut wanted = Vec::with_capacity(CHUNK_SEGMENTS as usize);
        while at < sealed.len() {
            let end = sealed.len().min(at + self.sealed_bytes);
            let plain_len = self
                .opener
                .open(self.next, self.next == self.last, &mut sealed[at..end])
                .map_err(|_| damaged(&format!("segment {} does not open", self.next)))?;
            let skip = std::mem::take(&mut self.skip).min(plain_len);
            let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(plain_len - skip);
            self.left -= take as u64;
            wanted.push(at + skip..at + skip + take);
            self.next += 1;
            at = end;
        }
        Ok(wanted)
    }

    fn open_pieces(mut self, pieces: PieceReader) -> ByteStream {
        let opened = pieces.map(move |piece| {
            let mut piece = piece?;
            let plain = self.open(&mut piece, 0)?;
            Ok::<_, ObjectsError>(slices(piece.freeze(), plain))
        });
        opened.try_flatten().boxed()
    }
}

/// Damage or tampering: looks like any internal error from outside; the text is for the log.
fn damaged(what: &str) -> ObjectsError {
    ObjectsError::Internal(format!("a stored object is damaged: {what}"))
}
