//! Validated names: a value of one of these types has passed AWS's rules for it.

mod account;
mod arn;
mod bucket;
mod cluster;
mod hex;
mod key;
mod key_kind;
mod key_spec;
mod region;
mod store_url;

pub use account::{AccountId, CanonicalId, InvalidAccount};
pub use arn::{
    ALL_BUCKETS, assumed_role_arn, bucket_arn, federated_user_arn, iam_arn, iam_root_arn, iam_user_arn, iam_user_id,
    kms_alias_arn, kms_key_arn, object_arn,
};
pub use bucket::{BucketName, InvalidBucketName};
pub use cluster::is_cluster_id;
pub use hex::hex;
pub use key::{InvalidObjectKey, KEY_MAX_BYTES, ObjectKey};
pub use key_kind::{KeyKind, KeyType};
pub use key_spec::{
    Abilities, EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm,
    MessageType, SigningAlgorithm, WrappingAlgorithm, WrappingKeySpec,
};
pub use region::{InvalidRegion, Region};
pub use store_url::{InvalidStoreUrl, StoreUrl};
