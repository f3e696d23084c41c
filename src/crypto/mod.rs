//! The one door to cryptography: no other module names a cryptographic crate (rustls' provider in `server` apart).

mod asymmetric;
mod boxed;
mod cipher;
mod context;
mod derive;
mod digest;
mod hmac_key;
mod import;
mod jws;
mod key_material;
mod legacy;
mod passphrase;
mod recipient;
mod row;
mod secret;
mod shamir;
mod store_key;
mod stream;
mod token;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod golden;

pub use boxed::{
    BOX_OVERHEAD_BYTES, BoxHeader, FormatError, Generation, OpenError, Opened, SealBox, open_box, parse_box, seal_box,
};
pub use context::Context;
pub use digest::{
    Checksum, ChecksumAlgorithm, Digester, Md5, Sha256, combine_full_object, constant_time_eq, crc64_nvme, hmac_sha256,
    md5, sha256,
};
pub use import::WrappingKey;
#[cfg(test)]
pub(crate) use import::wrap_for_tests;
#[cfg(test)]
pub(crate) use jws::TestIssuerKey;
pub use jws::{JwsAlgorithm, JwsKey};
pub use key_material::{BadKey, Encapsulated, KeyMaterial, MESSAGE_MAX_BYTES, UseError};
pub use legacy::hmac_sha1;
pub use passphrase::{ARGON2_MEMORY_MAX_KIB, ARGON2_MEMORY_MIN_KIB, Argon2Cost, passphrase_key};
pub use recipient::{RECIPIENT_BYTES, Recipient, RecipientKey};
pub use row::{ROW_OVERHEAD_BYTES, RowKey};
pub use secret::{SecretBytes, SecretKey};
pub use shamir::{SHARES_MAX, Share, combine_shares, split_secret};
pub use store_key::{StoreKey, StoreKeyGeneration, UnwrapError};
pub use stream::{
    HEADER_BYTES, ObjectKeys, PLAIN_MAX_BYTES, PlainRange, SEGMENT_BYTES, SealedRange, SealingId, Span, StreamOpener,
    StreamSealer, Suite, header_suite, sealed_len, segment_count, span,
};
pub use token::{
    TOKEN_NONCE_BYTES, TOKEN_TAG_BYTES, TokenAccess, TokenError, TokenFault, TokenSession, open_on_token, seal_on_token,
};

/// Fills `out` from the system's random generator (through AWS-LC).
pub fn fill_random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system's random generator answers");
}
