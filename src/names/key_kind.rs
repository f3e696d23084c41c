//! What a KMS key is: a spec with the one usage it was made for.

use super::key_spec::{KeySpec, KeyUsage};

/// A spec with one of its usages. There is no other pair: [`KeyKind::new`] is the only maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyKind {
    spec: KeySpec,
    usage: KeyUsage,
}

/// Keys of one type can take each other's place behind an alias, if they also have one usage (UpdateAlias).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// SYMMETRIC_DEFAULT.
    Symmetric,
    /// With a public key.
    Asymmetric,
    /// HMAC.
    Hmac,
}

impl Default for KeyKind {
    /// What CreateKey makes when it is told nothing.
    fn default() -> Self {
        Self::SYMMETRIC
    }
}

impl KeyKind {
    /// SYMMETRIC_DEFAULT, which has one usage.
    pub const SYMMETRIC: Self = Self { spec: KeySpec::SymmetricDefault, usage: KeyUsage::EncryptDecrypt };

    /// None if the spec has no such usage.
    pub fn new(spec: KeySpec, usage: KeyUsage) -> Option<Self> {
        spec.abilities().usages.contains(&usage).then_some(Self { spec, usage })
    }

    /// What it is made of.
    pub fn spec(self) -> KeySpec {
        self.spec
    }

    /// What it is for.
    pub fn usage(self) -> KeyUsage {
        self.usage
    }

    /// Whether it is of SYMMETRIC_DEFAULT.
    pub fn is_symmetric(self) -> bool {
        self.spec == KeySpec::SymmetricDefault
    }

    /// Its type.
    pub fn key_type(self) -> KeyType {
        match self.usage {
            KeyUsage::GenerateVerifyMac => KeyType::Hmac,
            _ if self.spec.is_asymmetric() => KeyType::Asymmetric,
            _ => KeyType::Symmetric,
        }
    }

    /// The one list of algorithms that DescribeKey and GetPublicKey tell: its name in the model, and the words.
    pub fn algorithms(self) -> (&'static str, Vec<&'static str>) {
        let able = self.spec.abilities();
        match self.usage {
            KeyUsage::EncryptDecrypt => ("EncryptionAlgorithms", able.encryption.iter().map(|a| a.as_str()).collect()),
            KeyUsage::SignVerify => ("SigningAlgorithms", able.signing.iter().map(|a| a.as_str()).collect()),
            KeyUsage::GenerateVerifyMac => ("MacAlgorithms", able.mac.iter().map(|a| a.as_str()).collect()),
            KeyUsage::KeyAgreement => ("KeyAgreementAlgorithms", able.agreement.iter().map(|a| a.as_str()).collect()),
            KeyUsage::EncapsulateDecapsulate => {
                ("EncapsulationAlgorithms", able.encapsulation.iter().map(|a| a.as_str()).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_the_table_and_no_other() {
        for &spec in KeySpec::ALL {
            for &usage in KeyUsage::ALL {
                let kind = KeyKind::new(spec, usage);
                assert_eq!(kind.is_some(), spec.abilities().usages.contains(&usage), "{spec} {usage}");
                assert!(kind.is_none_or(|kind| !kind.algorithms().1.is_empty()), "{spec} {usage}");
            }
        }
    }

    #[test]
    fn types() {
        let of = |spec, usage| KeyKind::new(spec, usage).map(KeyKind::key_type);
        assert_eq!(KeyKind::SYMMETRIC.key_type(), KeyType::Symmetric);
        assert_eq!(of(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt), Some(KeyType::Asymmetric));
        assert_eq!(of(KeySpec::MlKem512, KeyUsage::EncapsulateDecapsulate), Some(KeyType::Asymmetric));
        assert_eq!(of(KeySpec::Hmac512, KeyUsage::GenerateVerifyMac), Some(KeyType::Hmac));
    }
}
