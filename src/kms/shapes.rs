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

/// What every operation is given that uses one key: `KeyId`, `GrantTokens` and `DryRun`.
pub(super) struct UsedKey {
    /// In any of the four forms.
    pub(super) key_id: String,
    pub(super) grant_tokens: Vec<String>,
    pub(super) dry_run: bool,
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

impl UsedKey {
    pub(super) fn read(fields: &mut Fields) -> Self {
        let dry_run = fields.flag("DryRun");
        Self { dry_run, ..Self::read_without_dry_run(fields) }
    }

    /// Of the operations that only tell something of a key: they have no `DryRun`.
    pub(super) fn read_without_dry_run(fields: &mut Fields) -> Self {
        let grant_tokens = fields.grant_tokens();
        Self { key_id: fields.required_text("KeyId", KEY_ID_CHARS), grant_tokens, dry_run: false }
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
