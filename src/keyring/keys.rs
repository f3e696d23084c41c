//! What a key is to the outside, and its pure life cycle.

use super::CustomKey;
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
    /// Some of its imported material is missing.
    #[n(3)]
    PendingImport,
    /// A primary key that waits for the deletion of its replicas before its own waiting period begins.
    #[n(4)]
    PendingReplicaDeletion,
    /// Its custom key store is not connected.
    #[n(5)]
    Unavailable,
    /// A replica on its way. Never stored here: replicas are made in one commit.
    #[n(6)]
    Creating,
    /// A primary Region on its way. Never stored here, for the same reason.
    #[n(7)]
    Updating,
}

impl KeyState {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::PendingImport => "PendingImport",
            Self::PendingReplicaDeletion => "PendingReplicaDeletion",
            Self::Unavailable => "Unavailable",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
        }
    }

    /// Whether it goes, now or when its replicas are gone.
    pub fn is_going(self) -> bool {
        matches!(self, Self::PendingDeletion | Self::PendingReplicaDeletion)
    }
}

/// Where a key's material comes from. Its numbers are part of the stored format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum KeyOrigin {
    /// Made here.
    #[default]
    #[n(0)]
    AwsKms,
    /// Imported by the customer.
    #[n(1)]
    External,
    /// Made here, and a key in a PKCS#11 token besides.
    #[n(2)]
    CloudHsm,
    /// Made here, and a key behind an external key store proxy besides.
    #[n(3)]
    ExternalKeyStore,
}

impl KeyOrigin {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS_KMS",
            Self::External => "EXTERNAL",
            Self::CloudHsm => "AWS_CLOUDHSM",
            Self::ExternalKeyStore => "EXTERNAL_KEY_STORE",
        }
    }

    /// Whether the key is in a custom key store.
    pub fn is_custom(self) -> bool {
        matches!(self, Self::CloudHsm | Self::ExternalKeyStore)
    }
}

/// The set of related keys that a multi-Region key belongs to; they share id and material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRegion {
    /// Where the primary key is.
    pub primary: Region,
    /// Where replicas are, in the order of their making.
    pub replicas: Vec<Region>,
}

/// What DescribeKey tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// UUID, or `mrk-` and 32 hexadecimal digits.
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
    /// How long it will wait once its replicas are gone, in days, while [`KeyState::PendingReplicaDeletion`].
    pub pending_window_days: Option<u32>,
    /// At most 8,192 characters.
    pub description: String,
    /// `AWS` (managed) instead of `CUSTOMER`.
    pub aws_managed: bool,
    /// Where the material is from.
    pub origin: KeyOrigin,
    /// Whether there is imported material that expires, and when the first of it does; none where nothing is imported.
    pub expiration: Option<Expiration>,
    /// Of multi-Region keys.
    pub multi_region: Option<MultiRegion>,
    /// Spec and usage.
    pub kind: KeyKind,
    /// 64 hexadecimal digits; of symmetric keys alone, none before material was imported, and none of keys in custom
    /// key stores.
    pub current_material_id: Option<String>,
    /// Of keys in custom key stores.
    pub custom: Option<CustomKey>,
}

/// `ExpirationModel` and `ValidTo` of imported material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiration {
    /// `KEY_MATERIAL_DOES_NOT_EXPIRE`.
    Never,
    /// `KEY_MATERIAL_EXPIRES`.
    At(Timestamp),
}

impl Expiration {
    /// AWS's name of the model.
    pub fn model(self) -> &'static str {
        match self {
            Self::Never => "KEY_MATERIAL_DOES_NOT_EXPIRE",
            Self::At(_) => "KEY_MATERIAL_EXPIRES",
        }
    }

    /// When it expires.
    pub fn valid_to(self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(at) => Some(at),
        }
    }
}

/// What is to be done to or with a key, as far as its state decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Encrypt, Decrypt, Sign, GetPublicKey, GenerateMac and their kin.
    Use,
    /// CreateGrant.
    Grant,
    /// EnableKey, DisableKey.
    Switch,
    /// ScheduleKeyDeletion.
    ScheduleDeletion,
    /// CancelKeyDeletion.
    CancelDeletion,
    /// EnableKeyRotation, DisableKeyRotation.
    ConfigureRotation,
    /// RotateKeyOnDemand.
    Rotate,
    /// GetParametersForImport, ImportKeyMaterial. That the origin is EXTERNAL is checked before.
    Import,
    /// DeleteImportedKeyMaterial. That the origin is EXTERNAL is checked before.
    DeleteMaterial,
    /// ReplicateKey.
    Replicate,
    /// UpdatePrimaryRegion.
    UpdatePrimary,
    /// To become the target of CreateAlias or UpdateAlias.
    TakeAlias,
    /// TagResource, UntagResource, UpdateKeyDescription.
    Label,
    /// DescribeKey, GetKeyPolicy, PutKeyPolicy, GetKeyRotationStatus, all lists, RetireGrant, RevokeGrant; to lose an
    /// alias.
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
    /// "ARN is pending import."
    PendingImport,
    /// "ARN is unavailable."
    Unavailable,
    /// "ARN is creating."
    Creating,
    /// "ARN is updating."
    Updating,
    /// "ARN origin is … which is not valid for this operation."
    Origin,
}

type Cell = Result<(), StateRefusal>;

// The cells of the table, as short as the guide's.
const OK: Cell = Ok(());
const DIS: Cell = Err(StateRefusal::Disabled);
const DEL: Cell = Err(StateRefusal::PendingDeletion);
const NOT: Cell = Err(StateRefusal::NotPendingDeletion);
const IMP: Cell = Err(StateRefusal::PendingImport);
const UNA: Cell = Err(StateRefusal::Unavailable);
const CRE: Cell = Err(StateRefusal::Creating);
const UPD: Cell = Err(StateRefusal::Updating);
const ORI: Cell = Err(StateRefusal::Origin);

/// The table of the developer guide's page "Key states of AWS KMS keys". Columns are the states in the order of their
/// numbers. Where the guide says "DisabledException: is pending deletion", AWS was recorded to answer the same text as
/// KMSInvalidStateException, as everywhere else. Where the guide has no cell because a key of that kind can't be in
/// that state, the cell refuses.
#[rustfmt::skip]
const TABLE: [(Operation, [Cell; 8]); 14] = [
    //                             Enabled Disabled PendDel PendImp PendRepl Unavail Creating Updating
    (Operation::Use,               [OK,    DIS,     DEL,    IMP,    DEL,     UNA,    CRE,     OK ]),
    (Operation::Grant,             [OK,    DIS,     DEL,    IMP,    DEL,     OK,     CRE,     OK ]),
    (Operation::Switch,            [OK,    OK,      DEL,    IMP,    DEL,     OK,     CRE,     UPD]),
    (Operation::ScheduleDeletion,  [OK,    OK,      DEL,    OK,     DEL,     OK,     OK,      UPD]),
    (Operation::CancelDeletion,    [NOT,   NOT,     OK,     NOT,    OK,      NOT,    NOT,     NOT]),
    (Operation::ConfigureRotation, [OK,    DIS,     DEL,    ORI,    DEL,     ORI,    CRE,     OK ]),
    (Operation::Rotate,            [OK,    DIS,     DEL,    IMP,    DEL,     ORI,    CRE,     UPD]),
    (Operation::Import,            [OK,    OK,      DEL,    OK,     DEL,     ORI,    CRE,     UPD]),
    (Operation::DeleteMaterial,    [OK,    OK,      OK,     OK,     OK,      ORI,    CRE,     UPD]),
    (Operation::Replicate,         [OK,    DIS,     DEL,    IMP,    DEL,     ORI,    CRE,     UPD]),
    (Operation::UpdatePrimary,     [OK,    DIS,     DEL,    IMP,    DEL,     ORI,    CRE,     OK ]),
    (Operation::TakeAlias,         [OK,    OK,      DEL,    OK,     DEL,     OK,     OK,      OK ]),
    (Operation::Label,             [OK,    OK,      DEL,    OK,     DEL,     OK,     OK,      OK ]),
    (Operation::Read,              [OK,    OK,      OK,     OK,     OK,      OK,     OK,      OK ]),
];

/// What the table says.
pub(super) fn check_state(state: KeyState, operation: Operation) -> Result<(), StateRefusal> {
    let (row, cells) = &TABLE[operation as usize];
    debug_assert_eq!(*row, operation, "the table has the order of the operations");
    cells[state as usize]
}

#[cfg(test)]
mod tests;
