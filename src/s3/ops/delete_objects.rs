//! DeleteObjects: up to 1,000 keys, each with its own permission, condition and outcome.

use futures_util::StreamExt as _;
use futures_util::stream;
use http::StatusCode;

use super::delete_object::parse_time;
use crate::objects::{DeleteCondition, Deleted, ObjectsError, VersionId};
use crate::s3::address::Address;
use crate::s3::asked::OtherKeys;
use crate::s3::code::Code;
use crate::s3::conditions::unquoted;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::listing::page_writer;
use crate::s3::object_answer::Answer;
use crate::s3::object_lock;
use crate::s3::serve::parse_key;
use crate::s3::server_log::BatchDelete;
use crate::s3::trail;
use crate::wire::Response;
use crate::wire::xml::{self, Element, Writer};

/// Keys of one request, as AWS.
const KEYS_MAX: usize = 1000;
/// Deletes of one request that run at the same time: enough to share the index's commits, too few to crowd out others.
const CONCURRENT_DELETES: usize = 16;

#[derive(Debug, PartialEq, Eq)]
struct Input {
    quiet: bool,
    objects: Vec<Item>,
}

/// One object of the request.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    key: String,
    /// As sent: what is no version id is the fault of this object alone.
    version: Option<String>,
    condition: DeleteCondition,
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let bypass = object_lock::asks_bypass(cx.bucket(), &cx.head.headers)?;
    let input = parse(cx.whole())?;
    let deletes = stream::iter(0..input.objects.len()).map(|i| delete(&cx, &input.objects[i], bypass));
    let (outcomes, by_acl): (Vec<_>, Vec<_>) = deletes.buffered(CONCURRENT_DELETES).unzip().await;
    log_each(&cx, &input, &outcomes, &by_acl);
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        if let Some(detail) = error.detail() {
            tracing::error!(request_id = cx.request_id.as_str(), code = error.code().name(), detail, "DeleteObjects");
        }
    }
    let mut failed = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    if let Some(error) = failed.find(|error| error.code() == Code::AccessDenied) {
        // One record, whatever the number of keys.
        let address = Address { bucket: Some(cx.bucket().name.to_string()), key: None };
        trail::record_denial(&cx.app, cx.row, &cx.access, &address, error).await?;
    }
    Ok(Answer::new().xml(render(&input, &outcomes)))
}

/// What is not understood is refused: an unknown element could be a condition.
fn parse(body: &[u8]) -> Result<Input, Error> {
    let malformed = || Error::new(Code::MalformedXML);
    let root = xml::parse_s3(body)?;
    root.expect_only(&["Object", "Quiet"])?;
    let quiet = match root.at_most_one("Quiet")?.map(|quiet| quiet.text.trim()) {
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if !text.eq_ignore_ascii_case("false") => return Err(malformed()),
        _ => false,
    };
    let objects = root.all("Object").map(parse_item).collect::<Result<Vec<_>, Error>>()?;
    if root.name != "Delete" || objects.is_empty() || objects.len() > KEYS_MAX {
        return Err(malformed());
    }
    Ok(Input { quiet, objects })
}

fn parse_item(object: &Element) -> Result<Item, Error> {
    let malformed = || Error::new(Code::MalformedXML);
    object.expect_only(&["Key", "VersionId", "ETag", "LastModifiedTime", "Size"])?;
    // A condition without a value is no absent condition: see DeleteObject.
    let text =
        |name| -> Result<_, Error> { Ok(object.at_most_one(name)?.map(Element::leaf).transpose()?.map(str::trim)) };
    let key = object.at_most_one("Key")?.map(Element::leaf).transpose()?.filter(|key| !key.is_empty());
    let if_modified_at = match text("LastModifiedTime")? {
        Some(time) => Some(parse_time(time).ok_or_else(malformed)?),
        None => None,
    };
    let if_size = match text("Size")? {
        Some(size) => Some(size.parse().map_err(|_| malformed())?),
        None => None,
    };
    Ok(Item {
        key: key.ok_or_else(malformed)?.to_owned(),
        version: text("VersionId")?.filter(|id| !id.is_empty()).map(str::to_owned),
        condition: DeleteCondition {
            if_match: text("ETag")?.map(|etag| unquoted(etag).to_owned()),
            if_modified_at,
            if_size,
            ..DeleteCondition::default()
        },
    })
}

/// Each key has a line of its own in the bucket's server access log.
fn log_each(cx: &Cx, input: &Input, outcomes: &[Result<Deleted, Error>], by_acl: &[bool]) {
    let Some(line) = cx.asked.line() else { return };
    for ((item, outcome), by_acl) in input.objects.iter().zip(outcomes).zip(by_acl) {
        line.add_delete(&BatchDelete {
            key: &item.key,
            version: item.version.as_deref(),
            outcome: match outcome {
                Ok(_) => (StatusCode::NO_CONTENT.as_u16(), None),
                Err(error) => (error.status().as_u16(), Some(error.code().name())),
            },
            plain_len: outcome.as_ref().ok().and_then(|deleted| deleted.plain_len),
            acl_required: *by_acl,
        });
    }
}

/// The outcome, and whether the caller was let in by an ACL, which is found out for the log alone.
async fn delete(cx: &Cx, item: &Item, bypass: bool) -> (Result<Deleted, Error>, bool) {
    let mut by_acl = false;
    let outcome = delete_item(cx, item, bypass, &mut by_acl).await;
    (outcome, by_acl)
}

/// AWS asks for the permission on each object and for none on the bucket: what is denied is an error of that key.
async fn delete_item(cx: &Cx, item: &Item, bypass: bool, by_acl: &mut bool) -> Result<Deleted, Error> {
    let key = parse_key(&item.key)?;
    let version = match &item.version {
        Some(text) => Some(VersionId::parse(text).ok_or_else(|| Error::new(Code::NoSuchVersion))?),
        None => None,
    };
    let keys = OtherKeys {
        version: version.map(|version| version.to_string()),
        if_match: item.condition.if_match.clone().filter(|etag| !etag.is_empty()),
        ..OtherKeys::default()
    };
    let grant = cx.grant_item(cx.action.of(version.is_some()), &key, &keys).await?;
    *by_acl = cx.asked.line().is_some() && cx.item_needs_acl(&grant, &key, &keys).await?;
    cx.check_comparable(&key, item.condition.if_match.as_deref()).await?;
    let (objects, bucket) = (&cx.app.objects, cx.bucket());
    match objects.delete(&grant, bucket, &key, version, &item.condition).await {
        Err(ObjectsError::Locked { bypass_helps: true }) if bypass => {
            let leave = cx.grant_item("s3:BypassGovernanceRetention", &key, &keys).await?;
            Ok(objects.delete_bypassing(&grant, &leave, (bucket, &key), version, &item.condition).await?)
        }
        other => Ok(other?),
    }
}

/// In the order of the request; with `Quiet` only what failed.
fn render(input: &Input, outcomes: &[Result<Deleted, Error>]) -> Writer {
    let mut w = page_writer(input.objects.iter().map(|item| item.key.len()));
    w.root("DeleteResult", |w| {
        for (item, outcome) in input.objects.iter().zip(outcomes) {
            match outcome {
                Ok(_) if input.quiet => {}
                Ok(deleted) => write_deleted(w, item, deleted),
                Err(error) => write_error(w, item, error),
            }
        }
    });
    w
}

fn write_deleted(w: &mut Writer, item: &Item, deleted: &Deleted) {
    w.node("Deleted", |w| {
        write_name(w, item);
        if let Some(version) = deleted.version.filter(|_| deleted.delete_marker) {
            w.flag("DeleteMarker", true).leaf("DeleteMarkerVersionId", &version.to_string());
        }
    });
}

fn write_error(w: &mut Writer, item: &Item, error: &Error) {
    w.node("Error", |w| {
        write_name(w, item);
        w.leaf("Code", error.code().name()).leaf("Message", error.message());
    });
}

fn write_name(w: &mut Writer, item: &Item) {
    w.leaf("Key", &item.key);
    if let Some(version) = &item.version {
        w.leaf("VersionId", version);
    }
}

#[cfg(test)]
mod tests;
