//! One file an operation: `Input`, how it is read, `run`.

pub(super) mod cancel_key_deletion;
pub(super) mod connect_custom_key_store;
pub(super) mod create_alias;
pub(super) mod create_custom_key_store;
pub(super) mod create_grant;
pub(super) mod create_key;
pub(super) mod decapsulate;
pub(super) mod decrypt;
pub(super) mod delete_alias;
pub(super) mod delete_custom_key_store;
pub(super) mod delete_imported_key_material;
pub(super) mod derive_shared_secret;
pub(super) mod describe_custom_key_stores;
pub(super) mod describe_key;
pub(super) mod disable_key;
pub(super) mod disable_key_rotation;
pub(super) mod disconnect_custom_key_store;
pub(super) mod enable_key;
pub(super) mod enable_key_rotation;
pub(super) mod encapsulate;
pub(super) mod encrypt;
pub(super) mod generate_data_key;
pub(super) mod generate_data_key_pair;
pub(super) mod generate_data_key_pair_without_plaintext;
pub(super) mod generate_data_key_without_plaintext;
pub(super) mod generate_mac;
pub(super) mod generate_random;
pub(super) mod get_key_last_usage;
pub(super) mod get_key_policy;
pub(super) mod get_key_rotation_status;
pub(super) mod get_parameters_for_import;
pub(super) mod get_public_key;
pub(super) mod import_key_material;
pub(super) mod list_aliases;
pub(super) mod list_grants;
pub(super) mod list_key_policies;
pub(super) mod list_key_rotations;
pub(super) mod list_keys;
pub(super) mod list_resource_tags;
pub(super) mod list_retirable_grants;
pub(super) mod put_key_policy;
pub(super) mod re_encrypt;
pub(super) mod replicate_key;
pub(super) mod retire_grant;
pub(super) mod revoke_grant;
pub(super) mod rotate_key_on_demand;
pub(super) mod schedule_key_deletion;
pub(super) mod sign;
pub(super) mod tag_resource;
pub(super) mod untag_resource;
pub(super) mod update_alias;
pub(super) mod update_custom_key_store;
pub(super) mod update_key_description;
pub(super) mod update_primary_region;
pub(super) mod verify;
pub(super) mod verify_mac;

use std::ops::RangeInclusive;

use super::error::KmsError;
use super::input::Fields;
use crate::crypto::MESSAGE_MAX_BYTES;
use crate::names::{EncryptionAlgorithm, MessageType, SigningAlgorithm};
use crate::policy::{Key, Value};

/// Bytes of a `CiphertextBlob`.
const CIPHERTEXT_BYTES: RangeInclusive<usize> = 1..=6144;

/// Bytes of a `Plaintext`.
const PLAINTEXT_BYTES: RangeInclusive<usize> = 1..=4096;
/// Bytes of a `Message` to be signed or authenticated.
const MESSAGE_BYTES: RangeInclusive<usize> = 1..=MESSAGE_MAX_BYTES;
/// Bytes of a `Signature` or `Mac`.
const SIGNATURE_BYTES: RangeInclusive<usize> = 1..=6144;
/// Bytes of a peer's `PublicKey`.
const PUBLIC_KEY_BYTES: RangeInclusive<usize> = 1..=8192;

/// What calls that only symmetric keys serve tell policies of their algorithm.
const SYMMETRIC: (Key, Value<'static>) = (Key::KmsEncryptionAlgorithm, Value::Text("SYMMETRIC_DEFAULT"));

/// What Sign and Verify tell policies.
fn message_keys(algorithm: SigningAlgorithm, message_type: MessageType) -> [(Key, Value<'static>); 2] {
    [
        (Key::KmsSigningAlgorithm, Value::Text(algorithm.as_str())),
        (Key::KmsMessageType, Value::Text(message_type.as_str())),
    ]
}

/// An encryption algorithm; absent: the symmetric one.
fn read_algorithm(fields: &mut Fields, name: &str) -> EncryptionAlgorithm {
    fields.choice(name).unwrap_or(EncryptionAlgorithm::SymmetricDefault)
}

/// An answer sealed for an attested enclave can't be given; one in clear must not be given in its place.
fn check_recipient(present: bool) -> Result<(), KmsError> {
    if present {
        return Err(KmsError::unsupported("The Recipient parameter (enclave attestation) is not supported."));
    }
    Ok(())
}

/// Reads `DryRunModifiers`: whether `IGNORE_CIPHERTEXT` is among them, which makes the key's name required and the
/// ciphertext needless, and is for dry runs only.
fn read_ignore_ciphertext(fields: &mut Fields) -> bool {
    !fields.words("DryRunModifiers", 0..=1, &["IGNORE_CIPHERTEXT"]).is_empty()
}
