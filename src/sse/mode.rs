//! The four modes, as requests and buckets name them.

use std::collections::BTreeMap;

use super::CustomerKey;

/// A mode of server-side encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, minicbor::Encode, minicbor::Decode)]
pub enum Mode {
    /// `AES256`: keys of the gateway.
    #[n(0)]
    SseS3,
    /// `aws:kms`.
    #[n(1)]
    SseKms,
    /// `aws:kms:dsse`: two layers.
    #[n(2)]
    DsseKms,
    /// The customer's key, sent with each request.
    #[n(3)]
    SseC,
}

impl Mode {
    /// The value of `x-amz-server-side-encryption`; none for SSE-C.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::SseS3 => Some("AES256"),
            Self::SseKms => Some("aws:kms"),
            Self::DsseKms => Some("aws:kms:dsse"),
            Self::SseC => None,
        }
    }
}

/// What a request asks for. Only well-formed combinations can be expressed.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub enum Requested {
    /// Nothing: the bucket's default.
    Default {
        /// `x-amz-server-side-encryption-bucket-key-enabled` may stand alone and then overrides the bucket's.
        bucket_key: Option<bool>,
    },
    /// `AES256`.
    SseS3,
    /// `aws:kms` or `aws:kms:dsse`.
    Kms {
        /// `aws:kms:dsse`.
        double: bool,
        /// Key id, ARN or alias as sent; none: `alias/aws/s3`.
        key: Option<String>,
        /// The client's encryption context.
        context: BTreeMap<String, String>,
        /// `x-amz-server-side-encryption-bucket-key-enabled`.
        bucket_key: Option<bool>,
    },
    /// SSE-C.
    Customer(CustomerKey),
}

/// A bucket's default encryption and what it blocks.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct BucketDefault {
    /// Never SSE-C.
    #[n(0)]
    pub mode: Mode,
    /// As configured: id, ARN or alias; none: `alias/aws/s3`.
    #[n(1)]
    pub kms_key: Option<String>,
    /// S3 Bucket Key.
    #[n(2)]
    pub bucket_key: bool,
    /// `BlockedEncryptionTypes` names SSE-C.
    #[n(3)]
    pub blocks_sse_c: bool,
}

/// What a request makes of a bucket's default encryption. Decided against the bucket as it is when the change is
/// committed, not as it was when the request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDefault {
    /// Never SSE-C.
    pub mode: Mode,
    /// As in [`BucketDefault`].
    pub kms_key: Option<String>,
    /// S3 Bucket Key.
    pub bucket_key: bool,
    /// Whether SSE-C is blocked from now on; none: as before.
    pub blocks_sse_c: Option<bool>,
}

impl NewDefault {
    /// The default of a bucket that had `current`.
    #[must_use]
    pub fn over(&self, current: &BucketDefault) -> BucketDefault {
        BucketDefault {
            mode: self.mode,
            kms_key: self.kms_key.clone(),
            bucket_key: self.bucket_key,
            blocks_sse_c: self.blocks_sse_c.unwrap_or(current.blocks_sse_c),
        }
    }
}

impl Default for NewDefault {
    /// SSE-S3; what is blocked stays blocked.
    fn default() -> Self {
        Self { mode: Mode::SseS3, kms_key: None, bucket_key: false, blocks_sse_c: None }
    }
}

impl Default for BucketDefault {
    /// SSE-S3, nothing blocked.
    fn default() -> Self {
        Self { mode: Mode::SseS3, kms_key: None, bucket_key: false, blocks_sse_c: false }
    }
}

#[cfg(test)]
mod tests {
    use super::{BucketDefault, Mode, NewDefault};

    #[test]
    fn a_new_default_replaces_all_but_what_it_leaves_open() {
        let kms_key = || Some("k".to_owned());
        let blocked = |blocks_sse_c| BucketDefault { blocks_sse_c, ..BucketDefault::default() };
        for current in [true, false] {
            let was = BucketDefault { mode: Mode::SseKms, kms_key: kms_key(), bucket_key: true, blocks_sse_c: current };
            assert_eq!(NewDefault::default().over(&was), blocked(current));
            for said in [true, false] {
                let new = NewDefault { blocks_sse_c: Some(said), ..NewDefault::default() };
                assert_eq!(new.over(&was), blocked(said));
            }
            let new = NewDefault { mode: Mode::DsseKms, kms_key: kms_key(), bucket_key: true, blocks_sse_c: None };
            let now =
                BucketDefault { mode: Mode::DsseKms, kms_key: kms_key(), bucket_key: true, blocks_sse_c: current };
            assert_eq!(new.over(&blocked(current)), now);
        }
    }
}
