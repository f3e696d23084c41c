//! One file an operation: `Input`, how it is read, `run`.

pub(super) mod cancel_key_deletion;
pub(super) mod create_alias;
pub(super) mod create_key;
pub(super) mod decrypt;
pub(super) mod delete_alias;
pub(super) mod delete_imported_key_material;
pub(super) mod describe_key;
pub(super) mod disable_key;
pub(super) mod disable_key_rotation;
pub(super) mod enable_key;
pub(super) mod enable_key_rotation;
pub(super) mod encrypt;
pub(super) mod generate_data_key;
pub(super) mod generate_data_key_without_plaintext;
pub(super) mod generate_random;
pub(super) mod get_key_last_usage;
pub(super) mod get_key_policy;
pub(super) mod get_key_rotation_status;
pub(super) mod get_parameters_for_import;
pub(super) mod import_key_material;
pub(super) mod list_aliases;
pub(super) mod list_key_policies;
pub(super) mod list_key_rotations;
pub(super) mod list_keys;
pub(super) mod list_resource_tags;
pub(super) mod put_key_policy;
pub(super) mod re_encrypt;
pub(super) mod replicate_key;
pub(super) mod rotate_key_on_demand;
pub(super) mod schedule_key_deletion;
pub(super) mod tag_resource;
pub(super) mod untag_resource;
pub(super) mod update_alias;
pub(super) mod update_key_description;
pub(super) mod update_primary_region;

use std::ops::RangeInclusive;

use super::error::KmsError;
use super::input::Fields;

/// Characters of a `KeyId` in any of its forms.
const KEY_ID_CHARS: RangeInclusive<usize> = 1..=2048;
/// Characters of a `Marker`.
const MARKER_CHARS: RangeInclusive<usize> = 1..=1024;
/// The model's bounds of `Limit`; calls with a lower maximum give smaller pages.
const LIMIT: RangeInclusive<u32> = 1..=1000;
/// Bytes of a `CiphertextBlob`.
const CIPHERTEXT_BYTES: RangeInclusive<usize> = 1..=6144;

const ALGORITHMS: [&str; 4] = ["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"];
const SYMMETRIC: &str = ALGORITHMS[0];

/// An encryption algorithm; absent: the symmetric one.
fn read_algorithm(fields: &mut Fields, name: &str) -> &'static str {
    fields.word(name, &ALGORITHMS).unwrap_or(SYMMETRIC)
}

/// All keys are symmetric so far.
fn check_algorithm(algorithm: &str) -> Result<(), KmsError> {
    if algorithm == SYMMETRIC {
        return Ok(());
    }
    let text = format!("Algorithm {algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.");
    Err(KmsError::new("InvalidKeyUsageException", text))
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
    let mut ignore = false;
    for modifier in fields.list("DryRunModifiers", 1) {
        if modifier == "IGNORE_CIPHERTEXT" {
            ignore = true;
        } else {
            let rule = "Member must satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]";
            fields.fault("DryRunModifiers", &format!("'[{modifier}]'"), rule);
        }
    }
    ignore
}
