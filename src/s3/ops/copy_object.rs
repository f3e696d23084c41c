//! CopyObject.

use http::HeaderMap;

use crate::crypto::ChecksumAlgorithm;
use crate::objects::{Attributes, CopyObject, ObjectInfo, ObjectMeta, ObjectsError, WriteCondition};
use crate::s3::conditions;
use crate::s3::copy_source::{Source, check_copied_len};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::filled;
use crate::s3::object_answer::Answer;
use crate::s3::{acls, checksum_headers, lifecycle_headers, object_headers, object_lock, sse_headers};
use crate::sse::{Mode, Requested, Shown};
use crate::wire::xml::Writer;
use crate::wire::{Response, iso8601_ms};

/// What the headers say, apart from the source.
struct Input {
    changes: Changes,
    requested: Requested,
    names_encryption: bool,
    checksum: Option<ChecksumAlgorithm>,
    condition: WriteCondition,
}

/// What of the source's headers and metadata the copy does not take over.
#[derive(Debug)]
struct Changes {
    /// `x-amz-metadata-directive: REPLACE`
    replace_meta: bool,
    /// `x-amz-tagging-directive: REPLACE`
    replace_tags: bool,
    /// Storage class or redirect are named; neither is ever taken over.
    names_class_or_redirect: bool,
    /// From the request's headers.
    sent: ObjectMeta,
}

impl Input {
    fn parse(headers: &HeaderMap, confidential: bool) -> Result<Self, Error> {
        object_headers::refuse_unsupported(headers)?;
        Ok(Self {
            changes: Changes::parse(headers)?,
            requested: sse_headers::requested(headers, confidential)?,
            names_encryption: sse_headers::names_encryption(headers),
            checksum: checksum_headers::requested_algorithm(headers)?,
            condition: conditions::write_condition(headers)?,
        })
    }
}

impl Changes {
    fn parse(headers: &HeaderMap) -> Result<Self, Error> {
        // Annotations are not kept, so that both of its values are what happens.
        directive(headers, "x-amz-object-annotation-directive", "EXCLUDE", "Unknown annotation directive.")?;
        Ok(Self {
            replace_meta: directive(headers, "x-amz-metadata-directive", "REPLACE", "Unknown metadata directive.")?,
            replace_tags: directive(headers, "x-amz-tagging-directive", "REPLACE", "Unknown tagging directive.")?,
            names_class_or_redirect: object_headers::names_class_or_redirect(headers),
            sent: object_headers::parse(headers)?,
        })
    }

    /// The copy's headers and metadata; none where they are the source's.
    fn applied_to(self, source: &ObjectMeta) -> Option<ObjectMeta> {
        let Self { replace_meta, replace_tags, sent, .. } = self;
        let kept = !replace_meta
            && !replace_tags
            && sent.storage_class == source.storage_class
            && sent.website_redirect == source.website_redirect;
        if kept {
            return None;
        }
        let mut meta = if replace_meta { sent.clone() } else { source.clone() };
        meta.storage_class = sent.storage_class;
        meta.website_redirect = sent.website_redirect;
        meta.tags = if replace_tags { sent.tags } else { source.tags.clone() };
        Some(meta)
    }
}

/// A directive: the named value, or `COPY`, which is what happens without it.
fn directive(headers: &HeaderMap, name: &'static str, value: &str, unknown: &'static str) -> Result<bool, Error> {
    match filled(headers, name)? {
        None | Some("COPY") => Ok(false),
        Some(sent) if sent == value => Ok(true),
        Some(sent) => Err(Error::invalid_argument(unknown, name, sent)),
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let access = acls::of_new_object(&cx, "s3:PutObject")?;
    // The source's lock is the source's alone.
    let lock = object_lock::of_new_object(&cx).await?;
    let attributes = Attributes { access, lock, ..Attributes::default() };
    let input = Input::parse(&cx.head.headers, cx.access.facts().confidential)?;
    let source = Source::locate(&cx).await?;
    check_copied_len(source.info.plain_len)?;
    check_tag_grants(&cx, &source, &input.changes).await?;
    let customer_md5 = sse_headers::customer_md5(&input.requested);
    let info = match copy(&cx, &source, (input, attributes.clone()), true).await? {
        Some(info) => info,
        None => {
            let input = Input::parse(&cx.head.headers, cx.access.facts().confidential)?;
            copy(&cx, &source, (input, attributes), false).await?.ok_or(ObjectsError::Contention)?
        }
    };
    cx.note_object_size(info.plain_len);
    let mut answer = head(&cx, &source, &info.envelope.shown(), customer_md5.as_deref());
    answer.set_made_version(info.version);
    lifecycle_headers::write_expiration(&cx, &mut answer, &info).await;
    Ok(answer.xml(document(&info)))
}

/// What the answer says of source and encryption.
fn head(cx: &Cx, source: &Source, shown: &Shown<'_>, customer_md5: Option<&str>) -> Answer {
    let mut answer = Answer::new();
    source.tell(cx, &mut answer);
    sse_headers::write_chosen(&mut answer, shown, customer_md5);
    answer
}

/// Makes the copy. None: to be shared, the bytes are no longer held by the source, which was written over or deleted
/// after this request found it. It must not fail for that: the key may have had an object all the time.
async fn copy(
    cx: &Cx,
    source: &Source,
    (input, attributes): (Input, Attributes),
    shared: bool,
) -> Result<Option<ObjectInfo>, Error> {
    let Input { changes, requested, names_encryption, checksum, condition } = input;
    let (objects, bucket, key) = (&cx.app.objects, cx.bucket(), cx.key());
    let customer_md5 = sse_headers::customer_md5(&requested);
    let plan =
        objects.sse().plan(&cx.access, (&bucket.name, cx.key()), &bucket.owner, &bucket.encryption, requested).await?;
    cx.early.note(&head(cx, source, &plan.shown(), customer_md5.as_deref()));
    let onto_itself = !source.by_version && source.info.bucket == bucket.name && source.info.key == *key;
    if onto_itself && !names_encryption && checksum.is_none() {
        check_self_copy(&changes, source.info.envelope.mode, plan.mode())?;
    }
    cx.check_comparable(key, condition.if_match.as_deref()).await?;
    objects.check_condition(bucket, key, &condition).await?;
    let condition = WriteCondition { over_own_of: cx.over_own_of(), ..condition };
    let source_keys = source.open(cx).await?;
    let meta = changes.applied_to(&source.info.meta);
    let copy = CopyObject {
        source: &source.info,
        source_grant: source.grant(),
        source_keys,
        bucket,
        key,
        meta,
        plan,
        checksum,
        condition,
        attributes,
    };
    if !shared {
        return Ok(Some(objects.copy_bytes(cx.grant(), copy).await?));
    }
    match objects.copy(cx.grant(), copy).await {
        Err(ObjectsError::SourceChanged) => Ok(None),
        copied => Ok(Some(copied?)),
    }
}

/// A copy onto itself has to change something. (One of a named version brings that version back.)
fn check_self_copy(changes: &Changes, from: Mode, to: Mode) -> Result<(), Error> {
    if changes.replace_meta || changes.names_class_or_redirect || from != to {
        return Ok(());
    }
    Err(ObjectsError::CopyToItself.into())
}

/// Tags that are read from the source or written to the copy are actions of their own.
async fn check_tag_grants(cx: &Cx, source: &Source, changes: &Changes) -> Result<(), Error> {
    let tagged = if changes.replace_tags {
        !changes.sent.tags.is_empty()
    } else {
        if !source.info.meta.tags.is_empty() {
            let action = if source.by_version { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" };
            source.grant_also(cx, action).await?;
        }
        !source.info.meta.tags.is_empty()
    };
    if tagged {
        cx.grant_object("s3:PutObjectTagging", cx.bucket(), cx.key())?;
    }
    Ok(())
}

fn document(info: &ObjectInfo) -> Writer {
    let mut w = Writer::document();
    w.root("CopyObjectResult", |w| {
        w.leaf("LastModified", &iso8601_ms(info.modified)).etag("ETag", &info.etag);
        checksum_headers::write_xml(w, info.checksum.as_ref());
    });
    w
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;

    fn changes(headers: &[(&str, &str)]) -> Changes {
        Changes::parse(&sample(headers)).unwrap()
    }

    fn source() -> ObjectMeta {
        ObjectMeta {
            content_type: Some("text/plain".to_owned()),
            website_redirect: Some("/a".to_owned()),
            storage_class: Some("STANDARD_IA".to_owned()),
            user: vec![("k".to_owned(), "v".to_owned())],
            tags: vec![("t".to_owned(), "1".to_owned())],
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn class_and_redirect_are_never_taken_over() {
        let copied = changes(&[("content-type", "ignored/x")]).applied_to(&source()).unwrap();
        assert_eq!(copied, ObjectMeta { storage_class: None, website_redirect: None, ..source() });
        let same = [("x-amz-storage-class", "STANDARD_IA"), ("x-amz-website-redirect-location", "/a")];
        assert_eq!(changes(&same).applied_to(&source()), None);
        assert_eq!(changes(&[]).applied_to(&ObjectMeta::default()), None);
    }

    #[test]
    fn metadata_and_tags_are_replaced_apart() {
        let replaced =
            changes(&[("x-amz-metadata-directive", "REPLACE"), ("content-type", "a/b"), ("x-amz-tagging", "u=2")]);
        let meta = replaced.applied_to(&source()).unwrap();
        assert_eq!((meta.content_type.as_deref(), meta.user.len()), (Some("a/b"), 0));
        assert_eq!(meta.tags, source().tags);
        let retagged = changes(&[("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "u=2")]);
        let meta = retagged.applied_to(&source()).unwrap();
        assert_eq!((meta.user, meta.tags), (source().user, vec![("u".to_owned(), "2".to_owned())]));
    }

    #[test]
    fn directives() {
        for good in ["COPY", "EXCLUDE"] {
            assert!(Changes::parse(&sample(&[("x-amz-object-annotation-directive", good)])).is_ok());
        }
        let cases = [
            ("x-amz-metadata-directive", "Unknown metadata directive."),
            ("x-amz-tagging-directive", "Unknown tagging directive."),
            ("x-amz-object-annotation-directive", "Unknown annotation directive."),
        ];
        for (name, message) in cases {
            assert_eq!(Changes::parse(&sample(&[(name, "copy")])).unwrap_err().message(), message);
        }
    }

    #[test]
    fn a_copy_onto_itself_changes_something() {
        let check = |headers: &[(&str, &str)], to| check_self_copy(&changes(headers), Mode::SseS3, to);
        assert!(check(&[], Mode::SseS3).is_err());
        assert!(check(&[("x-amz-tagging-directive", "REPLACE")], Mode::SseS3).is_err());
        assert!(check(&[], Mode::SseKms).is_ok());
        assert!(check(&[("x-amz-metadata-directive", "REPLACE")], Mode::SseS3).is_ok());
        assert!(check(&[("x-amz-storage-class", "STANDARD")], Mode::SseS3).is_ok());
        assert!(check(&[("x-amz-website-redirect-location", "/x")], Mode::SseS3).is_ok());
    }
}
