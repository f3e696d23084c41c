//! GetObjectAttributes.

use http::HeaderMap;
use http::header::LAST_MODIFIED;

use crate::objects::{ChecksumKind, ObjectInfo, PartSpan};
use crate::s3::cx::{Cx, TagsDecide};
use crate::s3::error::Error;
use crate::s3::fields::{integer, joined};
use crate::s3::object_answer::Answer;
use crate::s3::object_read::absent;
use crate::s3::sse_headers::CustomerUse;
use crate::s3::{checksum_headers, sse_headers, version_id};
use crate::sse::ObjectRef;
use crate::wire::xml::Writer;
use crate::wire::{Response, http_date};

/// The most parts of one answer, and as many as are given without `x-amz-max-parts`.
const MAX_PARTS: u64 = 1000;
const ATTRIBUTES: &str = "x-amz-object-attributes";

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Input {
    etag: bool,
    checksum: bool,
    object_parts: bool,
    storage_class: bool,
    object_size: bool,
    max_parts: u64,
    /// Parts behind this number.
    after: u64,
}

impl Input {
    fn parse(headers: &HeaderMap) -> Result<Self, Error> {
        let list = joined(headers, ATTRIBUTES).filter(|list| !list.is_empty()).ok_or_else(|| {
            Error::invalid_argument(
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or \
                 empty",
                ATTRIBUTES,
                "",
            )
        })?;
        let mut input = Self {
            max_parts: integer(headers, "x-amz-max-parts")?.unwrap_or(MAX_PARTS).min(MAX_PARTS),
            after: integer(headers, "x-amz-part-number-marker")?.unwrap_or(0),
            ..Self::default()
        };
        for name in list.split(',').map(str::trim) {
            let wanted = match name {
                "ETag" => &mut input.etag,
                "Checksum" => &mut input.checksum,
                "ObjectParts" => &mut input.object_parts,
                "StorageClass" => &mut input.storage_class,
                "ObjectSize" => &mut input.object_size,
                _ => return Err(Error::invalid_argument("Invalid attribute name specified.", ATTRIBUTES, name)),
            };
            *wanted = true;
        }
        Ok(input)
    }
}

/// AWS wants leave to decrypt, as for reading.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let headers = &cx.head.headers;
    let input = Input::parse(headers)?;
    let customer = sse_headers::own_customer_key(headers, CustomerUse::Read, cx.access.facts().confidential)?;
    let version = version_id::of_query(&cx.query)?;
    // AWS wants leave to read it too.
    let read = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    cx.grant_existing(read, (cx.bucket(), &cx.before), (cx.key(), version), TagsDecide::Denials).await?;
    let objects = &cx.app.objects;
    let found = objects.head(cx.grant(), cx.bucket(), cx.key(), version).await;
    let info = found.map_err(|error| absent(&cx, error, (cx.bucket(), &cx.before)))?;
    cx.confirm(&info)?;
    let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
    drop(objects.sse().open(&cx.access, object, &info.envelope, customer.as_ref()).await?);
    let parts = if input.object_parts && info.parts.is_some() { objects.parts(&info).await? } else { Vec::new() };
    let mut answer = Answer::new();
    answer.insert(LAST_MODIFIED, http_date(info.modified).as_bytes());
    answer.set_version(cx.bucket(), info.version);
    Ok(answer.xml(document(&input, &info, &parts)))
}

fn document(input: &Input, info: &ObjectInfo, parts: &[PartSpan]) -> Writer {
    let mut w = Writer::document();
    w.root("GetObjectAttributesResponse", |w| {
        if input.etag {
            // Here alone it has no quotes.
            w.leaf("ETag", &info.etag);
        }
        if input.checksum && info.checksum.is_some() {
            w.node("Checksum", |w| checksum_headers::write_bare_xml(w, info.checksum.as_ref()));
        }
        if input.object_parts && !parts.is_empty() {
            let composite = info.checksum.as_ref().is_some_and(|checksum| checksum.kind == ChecksumKind::Composite);
            w.node("ObjectParts", |w| object_parts(w, input, parts, composite));
        }
        if input.storage_class {
            w.leaf("StorageClass", info.meta.storage_class.as_deref().unwrap_or("STANDARD"));
        }
        if input.object_size {
            w.number("ObjectSize", info.plain_len);
        }
    });
    w
}

/// How many parts there are and, of a composite checksum, a page of those that it is made of. AWS shows no part of an
/// object whose checksum is of the whole. Parts have the numbers by which GetObject finds them, which are their places:
/// where such a checksum is, AWS takes no gaps in the numbers.
fn object_parts(w: &mut Writer, input: &Input, parts: &[PartSpan], composite: bool) {
    w.number("PartsCount", parts.len() as u64);
    if !composite {
        return;
    }
    let start = usize::try_from(input.after).unwrap_or(usize::MAX).min(parts.len());
    let limit = usize::try_from(input.max_parts).unwrap_or(usize::MAX);
    let page = &parts[start..][..limit.min(parts.len() - start)];
    let truncated = start + page.len() < parts.len();
    w.number("PartNumberMarker", input.after);
    // On the last page too; nought where the page is empty (as recorded from AWS).
    w.number("NextPartNumberMarker", if page.is_empty() { 0 } else { (start + page.len()) as u64 });
    w.number("MaxParts", input.max_parts);
    w.flag("IsTruncated", truncated);
    for (place, part) in (start + 1..).zip(page) {
        w.node("Part", |w| {
            w.number("PartNumber", place as u64);
            w.number("Size", part.range.end - part.range.start);
            checksum_headers::write_part_xml(w, part.checksum.as_ref());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Checksum, ChecksumAlgorithm, PlainRange};
    use crate::s3::code::Code;
    use crate::s3::fields::sample;

    #[test]
    fn attributes() {
        let parse = |headers: &[(&str, &str)]| Input::parse(&sample(headers));
        let got = parse(&[(ATTRIBUTES, "ETag,Checksum"), (ATTRIBUTES, " ObjectParts, ObjectSize ")]).unwrap();
        let expected = Input { etag: true, checksum: true, object_parts: true, object_size: true, ..got };
        assert_eq!(parse(&[(ATTRIBUTES, "ETag, Checksum,ObjectParts,ObjectSize")]).unwrap(), expected);
        assert_eq!((expected.max_parts, expected.after, expected.storage_class), (MAX_PARTS, 0, false));
        let paged = [(ATTRIBUTES, "ObjectParts"), ("x-amz-max-parts", "2"), ("x-amz-part-number-marker", "7")];
        let paged = parse(&paged).unwrap();
        assert_eq!((paged.max_parts, paged.after), (2, 7));
        assert_eq!(parse(&[(ATTRIBUTES, "ETag"), ("x-amz-max-parts", "1001")]).unwrap().max_parts, MAX_PARTS);
        let bad: &[&[(&str, &str)]] = &[
            &[],
            &[(ATTRIBUTES, "")],
            &[(ATTRIBUTES, "etag")],
            &[(ATTRIBUTES, "ETag,,Checksum")],
            &[(ATTRIBUTES, "ETag"), ("x-amz-max-parts", "x")],
            &[(ATTRIBUTES, "ETag"), ("x-amz-part-number-marker", "-1")],
        ];
        for headers in bad {
            assert_eq!(parse(headers).unwrap_err().code(), Code::InvalidArgument, "{headers:?}");
        }
    }

    fn rendered(max_parts: u64, after: u64, composite: bool) -> String {
        let part = |part_number: u32| {
            let start = u64::from(part_number) * 5;
            PartSpan {
                part_number,
                range: PlainRange { start, end: start + 5 },
                checksum: Some(Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0; 4] }),
                whole_crc: Checksum { algorithm: ChecksumAlgorithm::Crc64Nvme, value: vec![0; 8] },
            }
        };
        let mut w = Writer::default();
        object_parts(&mut w, &Input { max_parts, after, ..Input::default() }, &[part(1), part(3), part(4)], composite);
        w.finish()
    }

    #[test]
    fn parts_come_in_pages_under_the_numbers_that_get_object_takes() {
        let part = |n: u32| {
            format!("<Part><PartNumber>{n}</PartNumber><Size>5</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>")
        };
        assert_eq!(
            rendered(2, 0, true),
            format!(
                "<PartsCount>3</PartsCount><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>2\
                 </NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>{}{}",
                part(1),
                part(2)
            )
        );
        assert_eq!(
            rendered(2, 2, true),
            format!(
                "<PartsCount>3</PartsCount><PartNumberMarker>2</PartNumberMarker><NextPartNumberMarker>3\
                 </NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>false</IsTruncated>{}",
                part(3)
            )
        );
        assert!(rendered(2, 99, true).ends_with("<IsTruncated>false</IsTruncated>"));
        assert!(rendered(0, 0, true).contains("<NextPartNumberMarker>0</NextPartNumberMarker>"));
        assert_eq!(rendered(2, 0, false), "<PartsCount>3</PartsCount>");
    }
}
