//! Inventory configurations in XML.

use super::code::Code;
use super::document::{malformed, marker, optional_text, optional_word, required, switch, word, words};
use super::error::Error;
use crate::names::{AccountId, BucketName};
use crate::rules::inventory::{Destination, Encryption, Field, Frequency, Inventory, PREFIX_MAX_BYTES};
use crate::wire::xml::{self, Element, Writer};

/// Longest KMS key id in bytes.
const KMS_KEY_MAX_BYTES: usize = 2_048;
/// Fields of newer models that lists here do not have.
const FIELDS_NOT_KEPT: [&str; 3] =
    ["ObjectLockEventHoldStatus", "ObjectLockEventHoldDuration", "IntelligentTieringReferenceDate"];

/// Reads the configuration of the inventory that the query calls `id`.
pub(crate) fn parse(body: &[u8], id: &str) -> Result<Inventory, Error> {
    let root = xml::parse_s3(body)?;
    if root.name != "InventoryConfiguration" {
        return Err(malformed());
    }
    root.expect_only(&[
        "Id",
        "IsEnabled",
        "Filter",
        "IncludedObjectVersions",
        "Schedule",
        "OptionalFields",
        "Destination",
    ])?;
    if word(&root, "Id")? != id {
        return Err(Error::new(Code::IdMismatch));
    }
    let enabled = switch(&root, "IsEnabled", ["true", "false"])?;
    let all_versions = switch(&root, "IncludedObjectVersions", ["All", "Current"])?;
    let schedule = required(&root, "Schedule")?;
    schedule.expect_only(&["Frequency"])?;
    let frequency = match word(schedule, "Frequency")? {
        "Daily" => Frequency::Daily,
        "Weekly" => Frequency::Weekly,
        _ => return Err(malformed()),
    };
    let prefix = match root.at_most_one("Filter")? {
        None => None,
        Some(filter) => {
            filter.expect_only(&["Prefix"])?;
            Some(prefix(filter)?.ok_or_else(malformed)?)
        }
    };
    let fields = root.at_most_one("OptionalFields")?.map(fields).transpose()?.unwrap_or_default();
    let destination = destination(required(&root, "Destination")?)?;
    Ok(Inventory { enabled, prefix, all_versions, frequency, fields, destination })
}

fn prefix(element: &Element) -> Result<Option<String>, Error> {
    let prefix = optional_text(element, "Prefix")?;
    if prefix.is_some_and(|prefix| prefix.len() > PREFIX_MAX_BYTES) {
        // AWS's text is not recorded.
        let text = format!("The maximum size of a prefix is {PREFIX_MAX_BYTES}.");
        return Err(Error::with_message(Code::InvalidArgument, text));
    }
    Ok(prefix.map(str::to_owned))
}

fn fields(element: &Element) -> Result<Vec<Field>, Error> {
    element.expect_only(&["Field"])?;
    let mut fields = Vec::new();
    for name in words(element, "Field")? {
        if FIELDS_NOT_KEPT.contains(&name) {
            return Err(Error::not_implemented(format!("The inventory field {name} is not supported")));
        }
        let field = Field::parse(name).ok_or_else(malformed)?;
        if fields.contains(&field) {
            return Err(malformed());
        }
        fields.push(field);
    }
    Ok(fields)
}

fn destination(element: &Element) -> Result<Destination, Error> {
    element.expect_only(&["S3BucketDestination"])?;
    let element = required(element, "S3BucketDestination")?;
    element.expect_only(&["AccountId", "Bucket", "Format", "Prefix", "Encryption"])?;
    let arn = word(element, "Bucket")?;
    let bucket = arn.strip_prefix("arn:aws:s3:::").and_then(|name| BucketName::parse(name).ok());
    let bucket = bucket.ok_or_else(|| Error::new(Code::InvalidS3DestinationBucket))?;
    match word(element, "Format")? {
        "CSV" => {}
        format @ ("ORC" | "Parquet") => {
            return Err(Error::not_implemented(format!(
                "The inventory format {format} is not supported: lists are written as CSV"
            )));
        }
        _ => return Err(malformed()),
    }
    let account = optional_word(element, "AccountId")?
        .map(|account| AccountId::parse(account).map_err(|_| malformed()))
        .transpose()?;
    Ok(Destination {
        account: account.map(|account| account.to_string()),
        bucket: bucket.to_string(),
        prefix: prefix(element)?,
        encryption: element.at_most_one("Encryption")?.map(encryption).transpose()?,
    })
}

fn encryption(element: &Element) -> Result<Encryption, Error> {
    element.expect_only(&["SSE-S3", "SSE-KMS"])?;
    match (marker(element, "SSE-S3")?, element.at_most_one("SSE-KMS")?) {
        (true, None) => Ok(Encryption::SseS3),
        (false, Some(kms)) => {
            kms.expect_only(&["KeyId"])?;
            let key = word(kms, "KeyId")?;
            if key.is_empty() || key.len() > KMS_KEY_MAX_BYTES {
                return Err(malformed());
            }
            Ok(Encryption::SseKms(key.to_owned()))
        }
        (true, Some(_)) | (false, None) => Err(malformed()),
    }
}

/// One configuration.
pub(crate) fn render(id: &str, inventory: &Inventory) -> Writer {
    let mut w = Writer::document();
    w.root("InventoryConfiguration", |w| write(w, id, inventory));
    w
}

/// A page of them. `sent` and `next` are continuation tokens.
pub(crate) fn render_list(page: &[(String, Inventory)], sent: Option<&str>, next: Option<&str>) -> Writer {
    let mut w = Writer::with_capacity(1024 * (page.len() + 1));
    w.root("ListInventoryConfigurationsResult", |w| {
        for (id, inventory) in page {
            w.node("InventoryConfiguration", |w| write(w, id, inventory));
        }
        w.flag("IsTruncated", next.is_some());
        if let Some(sent) = sent {
            w.leaf("ContinuationToken", sent);
        }
        if let Some(next) = next {
            w.leaf("NextContinuationToken", next);
        }
    });
    w
}

fn write(w: &mut Writer, id: &str, inventory: &Inventory) {
    w.leaf("Id", id).flag("IsEnabled", inventory.enabled);
    if let Some(prefix) = &inventory.prefix {
        w.node("Filter", |w| _ = w.leaf("Prefix", prefix));
    }
    w.node("Destination", |w| {
        w.node("S3BucketDestination", |w| write_destination(w, &inventory.destination));
    });
    w.node("Schedule", |w| _ = w.leaf("Frequency", inventory.frequency.name()));
    w.leaf("IncludedObjectVersions", if inventory.all_versions { "All" } else { "Current" });
    if !inventory.fields.is_empty() {
        w.node("OptionalFields", |w| {
            for field in &inventory.fields {
                w.leaf("Field", field.name());
            }
        });
    }
}

fn write_destination(w: &mut Writer, destination: &Destination) {
    w.leaf("Format", "CSV");
    if let Some(account) = &destination.account {
        w.leaf("AccountId", account);
    }
    w.leaf("Bucket", &format!("arn:aws:s3:::{}", destination.bucket));
    if let Some(prefix) = &destination.prefix {
        w.leaf("Prefix", prefix);
    }
    match &destination.encryption {
        None => {}
        Some(Encryption::SseS3) => {
            w.node("Encryption", |w| _ = w.leaf("SSE-S3", ""));
        }
        Some(Encryption::SseKms(key)) => {
            w.node("Encryption", |w| {
                w.node("SSE-KMS", |w| _ = w.leaf("KeyId", key));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{parse, render};

    fn read(body: &str) -> Result<super::Inventory, String> {
        parse(body.as_bytes(), "list").map_err(|error| format!("{} {}", error.code().name(), error.message()))
    }

    /// Each body and what comes back: the configuration as GET shows it, or code and message.
    #[test]
    fn bodies_and_answers() {
        let cases: Value = serde_json::from_str(include_str!("../../fixtures/inventory/xml.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let (sent, answer) = (case["sent"].as_str().unwrap(), case["answer"].as_str().unwrap());
            let body = format!("<InventoryConfiguration>{sent}</InventoryConfiguration>");
            let got = match read(&body) {
                Err(error) => error,
                Ok(inventory) => {
                    let shown = render("list", &inventory).finish();
                    assert_eq!(read(&shown).as_ref(), Ok(&inventory), "what is shown reads back");
                    let inner = shown.split_once("2006-03-01/\">").unwrap().1;
                    inner.strip_suffix("</InventoryConfiguration>").unwrap().to_owned()
                }
            };
            assert_eq!(got, if answer == "same" { sent } else { answer }, "{sent}");
        }
        for bad in ["", "<InventoryConfiguration/>", "<X/>"] {
            assert!(read(bad).unwrap_err().starts_with("MalformedXML"), "{bad}");
        }
    }
}
