//! Condition keys whose value does not stand in a request's head: it is looked up, or read from the body, before leave
//! is asked for. All of it only where a policy names the key, so that other requests pay nothing.

use super::asked::RequestKeys;
use super::copy_source::CopySource;
use super::cx::Addressed;
use super::fields::joined;
use super::lock_xml;
use super::object_tags;
use super::ops::create_bucket;
use super::query::Query;
use super::standing::Looked;
use super::table::Row;
use super::tags::{self, Tagged, Tags};
use super::uploads;
use super::version_id;
use crate::app::App;
use crate::app::before::Before;
use crate::auth::Access;
use crate::keyring::S3_ALIAS;
use crate::names::ObjectKey;
use crate::objects::{Bucket, ObjectsError};
use crate::policy::Key;
use crate::sources::Timestamp;
use crate::sse::Envelope;
use crate::wire::parse_iso8601;

/// Operations on an object's current state that AWS decides by its tags. (GetObjectAttributes takes a condition on tags
/// but is seen not to look at them.)
const DECIDED_BY_TAGS: [&str; 7] = [
    "GetObject",
    "HeadObject",
    "GetObjectTagging",
    "PutObjectTagging",
    "DeleteObjectTagging",
    "GetObjectAcl",
    "PutObjectAcl",
];

/// Operations on an upload: they do not name the encryption again that it was begun with, but have it.
const OF_UPLOADS: [&str; 3] = ["UploadPart", "UploadPartCopy", "CompleteMultipartUpload"];

/// Operations with `s3:PutObject` by which an object comes to be, and those that only prepare for it.
const CREATING: [&str; 4] = ["PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload"];
const PREPARING: [&str; 3] = ["CreateMultipartUpload", "UploadPart", "UploadPartCopy"];

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The values.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `s3:ExistingObjectTag/…`
    pub(super) existing_tags: Tags,
    /// `s3:RequestObjectTag/…` and its keys.
    pub(super) request_tags: RequestTags,
    /// `aws:RequestTag/…` and `aws:TagKeys`: tags that the request gives the bucket.
    pub(super) bucket_tags: Tags,
    /// `s3:LocationConstraint`
    pub(super) location: Option<String>,
    /// How the upload is sealed.
    pub(super) upload: Option<Envelope>,
    /// The ARN of the key that the request names by its id or an alias.
    pub(super) kms_key_arn: Option<String>,
    /// `s3:ObjectCreationOperation`
    pub(super) creates: Option<bool>,
    /// `s3:x-amz-copy-source`: bucket and key, decoded, so that no other spelling gets past a policy.
    pub(super) copy_source: Option<String>,
    /// `s3:object-lock-…`
    pub(super) lock: LockKeys,
    /// What ACLs make the decision depend on.
    pub(super) looked: Looked,
}

/// The lock that a request asks for, in its own words. As with tags, what the operation does not go by tells nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LockKeys {
    pub(super) mode: Option<String>,
    pub(super) until: Option<String>,
    pub(super) hold: Option<String>,
    /// Days that are left until then, a begun one as a whole.
    pub(super) remaining_days: Option<i64>,
}

impl LockKeys {
    /// Those that a retention has.
    const OF_RETENTION: [Key; 3] =
        [Key::S3ObjectLockMode, Key::S3ObjectLockRetainUntilDate, Key::S3ObjectLockRemainingRetentionDays];

    fn of(operation: &str, headers: &http::HeaderMap, body: Option<&[u8]>, now: Timestamp) -> Self {
        let header = |name| joined(headers, name).filter(|value| !value.is_empty());
        // What is malformed is refused by the operation.
        let words = match (operation, body) {
            ("PutObject" | "CopyObject" | "CreateMultipartUpload", _) => Self {
                mode: header("x-amz-object-lock-mode"),
                until: header("x-amz-object-lock-retain-until-date"),
                hold: header("x-amz-object-lock-legal-hold"),
                remaining_days: None,
            },
            ("PutObjectRetention", Some(body)) => {
                let (mode, until) = lock_xml::retention_words(body).ok().flatten().unzip();
                Self { mode, until, ..Self::default() }
            }
            ("PutObjectLegalHold", Some(body)) => {
                let on = lock_xml::parse_legal_hold(body).ok();
                Self { hold: on.map(|on| lock_xml::hold_name(on).to_owned()), ..Self::default() }
            }
            _ => Self::default(),
        };
        let until = words.until.as_deref().and_then(parse_iso8601);
        let remaining_days = until.map(|until| (until.0 - now.0 + DAY_MS - 1).div_euclid(DAY_MS));
        Self { remaining_days, ..words }
    }
}

/// Where the tags stand that a request gives an object. A header that the operation does not go by tells nothing: it
/// could say what a policy wants, and the object get other tags.
#[derive(Debug, Default)]
pub(super) enum RequestTags {
    /// It gives none.
    #[default]
    Nowhere,
    /// `x-amz-tagging`
    Header,
    /// PutObjectTagging.
    Body(Tags),
}

impl RequestTags {
    fn of(operation: &str, headers: &http::HeaderMap, body: Option<&[u8]>) -> Self {
        match (operation, body) {
            ("PutObject" | "PostObject" | "CreateMultipartUpload", _) => Self::Header,
            // Otherwise it is the source's tags that the copy gets.
            ("CopyObject", _) if headers.get("x-amz-tagging-directive").is_some_and(|value| value == "REPLACE") => {
                Self::Header
            }
            // What is malformed is refused by the operation.
            ("PutObjectTagging", Some(body)) => Self::Body(tags::parse(body).unwrap_or_default()),
            _ => Self::Nowhere,
        }
    }
}

/// What it is found out from and for.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) app: &'a App,
    pub(crate) access: &'a Access,
    pub(crate) before: &'a Before,
    pub(crate) row: &'a Row,
}

impl Asking<'_> {
    fn names(&self, key: Key) -> bool {
        self.before.names_key(self.access, key)
    }

    /// The body holds the value of a key that a policy names.
    pub(crate) fn needs_body(&self) -> bool {
        match self.row.name {
            "CreateBucket" => {
                self.names(Key::S3LocationConstraint) || self.names(Key::AwsRequestTag) || self.names(Key::AwsTagKeys)
            }
            "PutBucketTagging" => self.names(Key::AwsRequestTag) || self.names(Key::AwsTagKeys),
            "PutObjectTagging" => self.names(Key::S3RequestObjectTag) || self.names(Key::S3RequestObjectTagKeys),
            "PutObjectRetention" => LockKeys::OF_RETENTION.into_iter().any(|key| self.names(key)),
            "PutObjectLegalHold" => self.names(Key::S3ObjectLockLegalHold),
            _ => false,
        }
    }
}

impl Known {
    /// Looks up what is needed. `body`: where [`Asking::needs_body`].
    pub(crate) async fn gather(
        asking: Asking<'_>,
        addressed: &Addressed,
        head: &http::request::Parts,
        query: &Query,
        body: Option<&[u8]>,
    ) -> Result<Self, ObjectsError> {
        let row = asking.row.name;
        let mut known = Self {
            creates: creates(row),
            copy_source: named_source(&head.headers).map(|source| source.path()),
            request_tags: RequestTags::of(row, &head.headers, body),
            lock: LockKeys::of(row, &head.headers, body, asking.access.facts().received),
            ..Self::default()
        };
        known.of_bucket(row, body);
        let Addressed::Object(bucket, key) = addressed else { return Ok(known) };
        let action = asking.row.action.plain;
        known.looked = Looked::up(asking.app, asking.access, action, (bucket, key), query).await?;
        if DECIDED_BY_TAGS.contains(&row) && asking.names(Key::S3ExistingObjectTag) {
            let version = version_id::of_query(query).ok().flatten();
            known.existing_tags = asking.app.objects.existing_tags(bucket, key, version).await?;
        }
        if asking.names(Key::S3XAmzServerSideEncryption) || asking.names(Key::S3XAmzServerSideEncryptionAwsKmsKeyId) {
            if OF_UPLOADS.contains(&row) {
                known.upload = upload_of(asking.app, bucket, key, query).await?;
            }
            known.kms_key_arn = kms_key_arn(asking, bucket, &head.headers).await;
        }
        Ok(known)
    }

    /// What the body of a request about a bucket tells. What is malformed is refused by the operation.
    fn of_bucket(&mut self, operation: &str, body: Option<&[u8]>) {
        match (operation, body) {
            ("CreateBucket", Some(body)) => {
                let create_bucket::Body { constraint, tags } = create_bucket::parse_body(body).unwrap_or_default();
                self.location = constraint;
                self.bucket_tags = tags.map(|tags| tags.0).unwrap_or_default();
            }
            ("PutBucketTagging", Some(body)) => {
                self.bucket_tags = tags::parse_of(body, Tagged::Bucket).unwrap_or_default();
            }
            _ => {}
        }
    }

    /// Tags that the request gives the object.
    pub(super) fn request_tags(&self, headers: &http::HeaderMap) -> Tags {
        match &self.request_tags {
            RequestTags::Nowhere => Tags::default(),
            RequestTags::Body(tags) => tags.clone(),
            RequestTags::Header => {
                // A header that is malformed is refused by the operation.
                let header = headers.get("x-amz-tagging").and_then(|value| value.to_str().ok());
                header.and_then(|header| object_tags::parse_header(header).ok()).unwrap_or_default()
            }
        }
    }

    /// With the request's head.
    pub(crate) fn keys<'a>(&'a self, head: &'a http::request::Parts, query: &'a Query) -> RequestKeys<'a> {
        RequestKeys { headers: &head.headers, query, known: self }
    }
}

fn creates(operation: &str) -> Option<bool> {
    let prepares = || PREPARING.contains(&operation).then_some(false);
    CREATING.contains(&operation).then_some(true).or_else(prepares)
}

/// An upload that is not there has no keys; the operation says so.
async fn upload_of(
    app: &App,
    bucket: &Bucket,
    key: &ObjectKey,
    query: &Query,
) -> Result<Option<Envelope>, ObjectsError> {
    let Ok(id) = uploads::id(query) else { return Ok(None) };
    match app.objects.upload(bucket, key, id).await {
        Ok(upload) => Ok(Some(upload.envelope)),
        Err(ObjectsError::NoSuchUpload) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The ARN of the key in `x-amz-server-side-encryption-aws-kms-key-id`: policies name keys by their ARN (S3 user guide,
/// "Requiring SSE-KMS"), whichever name a request uses. None where there is no such key, whose name then stands as it
/// is; `alias/aws/s3` is not made for the asking.
async fn kms_key_arn(asking: Asking<'_>, bucket: &Bucket, headers: &http::HeaderMap) -> Option<String> {
    let named = headers.get("x-amz-server-side-encryption-aws-kms-key-id")?.to_str().ok()?.trim();
    if named.is_empty() || named.ends_with(S3_ALIAS) {
        return None;
    }
    let account = asking.access.caller().account().unwrap_or(&bucket.owner);
    let region = &asking.access.facts().region;
    let found = asking.app.keyring.resolve(asking.access, account, region, named).await;
    found.ok().map(|key| key.metadata.arn.clone())
}

fn named_source(headers: &http::HeaderMap) -> Option<CopySource> {
    CopySource::parse(headers.get("x-amz-copy-source")?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::{Lines, sample};

    /// Wed, 25 Nov 2026 12:00:00 GMT
    const NOW: Timestamp = Timestamp(1_795_608_000_000);

    #[test]
    fn a_lock_is_told_by_what_the_operation_goes_by() {
        let headers: Lines<'_> = &[
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-object-lock-retain-until-date", "2026-11-26T12:00:00Z"),
            ("x-amz-object-lock-legal-hold", "ON"),
        ];
        let retention = "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2026-12-05T11:00:00Z</RetainUntilDate>\
                         </Retention>";
        let hold = "<LegalHold><Status>OFF</Status></LegalHold>";
        let told = |operation, body: &str| {
            let LockKeys { mode, until, hold, remaining_days } =
                LockKeys::of(operation, &sample(headers), Some(body.as_bytes()), NOW);
            let text = |word: Option<String>| word.unwrap_or_default();
            (text(mode), text(until), text(hold), remaining_days)
        };
        let words =
            |mode: &str, until: &str, hold: &str, days| (mode.to_owned(), until.to_owned(), hold.to_owned(), days);
        for operation in ["PutObject", "CopyObject", "CreateMultipartUpload"] {
            assert_eq!(told(operation, ""), words("GOVERNANCE", "2026-11-26T12:00:00Z", "ON", Some(1)));
        }
        let body = words("COMPLIANCE", "2026-12-05T11:00:00Z", "", Some(10));
        assert_eq!(told("PutObjectRetention", retention), body);
        assert_eq!(told("PutObjectRetention", "<Retention/>"), words("", "", "", None));
        assert_eq!(told("PutObjectRetention", "x"), words("", "", "", None));
        assert_eq!(told("PutObjectLegalHold", hold), words("", "", "OFF", None));
        assert_eq!(told("GetObject", ""), words("", "", "", None));
    }
}
