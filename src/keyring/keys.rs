//! A key's record and its pure life cycle.

use crate::names::{AccountId, Region};
use crate::sources::Timestamp;

/// The state of a key (KMS developer guide, "Key states of AWS KMS keys").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Enabled,
    /// Switched off.
    Disabled,
    /// Waits for its deletion.
    PendingDeletion,
}

/// What DescribeKey tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// UUID.
    pub key_id: String,
    /// Its ARN.
    pub arn: String,
    /// Owner.
    pub account: AccountId,
    /// Region.
    pub region: Region,
    /// Creation.
    pub created: Timestamp,
    /// State.
    pub state: KeyState,
    /// When it goes, while [`KeyState::PendingDeletion`].
    pub deletion: Option<Timestamp>,
    /// At most 8,192 characters.
    pub description: String,
    /// `AWS` (managed) instead of `CUSTOMER`.
    pub aws_managed: bool,
    /// 64 hexadecimal digits.
    pub current_material_id: String,
}
