//! Tags in requests.

use std::collections::HashSet;

use serde_json::Value;

use super::error::KmsError;
use super::input::Fields;
use crate::keyring::TAGS_MAX;

/// Most tags that are read: more than a key may have, as too many have an error of their own.
const TAGS_READ_MAX: usize = 200;

/// `Tags`: key, value.
pub(super) fn read_tags(fields: &mut Fields) -> Vec<(String, String)> {
    let items = fields.list("Tags", TAGS_READ_MAX);
    let mut tags = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let part = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        for (name, min, max) in [("TagKey", 1, 128), ("TagValue", 0, 256)] {
            let path = format!("tags.{}.member.{}", at + 1, if name == "TagKey" { "tagKey" } else { "tagValue" });
            match part(name) {
                None => fields.fault(&path, "null", "Member must not be null"),
                Some(text) => fields.check_chars(&path, &text, min..=max),
            }
        }
        tags.push((part("TagKey").unwrap_or_default(), part("TagValue").unwrap_or_default()));
    }
    tags
}

/// `TagKeys`.
pub(super) fn read_tag_keys(fields: &mut Fields) -> Vec<String> {
    let present = fields.has("TagKeys");
    let items = fields.list("TagKeys", TAGS_READ_MAX);
    if !present {
        fields.fault("TagKeys", "null", "Member must not be null");
    }
    let mut names = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let path = format!("tagKeys.{}.member", at + 1);
        match item {
            Value::String(name) => {
                fields.check_chars(&path, &name, 1..=128);
                names.push(name);
            }
            _ => fields.fault(&path, "null", "Member must not be null"),
        }
    }
    names
}

/// What tags of one request have to be among themselves.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), KmsError> {
    let names: HashSet<&str> = tags.iter().map(|(name, _)| name.as_str()).collect();
    let fault = if names.len() < tags.len() {
        "Duplicate tag keys"
    } else if tags.len() > TAGS_MAX {
        "Too many tags"
    } else if names.iter().any(|name| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
        "Tags beginning with aws: are reserved"
    } else {
        return Ok(());
    };
    Err(KmsError::new("TagException", fault))
}
