//! Tags in requests.

use std::collections::HashSet;

use super::error::KmsError;
use super::input::Fields;
use crate::keyring::TAGS_MAX;

/// Most tags that are read: more than a key may have, as too many have an error of their own.
const TAGS_READ_MAX: usize = 200;

/// `Tags`: key, value.
pub(super) fn read_tags(fields: &mut Fields) -> Vec<(String, String)> {
    fields.structures("Tags", 0..=TAGS_READ_MAX, |tag| {
        (tag.required_text("TagKey", 1..=128), tag.required_text("TagValue", 0..=256))
    })
}

/// `TagKeys`.
pub(super) fn read_tag_keys(fields: &mut Fields) -> Vec<String> {
    if !fields.has("TagKeys") {
        fields.fault("TagKeys", "null", "Member must not be null");
    }
    let names = fields.texts("TagKeys", 0..=TAGS_READ_MAX);
    for (at, name) in (1..).zip(&names) {
        fields.check_chars(&format!("tagKeys.{at}.member"), name, 1..=128);
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
