//! `<BucketLoggingStatus>`. Pure.

use super::acl_headers::{by_email, by_id};
use super::code::Code;
use super::document::{malformed, optional_word, read, required, word};
use super::error::Error;
use crate::auth::Directory;
use crate::policy::{Grantee, Group};
use crate::rules::logging::{BucketLogging, LOG_GRANTS_MAX, LogGrant, LogGrantee, LogKeyFormat, LogPermission};
use crate::wire::xml::{Element, Writer};

const ROOT: &str = "BucketLoggingStatus";
const ACCOUNT: &str = "CanonicalUser";
const EMAIL: &str = "AmazonCustomerByEmail";
const GROUP: &str = "Group";
const BY_EVENT: &str = "EventTime";
const BY_DELIVERY: &str = "DeliveryTime";

/// Reads a body; none: logging is switched off.
pub(crate) fn parse(body: &[u8], directory: &Directory) -> Result<Option<BucketLogging>, Error> {
    let root = read(body, ROOT, &["LoggingEnabled"])?;
    let Some(enabled) = root.at_most_one("LoggingEnabled")? else { return Ok(None) };
    enabled.expect_only(&["TargetBucket", "TargetPrefix", "TargetGrants", "TargetObjectKeyFormat"])?;
    let target_bucket = word(enabled, "TargetBucket")?.to_owned();
    // Blanks count in a prefix.
    let target_prefix = required(enabled, "TargetPrefix")?.leaf()?.to_owned();
    let grants = match enabled.at_most_one("TargetGrants")? {
        None => Vec::new(),
        Some(list) => {
            list.expect_only(&["Grant"])?;
            if list.children.len() > LOG_GRANTS_MAX {
                return Err(malformed()); // not recorded
            }
            list.children.iter().map(|element| grant(element, directory)).collect::<Result<_, _>>()?
        }
    };
    let key_format = enabled.at_most_one("TargetObjectKeyFormat")?.map(key_format).transpose()?;
    Ok(Some(BucketLogging { target_bucket, target_prefix, grants, key_format }))
}

fn grant(grant: &Element, directory: &Directory) -> Result<LogGrant, Error> {
    grant.expect_only(&["Grantee", "Permission"])?;
    let permission = LogPermission::parse(word(grant, "Permission")?).ok_or_else(malformed)?;
    let grantee = required(grant, "Grantee")?;
    // Some clients say more of a grantee than its type has.
    grantee.expect_only(&["ID", "DisplayName", "URI", "EmailAddress"])?;
    optional_word(grantee, "DisplayName")?;
    let grantee = match grantee.kind.as_deref() {
        Some(ACCOUNT) => {
            let id = word(grantee, "ID")?;
            by_id(id, directory).ok_or_else(|| Error::invalid_argument("Invalid id", "CanonicalUser/ID", id))?
        }
        Some(GROUP) => {
            let uri = word(grantee, "URI")?;
            let group = Group::parse(uri).map(Grantee::Group);
            group.ok_or_else(|| Error::invalid_argument("Invalid group uri", "Group/URI", uri))?
        }
        Some(EMAIL) => by_email(word(grantee, "EmailAddress")?, directory)?,
        _ => return Err(malformed()),
    };
    let grantee = match grantee {
        Grantee::Account(id) => LogGrantee::Account(id),
        Grantee::Group(group) => LogGrantee::Group(group.uri().to_owned()),
    };
    Ok(LogGrant { grantee, permission })
}

fn key_format(format: &Element) -> Result<LogKeyFormat, Error> {
    format.expect_only(&["SimplePrefix", "PartitionedPrefix"])?;
    match (format.at_most_one("SimplePrefix")?, format.at_most_one("PartitionedPrefix")?) {
        (Some(simple), None) => {
            simple.expect_only(&[])?;
            Ok(LogKeyFormat::Simple)
        }
        (None, Some(partitioned)) => {
            partitioned.expect_only(&["PartitionDateSource"])?;
            match optional_word(partitioned, "PartitionDateSource")? {
                None | Some(BY_EVENT) => Ok(LogKeyFormat::PartitionedByEvent),
                Some(BY_DELIVERY) => Ok(LogKeyFormat::PartitionedByDelivery),
                Some(_) => Err(malformed()),
            }
        }
        (Some(_), Some(_)) | (None, None) => Err(malformed()),
    }
}

/// Writes the document; none: an empty one.
pub(crate) fn render(logging: Option<&BucketLogging>) -> Writer {
    let mut w = Writer::document();
    w.root(ROOT, |w| {
        let Some(logging) = logging else { return };
        w.node("LoggingEnabled", |w| {
            w.leaf("TargetBucket", &logging.target_bucket);
            if !logging.grants.is_empty() {
                w.node("TargetGrants", |w| logging.grants.iter().for_each(|grant| write_grant(w, grant)));
            }
            if let Some(format) = logging.key_format {
                w.node("TargetObjectKeyFormat", |w| write_format(w, format));
            }
            w.leaf("TargetPrefix", &logging.target_prefix);
        });
    });
    w
}

fn write_grant(w: &mut Writer, grant: &LogGrant) {
    w.node("Grant", |w| {
        let (kind, element, text) = match &grant.grantee {
            LogGrantee::Account(id) => (ACCOUNT, "ID", id),
            LogGrantee::Group(uri) => (GROUP, "URI", uri),
        };
        w.typed_node("Grantee", kind, |w| {
            w.leaf(element, text);
        });
        w.leaf("Permission", grant.permission.name());
    });
}

fn write_format(w: &mut Writer, format: LogKeyFormat) {
    let source = match format {
        LogKeyFormat::Simple => {
            w.leaf("SimplePrefix", "");
            return;
        }
        LogKeyFormat::PartitionedByEvent => BY_EVENT,
        LogKeyFormat::PartitionedByDelivery => BY_DELIVERY,
    };
    w.node("PartitionedPrefix", |w| {
        w.leaf("PartitionDateSource", source);
    });
}

/// The target is none that logs can go to. The text for one that is not there is recorded; AWS's documentation has the
/// code for one of another account too, its text is not recorded.
pub(crate) fn invalid_target(target: &str, exists: bool) -> Error {
    let error = match exists {
        false => Error::new(Code::InvalidTargetBucketForLogging),
        true => Error::with_message(
            Code::InvalidTargetBucketForLogging,
            "The owner for the bucket to be logged and the target bucket must be the same.",
        ),
    };
    error.and("TargetBucket", target)
}
