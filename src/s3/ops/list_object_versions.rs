//! ListObjectVersions.

use crate::objects::{ListQuery, ListVersions, ListedVersion, VersionId, VersionPage};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::listing::{
    Entry, KeyEncoding, PAGE_MAX, check_optional_attributes, page_writer, write_storage_class, write_time,
};
use crate::s3::object_answer::Answer;
use crate::s3::owner::Owner;
use crate::s3::query::Query;
use crate::sources::Timestamp;
use crate::wire::Response;
use crate::wire::xml::Writer;

#[derive(Debug, PartialEq, Eq)]
struct Input {
    prefix: String,
    /// Echoed as sent, also an empty one.
    delimiter: Option<String>,
    key_marker: String,
    version_marker: Option<VersionId>,
    /// As asked for: AWS echoes also what is more than a page may hold.
    max_keys: u32,
    encoding: KeyEncoding,
}

impl Input {
    fn parse(query: &Query) -> Result<Self, Error> {
        let text = |name| query.value(name).unwrap_or_default().to_owned();
        Ok(Self {
            prefix: text("prefix"),
            delimiter: query.value("delimiter").map(str::to_owned),
            version_marker: version_marker(query)?,
            key_marker: text("key-marker"),
            encoding: KeyEncoding::parse(query)?,
            max_keys: max_keys(query)?,
        })
    }

    /// How much is shown: a page of no keys is empty and, as AWS has it, not truncated. So is one behind a version of
    /// no key.
    fn limit(&self) -> usize {
        if self.key_marker.is_empty() && self.version_marker.is_some() {
            return 0;
        }
        self.max_keys.min(PAGE_MAX) as usize
    }
}

fn version_marker(query: &Query) -> Result<Option<VersionId>, Error> {
    let name = "version-id-marker";
    let Some(text) = query.value(name) else { return Ok(None) };
    // An empty key marker is one to AWS.
    if !query.has("key-marker") {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(Error::invalid_argument(message, name, text));
    }
    if text.is_empty() {
        return Err(Error::invalid_argument("A version-id marker cannot be empty.", name, text));
    }
    let invalid = || Error::invalid_argument("Invalid version id specified", name, text);
    VersionId::parse(text).map(Some).ok_or_else(invalid)
}

/// As of every list, but for AWS's words for a number below 0.
fn max_keys(query: &Query) -> Result<u32, Error> {
    match query.value("max-keys").map(str::parse::<i32>) {
        Some(Ok(n)) if n < 0 => Err(Error::invalid_argument("max-keys cannot be negative", "max-keys", n.to_string())),
        _ => Ok(query.number("max-keys")?.unwrap_or(PAGE_MAX)),
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let input = Input::parse(&cx.query)?;
    check_optional_attributes(&cx.head.headers)?;
    let bucket = cx.bucket();
    let query = ListVersions {
        query: ListQuery {
            prefix: input.prefix.clone(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.key_marker.clone(),
            limit: input.limit(),
        },
        after_version: input.version_marker,
    };
    let page = match query.query.limit {
        0 => VersionPage::default(),
        _ => cx.app.objects.list_versions(cx.grant(), bucket, &query).await?,
    };
    let rows: Vec<Row<'_>> = page.versions.iter().map(|listed| Row::of(&cx, listed)).collect();
    let owner = cx.owner(&bucket.owner);
    Ok(Answer::new().xml(render(bucket.name.as_str(), &input, owner, &rows, &page.prefixes, page.next.as_ref())))
}

/// What is shown of a version: a delete marker is one without an entry.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    key: &'a str,
    version: VersionId,
    latest: bool,
    modified: Timestamp,
    entry: Option<Entry<'a>>,
}

impl<'a> Row<'a> {
    fn of(cx: &'a Cx, listed: &'a ListedVersion) -> Self {
        match listed {
            ListedVersion::Object { info, latest } => Self {
                key: info.key.as_str(),
                version: info.version,
                latest: *latest,
                modified: info.modified,
                entry: Some(Entry::of(cx, info)),
            },
            ListedVersion::DeleteMarker { key, version, modified, latest } => {
                Self { key: key.as_str(), version: *version, latest: *latest, modified: *modified, entry: None }
            }
        }
    }
}

impl Row<'_> {
    fn write(&self, w: &mut Writer, encoding: &KeyEncoding, owner: &Owner<'_>) {
        let element = if self.entry.is_some() { "Version" } else { "DeleteMarker" };
        w.node(element, |w| {
            encoding.leaf(w, "Key", self.key);
            write_version(w, "VersionId", self.version);
            w.flag("IsLatest", self.latest);
            match &self.entry {
                Some(entry) => {
                    entry.write_facts(w);
                    write_storage_class(w, entry.storage_class);
                }
                None => write_time(w, "LastModified", self.modified),
            }
            self.entry.and_then(|entry| entry.owner).as_ref().unwrap_or(owner).write(w, "Owner");
        });
    }
}

fn write_version(w: &mut Writer, name: &str, version: VersionId) {
    use std::fmt::Write as _;
    w.leaf_with(name, |out| {
        let _ = write!(out, "{version}"); // a String takes all
    });
}

fn render(
    bucket: &str,
    input: &Input,
    owner: Owner<'_>,
    rows: &[Row<'_>],
    prefixes: &[String],
    next: Option<&(String, Option<VersionId>)>,
) -> Writer {
    let encoding = &input.encoding;
    let mut w = page_writer(rows.iter().map(|row| row.key.len()).chain(prefixes.iter().map(String::len)));
    w.root("ListVersionsResult", |w| {
        w.leaf("Name", bucket);
        encoding.leaf(w, "Prefix", &input.prefix);
        encoding.leaf(w, "KeyMarker", &input.key_marker);
        match input.version_marker {
            Some(version) => write_version(w, "VersionIdMarker", version),
            None => {
                w.leaf("VersionIdMarker", "");
            }
        }
        if let Some((key, version)) = next {
            encoding.leaf(w, "NextKeyMarker", key);
            if let Some(version) = version {
                write_version(w, "NextVersionIdMarker", *version);
            }
        }
        w.number("MaxKeys", input.max_keys.into());
        if let Some(delimiter) = &input.delimiter {
            encoding.leaf(w, "Delimiter", delimiter);
        }
        encoding.write(w);
        w.flag("IsTruncated", next.is_some());
        for row in rows {
            row.write(w, encoding, &owner);
        }
        encoding.write_prefixes(w, prefixes);
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{Entry, Input, Owner, Query, Row, VersionId, render};
    use crate::sources::Timestamp;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn parse(raw: &str) -> Result<Input, String> {
        Input::parse(&Query::parse(raw).unwrap()).map_err(|e| e.message().to_owned())
    }

    fn page(raw: &str, rows: &[Row<'_>], next: Option<(&str, Option<VersionId>)>) -> String {
        let next = next.map(|(key, version)| (key.to_owned(), version));
        let owner = Owner { id: "a1", display_name: "" };
        let page = render("bkt", &parse(raw).unwrap(), owner, rows, &[], next.as_ref());
        page.finish().split_once("2006-03-01/\">").unwrap().1.to_owned()
    }

    #[test]
    fn markers() {
        let input = parse(&format!("key-marker=k&version-id-marker={ID}")).unwrap();
        assert_eq!((input.key_marker.as_str(), input.version_marker), ("k", VersionId::parse(ID)));
        assert_eq!(parse("key-marker=k&version-id-marker=null").unwrap().version_marker, Some(VersionId::Null));
        assert_eq!(parse("key-marker=&version-id-marker=null").unwrap().version_marker, Some(VersionId::Null));
        let alone = "A version-id marker cannot be specified without a key marker.".to_owned();
        assert_eq!(parse(&format!("version-id-marker={ID}")), Err(alone.clone()));
        assert_eq!(parse("version-id-marker="), Err(alone));
        assert_eq!(parse("key-marker=k&version-id-marker="), Err("A version-id marker cannot be empty.".to_owned()));
        assert_eq!(parse("key-marker=k&version-id-marker=x"), Err("Invalid version id specified".to_owned()));
        assert_eq!(parse("max-keys=-1"), Err("max-keys cannot be negative".to_owned()));
        let no_number = "Provided max-keys not an integer or within integer range".to_owned();
        assert_eq!(parse("max-keys=x"), Err(no_number));
    }

    #[test]
    fn versions_and_delete_markers_in_one_order() {
        let version = VersionId::parse(ID).unwrap();
        let modified = Timestamp(0);
        let entry =
            Entry { key: "k", etag: "e", modified, plain_len: 3, storage_class: None, checksum: None, owner: None };
        let rows = [
            Row { key: "k", version, latest: true, modified, entry: None },
            Row { key: "k", version: VersionId::Null, latest: false, modified, entry: Some(entry) },
        ];
        let expected = "<Name>bkt</Name><Prefix></Prefix><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>\
                        <NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker>\
                        <MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated><DeleteMarker><Key>k</Key>\
                        <VersionId>00112233445566778899aabbccddeeff</VersionId><IsLatest>true</IsLatest>\
                        <LastModified>1970-01-01T00:00:00.000Z</LastModified><Owner><ID>a1</ID></Owner></DeleteMarker>\
                        <Version><Key>k</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>\
                        <LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>3</Size>\
                        <StorageClass>STANDARD</StorageClass><Owner><ID>a1</ID></Owner></Version></ListVersionsResult>";
        assert_eq!(page("max-keys=2", &rows, Some(("k", Some(VersionId::Null)))), expected);
    }

    #[test]
    fn a_prefix_as_marker_has_no_version() {
        let raw = format!("prefix=f/&delimiter=/&key-marker=f/a&version-id-marker={ID}&encoding-type=url");
        let expected = format!(
            "<Name>bkt</Name><Prefix>f/</Prefix><KeyMarker>f/a</KeyMarker><VersionIdMarker>{ID}</VersionIdMarker>\
             <NextKeyMarker>f/b+c/</NextKeyMarker><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>\
             <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated></ListVersionsResult>"
        );
        assert_eq!(page(&raw, &[], Some(("f/b c/", None))), expected);
    }
}
