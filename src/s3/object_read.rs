//! What GetObject and HeadObject have in common: the request, the object it finds, the part of it that is asked for,
//! and the headers of the answer.

use http::header::{CONTENT_RANGE, HeaderName, HeaderValue, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use super::checksum_headers;
use super::code::Code;
use super::conditions::{self, ReadConditions};
use super::cx::Cx;
use super::error::Error;
use super::fields::filled;
use super::lifecycle_headers;
use super::object_answer::Answer;
use super::object_headers;
use super::object_lock;
use super::query::Query;
use super::range::{self, ByteRange};
use super::sse_headers::{self, CustomerUse};
use super::uploads;
use super::version_id;
use crate::app::before::Before;
use crate::auth::{RequestFacts, SignatureKind};
use crate::crypto::{Checksum, ObjectKeys, PlainRange};
use crate::objects::{Bucket, ChecksumKind, ObjectChecksum, ObjectInfo, ObjectsError, PartSpan, VersionId};
use crate::sse::{CustomerKey, ObjectRef};
use crate::wire::http_date;

/// A read as asked for.
pub(crate) struct ReadInput<'a> {
    version: Option<VersionId>,
    conditions: ReadConditions,
    wanted: Wanted<'a>,
    if_range: Option<&'a str>,
    overrides: Vec<(HeaderName, HeaderValue)>,
    checksums: bool,
    customer: Option<CustomerKey>,
}

/// Which part of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    Whole,
    /// With the header as sent.
    Range(&'a str, ByteRange),
    /// A part of a multipart object, counted from 1.
    Part(u32),
}

impl<'a> ReadInput<'a> {
    /// Reads headers and query.
    pub(crate) fn parse(headers: &'a HeaderMap, query: &Query, facts: &RequestFacts) -> Result<Self, Error> {
        Ok(Self {
            version: version_id::of_query(query)?,
            conditions: ReadConditions::parse(headers, &conditions::READ),
            wanted: wanted(headers, query)?,
            if_range: filled(headers, "if-range")?,
            overrides: object_headers::overrides(query, facts.signature != SignatureKind::Anonymous)?,
            checksums: checksum_headers::mode_enabled(headers)?,
            customer: sse_headers::own_customer_key(headers, CustomerUse::Read, facts.confidential)?,
        })
    }

    /// The stored checksum is asked for.
    pub(crate) fn wants_checksum(&self) -> bool {
        self.checksums
    }
}

fn wanted<'a>(headers: &'a HeaderMap, query: &Query) -> Result<Wanted<'a>, Error> {
    let header = filled(headers, "range")?;
    match (query.value("partNumber"), header) {
        (Some(_), Some(_)) => {
            Err(Error::invalid_request("Cannot specify both Range header and partNumber query parameter"))
        }
        (Some(number), None) => Ok(Wanted::Part(uploads::part_number(number)?)),
        (None, Some(header)) => Ok(range::parse(header).map_or(Wanted::Whole, |range| Wanted::Range(header, range))),
        (None, None) => Ok(Wanted::Whole),
    }
}

/// The part of an object that an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Its bytes.
    pub(crate) range: PlainRange,
    kind: Selected,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Selected {
    /// All of it, nothing else having been asked for.
    Whole,
    /// What `Range` names.
    Range,
    /// What `partNumber` names, if the object came in one part.
    OnlyPart,
    /// A part of `count`.
    Part { checksum: Option<Checksum>, count: u32 },
}

impl Selection {
    /// Chooses. `parts`: of a multipart object, where a part is wanted; `None` for an object of one PUT.
    ///
    /// A part is found by its place, not by the number that it was uploaded under: clients that read part by part
    /// learn the count from the first answer and go on to it, which gaps in the numbers would break.
    pub(crate) fn choose(wanted: Wanted<'_>, plain_len: u64, parts: Option<&[PartSpan]>) -> Result<Self, Error> {
        let whole = PlainRange { start: 0, end: plain_len };
        match (wanted, parts) {
            (Wanted::Whole, _) => Ok(Self { range: whole, kind: Selected::Whole }),
            (Wanted::Range(header, range), _) => {
                let range = range.resolve(plain_len).ok_or_else(|| range::not_satisfiable(header, plain_len))?;
                Ok(Self { range, kind: Selected::Range })
            }
            (Wanted::Part(1), None) => Ok(Self { range: whole, kind: Selected::OnlyPart }),
            (Wanted::Part(number), None) => Err(no_such_part(number, 1)),
            (Wanted::Part(number), Some(parts)) => {
                let place = usize::try_from(number).unwrap_or(usize::MAX);
                let part = parts.get(place.wrapping_sub(1)).ok_or_else(|| no_such_part(number, parts.len()))?;
                let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                Ok(Self { range: part.range, kind: Selected::Part { checksum: part.checksum.clone(), count } })
            }
        }
    }

    /// Bytes of the answer.
    pub(crate) fn plain_len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// 206 for a part, which an empty one cannot be: there is no `Content-Range` for it.
    pub(crate) fn status(&self) -> StatusCode {
        if self.is_partial() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK }
    }

    fn is_partial(&self) -> bool {
        self.kind != Selected::Whole && self.plain_len() > 0
    }
}

fn no_such_part(number: u32, count: usize) -> Error {
    Error::new(Code::InvalidPartNumber)
        .and("PartNumberRequested", number.to_string())
        .and("ActualPartCount", count.to_string())
}

/// An object that was found and fits the conditions, and what of it is wanted.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) info: ObjectInfo,
    pub(crate) selection: Selection,
}

impl Found {
    /// Looks the object up, and checks the customer's key, the way here, the conditions and the range. Opens nothing.
    pub(crate) async fn locate(cx: &Cx, input: &ReadInput<'_>) -> Result<Self, Error> {
        let objects = &cx.app.objects;
        let found = objects.head(cx.grant(), cx.bucket(), cx.key(), input.version).await;
        let info = found.map_err(|error| absent(cx, error, (cx.bucket(), &cx.before)))?;
        cx.confirm(&info)?;
        objects.sse().check_customer(&info.envelope, input.customer.as_ref())?;
        objects.sse().check_transport(&cx.access, &info.envelope)?;
        cx.note_object_size(info.plain_len);
        input.conditions.check_read(&info, cx.app.sources.now())?;
        let wanted = match input.wanted {
            Wanted::Range(..) if !conditions::range_applies(input.if_range, &info.etag, info.modified) => Wanted::Whole,
            wanted => wanted,
        };
        let parts = match (wanted, info.parts) {
            (Wanted::Part(_), Some(_)) => Some(objects.parts(&info).await?),
            _ => None,
        };
        let selection = Selection::choose(wanted, info.plain_len, parts.as_deref())?;
        Ok(Self { info, selection })
    }

    /// The object's keys, opened for the caller.
    pub(crate) async fn open(&self, cx: &Cx, input: &ReadInput<'_>) -> Result<ObjectKeys, Error> {
        let info = &self.info;
        let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
        Ok(cx.app.objects.sse().open(&cx.access, object, &info.envelope, input.customer.as_ref()).await?)
    }

    /// The headers of the answer.
    pub(crate) async fn describe(&self, cx: &Cx, input: &ReadInput<'_>) -> Answer {
        let Self { info, selection } = self;
        let mut answer = Answer::new();
        answer.set("accept-ranges", "bytes");
        answer.set_etag(&info.etag);
        answer.insert(LAST_MODIFIED, http_date(info.modified).as_bytes());
        answer.set_version(cx.bucket(), info.version);
        object_headers::write(&mut answer, &info.meta);
        if let Some(status) = info.replication {
            answer.set("x-amz-replication-status", status.name());
        }
        for (name, value) in &input.overrides {
            answer.insert(name.clone(), value.as_bytes());
        }
        sse_headers::write(&mut answer, &info.envelope.shown(), input.customer.as_ref().map(CustomerKey::md5_base64));
        if selection.is_partial() {
            let content_range = range::content_range(selection.range, info.plain_len);
            answer.insert(CONTENT_RANGE, content_range.as_bytes());
        }
        if let Selected::Part { count, .. } = &selection.kind {
            answer.set("x-amz-mp-parts-count", &count.to_string());
        }
        if input.checksums {
            write_checksum(&mut answer, &selection.kind, info.checksum.as_ref());
        }
        // A version that was named may not be current, and then no rule for current ones is about it.
        if input.version.is_none() {
            lifecycle_headers::write_expiration(cx, &mut answer, info).await;
        }
        object_lock::show(cx, info, &mut answer);
        answer
    }
}

/// Only a checksum of exactly the bytes that are answered: clients compare it with what they get. AWS keeps those of the
/// parts where the object's is made of them, and shows no other.
fn write_checksum(answer: &mut Answer, selected: &Selected, whole: Option<&ObjectChecksum>) {
    match selected {
        Selected::Whole | Selected::OnlyPart => checksum_headers::write(answer, whole),
        Selected::Range => {}
        Selected::Part { checksum: Some(checksum), count } => {
            let Some(whole) = whole.filter(|whole| whole.kind == ChecksumKind::Composite || *count == 1) else {
                return;
            };
            checksum_headers::write_part(answer, Some(checksum));
            checksum_headers::write_kind(answer, whole.kind);
        }
        Selected::Part { checksum: None, .. } => {}
    }
}

/// Why an object is not to be had, as AWS says it: who may not list the bucket does not learn what is not in it, and a
/// delete marker that was named is named again. (That a version which is not there is told by the same permission is
/// not recorded.)
pub(crate) fn absent(cx: &Cx, error: ObjectsError, bucket: (&Bucket, &Before)) -> Error {
    match error {
        ObjectsError::NoSuchKey { .. } | ObjectsError::NoSuchVersion => {
            match cx.grant_bucket("s3:ListBucket", bucket) {
                Ok(_) => error.into(),
                Err(denied) => denied,
            }
        }
        ObjectsError::IsDeleteMarker { .. } => {
            Error::from(error).header("x-amz-version-id", cx.query.value("versionId").unwrap_or_default())
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::ChecksumAlgorithm;
    use crate::s3::fields::sample;

    fn ask<'a>(headers: &'a HeaderMap, query: &str) -> Result<Wanted<'a>, Error> {
        wanted(headers, &Query::parse(query).unwrap())
    }

    #[test]
    fn what_is_wanted() {
        let (none, range, several) =
            (sample(&[]), sample(&[("range", "bytes=1-2")]), sample(&[("range", "bytes=0-1,3-4")]));
        assert_eq!(ask(&none, "").unwrap(), Wanted::Whole);
        assert_eq!(ask(&range, "").unwrap(), Wanted::Range("bytes=1-2", ByteRange::FromTo(1, 2)));
        assert_eq!(ask(&several, "").unwrap(), Wanted::Whole);
        assert_eq!(ask(&none, "partNumber=3").unwrap(), Wanted::Part(3));
        assert_eq!(
            ask(&range, "partNumber=3").unwrap_err().message(),
            "Cannot specify both Range header and partNumber query parameter"
        );
        for bad in ["partNumber=0", "partNumber=10001", "partNumber=x", "partNumber="] {
            assert_eq!(ask(&none, bad).unwrap_err().code(), Code::InvalidArgument, "{bad}");
        }
    }

    fn span(part_number: u32, start: u64, end: u64) -> PartSpan {
        let checksum = Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0, 0, 0, start as u8] };
        PartSpan {
            part_number,
            range: PlainRange { start, end },
            checksum: Some(checksum.clone()),
            whole_crc: checksum,
        }
    }

    #[test]
    fn parts_are_counted_by_place() {
        let parts = [span(2, 0, 5), span(7, 5, 8), span(9, 8, 8)];
        let choose = |number| Selection::choose(Wanted::Part(number), 8, Some(&parts));
        let second = choose(2).unwrap();
        assert_eq!((second.range, second.status()), (PlainRange { start: 5, end: 8 }, StatusCode::PARTIAL_CONTENT));
        assert_eq!((choose(3).unwrap().plain_len(), choose(3).unwrap().status()), (0, StatusCode::OK));
        assert_eq!(choose(4).unwrap_err().code(), Code::InvalidPartNumber);
        assert_eq!(Selection::choose(Wanted::Part(2), 8, None).unwrap_err().code(), Code::InvalidPartNumber);
        let only = Selection::choose(Wanted::Part(1), 8, None).unwrap();
        assert_eq!((only.plain_len(), only.status()), (8, StatusCode::PARTIAL_CONTENT));
        assert_eq!(Selection::choose(Wanted::Part(1), 0, None).unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn a_checksum_is_of_the_bytes_that_are_answered() {
        let part = span(1, 7, 8);
        let checksum = Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0; 4] };
        let whole = ObjectChecksum { checksum, kind: ChecksumKind::Composite, parts: Some(2) };
        let shown = |selected, whole: Option<&ObjectChecksum>| {
            let mut answer = Answer::new();
            write_checksum(&mut answer, &selected, whole);
            ["x-amz-checksum-crc32", "x-amz-checksum-type"].map(|name| answer.get(name).unwrap_or("-").to_owned())
        };
        assert_eq!(shown(Selected::Whole, Some(&whole)), ["AAAAAA==-2", "COMPOSITE"]);
        assert_eq!(shown(Selected::OnlyPart, Some(&whole)), ["AAAAAA==-2", "COMPOSITE"]);
        assert_eq!(shown(Selected::Range, Some(&whole)), ["-", "-"]);
        let selected = |checksum: &Option<Checksum>, count| Selected::Part { checksum: checksum.clone(), count };
        assert_eq!(shown(selected(&part.checksum, 2), Some(&whole)), ["AAAABw==", "COMPOSITE"]);
        assert_eq!(shown(selected(&None, 2), Some(&whole)), ["-", "-"]);
        let full = ObjectChecksum { kind: ChecksumKind::FullObject, parts: None, ..whole.clone() };
        assert_eq!(shown(selected(&part.checksum, 2), Some(&full)), ["-", "-"]);
        assert_eq!(shown(selected(&part.checksum, 1), Some(&full)), ["AAAABw==", "FULL_OBJECT"]);
        assert_eq!(shown(Selected::Whole, None), ["-", "-"]);
    }

    #[test]
    fn a_range_is_clipped_or_not_satisfiable() {
        let choose = |header: &'static str, plain_len| {
            Selection::choose(Wanted::Range(header, range::parse(header).unwrap()), plain_len, None)
        };
        let clipped = choose("bytes=5-99", 8).unwrap();
        assert_eq!((clipped.range.start, clipped.range.end), (5, 8));
        assert_eq!(range::content_range(clipped.range, 8), "bytes 5-7/8");
        assert_eq!(choose("bytes=8-", 8).unwrap_err().code(), Code::InvalidRange);
        assert_eq!(choose("bytes=0-", 0).unwrap_err().code(), Code::InvalidRange);
        assert_eq!(Selection::choose(Wanted::Whole, 0, None).unwrap().status(), StatusCode::OK);
    }
}
