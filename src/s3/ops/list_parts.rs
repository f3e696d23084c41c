//! ListParts. Needs no key of the customer's, also for an upload with SSE-C.

use crate::objects::{ListParts, PartInfo, PartsPage, Upload, UploadId};
use crate::s3::checksum_headers::write_part_xml;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lifecycle_headers;
use crate::s3::listing::{page_size, page_writer, write_checksum_type, write_storage_class, write_time};
use crate::s3::object_answer::Answer;
use crate::s3::query::Query;
use crate::s3::uploads::{self, People};
use crate::wire::Response;
use crate::wire::xml::Writer;

#[derive(Debug, PartialEq, Eq)]
struct Input {
    upload_id: UploadId,
    after: u32,
    max_parts: u32,
}

impl Input {
    fn parse(query: &Query) -> Result<Self, Error> {
        Ok(Self {
            after: query.number("part-number-marker")?.unwrap_or(0),
            max_parts: page_size(query, "max-parts")?,
            upload_id: uploads::id(query)?,
        })
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let input = Input::parse(&cx.query)?;
    let upload = cx.app.objects.upload(cx.bucket(), cx.key(), input.upload_id).await?;
    let query = ListParts { after: input.after, limit: input.max_parts as usize };
    let page = match query.limit {
        0 => PartsPage::default(),
        _ => cx.app.objects.list_parts(cx.grant(), &upload, query).await?,
    };
    let mut answer = Answer::new();
    lifecycle_headers::write_abortion(&cx, &mut answer, &upload).await;
    Ok(answer.xml(render(&input, People::of(&cx, &upload), &upload, &page)))
}

fn render(input: &Input, people: People<'_>, upload: &Upload, page: &PartsPage) -> Writer {
    let last = page.next.or_else(|| page.parts.last().map(|part| part.part_number)).unwrap_or(0);
    let mut w = page_writer(page.parts.iter().map(|_| 0));
    w.root("ListPartsResult", |w| {
        w.leaf("Bucket", upload.bucket.as_str());
        w.leaf("Key", upload.key.as_str());
        w.leaf("UploadId", &upload.id.to_string());
        people.write(w);
        write_storage_class(w, upload.meta.storage_class.as_deref());
        w.number("PartNumberMarker", input.after.into());
        w.number("NextPartNumberMarker", last.into());
        w.number("MaxParts", input.max_parts.into());
        w.flag("IsTruncated", page.next.is_some());
        write_checksum_type(w, upload.checksum);
        for part in &page.parts {
            write_part(w, part, upload.checksum.is_some());
        }
    });
    w
}

/// A checksum is shown where the upload was begun with an algorithm: the one that S3 chose itself is its own affair.
fn write_part(w: &mut Writer, part: &PartInfo, checksums: bool) {
    w.node("Part", |w| {
        w.number("PartNumber", part.part_number.into());
        write_time(w, "LastModified", part.modified);
        w.etag("ETag", &part.etag);
        w.number("Size", part.plain_len);
        write_part_xml(w, part.checksum.as_ref().filter(|_| checksums));
    });
}

#[cfg(test)]
mod tests {
    use super::{Input, PartInfo, PartsPage, People, Query, Upload, UploadId, render};
    use crate::crypto::{Checksum, ChecksumAlgorithm};
    use crate::names::{BucketName, ObjectKey};
    use crate::objects::{Attributes, BeganOver, ChecksumKind, ObjectMeta};
    use crate::s3::owner::Owner;
    use crate::sources::Timestamp;
    use crate::sse::{Envelope, Mode};

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn parse(raw: &str) -> Result<Input, String> {
        Input::parse(&Query::parse(raw).unwrap()).map_err(|e| e.message().to_owned())
    }

    fn page(raw: &str, page: &PartsPage) -> String {
        page_of(Some((ChecksumAlgorithm::Crc32, ChecksumKind::FullObject)), raw, page)
    }

    fn page_of(checksum: Option<(ChecksumAlgorithm, ChecksumKind)>, raw: &str, page: &PartsPage) -> String {
        let upload = Upload {
            id: UploadId::parse(ID).unwrap(),
            bucket: BucketName::parse("bkt").unwrap(),
            key: ObjectKey::parse("a&b").unwrap(),
            initiated: Timestamp(0),
            meta: ObjectMeta::default(),
            envelope: Envelope {
                mode: Mode::SseC,
                wrapped: vec![],
                kms_key_arn: None,
                kms_ciphertext: vec![],
                kms_context: vec![],
                bucket_key: false,
                customer_check: vec![],
                wrapped_for: None,
            },
            holder_id: [0; 16],
            began_over: BeganOver(None),
            attributes: Attributes::default(),
            initiator: None,
            row: Vec::new(),
            stamp: crate::index::Stamp::default(),
            checksum,
        };
        let owner = Owner { id: "a1", display_name: "" };
        let people = People { initiator: owner, owner };
        render(&parse(raw).unwrap(), people, &upload, page).finish().split_once("2006-03-01/\">").unwrap().1.to_owned()
    }

    #[test]
    fn parameters() {
        let input = parse(&format!("uploadId={ID}")).unwrap();
        assert_eq!((input.after, input.max_parts), (0, 1000));
        let input = parse(&format!("uploadId={ID}&part-number-marker=7&max-parts=2000")).unwrap();
        assert_eq!((input.after, input.max_parts), (7, 1000));
        let none = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                    aborted or completed.";
        for bad in ["", "x", "00112233"] {
            assert_eq!(parse(&format!("uploadId={bad}")), Err(none.to_owned()));
        }
        let bad = parse(&format!("uploadId={ID}&part-number-marker=-1"));
        assert_eq!(bad, Err("Argument partNumberMarker must be an integer between 0 and 2147483647".to_owned()));
    }

    #[test]
    fn a_page_of_parts() {
        let value = vec![0xd6, 0x3c, 0xba, 0xab];
        let checksum = Some(Checksum { algorithm: ChecksumAlgorithm::Crc32, value });
        let part = PartInfo { part_number: 3, plain_len: 4, etag: "e".to_owned(), modified: Timestamp(0), checksum };
        let parts = PartsPage { parts: vec![part], next: Some(3) };
        let expected = format!(
            "<Bucket>bkt</Bucket><Key>a&amp;b</Key><UploadId>{ID}</UploadId><Initiator><ID>a1</ID></Initiator>\
             <Owner><ID>a1</ID></Owner><StorageClass>STANDARD</StorageClass><PartNumberMarker>2</PartNumberMarker>\
             <NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>\
             <ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Part>\
             <PartNumber>3</PartNumber><LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>\
             <Size>4</Size><ChecksumCRC32>1jy6qw==</ChecksumCRC32></Part></ListPartsResult>"
        );
        let query = format!("uploadId={ID}&part-number-marker=2&max-parts=1");
        assert_eq!(page(&query, &parts), expected);
        let none = page_of(None, &query, &parts);
        assert!(none.contains("<Size>4</Size></Part>") && !none.contains("Checksum"), "{none}");
    }

    #[test]
    fn past_the_last_part() {
        let page = page(&format!("uploadId={ID}&part-number-marker=10"), &PartsPage::default());
        assert!(page.contains("<PartNumberMarker>10</PartNumberMarker><NextPartNumberMarker>0</NextPartNumberMarker>"));
        assert!(page.contains("<IsTruncated>false</IsTruncated>"));
    }
}
