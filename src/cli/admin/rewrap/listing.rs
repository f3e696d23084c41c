//! What there is, page by page: of any length, and never more than a page in memory.

use std::fmt::Write as _;

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use super::change::CallFault;
use super::{Api, patiently};
use crate::cli::admin::api::{CallError, Element, S3Call, text};
use crate::wire::{decode_query, encode_uri, xml};

/// `s3://BUCKET/PREFIX`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) prefix: String,
}

/// An object, or a version of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    /// None: the current one, whichever it is.
    pub(super) version: Option<String>,
    pub(super) latest: bool,
    pub(super) etag: String,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    key: String,
    version: Option<String>,
}

pub(super) struct Page {
    pub(super) listed: Vec<Listed>,
    pub(super) next: Option<Cursor>,
}

pub(super) struct Listing<'a> {
    pub(super) api: &'a Api,
    pub(super) place: &'a Place,
    pub(super) all_versions: bool,
    pub(super) after: Option<Cursor>,
    /// The server has answered once: where it is away now it may come back.
    pub(super) answered: bool,
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest =
            text.strip_prefix("s3://").ok_or_else(|| format!("{text:?} is no s3://BUCKET or s3://BUCKET/PREFIX"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("{text:?} names no bucket"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl Listing<'_> {
    /// The page behind `after`.
    pub(super) async fn page(&mut self) -> Result<Page, CallFault> {
        let (call, query) = match self.all_versions {
            true => ("ListObjectVersions", self.versions_query()),
            false => ("ListObjectsV2", self.objects_query()),
        };
        let path = format!("/{}", encode_uri(&self.place.bucket));
        let ask = || async {
            let headers = HeaderMap::new();
            let sent = S3Call { call, method: Method::GET, path: &path, query: &query, headers, body: Vec::new() };
            self.api.s3(sent).await.map(|(_, body)| body)
        };
        let body = match self.answered {
            true => patiently(ask).await?,
            false => ask().await.map_err(CallFault::Refused)?,
        };
        self.answered = true;
        let unreadable = || CallFault::Refused(CallError::NoAnswer(format!("the answer to {call} can't be read")));
        let root = xml::parse(&body).map_err(|_| unreadable())?;
        read(&root, self.all_versions).ok_or_else(unreadable)
    }

    fn objects_query(&self) -> String {
        let mut query = format!("encoding-type=url&list-type=2&prefix={}", encode_uri(&self.place.prefix));
        if let Some(after) = &self.after {
            let _ = write!(query, "&start-after={}", encode_uri(&after.key)); // a String takes all
        }
        query
    }

    fn versions_query(&self) -> String {
        let mut query = "encoding-type=url".to_owned();
        if let Some(after) = &self.after {
            let _ = write!(query, "&key-marker={}", encode_uri(&after.key)); // a String takes all
        }
        let _ = write!(query, "&prefix={}", encode_uri(&self.place.prefix));
        if let Some(version) = self.after.as_ref().and_then(|after| after.version.as_ref()) {
            let _ = write!(query, "&version-id-marker={}", encode_uri(version));
        }
        query + "&versions="
    }
}

/// A page as it was answered; delete markers hold nothing that is encrypted.
fn read(root: &Element, all_versions: bool) -> Option<Page> {
    let element = if all_versions { "Version" } else { "Contents" };
    let mut listed = Vec::new();
    for entry in root.all(element) {
        listed.push(Listed {
            key: decode_query(&entry.child("Key")?.text)?,
            version: all_versions.then(|| text(entry, "VersionId").to_owned()),
            latest: !all_versions || text(entry, "IsLatest") == "true",
            etag: text(entry, "ETag").to_owned(),
        });
    }
    if text(root, "IsTruncated") != "true" {
        return Some(Page { listed, next: None });
    }
    let next = match all_versions {
        false => Cursor { key: listed.last()?.key.clone(), version: None },
        true => Cursor {
            key: decode_query(&root.child("NextKeyMarker")?.text)?,
            version: Some(text(root, "NextVersionIdMarker").to_owned()).filter(|version| !version.is_empty()),
        },
    };
    Some(Page { listed, next: Some(next) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = |bucket: &str, prefix: &str| Ok(Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        assert_eq!(Place::parse("s3://b"), place("b", ""));
        assert_eq!(Place::parse("s3://b/"), place("b", ""));
        assert_eq!(Place::parse("s3://b/p/q r"), place("b", "p/q r"));
        for bad in ["", "b", "s3://", "s3:///p", "https://b"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pages() {
        let root = xml::parse(
            b"<R><IsTruncated>true</IsTruncated><NextKeyMarker>b+%01</NextKeyMarker>\
              <NextVersionIdMarker>v1</NextVersionIdMarker>\
              <Version><Key>a</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><ETag>\"e\"</ETag></Version>\
              <DeleteMarker><Key>a</Key></DeleteMarker>\
              <Version><Key>b+%01</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest></Version></R>",
        );
        let page = read(&root.unwrap(), true).unwrap();
        let keys: Vec<_> = page.listed.iter().map(|l| (l.key.as_str(), l.version.as_deref(), l.latest)).collect();
        assert_eq!(keys, [("a", Some("null"), true), ("b \u{1}", Some("v1"), false)]);
        assert_eq!(page.next, Some(Cursor { key: "b \u{1}".to_owned(), version: Some("v1".to_owned()) }));
        let root = xml::parse(b"<R><IsTruncated>false</IsTruncated><Contents><Key>c%2Bd</Key></Contents></R>");
        let page = read(&root.unwrap(), false).unwrap();
        assert_eq!((page.listed[0].key.as_str(), page.next), ("c+d", None));
    }
}
