//! Inventories: lists of a bucket's objects that are written into a bucket now and then (S3 User Guide, "Cataloging and
//! analyzing your data with S3 Inventory").

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// Bytes of the prefixes, at most.
pub const PREFIX_MAX_BYTES: usize = 512;

/// An inventory as configured; its id is that of its row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Inventory {
    /// Lists are made.
    #[n(0)]
    pub enabled: bool,
    /// Keys that begin so.
    #[n(1)]
    pub prefix: Option<String>,
    /// Noncurrent versions and delete markers too.
    #[n(2)]
    pub all_versions: bool,
    /// How often.
    #[n(3)]
    pub frequency: Frequency,
    /// What is told besides bucket and key, in the order sent.
    #[n(4)]
    pub fields: Vec<Field>,
    /// Where the lists go.
    #[n(5)]
    pub destination: Destination,
}

impl BucketConfiguration for Inventory {
    const KIND: ConfigurationKind = ConfigurationKind::Inventory;
    const ACTIONS: &'static [&'static str] = &["s3:PutInventoryConfiguration"];
}

/// How often a list is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Frequency {
    /// Each day.
    #[n(0)]
    Daily,
    /// Each Sunday.
    #[n(1)]
    Weekly,
}

impl Frequency {
    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
        }
    }
}

/// Where lists go.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Destination {
    /// The account that has to own the bucket, if told.
    #[n(0)]
    pub account: Option<String>,
    /// The bucket's name.
    #[n(1)]
    pub bucket: String,
    /// What the keys of the lists begin with.
    #[n(2)]
    pub prefix: Option<String>,
    /// How the lists are encrypted; none: as the bucket does it.
    #[n(3)]
    pub encryption: Option<Encryption>,
}

/// How lists are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Encryption {
    /// `SSE-S3`
    #[n(0)]
    SseS3,
    /// `SSE-KMS` with the key of this id.
    #[n(1)]
    SseKms(#[n(0)] String),
}

macro_rules! fields {
    ($($number:literal $name:ident)*) => {
        /// What a list tells of each object if it is asked to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
        pub enum Field {
            $(#[doc = concat!("`", stringify!($name), "`")] #[n($number)] $name,)*
        }

        impl Field {
            /// All of them, in the order in which lists have them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As S3 names it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

fields! {
    0 Size
    1 LastModifiedDate
    2 ETag
    3 StorageClass
    4 IsMultipartUploaded
    5 ReplicationStatus
    6 EncryptionStatus
    7 ObjectLockRetainUntilDate
    8 ObjectLockMode
    9 ObjectLockLegalHoldStatus
    10 IntelligentTieringAccessTier
    11 BucketKeyStatus
    12 ChecksumAlgorithm
    13 ObjectAccessControlList
    14 ObjectOwner
    15 LifecycleExpirationDate
}

impl Field {
    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }
}

impl Inventory {
    /// The columns of a list: `Bucket, Key, …`.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec!["Bucket", "Key"];
        if self.all_versions {
            columns.extend(["VersionId", "IsLatest", "IsDeleteMarker"]);
        }
        columns.extend(self.listed().map(Field::name));
        columns
    }

    /// The fields in the order in which lists have them.
    pub fn listed(&self) -> impl Iterator<Item = Field> {
        Field::ALL.iter().copied().filter(|field| self.fields.contains(field))
    }

    /// What the keys of all that belongs to one inventory begin with.
    pub fn place(&self, source: &str, id: &str) -> String {
        match self.destination.prefix.as_deref().unwrap_or_default() {
            "" => format!("{source}/{id}"),
            prefix => format!("{}/{source}/{id}", prefix.strip_suffix('/').unwrap_or(prefix)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_the_order_of_the_documentation() {
        let destination = Destination { account: None, bucket: "d".to_owned(), prefix: None, encryption: None };
        let mut inventory = Inventory {
            enabled: true,
            prefix: None,
            all_versions: true,
            frequency: Frequency::Daily,
            fields: Field::ALL.iter().rev().copied().collect(),
            destination,
        };
        // S3 User Guide, "Amazon S3 Inventory list" and "What is an inventory manifest?".
        let all = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, \
                   IsMultipartUploaded, ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, \
                   ObjectLockMode, ObjectLockLegalHoldStatus, IntelligentTieringAccessTier, BucketKeyStatus, \
                   ChecksumAlgorithm, ObjectAccessControlList, ObjectOwner, LifecycleExpirationDate";
        assert_eq!(inventory.columns().join(", "), all);
        (inventory.all_versions, inventory.fields) = (false, vec![Field::ETag, Field::Size]);
        assert_eq!(inventory.columns().join(", "), "Bucket, Key, Size, ETag");
        assert_eq!(inventory.place("src", "all"), "src/all");
        for prefix in ["lists", "lists/"] {
            inventory.destination.prefix = Some(prefix.to_owned());
            assert_eq!(inventory.place("src", "all"), "lists/src/all");
        }
    }

    #[test]
    fn every_field_reads_back() {
        for field in Field::ALL {
            assert_eq!(Field::parse(field.name()), Some(*field));
        }
        assert_eq!(Field::parse("size"), None);
    }
}
