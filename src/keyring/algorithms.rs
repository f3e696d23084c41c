//! What asymmetric and HMAC keys do: signatures, MACs and shared secrets, and telling public keys.

use super::KeyringError;
use super::call::Details;
use super::service::KeyRing;
use super::usage::{Asked, Task, Usable, Use, wrong_spec};
use crate::crypto::{Encapsulated, KeyMaterial, SecretBytes, UseError};
use crate::names::{
    EncapsulationAlgorithm, KeyAgreementAlgorithm, KeyKind, KeyUsage, MacAlgorithm, MessageType, SigningAlgorithm,
};

const SIGN: Task = Task::new("kms:Sign", KeyUsage::SignVerify);
const VERIFY: Task = Task::new("kms:Verify", KeyUsage::SignVerify);
const GENERATE_MAC: Task = Task::new("kms:GenerateMac", KeyUsage::GenerateVerifyMac);
const VERIFY_MAC: Task = Task::new("kms:VerifyMac", KeyUsage::GenerateVerifyMac);
const DERIVE_SHARED_SECRET: Task = Task::new("kms:DeriveSharedSecret", KeyUsage::KeyAgreement);
const ENCAPSULATE: Task = Task::new("kms:Encapsulate", KeyUsage::EncapsulateDecapsulate);
const DECAPSULATE: Task = Task::new("kms:Decapsulate", KeyUsage::EncapsulateDecapsulate);
const GET_PUBLIC_KEY: Task = Task { action: "kms:GetPublicKey", needs: None };

/// What is signed or verified, and how.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// One of the key's.
    pub algorithm: SigningAlgorithm,
    /// What `bytes` are.
    pub message_type: MessageType,
    /// 1 to 4,096 bytes.
    pub bytes: &'a [u8],
}

/// What GetPublicKey tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Spec and usage of the key.
    pub kind: KeyKind,
    /// DER SubjectPublicKeyInfo.
    pub der: Vec<u8>,
}

impl Message<'_> {
    fn asked(&self) -> Asked {
        Asked { algorithm: self.algorithm.as_str(), message_type: self.message_type }
    }
}

impl KeyRing {
    /// Signs. Grant: `kms:Sign`.
    pub async fn sign(&self, usage: &Use<'_>, message: Message<'_>) -> Result<Vec<u8>, KeyringError> {
        let Message { algorithm, message_type, bytes } = message;
        self.operate(&SIGN, usage, message.asked(), |key| key.sign(algorithm, message_type, bytes, self.sources()))
            .await
    }

    /// Verifies a signature; what does not hold is [`KeyringError::InvalidSignature`]. Grant: `kms:Verify`.
    pub async fn verify(&self, usage: &Use<'_>, message: Message<'_>, signature: &[u8]) -> Result<(), KeyringError> {
        let Message { algorithm, message_type, bytes } = message;
        self.operate(&VERIFY, usage, message.asked(), |key| key.verify(algorithm, message_type, bytes, signature)).await
    }

    /// The HMAC of up to 4,096 bytes. Grant: `kms:GenerateMac`.
    pub async fn generate_mac(
        &self,
        usage: &Use<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyringError> {
        let asked = Asked::algorithm(algorithm.as_str());
        self.operate(&GENERATE_MAC, usage, asked, |key| key.generate_mac(algorithm, message)).await
    }

    /// Compares a MAC in constant time; another one is [`KeyringError::InvalidMac`]. Grant: `kms:VerifyMac`.
    pub async fn verify_mac(
        &self,
        usage: &Use<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KeyringError> {
        let asked = Asked::algorithm(algorithm.as_str());
        self.operate(&VERIFY_MAC, usage, asked, |key| key.verify_mac(algorithm, message, mac)).await
    }

    /// The x-coordinate that ECDH gives with a peer's SubjectPublicKeyInfo. Grant: `kms:DeriveSharedSecret`.
    pub async fn derive_shared_secret(
        &self,
        usage: &Use<'_>,
        algorithm: KeyAgreementAlgorithm,
        peer: &[u8],
    ) -> Result<SecretBytes, KeyringError> {
        let asked = Asked::algorithm(algorithm.as_str());
        self.operate(&DERIVE_SHARED_SECRET, usage, asked, |key| key.derive_shared_secret(peer)).await
    }

    /// A fresh shared secret and its ciphertext. Grant: `kms:Encapsulate`.
    pub async fn encapsulate(
        &self,
        usage: &Use<'_>,
        algorithm: EncapsulationAlgorithm,
    ) -> Result<Encapsulated, KeyringError> {
        let asked = Asked::algorithm(algorithm.as_str());
        self.operate(&ENCAPSULATE, usage, asked, KeyMaterial::encapsulate).await
    }

    /// The shared secret of a ciphertext; one of another length is refused, any other foreign one gives a secret that
    /// nobody knows. Grant: `kms:Decapsulate`.
    pub async fn decapsulate(
        &self,
        usage: &Use<'_>,
        algorithm: EncapsulationAlgorithm,
        ciphertext: &[u8],
    ) -> Result<SecretBytes, KeyringError> {
        let asked = Asked::algorithm(algorithm.as_str());
        self.operate(&DECAPSULATE, usage, asked, |key| key.decapsulate(ciphertext)).await
    }

    /// The public key, of a key of any usage. Grant: `kms:GetPublicKey`.
    pub async fn public_key(&self, usage: &Use<'_>) -> Result<PublicKey, KeyringError> {
        self.perform(&GET_PUBLIC_KEY, usage, |key| {
            let kind = key.kind();
            if !kind.spec().is_asymmetric() {
                // AWS's text is not recorded.
                let text = wrong_spec(key.place(), kind, GET_PUBLIC_KEY.name());
                return Err(KeyringError::Unsupported(text));
            }
            let der = match &key.newest()?.public_key {
                Some(der) => der.to_vec(),
                None => return Err(KeyringError::Internal(format!("{} has no public key", key.place().arn()))),
            };
            Ok((PublicKey { kind, der }, Details::default()))
        })
        .await
    }

    /// A use that is one call of the key's newest material.
    async fn operate<T>(
        &self,
        task: &Task,
        usage: &Use<'_>,
        asked: Asked,
        act: impl FnOnce(&KeyMaterial) -> Result<T, UseError>,
    ) -> Result<T, KeyringError> {
        self.perform(task, usage, |key: &Usable| {
            let material = self.unwrapped(key, key.newest()?)?;
            let done = act(&material.key).map_err(|error| asked.told(key.kind(), error))?;
            Ok((done, Details::default()))
        })
        .await
    }
}
