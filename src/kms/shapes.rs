//! What the inputs of several operations have in common.

use std::ops::RangeInclusive;

use super::input::Fields;

/// Characters of a `KeyId` in any of its forms.
pub(super) const KEY_ID_CHARS: RangeInclusive<usize> = 1..=2048;
/// Characters of a `Marker`.
const MARKER_CHARS: RangeInclusive<usize> = 1..=1024;
/// The model's bounds of `Limit`; calls with a lower maximum give smaller pages.
const LIMIT: RangeInclusive<u32> = 1..=1000;

/// The whole input of an operation that manages one key: `KeyId`, an id or an ARN.
pub(super) struct ManagedKey {
    pub(super) key_id: String,
}

/// `Limit` and `Marker` of a listing.
pub(super) struct Paging {
    pub(super) limit: usize,
    pub(super) marker: Option<String>,
}

impl ManagedKey {
    pub(super) fn read(fields: &mut Fields) -> Self {
        Self { key_id: fields.required_text("KeyId", KEY_ID_CHARS) }
    }
}

impl Paging {
    /// `default` and `max`: items of a page where no limit is given, and at most.
    pub(super) fn read(fields: &mut Fields, default: u32, max: u32) -> Self {
        Self {
            limit: fields.number("Limit", LIMIT).unwrap_or(default).min(max) as usize,
            marker: fields.text("Marker", MARKER_CHARS),
        }
    }
}
