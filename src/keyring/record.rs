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
use super::{KeyMetadata, KeyState};

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
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) wrapped: Vec<u8>,
    /// Of asymmetric keys, the DER SubjectPublicKeyInfo: GetPublicKey opens nothing.
    #[n(20)]
    pub(super) public_key: Option<ByteVec>,
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
    /// Oldest first; the last one seals. Never empty.
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

/// Stands in the queue of deletions, in the order of their time.
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

impl Record for OwnedRecord {
    const TABLE: Table = Table::Key;
}

// A Region is never empty, so rows whose first field is the empty string are in no listing of keys.
const INTERNAL: &[u8] = b"";

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

    /// Its row in the queue of deletions.
    pub(super) fn due_row(&self, deletion: Timestamp) -> Vec<u8> {
        due_tuple().u64(due_order(deletion)).bytes(self.key_id.as_bytes()).build()
    }
}

/// Start of the rows of an account's keys or aliases in a Region.
pub(super) fn owner_tuple(region: &Region, account: &AccountId) -> Tuple {
    Tuple::new().bytes(region.as_str().as_bytes()).bytes(account.as_str().as_bytes())
}

/// Start of the queue of deletions.
pub(super) fn due_tuple() -> Tuple {
    Tuple::new().bytes(INTERNAL).bytes(b"due")
}

/// A time as it stands in the queue's keys.
pub(super) fn due_order(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0)
}

/// The row of an owned key.
pub(super) fn owned_row(name: &str) -> Vec<u8> {
    Tuple::new().bytes(INTERNAL).bytes(b"owned").bytes(name.as_bytes()).build()
}

/// The row of an alias; `name` with its `alias/`.
pub(super) fn alias_row(region: &Region, account: &AccountId, name: &str) -> Vec<u8> {
    owner_tuple(region, account).bytes(name.as_bytes()).build()
}

impl KeyRecord {
    pub(super) fn metadata(&self, place: &KeyPlace) -> KeyMetadata {
        KeyMetadata {
            key_id: place.key_id.clone(),
            arn: place.arn(),
            account: place.account.clone(),
            region: place.region.clone(),
            created: Timestamp(self.created_ms),
            state: self.state,
            deletion: self.deletion_ms.map(Timestamp),
            description: self.description.clone(),
            aws_managed: self.aws_managed,
            kind: self.kind,
            current_material_id: self
                .materials
                .last()
                .filter(|_| self.kind.is_symmetric())
                .map(|material| material_id(&place.key_id, &material.tag)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first version wrote it; these bytes must be read for ever.
    #[test]
    fn golden() {
        let material = MaterialRecord {
            tag: [7; 16],
            created_ms: 5,
            origin: MaterialOrigin::OnDemand,
            wrapped: vec![1, 2],
            public_key: None,
        };
        let key = KeyRecord {
            created_ms: 1_795_608_000_000,
            state: KeyState::PendingDeletion,
            deletion_ms: Some(1),
            description: "d".to_owned(),
            aws_managed: true,
            materials: vec![material],
            aliases: vec!["alias/a".to_owned()],
            policy: Some("{}".to_owned()),
            tags: vec![("k".to_owned(), "v".to_owned())],
            kind: KeyKind::SYMMETRIC,
        };
        let alias = AliasRecord { target_key_id: "id".to_owned(), created_ms: 1, updated_ms: 2 };
        let hex = |bytes: Vec<u8>| super::super::root::hex(&bytes);
        let (key_hex, alias_hex) = (hex(minicbor::to_vec(&key).unwrap()), hex(minicbor::to_vec(&alias).unwrap()));
        assert_eq!(key_hex, KEY);
        assert_eq!(alias_hex, ALIAS);
        assert_eq!(minicbor::decode::<KeyRecord>(&minicbor::to_vec(&key).unwrap()).unwrap(), key);
        let kind = KeyKind::new(KeySpec::P256, KeyUsage::KeyAgreement).unwrap();
        let material = MaterialRecord { public_key: Some(vec![3].into()), ..key.materials[0].clone() };
        let asymmetric = KeyRecord { kind, materials: vec![material], ..key };
        assert_eq!(hex(minicbor::to_vec(&asymmetric).unwrap()), ASYMMETRIC);
        assert_eq!(minicbor::decode::<KeyRecord>(&minicbor::to_vec(&asymmetric).unwrap()).unwrap(), asymmetric);
    }

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

    const KEY: &str = concat!(
        "891b000001a21293b60002016164f58184500707070707070707070707070707070705014201028167616c6961732f61",
        "627b7d8182616b6176",
    );
    const ASYMMETRIC: &str = concat!(
        "951b000001a21293b60002016164f5819550070707070707070707070707070707070501420102f6f6f6f6f6f6f6f6f6f6f6",
        "f6f6f6f6f641038167616c6961732f61627b7d8182616b6176f6f6f6f6f6f6f6f6f6f6f6826d4543435f4e4953545f5032",
        "35366d4b45595f41475245454d454e54",
    );
    const ALIAS: &str = "836269640102";
}
