//! KMS ciphertexts and wrapped material, pure: which Box holds what, under which label and context.
//!
//! A ciphertext names key and generation, never account or Region, so that the replicas of a multi-Region key can
//! open each other's.

use super::KeyringError;
use super::custom_store::StoreCiphertext;
use super::root::hex;
use super::service::EncryptionContext;
use crate::crypto::{
    BoxHeader, Context, Generation, SealBox, SecretBytes, SecretKey, Sha256, StoreKey, open_box, parse_box, seal_box,
};
use crate::sources::Sources;

// Frozen: what was sealed under these labels exists.
const CIPHERTEXT_LABEL: &str = "strongroom kms ciphertext v1";
const MATERIAL_LABEL: &str = "strongroom key material v1";
const MATERIAL_ID_LABEL: &[u8] = b"strongroom key material id v1";

/// The key and generation that a ciphertext names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealer {
    pub(super) key_id: String,
    pub(super) generation: Generation,
}

/// Reads which key sealed `ciphertext`, without opening it.
pub(super) fn parse_ciphertext(ciphertext: &[u8]) -> Result<Sealer, KeyringError> {
    if let Some(of_store) = StoreCiphertext::parse(ciphertext) {
        return Ok(of_store.sealer);
    }
    let header = parse_box(ciphertext).map_err(|_| KeyringError::InvalidCiphertext)?;
    let key_id = String::from_utf8(header.key_id).map_err(|_| KeyringError::InvalidCiphertext)?;
    Ok(Sealer { key_id, generation: header.generation })
}

/// Seals `plain` as a KMS ciphertext.
pub(super) fn seal_ciphertext(
    material: &SecretKey,
    sealer: &Sealer,
    context: &EncryptionContext,
    plain: &[u8],
    sources: &Sources,
) -> Vec<u8> {
    let header = BoxHeader { key_id: sealer.key_id.as_bytes().to_vec(), generation: sealer.generation };
    let context = &canonical(context);
    seal_box(&SealBox { key: material, label: CIPHERTEXT_LABEL, header: &header, context }, plain, sources)
}

/// Opens a KMS ciphertext. All faults look alike.
pub(super) fn open_ciphertext(
    material: &SecretKey,
    context: &EncryptionContext,
    ciphertext: &[u8],
) -> Result<SecretBytes, KeyringError> {
    open_box(material, CIPHERTEXT_LABEL, &canonical(context), ciphertext).map_err(|_| KeyringError::InvalidCiphertext)
}

/// Wraps a generation of material, as its bytes to store, under the store key.
pub(super) fn wrap_material(
    store_key: &StoreKey,
    key_id: &str,
    tag: &Generation,
    material: &SecretBytes,
    sources: &Sources,
) -> Vec<u8> {
    store_key.wrap(MATERIAL_LABEL, &material_context(key_id, tag), material.expose(), sources)
}

/// Unwraps the bytes of a generation of material.
pub(super) fn unwrap_material(
    store_key: &StoreKey,
    key_id: &str,
    tag: &Generation,
    wrapped: &[u8],
) -> Result<SecretBytes, KeyringError> {
    let context = material_context(key_id, tag);
    store_key.unwrap(MATERIAL_LABEL, &context, wrapped).map_err(|_| damaged_material(key_id))
}

/// Stored material that can't be read: damage, not the caller's fault.
pub(super) fn damaged_material(key_id: &str) -> KeyringError {
    KeyringError::Internal(format!("the material of key {key_id} is damaged"))
}

/// The same generation of material under the sealing generation of the store key; `None` if it is there already.
pub(super) fn rewrap_material(
    store_key: &StoreKey,
    key_id: &str,
    tag: &Generation,
    wrapped: &[u8],
    sources: &Sources,
) -> Result<Option<Vec<u8>>, KeyringError> {
    let again = store_key.rewrap(MATERIAL_LABEL, &material_context(key_id, tag), wrapped, sources);
    again.map_err(|error| KeyringError::Internal(format!("the material of key {key_id} {}", error.text())))
}

/// The id that clients and the trail see of a generation: 64 hexadecimal digits that tell nothing of the material.
pub(super) fn material_id(key_id: &str, tag: &Generation) -> String {
    let mut digest = Sha256::new();
    digest.update(MATERIAL_ID_LABEL);
    digest.update(&[0]);
    digest.update(key_id.as_bytes());
    digest.update(tag);
    hex(&digest.finish())
}

/// Neither account nor Region: a multi-Region key shares its material.
fn material_context(key_id: &str, tag: &Generation) -> Context {
    Context::new().with("key", key_id).with("generation", tag)
}

/// An encryption context as it is authenticated.
pub(super) fn canonical(context: &EncryptionContext) -> Context {
    context.iter().fold(Context::new(), |all, (key, value)| all.with(key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Timestamp;

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_ciphertext_opens_under_its_own_material_and_context_only() {
        let sources = Sources::seeded(1, Timestamp(0));
        let (material, other) = (SecretKey::generate(&sources), SecretKey::generate(&sources));
        let sealer = Sealer { key_id: "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned(), generation: [7; 16] };
        let bound = context(&[("a", "bc")]);
        let sealed = seal_ciphertext(&material, &sealer, &bound, b"plain", &sources);
        assert_eq!(parse_ciphertext(&sealed).unwrap(), sealer);
        assert_eq!(open_ciphertext(&material, &bound, &sealed).unwrap().expose(), b"plain");
        for wrong in [context(&[]), context(&[("ab", "c")]), context(&[("a", "bc"), ("x", "")])] {
            assert!(open_ciphertext(&material, &wrong, &sealed).is_err(), "{wrong:?}");
        }
        assert!(open_ciphertext(&other, &bound, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = parse_ciphertext(&changed).and_then(|_| open_ciphertext(&material, &bound, &changed));
            assert!(opened.is_err(), "byte {at}");
            assert!(
                parse_ciphertext(&sealed[..at])
                    .and_then(|_| open_ciphertext(&material, &bound, &sealed[..at]))
                    .is_err()
            );
        }
        let again = seal_ciphertext(&material, &sealer, &bound, b"plain", &sources);
        assert_ne!(sealed, again);
    }

    #[test]
    fn material_is_bound_to_key_and_generation() {
        let sources = Sources::seeded(2, Timestamp(0));
        let store_key = StoreKey::for_tests(&sources);
        let material = SecretBytes::new(sources.random::<32>().to_vec());
        let wrapped = wrap_material(&store_key, "k1", &[1; 16], &material, &sources);
        let opened = unwrap_material(&store_key, "k1", &[1; 16], &wrapped).ok().unwrap();
        assert_eq!(opened.expose(), material.expose());
        assert!(unwrap_material(&store_key, "k2", &[1; 16], &wrapped).is_err());
        assert!(unwrap_material(&store_key, "k1", &[2; 16], &wrapped).is_err());
        assert!(unwrap_material(&StoreKey::for_tests(&sources), "k1", &[1; 16], &wrapped).is_err());
        assert_ne!(material_id("k1", &[1; 16]), material_id("k1", &[2; 16]));
        assert_eq!(material_id("k1", &[1; 16]).len(), 64);
    }
}
