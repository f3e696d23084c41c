//! Reading an object: by segments, in bounded memory; nothing leaves before its tag is checked.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::record::{Current, Id, NullPointer, ObjectRecord, PartRecord, Place, id_row, object_row, version_row};
use super::{Bucket, ObjectInfo, Objects, ObjectsError, PartSpan, VersionId};
use crate::auth::Grant;
use crate::crypto::{
    HEADER_BYTES, ObjectKeys, PlainRange, SEGMENT_BYTES, SealedRange, SealingId, StreamOpener, Suite, sealed_len, span,
};
use crate::index::Table;
use crate::names::{ObjectKey, object_arn};
use crate::sources::Timestamp;
use crate::store::Blobs;

/// Segments that one read of the store fetches: below the store's own chunk size, so that one read is one piece.
const SEGMENTS_PER_READ: u32 = 7;
/// Reads of the store that are under way while the one before is opened and sent.
const READ_AHEAD: usize = 2;

/// Plaintext, in order; every byte's segment was authenticated before it came out.
pub type ByteStream = BoxStream<'static, Result<Bytes, ObjectsError>>;

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

    /// A version's record, delete markers included.
    pub(super) async fn version_record(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<ObjectRecord, ObjectsError> {
        let row = object_row(&bucket.id, key);
        let current = self.rows.load::<Current>(&row).await?.map(|c| c.value.0);
        let Some(version) = version else {
            return match current {
                Some(record) => Ok(record),
                None if bucket.versioning == super::Versioning::Never => {
                    Err(ObjectsError::NoSuchKey { delete_marker: None })
                }
                None => match self.versions_of(bucket, key, 1).await?.pop() {
                    Some((_, marker)) if marker.value.0.body.is_none() => Ok(marker.value.0),
                    _ => Err(ObjectsError::NoSuchKey { delete_marker: None }),
                },
            };
        };
        if let Some(record) = current.filter(|c| c.version() == version) {
            return Ok(record);
        }
        let position = match version {
            VersionId::Named(position) => Some(position),
            VersionId::Null => self.rows.load::<NullPointer>(&row).await?.map(|p| p.value.position),
        };
        let Some(position) = position else { return Err(ObjectsError::NoSuchVersion) };
        let found = self.rows.load::<super::record::Noncurrent>(&version_row(&bucket.id, key, &position)).await?;
        found.map(|r| r.value.0).filter(|r| r.version() == version).ok_or(ObjectsError::NoSuchVersion)
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
        let reader = Reader {
            objects: self.clone(),
            keys: Arc::new(keys),
            sealing_id: info.content.sealing_id,
            pieces,
            open: None,
        };
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
    keys: Arc<ObjectKeys>,
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
    async fn start(&mut self, piece: Piece) -> Result<ByteStream, ObjectsError> {
        let suite = self.keys.suite();
        let sealed = match piece.place {
            Place::Inline => {
                let row = self.objects.rows.engine().get(Table::Inline, &id_row(&piece.id)).await?;
                Sealed::Inline(row.ok_or_else(|| damaged("its bytes are missing from the index"))?)
            }
            Place::Blob => Sealed::Blob(self.objects.blobs.clone(), piece.id),
            Place::Parts => return Err(damaged("a part that has parts")),
        };
        if matches!(&sealed, Sealed::Inline(b) if b.len() as u64 != sealed_len(piece.plain_len, suite)) {
            return Err(damaged("its inline bytes have the wrong length"));
        }
        let header = sealed.fetch(SealedRange { start: 0, end: HEADER_BYTES as u64 }).await?;
        let header: [u8; HEADER_BYTES] = header[..].try_into().map_err(|_| damaged("its header is cut"))?;
        let opener = StreamOpener::new(&self.keys, &self.sealing_id, piece.part_number, &piece.id, &header)
            .map_err(|_| damaged("its header does not open"))?;
        Ok(opened(Arc::new(opener), sealed, &piece, suite))
    }
}

/// The plaintext of one piece, segment by segment.
fn opened(opener: Arc<StreamOpener>, sealed: Sealed, piece: &Piece, suite: Suite) -> ByteStream {
    let whole = span(piece.range, piece.plain_len, suite);
    let last_segment = span(PlainRange { start: 0, end: piece.plain_len }, piece.plain_len, suite).end_segment - 1;
    let segment_bytes = (SEGMENT_BYTES + suite_overhead(suite)) as u64;
    let first = whole.first_segment;
    let reads = (first..whole.end_segment).step_by(SEGMENTS_PER_READ as usize).map(move |from| {
        let to = (from + SEGMENTS_PER_READ).min(whole.end_segment);
        let start = whole.sealed.start + u64::from(from - first) * segment_bytes;
        let end = (start + u64::from(to - from) * segment_bytes).min(whole.sealed.end);
        let (sealed, opener) = (sealed.clone(), Arc::clone(&opener));
        async move {
            let bytes = sealed.fetch(SealedRange { start, end }).await?;
            open_segments(&opener, bytes, from, last_segment, suite)
        }
    });
    let mut skip = whole.skip_bytes;
    let mut left = whole.take_bytes;
    stream::iter(reads)
        .buffered(READ_AHEAD)
        .map(|opened| match opened {
            Ok(segments) => segments.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
        .flat_map(stream::iter)
        .map(move |segment: Result<Bytes, ObjectsError>| {
            let mut plain = segment?;
            let dropped = skip.min(plain.len());
            let mut plain = plain.split_off(dropped);
            skip -= dropped;
            plain.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= plain.len() as u64;
            Ok(plain)
        })
        .boxed()
}

fn open_segments(
    opener: &StreamOpener,
    bytes: Bytes,
    from: u32,
    last: u32,
    suite: Suite,
) -> Result<Vec<Bytes>, ObjectsError> {
    let mut rest: BytesMut = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    let mut out = Vec::with_capacity(SEGMENTS_PER_READ as usize);
    let mut index = from;
    while !rest.is_empty() {
        let take = rest.len().min(SEGMENT_BYTES + suite_overhead(suite));
        let plain = opener
            .open(index, index == last, rest.split_to(take))
            .map_err(|_| damaged(&format!("segment {index} does not open")))?;
        out.push(plain);
        index += 1;
    }
    Ok(out)
}

/// Bytes that a suite adds to a segment.
fn suite_overhead(suite: Suite) -> usize {
    match suite {
        Suite::Single => 16,
        Suite::Double => 32,
    }
}

/// Where a sealed stream is read from.
#[derive(Clone)]
enum Sealed {
    Inline(Bytes),
    Blob(Blobs, Id),
}

impl Sealed {
    /// Exactly the bytes of `range`.
    async fn fetch(&self, range: SealedRange) -> Result<Bytes, ObjectsError> {
        let wanted = usize::try_from(range.end - range.start).map_err(|_| damaged("a range out of bounds"))?;
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(range.start).map_err(|_| damaged("a range out of bounds"))?;
                bytes
                    .get(start..start + wanted)
                    .map(|part| bytes.slice_ref(part))
                    .ok_or_else(|| damaged("its inline bytes are cut"))
            }
            Self::Blob(blobs, id) => {
                let mut chunks = blobs.read(*id, range);
                let first = chunks.next().await.transpose()?.unwrap_or_default();
                if first.len() == wanted {
                    return Ok(first);
                }
                let mut all = BytesMut::from(&first[..]);
                while let Some(more) = chunks.next().await.transpose()? {
                    all.extend_from_slice(&more);
                }
                if all.len() == wanted { Ok(all.freeze()) } else { Err(damaged("its blob is cut")) }
            }
        }
    }
}

/// Damage or tampering: looks like any internal error from outside; the text is for the log.
fn damaged(what: &str) -> ObjectsError {
    ObjectsError::Internal(format!("a stored object is damaged: {what}"))
}
