//! What the list operations have in common: page sizes, the encoding of keys, and how entries are written.

use http::HeaderMap;

use super::checksum_headers::kind_name;
use super::code::Code;
use super::cx::Cx;
use super::error::Error;
use super::fields::joined;
use super::owner::Owner;
use super::query::Query;
use crate::crypto::ChecksumAlgorithm;
use crate::objects::{ChecksumKind, ObjectInfo};
use crate::sources::Timestamp;
use crate::wire::xml::Writer;
use crate::wire::{encode_key_into, iso8601_ms_into};

/// Entries of one page at most, of every list operation but ListBuckets.
pub(crate) const PAGE_MAX: u32 = 1000;
/// About how many bytes an entry takes besides its key: the page is written into a string of that size.
const ENTRY_BYTES: usize = 480;

/// Keys, prefixes, delimiters and markers in an answer: as they are, or with `encoding-type=url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyEncoding {
    /// Escaped for XML.
    Plain,
    /// Percent-encoded, for keys that XML cannot hold. With the name as the client spelt it, which AWS echoes.
    Url(String),
}

impl KeyEncoding {
    /// From `encoding-type`.
    pub(crate) fn parse(query: &Query) -> Result<Self, Error> {
        match query.value("encoding-type") {
            None => Ok(Self::Plain),
            Some(text) if text.eq_ignore_ascii_case("url") => Ok(Self::Url(text.to_owned())),
            Some(text) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(Error::invalid_argument(message, "encoding-type", text))
            }
        }
    }

    /// Writes a key or a part of one.
    pub(crate) fn leaf(&self, w: &mut Writer, name: &str, text: &str) {
        match self {
            Self::Plain => w.leaf(name, text),
            Self::Url(_) => w.leaf_with(name, |out| encode_key_into(out, text)),
        };
    }

    /// The same for what is left out when empty.
    pub(crate) fn leaf_unless_empty(&self, w: &mut Writer, name: &str, text: &str) {
        if !text.is_empty() {
            self.leaf(w, name, text);
        }
    }

    /// `<EncodingType>`, if there is one.
    pub(crate) fn write(&self, w: &mut Writer) {
        if let Self::Url(spelt) = self {
            w.leaf("EncodingType", spelt);
        }
    }

    /// `<CommonPrefixes>`.
    pub(crate) fn write_prefixes(&self, w: &mut Writer, prefixes: &[String]) {
        for prefix in prefixes {
            w.node("CommonPrefixes", |w| self.leaf(w, "Prefix", prefix));
        }
    }
}

/// `x-amz-optional-object-attributes`: what it may name, `RestoreStatus`, is of archived objects, which there are none of
/// here.
pub(crate) fn check_optional_attributes(headers: &HeaderMap) -> Result<(), Error> {
    let name = "x-amz-optional-object-attributes";
    let list = joined(headers, name).unwrap_or_default();
    let mut names = list.split(',').map(str::trim).filter(|one| !one.is_empty());
    match names.find(|one| *one != "RestoreStatus") {
        None => Ok(()),
        // Not recorded of lists; as in GetObjectAttributes.
        Some(unknown) => Err(Error::invalid_argument("Invalid attribute name specified.", name, unknown)),
    }
}

/// Refuses a parameter of the other version of ListObjects, as AWS does it, whatever its value.
pub(crate) fn refuse_parameters(query: &Query, refused: &[(&'static str, &'static str)]) -> Result<(), Error> {
    match refused.iter().find(|(name, _)| query.has(name)) {
        None => Ok(()),
        Some((name, message)) => Err(Error::with_message(Code::InvalidArgument, *message).and("ArgumentName", *name)),
    }
}

/// The size of a page: what was asked for, 1,000 at most. More is no error, as with AWS.
pub(crate) fn page_size(query: &Query, name: &'static str) -> Result<u32, Error> {
    Ok(query.number(name)?.unwrap_or(PAGE_MAX).min(PAGE_MAX))
}

/// A document with room for a page.
pub(crate) fn page_writer(keys: impl Iterator<Item = usize>) -> Writer {
    Writer::with_capacity(keys.map(|key_bytes| ENTRY_BYTES + key_bytes + key_bytes / 2).sum::<usize>() + 1024)
}

/// What a listing shows of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a str,
    pub(crate) etag: &'a str,
    pub(crate) modified: Timestamp,
    pub(crate) plain_len: u64,
    pub(crate) storage_class: Option<&'a str>,
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    /// Whose it is, if not the bucket's owner's.
    pub(crate) owner: Option<Owner<'a>>,
}

impl<'a> Entry<'a> {
    /// What is shown of an object of `cx`'s bucket.
    pub(crate) fn of(cx: &'a Cx, info: &'a ObjectInfo) -> Self {
        Self {
            key: info.key.as_str(),
            etag: &info.etag,
            modified: info.modified,
            plain_len: info.plain_len,
            storage_class: info.meta.storage_class.as_deref(),
            checksum: info.checksum.as_ref().map(|c| (c.checksum.algorithm, c.kind)),
            owner: cx.owner_of(info.access.as_ref()),
        }
    }
}

impl Entry<'_> {
    /// `<LastModified>`, `<ETag>`, checksum and `<Size>`, in this order.
    pub(crate) fn write_facts(&self, w: &mut Writer) {
        write_time(w, "LastModified", self.modified);
        w.etag("ETag", self.etag);
        write_checksum_type(w, self.checksum);
        w.number("Size", self.plain_len);
    }

    /// `<Contents>` of ListObjects and ListObjectsV2.
    pub(crate) fn write_contents(&self, w: &mut Writer, encoding: &KeyEncoding, owner: Option<&Owner<'_>>) {
        w.node("Contents", |w| {
            encoding.leaf(w, "Key", self.key);
            self.write_facts(w);
            if let Some(owner) = owner {
                self.owner.as_ref().unwrap_or(owner).write(w, "Owner");
            }
            write_storage_class(w, self.storage_class);
        });
    }
}

/// A date of an answer.
pub(crate) fn write_time(w: &mut Writer, name: &str, at: Timestamp) {
    w.leaf_with(name, |out| iso8601_ms_into(out, at));
}

/// `<StorageClass>`.
pub(crate) fn write_storage_class(w: &mut Writer, class: Option<&str>) {
    w.leaf("StorageClass", class.unwrap_or("STANDARD"));
}

/// `<ChecksumAlgorithm>` and `<ChecksumType>`, if there is a checksum.
pub(crate) fn write_checksum_type(w: &mut Writer, checksum: Option<(ChecksumAlgorithm, ChecksumKind)>) {
    if let Some((algorithm, kind)) = checksum {
        w.leaf("ChecksumAlgorithm", algorithm.name()).leaf("ChecksumType", kind_name(kind));
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyEncoding, PAGE_MAX, page_size};
    use crate::s3::query::Query;
    use crate::wire::xml::Writer;

    #[test]
    fn page_sizes() {
        let size = |raw: &str| page_size(&Query::parse(raw).unwrap(), "max-keys").ok();
        assert_eq!(size(""), Some(PAGE_MAX));
        assert_eq!(size("max-keys="), Some(PAGE_MAX));
        assert_eq!(size("max-keys=0"), Some(0));
        assert_eq!(size("max-keys=1000"), Some(1000));
        assert_eq!(size("max-keys=1001"), Some(1000));
        assert_eq!(size("max-keys=-1"), None);
    }

    #[test]
    fn encodings() {
        let parse = |raw: &str| KeyEncoding::parse(&Query::parse(raw).unwrap()).map_err(|e| e.message().to_owned());
        assert_eq!(parse("x"), Ok(KeyEncoding::Plain));
        assert_eq!(parse("encoding-type=URL"), Ok(KeyEncoding::Url("URL".to_owned())));
        for bad in ["encoding-type=value", "encoding-type=", "encoding-type"] {
            assert_eq!(parse(bad), Err("Invalid Encoding Method specified in Request".to_owned()), "{bad}");
        }
        let mut w = Writer::default();
        KeyEncoding::Plain.leaf(&mut w, "K", "a b&\r");
        let url = KeyEncoding::Url("url".to_owned());
        url.leaf(&mut w, "K", "a b&\r");
        url.leaf_unless_empty(&mut w, "K", "");
        url.write_prefixes(&mut w, &["p/ ".to_owned()]);
        let expected = "<K>a b&amp;&#xd;</K><K>a+b%26%0D</K><CommonPrefixes><Prefix>p/+</Prefix></CommonPrefixes>";
        assert_eq!(w.finish(), expected);
    }
}
