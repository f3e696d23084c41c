//! What the index keeps of keys and aliases. Fields may be added, never renumbered.

use minicbor::bytes::ByteVec;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decoder, Encoder};

use crate::crypto::Generation;
use crate::index::{Record, Table, Tuple};
use crate::names::{AccountId, KeyKind, KeySpec, KeyUsage, Region, kms_key_arn};
use crate::sources::Timestamp;

use super::ciphertext::material_id;
use super::custom_store::CustomKeyRecord;
use super::{CustomKey, Expiration, KeyMetadata, KeyOrigin, KeyState, MultiRegion};

/// Where a key lies, and what its ARN is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPlace {
    pub(super) region: Region,
    pub(super) account: AccountId,
    pub(super) key_id: String,
}

/// How a generation of material came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub(super) enum MaterialOrigin {
    /// With the key.
    #[n(0)]
    Initial,
    /// By RotateKeyOnDemand.
    #[n(1)]
    OnDemand,
    /// By age.
    #[n(2)]
    Automatic,
}

/// One generation of a key's material.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct MaterialRecord {
    /// Names it in ciphertexts.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) tag: Generation,
    /// Milliseconds since the epoch.
    #[n(1)]
    pub(super) created_ms: i64,
    /// How it came about.
    #[n(2)]
    pub(super) origin: MaterialOrigin,
    /// The material in a Box under the store key.
    /// Empty: it was imported once and is gone, or (of a replica) has not been imported here.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) wrapped: Vec<u8>,
    /// Of imported material.
    #[n(10)]
    pub(super) import: Option<ImportRecord>,
    /// Of asymmetric keys, the DER SubjectPublicKeyInfo: GetPublicKey opens nothing.
    #[n(20)]
    pub(super) public_key: Option<ByteVec>,
}

/// What is known of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct ImportRecord {
    /// `KeyMaterialDescription`.
    #[n(0)]
    pub(super) description: Option<String>,
    /// When it expires, in milliseconds since the epoch.
    #[n(1)]
    pub(super) valid_to_ms: Option<i64>,
}

/// Automatic rotation that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct RotationRecord {
    /// 90 to 2,560.
    #[n(0)]
    pub(super) period_days: u32,
    /// The next one, in milliseconds since the epoch.
    #[n(1)]
    pub(super) next_ms: i64,
    /// The same on the trusted clock.
    #[n(2)]
    pub(super) next_trusted_ms: i64,
}

/// The set that a multi-Region key belongs to: the same in every member's record.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct MultiRegionRecord {
    /// The Region of the primary key.
    #[n(0)]
    pub(super) primary: String,
    /// The Regions of the replicas.
    #[n(1)]
    pub(super) replicas: Vec<String>,
}

/// An import token that has done its work.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct UsedToken {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) id: [u8; 16],
    /// When it may be forgotten because it is no longer valid, in milliseconds since the epoch.
    #[n(1)]
    pub(super) until_ms: i64,
}

/// A customer managed or AWS managed key.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct KeyRecord {
    /// Milliseconds since the epoch.
    #[n(0)]
    pub(super) created_ms: i64,
    #[n(1)]
    pub(super) state: KeyState,
    /// While pending deletion: when it goes, in milliseconds since the epoch.
    #[n(2)]
    pub(super) deletion_ms: Option<i64>,
    #[n(3)]
    pub(super) description: String,
    /// Made and ruled by the service: `alias/aws/s3`.
    #[n(4)]
    pub(super) aws_managed: bool,
    /// Oldest first; the last one seals. Empty only with origin EXTERNAL, before the first import.
    #[n(5)]
    pub(super) materials: Vec<MaterialRecord>,
    /// The names of its aliases, at most [`super::ALIASES_PER_KEY_MAX`]: kept here as well as in rows of their own, so
    /// that listing, counting and removing those of one key need no scan.
    #[n(6)]
    pub(super) aliases: Vec<String>,
    /// The key policy; none: the default one.
    #[n(7)]
    pub(super) policy: Option<String>,
    /// Tags: key, value.
    #[n(8)]
    pub(super) tags: Vec<(String, String)>,
    /// Automatic rotation, while it is on.
    #[n(10)]
    pub(super) rotation: Option<RotationRecord>,
    /// While pending deletion: when it goes on the trusted clock, in milliseconds; none in records of versions without
    /// one, which count as `deletion_ms`.
    #[n(11)]
    pub(super) deletion_trusted_ms: Option<i64>,
    /// Where material comes from; none: AWS_KMS.
    #[n(12)]
    pub(super) origin: Option<KeyOrigin>,
    /// Imported for the next rotation; not yet the key's for good.
    #[n(13)]
    pub(super) pending_material: Option<MaterialRecord>,
    /// Of multi-Region keys.
    #[n(14)]
    pub(super) multi_region: Option<MultiRegionRecord>,
    /// While pending the deletion of replicas: the waiting period that follows, in days.
    #[n(15)]
    pub(super) pending_window_days: Option<u32>,
    /// Import tokens that were used and are still valid.
    #[n(16)]
    pub(super) used_tokens: Option<Vec<UsedToken>>,
    /// Of keys in custom key stores.
    #[n(30)]
    pub(super) custom: Option<CustomKeyRecord>,
    /// Absent in the rows of symmetric keys, the first kind there was.
    #[n(20)]
    pub(super) kind: KeyKind,
}

/// As `[spec, usage]`, in AWS's words.
impl<C> minicbor::Encode<C> for KeyKind {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(2)?.str(self.spec().as_str())?.str(self.usage().as_str())?.ok()
    }

    fn is_nil(&self) -> bool {
        *self == Self::SYMMETRIC
    }
}

impl<'b, C> minicbor::Decode<'b, C> for KeyKind {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let unknown = || DecodeError::message("no kind of key");
        if d.array()? != Some(2) {
            return Err(unknown());
        }
        let (spec, usage) = (KeySpec::parse(d.str()?), KeyUsage::parse(d.str()?));
        spec.zip(usage).and_then(|(spec, usage)| Self::new(spec, usage)).ok_or_else(unknown)
    }

    fn nil() -> Option<Self> {
        Some(Self::SYMMETRIC)
    }
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct AliasRecord {
    /// The id of the key it points to, in the same account and Region.
    #[n(0)]
    pub(super) target_key_id: String,
    /// Milliseconds since the epoch.
    #[n(1)]
    pub(super) created_ms: i64,
    /// Milliseconds since the epoch.
    #[n(2)]
    pub(super) updated_ms: i64,
}

/// A key whose material is destroyed: kept for ever, so that its id is never used again.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct Tombstone {
    /// Milliseconds since the epoch.
    #[n(0)]
    pub(super) created_ms: i64,
    /// Milliseconds since the epoch.
    #[n(1)]
    pub(super) destroyed_ms: i64,
}

/// Stands in a queue of what is due, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct DueRecord {
    #[n(0)]
    pub(super) region: String,
    #[n(1)]
    pub(super) account: String,
    #[n(2)]
    pub(super) key_id: String,
}

/// The generations of an owned key.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct OwnedRecord {
    /// Oldest first. Never empty.
    #[n(0)]
    pub(super) materials: Vec<MaterialRecord>,
}

impl Record for KeyRecord {
    const TABLE: Table = Table::Key;
}

impl Record for AliasRecord {
    const TABLE: Table = Table::Alias;
}

impl Record for Tombstone {
    const TABLE: Table = Table::Key;
}

impl Record for DueRecord {
    const TABLE: Table = Table::Key;
}

/// How far time has come: see [`super::clock`]. One row of the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct ClockRecord {
    /// The trusted clock, in milliseconds since the epoch.
    #[n(0)]
    pub(super) trusted_ms: i64,
    /// What the wall clock showed at the same moment.
    #[n(1)]
    pub(super) wall_ms: i64,
    /// When this row was made: since then uses of keys are tracked.
    #[n(2)]
    pub(super) first_ms: i64,
}

/// The last successful use of a key.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct LastUseRecord {
    /// The API's name.
    #[n(0)]
    pub(super) operation: String,
    /// Milliseconds since the epoch.
    #[n(1)]
    pub(super) at_ms: i64,
    /// `eventID` of its record.
    #[n(2)]
    pub(super) event_id: String,
    /// `requestID` of its record.
    #[n(3)]
    pub(super) request_id: String,
}

impl Record for ClockRecord {
    const TABLE: Table = Table::Key;
}

impl Record for LastUseRecord {
    const TABLE: Table = Table::Key;
}

impl Record for OwnedRecord {
    const TABLE: Table = Table::Key;
}

// A Region is never empty, so rows whose first field is the empty string are in no listing of keys.
pub(super) const INTERNAL: &[u8] = b"";

impl KeyPlace {
    pub(super) fn new(region: &Region, account: &AccountId, key_id: &str) -> Self {
        Self { region: region.clone(), account: account.clone(), key_id: key_id.to_owned() }
    }

    pub(super) fn of(metadata: &KeyMetadata) -> Self {
        Self::new(&metadata.region, &metadata.account, &metadata.key_id)
    }

    /// The row of the key.
    pub(super) fn row(&self) -> Vec<u8> {
        owner_tuple(&self.region, &self.account).bytes(self.key_id.as_bytes()).build()
    }

    pub(super) fn arn(&self) -> String {
        kms_key_arn(&self.region, &self.account, &self.key_id)
    }

    /// The row of its tombstone. Key ids are unique in the world: neither Region nor account is part of it.
    pub(super) fn tombstone_row(&self) -> Vec<u8> {
        Tuple::new().bytes(INTERNAL).bytes(b"destroyed").bytes(self.key_id.as_bytes()).build()
    }

    /// The member of the same set of multi-Region keys in another Region.
    pub(super) fn in_region(&self, region: &Region) -> Self {
        Self::new(region, &self.account, &self.key_id)
    }
}

/// Start of the rows of an account's keys or aliases in a Region.
pub(super) fn owner_tuple(region: &Region, account: &AccountId) -> Tuple {
    Tuple::new().bytes(region.as_str().as_bytes()).bytes(account.as_str().as_bytes())
}

/// The row of an owned key.
pub(super) fn owned_row(name: &str) -> Vec<u8> {
    Tuple::new().bytes(INTERNAL).bytes(b"owned").bytes(name.as_bytes()).build()
}

/// The row of the trusted clock.
pub(super) fn clock_row() -> Vec<u8> {
    Tuple::new().bytes(INTERNAL).bytes(b"clock").build()
}

/// The row of a key's last use.
pub(super) fn last_use_row(key_arn: &str) -> Vec<u8> {
    Tuple::new().bytes(INTERNAL).bytes(b"used").bytes(key_arn.as_bytes()).build()
}

/// The row of an alias; `name` with its `alias/`.
pub(super) fn alias_row(region: &Region, account: &AccountId, name: &str) -> Vec<u8> {
    owner_tuple(region, account).bytes(name.as_bytes()).build()
}

impl MaterialRecord {
    /// Whether it can be used.
    pub(super) fn is_present(&self) -> bool {
        !self.wrapped.is_empty()
    }

    /// When it expires.
    pub(super) fn valid_to(&self) -> Option<Timestamp> {
        self.import.as_ref().filter(|_| self.is_present())?.valid_to_ms.map(Timestamp)
    }
}

impl KeyRecord {
    pub(super) fn origin(&self) -> KeyOrigin {
        self.origin.unwrap_or_default()
    }

    /// The set of a multi-Region key. Its Regions were checked when they were stored.
    pub(super) fn regions(&self) -> Option<MultiRegion> {
        let stored = self.multi_region.as_ref()?;
        let replicas = stored.replicas.iter().filter_map(|region| Region::parse(region).ok()).collect();
        Some(MultiRegion { primary: Region::parse(&stored.primary).ok()?, replicas })
    }

    /// Whether this is the record of a replica.
    pub(super) fn is_replica(&self, place: &KeyPlace) -> bool {
        self.multi_region.as_ref().is_some_and(|set| set.primary != place.region.as_str())
    }

    /// All material, the pending one last.
    pub(super) fn all_materials(&self) -> impl Iterator<Item = &MaterialRecord> {
        self.materials.iter().chain(&self.pending_material)
    }

    /// As [`Self::all_materials`], to change them.
    pub(super) fn all_materials_mut(&mut self) -> impl Iterator<Item = &mut MaterialRecord> {
        self.materials.iter_mut().chain(&mut self.pending_material)
    }

    /// Whether there is material and none of what is the key's for good is missing.
    pub(super) fn is_complete(&self) -> bool {
        !self.materials.is_empty() && self.materials.iter().all(MaterialRecord::is_present)
    }

    fn expiration(&self) -> Option<Expiration> {
        if self.origin() != KeyOrigin::External || !self.is_complete() {
            return None;
        }
        let first = self.materials.iter().filter_map(MaterialRecord::valid_to).min();
        Some(first.map_or(Expiration::Never, Expiration::At))
    }

    pub(super) fn metadata(&self, place: &KeyPlace) -> KeyMetadata {
        KeyMetadata {
            key_id: place.key_id.clone(),
            arn: place.arn(),
            account: place.account.clone(),
            region: place.region.clone(),
            created: Timestamp(self.created_ms),
            state: self.state,
            deletion: self.deletion_ms.map(Timestamp),
            pending_window_days: self.pending_window_days,
            description: self.description.clone(),
            aws_managed: self.aws_managed,
            origin: self.origin(),
            expiration: self.expiration(),
            multi_region: self.regions(),
            kind: self.kind,
            current_material_id: self
                .materials
                .last()
                .filter(|_| self.kind.is_symmetric() && self.custom.is_none())
                .map(|material| material_id(&place.key_id, &material.tag)),
            custom: self.custom.as_ref().map(|custom| CustomKey {
                store_id: custom.store_id.clone(),
                cluster_id: None,
                xks_key_id: custom.xks_key_id.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_none() {
        let mut record = minicbor::to_vec(("SYMMETRIC_DEFAULT", "SIGN_VERIFY")).unwrap();
        assert!(minicbor::decode::<KeyKind>(&record).is_err());
        record = minicbor::to_vec(("RSA_2048", "SIGN_VERIFY", "x")).unwrap();
        assert!(minicbor::decode::<KeyKind>(&record).is_err());
        for &spec in KeySpec::ALL {
            for kind in spec.abilities().usages.iter().map(|usage| KeyKind::new(spec, *usage).unwrap()) {
                assert_eq!(minicbor::decode::<KeyKind>(&minicbor::to_vec(kind).unwrap()).unwrap(), kind);
            }
        }
    }
}
