//! What a key is to the outside, and its pure life cycle.

use crate::names::{AccountId, KeyKind, Region};
use crate::sources::Timestamp;

/// The state of a key (KMS developer guide, "Key states of AWS KMS keys"). Its numbers are part of the stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum KeyState {
    /// In use.
    #[n(0)]
    Enabled,
    /// Switched off.
    #[n(1)]
    Disabled,
    /// Waits for its deletion.
    #[n(2)]
    PendingDeletion,
}

impl KeyState {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
        }
    }
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
    /// Spec and usage.
    pub kind: KeyKind,
    /// 64 hexadecimal digits; of symmetric keys alone.
    pub current_material_id: Option<String>,
}

/// What is to be done to or with a key, as far as its state decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Encrypt, Decrypt, ReEncrypt, GenerateDataKey and their kin.
    Use,
    /// EnableKey, DisableKey.
    Switch,
    /// ScheduleKeyDeletion.
    ScheduleDeletion,
    /// CancelKeyDeletion.
    CancelDeletion,
    /// RotateKeyOnDemand.
    Rotate,
    /// To become the target of CreateAlias or UpdateAlias.
    TakeAlias,
    /// DescribeKey, GetKeyPolicy, ListResourceTags; to lose an alias.
    Read,
}

/// Why a state does not allow an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateRefusal {
    /// "ARN is disabled."
    Disabled,
    /// "ARN is pending deletion."
    PendingDeletion,
    /// "ARN is not pending deletion."
    NotPendingDeletion,
}

/// The table of the developer guide's "Key states" page for the states there are.
pub(super) fn check_state(state: KeyState, operation: Operation) -> Result<(), StateRefusal> {
    use KeyState as S;
    use Operation as O;
    match (operation, state) {
        (O::Read, S::Enabled | S::Disabled | S::PendingDeletion) => Ok(()),
        (O::Use | O::Rotate, S::Enabled) => Ok(()),
        (O::Use | O::Rotate, S::Disabled) => Err(StateRefusal::Disabled),
        (O::Switch | O::ScheduleDeletion | O::TakeAlias, S::Enabled | S::Disabled) => Ok(()),
        (O::Use | O::Rotate | O::Switch | O::ScheduleDeletion | O::TakeAlias, S::PendingDeletion) => {
            Err(StateRefusal::PendingDeletion)
        }
        (O::CancelDeletion, S::PendingDeletion) => Ok(()),
        (O::CancelDeletion, S::Enabled | S::Disabled) => Err(StateRefusal::NotPendingDeletion),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyState, Operation, StateRefusal, check_state};

    #[test]
    fn life_cycle_table() {
        // Columns: Enabled, Disabled, PendingDeletion. "." allowed, "d" disabled, "p" pending, "n" not pending.
        let table = [
            (Operation::Use, ". d p"),
            (Operation::Switch, ". . p"),
            (Operation::ScheduleDeletion, ". . p"),
            (Operation::CancelDeletion, "n n ."),
            (Operation::Rotate, ". d p"),
            (Operation::TakeAlias, ". . p"),
            (Operation::Read, ". . ."),
        ];
        for (operation, row) in table {
            let states = [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion];
            for (state, expected) in states.into_iter().zip(row.split(' ')) {
                let answer = match check_state(state, operation) {
                    Ok(()) => ".",
                    Err(StateRefusal::Disabled) => "d",
                    Err(StateRefusal::PendingDeletion) => "p",
                    Err(StateRefusal::NotPendingDeletion) => "n",
                };
                assert_eq!(answer, expected, "{operation:?} in {state:?}");
            }
        }
    }
}
