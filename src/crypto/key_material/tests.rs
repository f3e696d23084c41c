use std::path::Path;

use super::*;
use crate::crypto::fixture::{Fixture, hex, unhex};
use crate::names::{KeyUsage, WrappingKeySpec};
use crate::sources::Timestamp;

fn sources() -> Sources {
    Sources::seeded(1, Timestamp(0))
}

/// The fixture of an asymmetric spec; ML_KEM_512 has none, as no other library at hand makes it.
fn fixture(spec: KeySpec) -> Option<Fixture> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/crypto/keys/{spec}.txt"));
    path.exists().then(|| Fixture::parse(&std::fs::read_to_string(&path).expect("a fixture is text")))
}

fn fixtures() -> Vec<(KeySpec, Fixture)> {
    let all: Vec<_> = KeySpec::ALL.iter().filter_map(|spec| Some((*spec, fixture(*spec)?))).collect();
    assert_eq!(all.len(), 13, "a fixture went missing");
    all
}

/// A key of any spec, without the cost of making RSA keys.
fn key(spec: KeySpec) -> KeyMaterial {
    match fixture(spec) {
        Some(fixture) => parse(spec, &fixture.bytes("stored")),
        None => KeyMaterial::generate(spec, &sources()),
    }
}

fn parse(spec: KeySpec, bytes: &[u8]) -> KeyMaterial {
    KeyMaterial::parse(spec, bytes).unwrap_or_else(|BadKey| panic!("{spec} is not read"))
}

/// Message types that an algorithm takes, each with a message of the right length.
fn inputs(algorithm: SigningAlgorithm) -> Vec<(MessageType, Vec<u8>)> {
    let digest = match algorithm.as_str() {
        name if name.ends_with("SHA_256") => Some(32),
        name if name.ends_with("SHA_384") => Some(48),
        name if name.ends_with("SHA_512") => Some(64),
        _ => None,
    };
    let mut inputs = Vec::new();
    if algorithm != SigningAlgorithm::Ed25519Ph {
        inputs.push((MessageType::Raw, b"message".to_vec()));
    }
    if let Some(bytes) = digest.filter(|_| algorithm != SigningAlgorithm::Ed25519) {
        inputs.push((MessageType::Digest, vec![7; bytes]));
    }
    if algorithm == SigningAlgorithm::MlDsa {
        inputs.push((MessageType::ExternalMu, vec![7; 64]));
    }
    inputs
}

/// Stored forms are frozen, and what another library made with a key is understood: `fixtures/crypto/keys/keys.py`.
#[test]
fn golden_keys() {
    for (spec, fixture) in fixtures() {
        let (stored, message) = (fixture.bytes("stored"), fixture.bytes("message"));
        let key = parse(spec, &stored);
        assert_eq!(hex(key.to_bytes().expose()), hex(&stored), "{spec}");
        assert_eq!(key.public_key().map(hex), Some(fixture.text("public").to_owned()), "{spec}");
        for (word, value) in fixture.all("signature").map(|line| line.split_once(' ').expect("two words")) {
            let algorithm = SigningAlgorithm::parse(word).expect("an algorithm");
            assert_eq!(key.verify(algorithm, MessageType::Raw, &message, &unhex(value)), Ok(()), "{spec} {word}");
            if let Some(mu) = fixture.all("mu").next() {
                assert_eq!(key.verify(algorithm, MessageType::ExternalMu, &unhex(mu), &unhex(value)), Ok(()), "{spec}");
            }
        }
        for (word, value) in fixture.all("ciphertext").map(|line| line.split_once(' ').expect("two words")) {
            let algorithm = EncryptionAlgorithm::parse(word).expect("an algorithm");
            let plain = key.decrypt(algorithm, &unhex(value)).unwrap_or_else(|e| panic!("{spec} {word}: {e:?}"));
            assert_eq!(plain.expose(), fixture.bytes("plain"), "{spec} {word}");
        }
        for (peer, secret) in fixture.all("shared").map(|line| line.split_once(' ').expect("two words")) {
            let derived = key.derive_shared_secret(&unhex(peer)).unwrap_or_else(|e| panic!("{spec}: {e:?}"));
            assert_eq!(hex(derived.expose()), secret, "{spec}");
        }
        for (ciphertext, secret) in fixture.all("encapsulated").map(|line| line.split_once(' ').expect("two words")) {
            let received = key.decapsulate(&unhex(ciphertext)).unwrap_or_else(|e| panic!("{spec}: {e:?}"));
            assert_eq!(hex(received.expose()), secret, "{spec}");
        }
    }
}

#[test]
fn what_is_made_is_stored_and_read() {
    let costly = [KeySpec::Rsa3072, KeySpec::Rsa4096];
    for spec in KeySpec::ALL.iter().filter(|spec| !costly.contains(spec)) {
        let made = KeyMaterial::generate(*spec, &Sources::system());
        let read = parse(*spec, made.to_bytes().expose());
        assert_eq!(read.spec(), *spec);
        assert_eq!(read.to_bytes().expose(), made.to_bytes().expose(), "{spec}");
        assert_eq!(read.public_key(), made.public_key(), "{spec}");
        assert_eq!(made.public_key().is_some(), spec.is_asymmetric(), "{spec}");
        assert_eq!(made.symmetric().is_some(), *spec == KeySpec::SymmetricDefault);
        let other = KeyMaterial::generate(*spec, &Sources::system());
        assert_ne!(other.to_bytes().expose(), made.to_bytes().expose(), "{spec}");
    }
}

/// Every spec and every algorithm: what the table lists works, and nothing else.
#[test]
fn the_table_is_what_works() {
    for spec in KeySpec::ALL {
        let (key, row) = (key(*spec), spec.abilities());
        for algorithm in EncryptionAlgorithm::ALL {
            let listed = row.encryption.contains(algorithm) && *spec != KeySpec::SymmetricDefault;
            let sealed = key.encrypt(*algorithm, b"plain");
            assert_eq!(sealed.is_ok(), listed, "{spec} {algorithm}");
            let opened = key.decrypt(*algorithm, &sealed.unwrap_or_default()).map(|plain| plain.expose().to_vec());
            let expected = if listed { Ok(b"plain".to_vec()) } else { Err(UseError::Algorithm) };
            assert_eq!(opened, expected, "{spec} {algorithm}");
        }
        for algorithm in SigningAlgorithm::ALL {
            let listed = row.signing.contains(algorithm);
            for (message_type, message) in inputs(*algorithm) {
                let signed = key.sign(*algorithm, message_type, &message, &sources());
                assert_eq!(signed.is_ok(), listed, "{spec} {algorithm} {message_type}");
                let verified = key.verify(*algorithm, message_type, &message, &signed.unwrap_or_default());
                let expected = if listed { Ok(()) } else { Err(UseError::Algorithm) };
                assert_eq!(verified, expected, "{spec} {algorithm} {message_type}");
            }
        }
        for algorithm in MacAlgorithm::ALL {
            let listed = row.mac.contains(algorithm);
            let mac = key.generate_mac(*algorithm, b"message");
            assert_eq!(mac.is_ok(), listed, "{spec} {algorithm}");
            let verified = key.verify_mac(*algorithm, b"message", &mac.unwrap_or_default());
            assert_eq!(verified, if listed { Ok(()) } else { Err(UseError::Algorithm) }, "{spec} {algorithm}");
        }
        let agrees = row.usages.contains(&KeyUsage::KeyAgreement);
        let peer = key.public_key().unwrap_or_default().to_vec();
        assert_eq!(key.derive_shared_secret(&peer).is_ok(), agrees, "{spec}");
        let encapsulates = row.usages.contains(&KeyUsage::EncapsulateDecapsulate);
        let sent = key.encapsulate();
        assert_eq!(sent.is_ok(), encapsulates, "{spec}");
        if let Ok(Encapsulated { ciphertext, secret }) = sent {
            let received = key.decapsulate(&ciphertext).map(|secret| secret.expose().to_vec());
            assert_eq!(received.as_deref(), Ok(secret.expose()), "{spec}");
            assert_eq!(secret.expose().len(), 32);
        } else {
            assert_eq!(key.decapsulate(&[0; 768]).err(), Some(UseError::Algorithm), "{spec}");
        }
    }
}

#[test]
fn message_types_and_lengths() {
    use UseError::{DigestLength, MessageTooLong, MessageTypeOfAlgorithm, MessageTypeOfSpec, MuLength};
    use {MessageType as Type, SigningAlgorithm as Signing};
    for (spec, algorithm, message_type, bytes, expected) in [
        (KeySpec::Rsa2048, Signing::PssSha256, Type::Raw, 0, Ok(())),
        (KeySpec::Rsa2048, Signing::PssSha256, Type::Raw, 4096, Ok(())),
        (KeySpec::Rsa2048, Signing::PssSha256, Type::Raw, 4097, Err(MessageTooLong)),
        (KeySpec::Rsa2048, Signing::PssSha512, Type::Digest, 63, Err(DigestLength)),
        (KeySpec::Rsa2048, Signing::PssSha512, Type::Digest, 65, Err(DigestLength)),
        (KeySpec::Rsa2048, Signing::Pkcs1Sha384, Type::Digest, 32, Err(DigestLength)),
        (KeySpec::Rsa2048, Signing::Pkcs1Sha384, Type::ExternalMu, 64, Err(MessageTypeOfSpec)),
        (KeySpec::P256, Signing::EcdsaSha256, Type::Digest, 5, Err(DigestLength)),
        (KeySpec::P256, Signing::EcdsaSha256, Type::ExternalMu, 64, Err(MessageTypeOfSpec)),
        (KeySpec::P256, Signing::EcdsaSha384, Type::Raw, 5, Err(UseError::Algorithm)),
        (KeySpec::P521, Signing::EcdsaSha512, Type::Digest, 66, Err(DigestLength)),
        (KeySpec::Secp256k1, Signing::EcdsaSha256, Type::Digest, 32, Ok(())),
        (KeySpec::Ed25519, Signing::Ed25519, Type::Raw, 0, Ok(())),
        (KeySpec::Ed25519, Signing::Ed25519, Type::Digest, 64, Err(MessageTypeOfAlgorithm)),
        (KeySpec::Ed25519, Signing::Ed25519Ph, Type::Raw, 64, Err(MessageTypeOfAlgorithm)),
        (KeySpec::Ed25519, Signing::Ed25519Ph, Type::Digest, 5, Err(DigestLength)),
        (KeySpec::Ed25519, Signing::Ed25519Ph, Type::ExternalMu, 64, Err(MessageTypeOfSpec)),
        (KeySpec::MlDsa44, Signing::MlDsa, Type::Raw, 4096, Ok(())),
        (KeySpec::MlDsa44, Signing::MlDsa, Type::Digest, 32, Err(MessageTypeOfSpec)),
        (KeySpec::MlDsa44, Signing::MlDsa, Type::ExternalMu, 63, Err(MuLength)),
        (KeySpec::MlDsa44, Signing::MlDsa, Type::ExternalMu, 65, Err(MuLength)),
    ] {
        let (key, message) = (key(spec), vec![3; bytes]);
        let signed = key.sign(algorithm, message_type, &message, &sources());
        assert_eq!(signed.as_ref().map(|_| ()).map_err(|e| *e), expected, "{spec} {algorithm} {message_type} {bytes}");
        let verified = key.verify(algorithm, message_type, &message, &signed.unwrap_or_default());
        assert_eq!(verified, expected, "{spec} {algorithm} {message_type} {bytes}");
    }
    let mac = key(KeySpec::Hmac256).generate_mac(MacAlgorithm::HmacSha256, &[0; 4097]);
    assert_eq!(mac, Err(MessageTooLong));
}

/// A digest verifies what was signed as a message, and the other way round; the two signatures are the same kind.
#[test]
fn raw_and_digest_are_the_same_signature() {
    let digest = crate::crypto::sha256(b"message");
    for (spec, algorithm) in [
        (KeySpec::Rsa2048, SigningAlgorithm::PssSha256),
        (KeySpec::Rsa2048, SigningAlgorithm::Pkcs1Sha256),
        (KeySpec::P256, SigningAlgorithm::EcdsaSha256),
        (KeySpec::Secp256k1, SigningAlgorithm::EcdsaSha256),
    ] {
        let key = key(spec);
        let raw = key.sign(algorithm, MessageType::Raw, b"message", &sources()).unwrap();
        let hashed = key.sign(algorithm, MessageType::Digest, &digest, &sources()).unwrap();
        assert_eq!(key.verify(algorithm, MessageType::Digest, &digest, &raw), Ok(()), "{algorithm}");
        assert_eq!(key.verify(algorithm, MessageType::Raw, b"message", &hashed), Ok(()), "{algorithm}");
        assert_eq!(key.verify(algorithm, MessageType::Raw, &digest, &raw), Err(UseError::Signature), "{algorithm}");
    }
}

#[test]
fn a_changed_signature_or_message_does_not_verify() {
    for (spec, algorithm, step) in [
        (KeySpec::Rsa2048, SigningAlgorithm::PssSha256, 61),
        (KeySpec::Rsa2048, SigningAlgorithm::Pkcs1Sha512, 61),
        (KeySpec::P256, SigningAlgorithm::EcdsaSha256, 7),
        (KeySpec::P521, SigningAlgorithm::EcdsaSha512, 17),
        (KeySpec::Secp256k1, SigningAlgorithm::EcdsaSha256, 7),
        (KeySpec::Ed25519, SigningAlgorithm::Ed25519, 3),
        (KeySpec::Ed25519, SigningAlgorithm::Ed25519Ph, 3),
        (KeySpec::MlDsa44, SigningAlgorithm::MlDsa, 401),
    ] {
        let key = key(spec);
        for (message_type, message) in inputs(algorithm) {
            let verify = |message: &[u8], signature: &[u8]| key.verify(algorithm, message_type, message, signature);
            let signature = key.sign(algorithm, message_type, &message, &sources()).unwrap();
            assert_eq!(verify(&message, &signature), Ok(()), "{algorithm}");
            for bit in (0..signature.len() * 8).step_by(step) {
                let mut flipped = signature.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(verify(&message, &flipped), Err(UseError::Signature), "{algorithm}, bit {bit}");
            }
            let mut other = message.clone();
            other[0] ^= 1;
            assert_eq!(verify(&other, &signature), Err(UseError::Signature), "{algorithm}");
            for foreign in [&[][..], b"invalid", &signature[1..], &[&signature[..], &[0]].concat()] {
                assert_eq!(verify(&message, foreign), Err(UseError::Signature), "{algorithm}");
            }
        }
    }
}

/// The six limits of the service model, and that the largest comes back.
#[test]
fn plaintext_limits() {
    for (spec, algorithm, max_bytes) in [
        (KeySpec::Rsa2048, EncryptionAlgorithm::OaepSha1, 214),
        (KeySpec::Rsa2048, EncryptionAlgorithm::OaepSha256, 190),
        (KeySpec::Rsa3072, EncryptionAlgorithm::OaepSha1, 342),
        (KeySpec::Rsa3072, EncryptionAlgorithm::OaepSha256, 318),
        (KeySpec::Rsa4096, EncryptionAlgorithm::OaepSha1, 470),
        (KeySpec::Rsa4096, EncryptionAlgorithm::OaepSha256, 446),
    ] {
        let key = key(spec);
        let sealed = key.encrypt(algorithm, &vec![5; max_bytes]).unwrap();
        assert_eq!(key.decrypt(algorithm, &sealed).map(|plain| plain.expose().len()), Ok(max_bytes));
        let refused = key.encrypt(algorithm, &vec![5; max_bytes + 1]);
        assert_eq!(refused, Err(UseError::PlaintextTooLong { max_bytes }), "{spec} {algorithm}");
    }
}

#[test]
fn foreign_ciphertexts_do_not_open() {
    let (rsa, kem) = (key(KeySpec::Rsa2048), key(KeySpec::MlKem768));
    let opens = |sealed: &[u8]| rsa.decrypt(EncryptionAlgorithm::OaepSha256, sealed).err();
    let sealed = rsa.encrypt(EncryptionAlgorithm::OaepSha256, b"plain").unwrap();
    assert_eq!(opens(&sealed), None);
    for bit in (0..sealed.len() * 8).step_by(61) {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opens(&flipped), Some(UseError::Ciphertext), "bit {bit}");
    }
    for foreign in [&[][..], &sealed[1..], &[&sealed[..], &[0]].concat(), &[0; 256], &[0xff; 256]] {
        assert_eq!(opens(foreign), Some(UseError::Ciphertext));
    }
    let sha1 = rsa.decrypt(EncryptionAlgorithm::OaepSha1, &sealed);
    assert_eq!(sha1.err(), Some(UseError::Ciphertext), "sealed with another hash");

    let Encapsulated { mut ciphertext, secret } = kem.encapsulate().unwrap();
    for foreign in [&[][..], &ciphertext[1..], &[&ciphertext[..], &[0]].concat(), &[0; 1568]] {
        assert_eq!(kem.decapsulate(foreign).err(), Some(UseError::Ciphertext));
    }
    ciphertext[9] ^= 1;
    let (rejected, again) = (kem.decapsulate(&ciphertext).unwrap(), kem.decapsulate(&ciphertext).unwrap());
    assert_ne!(rejected.expose(), secret.expose(), "implicit rejection");
    assert_eq!(rejected.expose(), again.expose(), "and always the same");
}

#[test]
fn a_key_is_read_as_its_own_spec_only() {
    for (own, fixture) in fixtures() {
        let stored = fixture.bytes("stored");
        for spec in KeySpec::ALL.iter().filter(|spec| **spec != own) {
            // An HMAC key is any bytes of a fitting length; Ed25519 and the seeds are short enough.
            let any_bytes = matches!(spec, KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512);
            assert!(any_bytes || KeyMaterial::parse(*spec, &stored).is_err(), "{own} is read as {spec}");
        }
    }
    for bytes in [0, 16, 31, 33, 64] {
        assert!(KeyMaterial::parse(KeySpec::SymmetricDefault, &vec![1; bytes]).is_err(), "{bytes}");
    }
}

/// Cut anywhere, with bytes behind, or with a bit of its structure changed, no stored key is read as another. (RSA and
/// curve keys may call themselves version 2.)
#[test]
fn a_damaged_key_is_refused() {
    for (spec, fixture) in fixtures().into_iter().filter(|(spec, _)| *spec != KeySpec::Rsa4096) {
        let stored = fixture.bytes("stored");
        for end in (0..stored.len()).step_by(if stored.len() > 300 { 37 } else { 1 }) {
            assert!(KeyMaterial::parse(spec, &stored[..end]).is_err(), "{spec} cut at {end}");
        }
        assert!(KeyMaterial::parse(spec, &[&stored[..], &[0]].concat()).is_err(), "{spec} with a byte behind");
        for bit in 0..16 * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let same = KeyMaterial::parse(spec, &flipped).is_ok_and(|key| key.to_bytes().expose() == stored);
            let refused = KeyMaterial::parse(spec, &flipped).is_err();
            assert!(refused || same, "{spec}, bit {bit}");
        }
    }
}

/// AWS takes imported RSA and curve keys in BER, and Ed25519 in DER alone; stored is DER.
#[test]
fn imported_keys_may_be_ber() {
    for (spec, taken) in [(KeySpec::Rsa2048, true), (KeySpec::P256, true), (KeySpec::Ed25519, false)] {
        let stored = fixture(spec).unwrap().bytes("stored");
        let header_bytes = if stored[1] < 0x80 { 2 } else { 2 + usize::from(stored[1] & 0x7f) };
        let indefinite = [&[0x30, 0x80], &stored[header_bytes..], &[0, 0]].concat();
        let read = KeyMaterial::parse(spec, &indefinite).map(|key| key.to_bytes().expose().to_vec());
        assert_eq!(read, if taken { Ok(stored) } else { Err(BadKey) }, "{spec}");
    }
}

/// The private half of one key with the public half of another.
#[test]
fn halves_must_match() {
    let (rsa, p256) = (fixture(KeySpec::Rsa2048).unwrap().bytes("stored"), fixture(KeySpec::P256).unwrap());
    let mut other_modulus = rsa.clone();
    // The modulus begins at 38: SEQUENCE, version, algorithm, OCTET STRING, SEQUENCE, version, INTEGER and a zero.
    other_modulus[100] ^= 1;
    assert!(KeyMaterial::parse(KeySpec::Rsa2048, &other_modulus).is_err());
    let mut other_exponent = rsa;
    other_exponent[400] ^= 1;
    assert!(KeyMaterial::parse(KeySpec::Rsa2048, &other_exponent).is_err());

    let stored = p256.bytes("stored");
    let public = KeyMaterial::generate(KeySpec::P256, &Sources::system()).public_key().unwrap().to_vec();
    let other_point = [&stored[..stored.len() - 65], &public[public.len() - 65..]].concat();
    assert!(KeyMaterial::parse(KeySpec::P256, &other_point).is_err());

    // Version 2 of PKCS #8 with the public key behind (RFC 5958).
    let ed25519 = fixture(KeySpec::Ed25519).unwrap();
    let (stored, public) = (ed25519.bytes("stored"), ed25519.bytes("public"));
    let with_public = |public: &[u8]| {
        let mut key = [&stored[..], &[0x81, 0x21, 0x00], public].concat();
        (key[1], key[4]) = (0x2e + 0x23, 1);
        KeyMaterial::parse(KeySpec::Ed25519, &key)
    };
    assert!(with_public(&public[12..]).is_ok_and(|key| key.to_bytes().expose() == stored), "kept without it");
    assert!(with_public(&[9; 32]).is_err());
}

/// A wrapping key and a KMS key of one size are the same kind of thing, read by the same code.
#[test]
fn a_wrapping_key_is_stored_as_an_rsa_key_is() {
    let stored = fixture(KeySpec::Rsa2048).unwrap().bytes("stored");
    let key = crate::crypto::WrappingKey::parse(WrappingKeySpec::Rsa2048, &stored).unwrap_or_else(|_| unreachable!());
    assert_eq!(key.to_pkcs8().expose(), stored);
    assert!(crate::crypto::WrappingKey::parse(WrappingKeySpec::Rsa3072, &stored).is_err());
}
