//! What the index keeps of an object's keys.

use crate::crypto::SealingId;
use crate::names::{BucketName, ObjectKey};

use super::Mode;

/// Which object (or upload) keys are for: bound into every wrapping as length-prefixed bytes.
#[derive(Debug, Clone, Copy)]
pub struct ObjectRef<'a> {
    /// Bucket.
    pub bucket: &'a BucketName,
    /// Key.
    pub key: &'a ObjectKey,
    /// Id of the object version or upload that the row stands for (a copy has its own).
    pub id: SealingId,
}

/// The wrapped object keys and how to unwrap them. No secret, but only ever stored in sealed rows.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Envelope {
    /// The mode.
    #[n(0)]
    pub mode: Mode,
    /// The object keys, sealed in Boxes.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub wrapped: Vec<u8>,
    /// SSE-KMS, DSSE: the full ARN of the key.
    #[n(2)]
    pub kms_key_arn: Option<String>,
    /// SSE-KMS, DSSE: the data key as a KMS ciphertext.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub kms_ciphertext: Vec<u8>,
    /// SSE-KMS, DSSE: the client's encryption context.
    #[n(4)]
    pub kms_context: Vec<(String, String)>,
    /// SSE-KMS: sealed under a bucket key.
    #[n(5)]
    pub bucket_key: bool,
    /// SSE-C: salt and HMAC that tell whether a key is the right one.
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub customer_check: Vec<u8>,
    /// Of the replica of an SSE-C object: the object that the keys were wrapped for. None: the object that has it.
    #[n(7)]
    pub wrapped_for: Option<WrappedFor>,
}

/// What answers say of an encryption, of a stored one as of one that is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The mode.
    pub mode: Mode,
    /// The full ARN of the KMS key.
    pub kms_key_arn: Option<&'a str>,
    /// The client's encryption context.
    pub kms_context: Vec<(&'a str, &'a str)>,
    /// It is under a bucket key.
    pub bucket_key: bool,
}

impl Envelope {
    /// What answers say of it.
    pub fn shown(&self) -> Shown<'_> {
        Shown {
            mode: self.mode,
            kms_key_arn: self.kms_key_arn.as_deref(),
            kms_context: self.kms_context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            bucket_key: self.bucket_key,
        }
    }
}

/// An object that keys were wrapped for: nobody but the customer could wrap them anew for its replica.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct WrappedFor {
    /// Its bucket.
    #[n(0)]
    pub bucket: String,
    /// Its key.
    #[n(1)]
    pub key: String,
    /// The id that was bound.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub id: [u8; 16],
}
