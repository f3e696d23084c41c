//! ListMultipartUploads.

use crate::objects::{ListUploads, Upload, UploadId, UploadsPage};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::listing::{KeyEncoding, page_size, page_writer, write_checksum_type, write_storage_class, write_time};
use crate::s3::object_answer::Answer;
use crate::s3::query::Query;
use crate::s3::uploads::People;
use crate::wire::Response;
use crate::wire::xml::Writer;

#[derive(Debug, PartialEq, Eq)]
struct Input {
    prefix: String,
    delimiter: String,
    key_marker: String,
    upload_id_marker: Option<UploadId>,
    max_uploads: u32,
    encoding: KeyEncoding,
}

impl Input {
    fn parse(query: &Query) -> Result<Self, Error> {
        let text = |name| query.value(name).unwrap_or_default().to_owned();
        let key_marker = text("key-marker");
        Ok(Self {
            prefix: text("prefix"),
            delimiter: text("delimiter"),
            upload_id_marker: upload_id_marker(query, &key_marker)?,
            key_marker,
            max_uploads: page_size(query, "max-uploads")?,
            encoding: KeyEncoding::parse(query)?,
        })
    }
}

/// Without a key marker an upload id marker means nothing and is passed over, as the API reference says.
fn upload_id_marker(query: &Query, key_marker: &str) -> Result<Option<UploadId>, Error> {
    let name = "upload-id-marker";
    match query.value(name).filter(|text| !text.is_empty() && !key_marker.is_empty()) {
        None => Ok(None),
        Some(text) => match UploadId::parse(text) {
            Some(id) => Ok(Some(id)),
            None => Err(Error::invalid_argument("Invalid uploadId marker", name, text)),
        },
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let input = Input::parse(&cx.query)?;
    let bucket = cx.bucket();
    let query = ListUploads {
        prefix: input.prefix.clone(),
        delimiter: input.delimiter.clone(),
        key_marker: input.key_marker.clone(),
        upload_id_marker: input.upload_id_marker,
        limit: input.max_uploads as usize,
    };
    let page = match query.limit {
        0 => UploadsPage::default(),
        _ => cx.app.objects.list_uploads(cx.grant(), bucket, &query).await?,
    };
    let people: Vec<People<'_>> = page.uploads.iter().map(|upload| People::of(&cx, upload)).collect();
    Ok(Answer::new().xml(render(bucket.name.as_str(), &input, &people, &page)))
}

/// The markers for the next page. Also on the last page AWS shows the last upload's; where the page ends in a rolled-up
/// prefix AWS shows none, which leaves a client no way on: here it is the prefix.
fn next_markers(page: &UploadsPage) -> (&str, Option<UploadId>) {
    match (&page.next, page.uploads.last()) {
        (Some((key, id)), _) => (key, *id),
        (None, Some(last)) => (last.key.as_str(), Some(last.id)),
        (None, None) => ("", None),
    }
}

fn render(bucket: &str, input: &Input, people: &[People<'_>], page: &UploadsPage) -> Writer {
    let encoding = &input.encoding;
    let id_text = |id: Option<UploadId>| id.map(|id| id.to_string()).unwrap_or_default();
    let (next_key, next_id) = next_markers(page);
    let keys = page.uploads.iter().map(|upload| upload.key.as_str().len() + ROW_EXTRA_BYTES);
    let mut w = page_writer(keys.chain(page.prefixes.iter().map(String::len)));
    w.root("ListMultipartUploadsResult", |w| {
        w.leaf("Bucket", bucket);
        encoding.leaf(w, "KeyMarker", &input.key_marker);
        w.leaf("UploadIdMarker", &id_text(input.upload_id_marker));
        encoding.leaf(w, "NextKeyMarker", next_key);
        w.leaf("NextUploadIdMarker", &id_text(next_id));
        encoding.leaf_unless_empty(w, "Delimiter", &input.delimiter);
        encoding.leaf_unless_empty(w, "Prefix", &input.prefix);
        w.number("MaxUploads", input.max_uploads.into());
        encoding.write(w);
        w.flag("IsTruncated", page.next.is_some());
        for (upload, people) in page.uploads.iter().zip(people) {
            write_upload(w, encoding, people, upload);
        }
        encoding.write_prefixes(w, &page.prefixes);
    });
    w
}

/// The initiator and the upload id: what an upload's row has more than an object's.
const ROW_EXTRA_BYTES: usize = 200;

fn write_upload(w: &mut Writer, encoding: &KeyEncoding, people: &People<'_>, upload: &Upload) {
    w.node("Upload", |w| {
        encoding.leaf(w, "Key", upload.key.as_str());
        w.leaf("UploadId", &upload.id.to_string());
        people.write(w);
        write_storage_class(w, upload.meta.storage_class.as_deref());
        write_time(w, "Initiated", upload.initiated);
        write_checksum_type(w, upload.checksum);
    });
}

#[cfg(test)]
mod tests {
    use super::{Input, People, Query, Upload, UploadId, UploadsPage, render};
    use crate::crypto::ChecksumAlgorithm;
    use crate::names::{BucketName, ObjectKey};
    use crate::objects::{Attributes, BeganOver, ChecksumKind, ObjectMeta};
    use crate::s3::owner::Owner;
    use crate::sources::Timestamp;
    use crate::sse::{Envelope, Mode};

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn parse(raw: &str) -> Result<Input, String> {
        Input::parse(&Query::parse(raw).unwrap()).map_err(|e| e.message().to_owned())
    }

    fn upload(key: &str) -> Upload {
        Upload {
            id: UploadId::parse(ID).unwrap(),
            bucket: BucketName::parse("bkt").unwrap(),
            key: ObjectKey::parse(key).unwrap(),
            initiated: Timestamp(0),
            meta: ObjectMeta::default(),
            envelope: Envelope {
                mode: Mode::SseS3,
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
            checksum: Some((ChecksumAlgorithm::Sha256, ChecksumKind::Composite)),
        }
    }

    fn page(raw: &str, page: &UploadsPage) -> String {
        let owner = Owner { id: "a1", display_name: "" };
        let people = vec![People { initiator: Owner { id: "b2", display_name: "b" }, owner }; page.uploads.len()];
        render("bkt", &parse(raw).unwrap(), &people, page).finish().split_once("2006-03-01/\">").unwrap().1.to_owned()
    }

    #[test]
    fn markers() {
        let input = parse(&format!("key-marker=k&upload-id-marker={ID}&max-uploads=5000")).unwrap();
        assert_eq!((input.upload_id_marker, input.max_uploads), (UploadId::parse(ID), 1000));
        assert_eq!(parse("upload-id-marker=x").unwrap().upload_id_marker, None);
        assert_eq!(parse("key-marker=k&upload-id-marker=").unwrap().upload_id_marker, None);
        assert_eq!(parse("key-marker=k&upload-id-marker=x"), Err("Invalid uploadId marker".to_owned()));
        let negative = "Argument max-uploads must be an integer between 0 and 2147483647".to_owned();
        assert_eq!(parse("max-uploads=-1"), Err(negative));
    }

    #[test]
    fn the_last_page_shows_its_last_upload() {
        let uploads = UploadsPage { uploads: vec![upload("a b")], ..UploadsPage::default() };
        let expected = format!(
            "<Bucket>bkt</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>\
             <NextKeyMarker>a+b</NextKeyMarker><NextUploadIdMarker>{ID}</NextUploadIdMarker>\
             <MaxUploads>1000</MaxUploads><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>\
             <Upload><Key>a+b</Key><UploadId>{ID}</UploadId><Initiator><ID>b2</ID><DisplayName>b</DisplayName></Initiator>\
             <Owner><ID>a1</ID></Owner><StorageClass>STANDARD</StorageClass><Initiated>1970-01-01T00:00:00.000Z</Initiated>\
             <ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType></Upload>\
             </ListMultipartUploadsResult>"
        );
        assert_eq!(page("encoding-type=url", &uploads), expected);
    }

    #[test]
    fn markers_of_the_next_page() {
        let of_prefix =
            UploadsPage { uploads: vec![], prefixes: vec!["f/".to_owned()], next: Some(("f/".to_owned(), None)) };
        let expected = "<NextKeyMarker>f/</NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker>\
                        <Delimiter>/</Delimiter><MaxUploads>1</MaxUploads><IsTruncated>true</IsTruncated>\
                        <CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes></ListMultipartUploadsResult>";
        assert!(page("delimiter=/&max-uploads=1", &of_prefix).ends_with(expected));
        let nothing = page("", &UploadsPage::default());
        assert!(nothing.contains("<NextKeyMarker></NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker>"));
    }
}
