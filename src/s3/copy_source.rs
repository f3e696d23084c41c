//! The source of CopyObject and UploadPartCopy: `x-amz-copy-source` and its conditions, and the object it names.

use super::asked::OtherKeys;
use super::conditions::{self, ReadConditions};
use super::cx::{Cx, TagsDecide};
use super::error::Error;
use super::fields::{filled, single};
use super::object_answer::Answer;
use super::object_read::absent;
use super::payer;
use super::serve::{check_expected_owner, parse_key};
use super::server_log::SourceLine;
use super::sse_headers;
use super::version_id;
use crate::app::before::{Before, View};
use crate::auth::Grant;
use crate::crypto::ObjectKeys;
use crate::names::{BucketName, ObjectKey};
use crate::objects::{Bucket, ObjectInfo, ObjectsError, PUT_MAX_BYTES, Standing, VersionId};
use crate::sse::{CustomerKey, ObjectRef};
use crate::wire::decode_query;

const HEADER: &str = "x-amz-copy-source";

/// What `x-amz-copy-source` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopySource {
    bucket: String,
    key: String,
    /// As sent.
    version: Option<String>,
}

impl CopySource {
    /// Reads `[/]bucket/key[?versionId=…]`, decoded once as a form is, a plus being a space: other than in a path. AWS
    /// finds no key `a+b` when it is sent as it stands (aws-cli 614, aws-sdk-js 1821); clients send `a%2Bb`.
    pub(crate) fn parse(header: &str) -> Result<Self, Error> {
        let invalid = || Error::invalid_argument("Invalid copy source object key", HEADER, HEADER);
        let (path, version) = match header.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(decode_query(version).ok_or_else(invalid)?)),
            None => (header, None),
        };
        let path = decode_query(path).ok_or_else(invalid)?;
        // Access points come by ARN; there are none here.
        if path.trim_start_matches('/').starts_with("arn:") {
            return Err(Error::header_not_implemented(HEADER));
        }
        let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/').ok_or_else(invalid)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(invalid());
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version })
    }
}

impl CopySource {
    /// `bucket/key`, decoded.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.bucket, self.key)
    }
}

/// A source that exists, may be read, and fits the request's conditions.
pub(crate) struct Source {
    pub(crate) bucket: Bucket,
    pub(crate) info: ObjectInfo,
    /// The version was named.
    pub(crate) by_version: bool,
    before: Before,
    tags: TagsDecide,
    grant: Grant,
    customer: Option<CustomerKey>,
    /// In the log of its bucket, if that has one.
    line: Option<SourceLine>,
}

impl Source {
    /// Looks the source up and checks everything that can be known without its keys.
    pub(crate) async fn locate(cx: &Cx) -> Result<Self, Error> {
        let headers = &cx.head.headers;
        let named = CopySource::parse(filled(headers, HEADER)?.unwrap_or_default())?;
        let customer = sse_headers::source_customer_key(headers, cx.access.facts().confidential)?;
        let version = named.version.as_deref().map(version_id::parse).transpose()?;
        let bucket = find_bucket(cx, &named.bucket).await?;
        let told = (named.key.as_str(), named.version.as_deref());
        let line = cx.asked.begin_source_line(&cx.app, &bucket, &cx.access, told);
        let mut located = Self::locate_in(cx, bucket, (named, version), customer).await;
        match (&mut located, line) {
            (Ok(source), Some(line)) => {
                line.found(source.info.plain_len, source.needs_acl(cx));
                source.line = Some(line);
            }
            (Err(error), Some(line)) => line.failed(error),
            (_, None) => {}
        }
        located
    }

    async fn locate_in(
        cx: &Cx,
        bucket: Bucket,
        (named, version): (CopySource, Option<VersionId>),
        customer: Option<CustomerKey>,
    ) -> Result<Self, Error> {
        let headers = &cx.head.headers;
        check_expected_owner(&bucket, single(headers, "x-amz-source-expected-bucket-owner")?)?;
        payer::check(&bucket, &cx.access, headers)?;
        let key = parse_key(&named.key)?;
        let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        let before = if bucket.id == cx.bucket().id { cx.before.clone() } else { Before::of(&cx.app, &bucket).await? };
        // Seen of AWS: the tags of a part's source decide, those of an object that is copied whole do not.
        let tags = if cx.query.has("uploadId") { TagsDecide::All } else { TagsDecide::Denials };
        let grant = cx.grant_existing(action, (&bucket, &before), (&key, version), tags).await?;
        let named_version = version.map(|version| version.to_string());
        let found = cx.app.objects.head(&grant, &bucket, &key, version).await;
        let info = found.map_err(|error| not_found(cx, error, (&bucket, &before), &key, named.version))?;
        let keys = OtherKeys { version: named_version, existing_tags: info.meta.tags.clone(), ..OtherKeys::default() };
        cx.confirm_as(&grant, (&bucket, &before), &info, &keys)?;
        cx.app.objects.sse().check_customer(&info.envelope, customer.as_ref())?;
        ReadConditions::parse(headers, &conditions::COPY_SOURCE).check_source(&info, cx.app.sources.now())?;
        Ok(Self { bucket, info, by_version: version.is_some(), before, tags, grant, customer, line: None })
    }

    /// Whether the caller reads it by an ACL.
    fn needs_acl(&self, cx: &Cx) -> bool {
        let standing = Standing::Object(self.info.access.clone());
        let version = self.by_version.then(|| self.info.version.to_string());
        let keys = OtherKeys { version, existing_tags: self.info.meta.tags.clone(), ..OtherKeys::default() };
        self.before.needs_acl(&cx.access, &self.grant, (&self.bucket, View::Object(&standing)), &keys)
    }

    /// Notes for the log that a range of it is read.
    pub(crate) fn is_read_in_part(&self) {
        if let Some(line) = &self.line {
            line.is_partial();
        }
    }

    /// Asks for another action on it.
    pub(crate) async fn grant_also(&self, cx: &Cx, action: &'static str) -> Result<Grant, Error> {
        let version = self.by_version.then_some(self.info.version);
        cx.grant_existing(action, (&self.bucket, &self.before), (&self.info.key, version), self.tags).await
    }

    /// The keys of the source, opened for the caller.
    pub(crate) async fn open(&self, cx: &Cx) -> Result<ObjectKeys, Error> {
        let info = &self.info;
        let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
        let opened = cx.app.objects.sse().open(&cx.access, object, &info.envelope, self.customer.as_ref()).await;
        opened.map_err(|error| {
            let error = Error::from(error);
            if let Some(line) = &self.line {
                line.failed(&error);
            }
            error
        })
    }

    /// The leave to read it.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What the answer says of it: its version, and that the requester pays for reading it.
    pub(crate) fn tell(&self, cx: &Cx, answer: &mut Answer) {
        if payer::is_requester(&self.bucket, &cx.access) {
            answer.set(payer::CHARGED, payer::REQUESTER);
        }
        if let Some(version) = version_id::shown(&self.bucket, self.info.version) {
            answer.set("x-amz-copy-source-version-id", &version);
        }
    }
}

/// One copy call moves at most as much as one PUT.
pub(crate) fn check_copied_len(plain_len: u64) -> Result<(), Error> {
    if plain_len <= PUT_MAX_BYTES {
        return Ok(());
    }
    Err(Error::invalid_request(format!(
        "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_MAX_BYTES}"
    )))
}

async fn find_bucket(cx: &Cx, name: &str) -> Result<Bucket, Error> {
    let parsed = BucketName::parse(name).map_err(|invalid| Error::from(invalid).and("BucketName", name))?;
    // A copy within one bucket is the usual one; the frame has looked it up already.
    if parsed == cx.bucket().name {
        return Ok(cx.bucket().clone());
    }
    cx.app.objects.bucket(&parsed).await.map_err(|e| Error::from(e).and("BucketName", name))
}

/// The frame would name the destination's key, and the version of the query.
fn not_found(
    cx: &Cx,
    error: ObjectsError,
    source: (&Bucket, &Before),
    key: &ObjectKey,
    version: Option<String>,
) -> Error {
    match error {
        ObjectsError::IsDeleteMarker { .. } => Error::invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        ObjectsError::NoSuchVersion => {
            absent(cx, error, source).and("Key", key.as_str()).and("VersionId", version.unwrap_or_default())
        }
        ObjectsError::NoSuchKey { .. } => absent(cx, error, source).and("Key", key.as_str()),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::code::Code;

    #[test]
    fn forms() {
        let cases = [
            ("bkt/key", "bkt", "key", None),
            ("/bkt/key", "bkt", "key", None),
            ("/bkt//key", "bkt", "/key", None),
            ("bkt/a/b%20c+d%2B", "bkt", "a/b c d+", None),
            ("bkt%2Fkey", "bkt", "key", None),
            ("%2Fbkt%2Fkey", "bkt", "key", None),
            ("bkt/%2525", "bkt", "%25", None),
            ("bkt/k?versionId=null", "bkt", "k", Some("null")),
            ("bkt/k%3FversionId=x", "bkt", "k?versionId=x", None),
            ("bkt/k?versionId=a?versionId=b", "bkt", "k?versionId=a", Some("b")),
            ("bkt/k?x=y", "bkt", "k?x=y", None),
            ("bkt/k?versionId=", "bkt", "k", Some("")),
        ];
        for (header, bucket, key, version) in cases {
            let version = version.map(str::to_owned);
            let expected = CopySource { bucket: bucket.to_owned(), key: key.to_owned(), version };
            assert_eq!(CopySource::parse(header).unwrap(), expected, "{header}");
        }
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for header in ["", "/", "bkt", "bkt/", "/bkt/", "//key", "bkt/%ff", "bkt/k?versionId=%ff"] {
            let error = CopySource::parse(header).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "Invalid copy source object key"));
        }
        let arn = "arn:aws:s3:us-west-2:111122223333:accesspoint/ap/object/k";
        for header in [arn.to_owned(), arn.replace(':', "%3A"), format!("/{arn}")] {
            assert_eq!(CopySource::parse(&header).unwrap_err().code(), Code::NotImplemented, "{header}");
        }
    }

    #[test]
    fn the_limit_of_one_copy() {
        assert!(check_copied_len(PUT_MAX_BYTES).is_ok());
        assert_eq!(
            check_copied_len(PUT_MAX_BYTES + 1).unwrap_err().message(),
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
        );
    }
}
