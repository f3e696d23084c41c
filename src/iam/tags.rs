//! Tags of users, roles, policies and identity providers, beyond what the models say of them.

use super::error::{IamError, code};
use crate::identity::limits::TAGS_MAX;
use crate::identity::{IdentityError, Tag};

/// That tags may be set: not too many, no key twice in either case, none that is AWS's own.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), IamError> {
    if tags.len() > TAGS_MAX {
        return Err(IdentityError::quota("TagsPerResource", TAGS_MAX).into());
    }
    for (at, (key, _)) in tags.iter().enumerate() {
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            // AWS's text is not recorded.
            let text = "System tags (keys that begin with aws:) cannot be set or removed.";
            return Err(IamError::new(code::INVALID_INPUT, text));
        }
        if tags[..at].iter().any(|(other, _)| other.eq_ignore_ascii_case(key)) {
            let text = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(IamError::new(code::INVALID_INPUT, text));
        }
    }
    Ok(())
}

/// As they are kept.
pub(super) fn stored_tags(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

/// As policies see them: [`super::cx::Adds::resource_tags`].
pub(super) fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))
}
