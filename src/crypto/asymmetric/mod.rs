//! The asymmetric key specs, one file a family. [`super::KeyMaterial`] is their only user, but for
//! ML-KEM-768, which [`super::Recipient`] seals with too.

mod ber;
mod ec;
mod ed25519;
mod message;
mod ml_dsa;
mod ml_kem;
mod rsa;
mod seed_key;

pub(super) use ec::{Curve, EcKey};
pub(super) use ed25519::Ed25519Key;
pub(super) use message::Hashed;
pub(super) use ml_dsa::{MlDsaKey, MlDsaSet};
pub(super) use ml_kem::{MlKemKey, MlKemRecipient, MlKemSet};
pub(super) use rsa::{OaepKey, RsaKey};
