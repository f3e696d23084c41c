//! UploadPartCopy.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::auth::{Payload, PayloadError};
use crate::crypto::PlainRange;
use crate::objects::{ByteStream, ObjectsError, PartInfo};
use crate::s3::copy_source::{Source, check_copied_len};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::single;
use crate::s3::object_answer::Answer;
use crate::s3::sse_headers::CustomerUse;
use crate::s3::{checksum_headers, range, sse_headers, uploads};
use crate::sse::CustomerKey;
use crate::wire::xml::Writer;
use crate::wire::{RequestId, Response, iso8601_ms};

const RANGE: &str = "x-amz-copy-source-range";

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let part_number = uploads::part_number(cx.query.value("partNumber").unwrap_or_default())?;
    let headers = &cx.head.headers;
    let customer = sse_headers::own_customer_key(headers, CustomerUse::Write, cx.access.facts().confidential)?;
    let upload = uploads::named(&cx).await?;
    let source = Source::locate(&cx).await?;
    // An empty one is no range (seen of AWS: minio 14246).
    let wanted = wanted(single(headers, RANGE)?, source.info.plain_len)?;
    let copied_len = wanted.end - wanted.start;
    check_copied_len(copied_len)?;
    let mut answer = Answer::new();
    source.tell(&cx, &mut answer);
    sse_headers::write(&mut answer, &upload.envelope.shown(), customer.as_ref().map(CustomerKey::md5_base64));
    cx.early.note(&answer);
    let keys = uploads::part_keys(&cx, &upload, customer.as_ref()).await?;
    let objects = &cx.app.objects;
    let source_keys = source.open(&cx).await?;
    if headers.contains_key(RANGE) {
        source.is_read_in_part();
    }
    let bytes = objects.read(source.grant(), &source.info, wanted, source_keys).await?;
    let payload = Payload::internal(chunks(bytes, cx.request_id.clone()), copied_len);
    let part = objects.put_part(cx.grant(), &upload, keys, part_number, payload).await;
    let part = part.map_err(unreadable_source)?;
    cx.note_object_size(part.plain_len);
    Ok(answer.xml(document(&part)))
}

/// What looks to the writer like a body that broke off is damage of ours.
fn unreadable_source(error: ObjectsError) -> Error {
    match error {
        ObjectsError::Payload(_) => Error::internal("the source of a copied part cannot be read to its end"),
        other => other.into(),
    }
}

fn wanted(header: Option<&str>, plain_len: u64) -> Result<PlainRange, Error> {
    match header {
        Some(header) => range::copy_source_range(header, plain_len),
        None => Ok(PlainRange { start: 0, end: plain_len }),
    }
}

/// A source that breaks off is told to the writer as a body that does; why, to the log.
fn chunks(
    bytes: ByteStream,
    request_id: RequestId,
) -> futures_util::stream::BoxStream<'static, Result<bytes::Bytes, PayloadError>> {
    bytes
        .map_err(move |error| {
            tracing::error!(request_id = request_id.as_str(), ?error, "the copy's source cannot be read to its end");
            PayloadError::Incomplete
        })
        .boxed()
}

fn document(part: &PartInfo) -> Writer {
    let mut w = Writer::document();
    w.root("CopyPartResult", |w| {
        w.leaf("LastModified", &iso8601_ms(part.modified)).etag("ETag", &part.etag);
        checksum_headers::write_part_xml(w, part.checksum.as_ref());
    });
    w
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Checksum, ChecksumAlgorithm};
    use crate::s3::code::Code;
    use crate::sources::Timestamp;

    #[test]
    fn without_a_range_all_is_copied() {
        assert_eq!(wanted(None, 10).unwrap(), PlainRange { start: 0, end: 10 });
        assert_eq!(wanted(None, 0).unwrap(), PlainRange { start: 0, end: 0 });
        assert_eq!(wanted(Some("bytes=2-3"), 10).unwrap(), PlainRange { start: 2, end: 4 });
        assert!(wanted(Some("bytes=2-10"), 10).is_err());
    }

    #[test]
    fn a_part_is_shown_with_its_checksum() {
        let part = PartInfo {
            part_number: 1,
            plain_len: 5,
            etag: "ab".to_owned(),
            modified: Timestamp(1_795_608_000_123),
            checksum: Some(Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![0; 4] }),
        };
        assert_eq!(
            document(&part).finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CopyPartResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LastModified>2026-11-25T12:00:00.123Z</LastModified>\
             <ETag>&quot;ab&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyPartResult>"
        );
    }

    #[test]
    fn damage_of_the_source_is_not_the_clients_fault() {
        let error = unreadable_source(ObjectsError::Payload(PayloadError::Incomplete));
        assert_eq!(error.code(), Code::InternalError);
        assert_eq!(unreadable_source(ObjectsError::NoSuchUpload).code(), Code::NoSuchUpload);
    }
}
