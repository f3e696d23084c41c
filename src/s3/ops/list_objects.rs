//! ListObjects, the first version: clients such as rclone, s3cmd and aws-cli's CloudTrail validation still use it. Every
//! `list-type` but 2 means it (measured of AWS: brekkylab/backlot 204).

use crate::objects::{ListPage, ListQuery};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::listing::{Entry, KeyEncoding, PAGE_MAX, check_optional_attributes, page_writer, refuse_parameters};
use crate::s3::object_answer::Answer;
use crate::s3::owner::Owner;
use crate::s3::query::Query;
use crate::wire::Response;
use crate::wire::xml::Writer;

/// Parameters of the other version.
const REFUSED: [(&str, &str); 2] = [
    ("continuation-token", "continuation-token only supported in REST.GET.BUCKET with list-type=2"),
    ("start-after", "startAfter only supported in REST.GET.BUCKET with list-type=2"),
];

#[derive(Debug, PartialEq, Eq)]
struct Input {
    prefix: String,
    delimiter: String,
    marker: String,
    /// As asked for: AWS echoes also what is more than a page may hold.
    max_keys: u32,
    encoding: KeyEncoding,
}

impl Input {
    fn parse(query: &Query) -> Result<Self, Error> {
        let text = |name| query.value(name).unwrap_or_default().to_owned();
        refuse_parameters(query, &REFUSED)?;
        Ok(Self {
            prefix: text("prefix"),
            delimiter: text("delimiter"),
            marker: text("marker"),
            encoding: KeyEncoding::parse(query)?,
            max_keys: query.number("max-keys")?.unwrap_or(PAGE_MAX),
        })
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let input = Input::parse(&cx.query)?;
    check_optional_attributes(&cx.head.headers)?;
    let bucket = cx.bucket();
    let query = ListQuery {
        prefix: input.prefix.clone(),
        delimiter: input.delimiter.clone(),
        after: input.marker.clone(),
        limit: input.max_keys.min(PAGE_MAX) as usize,
    };
    // A page of no keys is empty and, as AWS has it, not truncated.
    let page =
        if query.limit == 0 { ListPage::default() } else { cx.app.objects.list(cx.grant(), bucket, &query).await? };
    let entries: Vec<Entry<'_>> = page.objects.iter().map(|info| Entry::of(&cx, info)).collect();
    let owner = cx.owner(&bucket.owner);
    let mut answer = Answer::new();
    answer.set("x-amz-bucket-region", bucket.region.as_str());
    Ok(answer.xml(render(bucket.name.as_str(), &input, owner, &entries, &page.prefixes, page.next.as_deref())))
}

fn render(
    bucket: &str,
    input: &Input,
    owner: Owner<'_>,
    entries: &[Entry<'_>],
    prefixes: &[String],
    next: Option<&str>,
) -> Writer {
    let encoding = &input.encoding;
    let mut w = page_writer(entries.iter().map(|entry| entry.key.len()).chain(prefixes.iter().map(String::len)));
    w.root("ListBucketResult", |w| {
        w.leaf("Name", bucket);
        encoding.leaf(w, "Prefix", &input.prefix);
        encoding.leaf(w, "Marker", &input.marker);
        // Without a delimiter the last key serves as the marker, and AWS names none.
        if let Some(next) = next.filter(|_| !input.delimiter.is_empty()) {
            encoding.leaf(w, "NextMarker", next);
        }
        w.number("MaxKeys", input.max_keys.into());
        encoding.leaf_unless_empty(w, "Delimiter", &input.delimiter);
        encoding.write(w);
        w.flag("IsTruncated", next.is_some());
        for entry in entries {
            entry.write_contents(w, encoding, Some(&owner));
        }
        encoding.write_prefixes(w, prefixes);
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{Entry, Input, Owner, Query, render};
    use crate::crypto::ChecksumAlgorithm;
    use crate::objects::ChecksumKind;
    use crate::sources::Timestamp;

    const ENTRY: Entry<'_> = Entry {
        key: "p/a b",
        etag: "0d9fa06a66933b40f615f530e59edd6b",
        modified: Timestamp(1_795_608_000_123),
        plain_len: 11,
        storage_class: None,
        checksum: Some((ChecksumAlgorithm::Crc64Nvme, ChecksumKind::FullObject)),
        owner: None,
    };

    fn page(query: &str, entries: &[Entry<'_>], prefixes: &[&str], next: Option<&str>) -> String {
        let input = Input::parse(&Query::parse(query).unwrap()).unwrap();
        let prefixes: Vec<String> = prefixes.iter().map(|p| (*p).to_owned()).collect();
        let owner = Owner { id: "a1", display_name: "main" };
        let page = render("bkt", &input, owner, entries, &prefixes, next);
        page.finish().split_once("2006-03-01/\">").unwrap().1.to_owned()
    }

    #[test]
    fn a_page() {
        let expected = "<Name>bkt</Name><Prefix>p/</Prefix><Marker></Marker><MaxKeys>1000</MaxKeys>\
                        <IsTruncated>false</IsTruncated><Contents><Key>p/a b</Key>\
                        <LastModified>2026-11-25T12:00:00.123Z</LastModified>\
                        <ETag>&quot;0d9fa06a66933b40f615f530e59edd6b&quot;</ETag>\
                        <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>\
                        <Size>11</Size><Owner><ID>a1</ID><DisplayName>main</DisplayName></Owner>\
                        <StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>";
        assert_eq!(page("prefix=p/", &[ENTRY], &[], None), expected);
    }

    #[test]
    fn with_delimiter_and_encoding() {
        let expected = "<Name>bkt</Name><Prefix>p+</Prefix><Marker>m%0D</Marker><NextMarker>p+%252F</NextMarker>\
                        <MaxKeys>1</MaxKeys><Delimiter>%252F</Delimiter><EncodingType>url</EncodingType>\
                        <IsTruncated>true</IsTruncated><CommonPrefixes><Prefix>p+%252F</Prefix></CommonPrefixes>\
                        </ListBucketResult>";
        let query = "prefix=p+&marker=m%0d&max-keys=1&delimiter=%252F&encoding-type=url";
        assert_eq!(page(query, &[], &["p %2F"], Some("p %2F")), expected);
    }

    #[test]
    fn no_next_marker_without_delimiter() {
        let page = page(
            "max-keys=1",
            &[Entry { checksum: None, storage_class: Some("GLACIER_IR"), ..ENTRY }],
            &[],
            Some("p/a b"),
        );
        assert!(page.contains("<IsTruncated>true</IsTruncated>"));
        assert!(page.contains("<StorageClass>GLACIER_IR</StorageClass>"));
        assert!(!page.contains("NextMarker") && !page.contains("Checksum"));
    }

    #[test]
    fn a_full_page_fits_the_room_made_for_it() {
        let key = "k".repeat(60);
        let entries = vec![Entry { key: &key, ..ENTRY }; 1000];
        let input = Input::parse(&Query::parse("").unwrap()).unwrap();
        let id = "a".repeat(64);
        let page = render("bkt", &input, Owner { id: &id, display_name: "main" }, &entries, &[], None).finish();
        // Grown on the way, the string's room would be a power of two times the first.
        let room = 1000 * (480 + 60 + 30) + 1024;
        assert!(page.len() <= room && page.capacity() == room, "{} of {} bytes", page.len(), page.capacity());
    }
}
