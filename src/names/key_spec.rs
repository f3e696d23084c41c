//! The kinds of KMS keys and the algorithms they serve, by AWS's names, and the table of what goes with what.
//!
//! Names and pairings are those of the public KMS service model (`KeySpec`, `KeyUsageType`, `SigningAlgorithmSpec` and
//! so on). SM2 and its algorithms, for the China Regions only, are words of the model that are no values here.

use std::fmt;

/// An enum whose values are words of the wire protocol.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads the word; upper case only, as AWS.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a key is made of.
    KeySpec {
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        Rsa2048 = "RSA_2048",
        Rsa3072 = "RSA_3072",
        Rsa4096 = "RSA_4096",
        P256 = "ECC_NIST_P256",
        P384 = "ECC_NIST_P384",
        P521 = "ECC_NIST_P521",
        Secp256k1 = "ECC_SECG_P256K1",
        Ed25519 = "ECC_NIST_EDWARDS25519",
        MlDsa44 = "ML_DSA_44",
        MlDsa65 = "ML_DSA_65",
        MlDsa87 = "ML_DSA_87",
        MlKem512 = "ML_KEM_512",
        MlKem768 = "ML_KEM_768",
        MlKem1024 = "ML_KEM_1024",
        Hmac224 = "HMAC_224",
        Hmac256 = "HMAC_256",
        Hmac384 = "HMAC_384",
        Hmac512 = "HMAC_512",
    }
}

words! {
    /// What a key is for: one of the usages of its spec, chosen when it is made.
    KeyUsage {
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        SignVerify = "SIGN_VERIFY",
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        KeyAgreement = "KEY_AGREEMENT",
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    }
}

words! {
    /// How Encrypt, Decrypt and ReEncrypt work.
    EncryptionAlgorithm {
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        OaepSha1 = "RSAES_OAEP_SHA_1",
        OaepSha256 = "RSAES_OAEP_SHA_256",
    }
}

words! {
    /// How Sign and Verify work.
    SigningAlgorithm {
        PssSha256 = "RSASSA_PSS_SHA_256",
        PssSha384 = "RSASSA_PSS_SHA_384",
        PssSha512 = "RSASSA_PSS_SHA_512",
        Pkcs1Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        Pkcs1Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        Pkcs1Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        EcdsaSha256 = "ECDSA_SHA_256",
        EcdsaSha384 = "ECDSA_SHA_384",
        EcdsaSha512 = "ECDSA_SHA_512",
        Ed25519 = "ED25519_SHA_512",
        Ed25519Ph = "ED25519_PH_SHA_512",
        MlDsa = "ML_DSA_SHAKE_256",
    }
}

words! {
    /// How GenerateMac and VerifyMac work.
    MacAlgorithm {
        HmacSha224 = "HMAC_SHA_224",
        HmacSha256 = "HMAC_SHA_256",
        HmacSha384 = "HMAC_SHA_384",
        HmacSha512 = "HMAC_SHA_512",
    }
}

words! {
    /// How DeriveSharedSecret works.
    KeyAgreementAlgorithm {
        Ecdh = "ECDH",
    }
}

words! {
    /// How Encapsulate and Decapsulate work.
    EncapsulationAlgorithm {
        MlKem = "ML_KEM",
    }
}

words! {
    /// What the `Message` of Sign and Verify is.
    MessageType {
        Raw = "RAW",
        /// Of the length of the algorithm's hash.
        Digest = "DIGEST",
        /// The 64-byte µ of ML-DSA (FIPS 204, section 6.2).
        ExternalMu = "EXTERNAL_MU",
    }
}

words! {
    /// How material to import is wrapped. The model's `RSAES_PKCS1_V1_5` is no longer accepted by AWS.
    WrappingAlgorithm {
        OaepSha1 = "RSAES_OAEP_SHA_1",
        OaepSha256 = "RSAES_OAEP_SHA_256",
        AesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
        AesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
    }
}

words! {
    /// The key that wraps material to import.
    WrappingKeySpec {
        Rsa2048 = "RSA_2048",
        Rsa3072 = "RSA_3072",
        Rsa4096 = "RSA_4096",
    }
}

use EncryptionAlgorithm as Encryption;
use KeyUsage::{EncapsulateDecapsulate, EncryptDecrypt, GenerateVerifyMac, KeyAgreement, SignVerify};
use SigningAlgorithm as Signing;

/// A row of the table: what a spec allows. Lists are in the order in which AWS answers them (recorded for RSA and
/// Edwards keys: alphabetical).
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// The usages; the first is the default, which only the symmetric spec has.
    pub usages: &'static [KeyUsage],
    /// With [`KeyUsage::EncryptDecrypt`].
    pub encryption: &'static [EncryptionAlgorithm],
    /// With [`KeyUsage::SignVerify`].
    pub signing: &'static [SigningAlgorithm],
    /// With [`KeyUsage::GenerateVerifyMac`].
    pub mac: &'static [MacAlgorithm],
    /// With [`KeyUsage::KeyAgreement`].
    pub agreement: &'static [KeyAgreementAlgorithm],
    /// With [`KeyUsage::EncapsulateDecapsulate`].
    pub encapsulation: &'static [EncapsulationAlgorithm],
    /// Whether GenerateDataKeyPair makes pairs of it (`DataKeyPairSpec`).
    pub data_key_pair: bool,
    /// Whether a key of `Origin` EXTERNAL can be of it. AWS refuses ML-DSA; for ML-KEM no answer is recorded, and the
    /// text of ImportKeyMaterial names encryption, HMAC, agreement and signing keys only.
    pub importable: bool,
}

const NOTHING: Abilities = Abilities {
    usages: &[],
    encryption: &[],
    signing: &[],
    mac: &[],
    agreement: &[],
    encapsulation: &[],
    data_key_pair: false,
    importable: false,
};

const RSA: Abilities = Abilities {
    usages: &[EncryptDecrypt, SignVerify],
    encryption: &[Encryption::OaepSha1, Encryption::OaepSha256],
    signing: &[
        Signing::Pkcs1Sha256,
        Signing::Pkcs1Sha384,
        Signing::Pkcs1Sha512,
        Signing::PssSha256,
        Signing::PssSha384,
        Signing::PssSha512,
    ],
    data_key_pair: true,
    importable: true,
    ..NOTHING
};

const fn nist_curve(signing: &'static [SigningAlgorithm]) -> Abilities {
    let agreement = &[KeyAgreementAlgorithm::Ecdh];
    Abilities { usages: &[SignVerify, KeyAgreement], agreement, ..signing_curve(signing) }
}

const fn signing_curve(signing: &'static [SigningAlgorithm]) -> Abilities {
    Abilities { usages: &[SignVerify], signing, data_key_pair: true, importable: true, ..NOTHING }
}

const fn hmac(mac: &'static [MacAlgorithm]) -> Abilities {
    Abilities { usages: &[GenerateVerifyMac], mac, importable: true, ..NOTHING }
}

impl KeySpec {
    /// What the spec allows.
    pub const fn abilities(self) -> Abilities {
        match self {
            Self::SymmetricDefault => Abilities {
                usages: &[EncryptDecrypt],
                encryption: &[Encryption::SymmetricDefault],
                importable: true,
                ..NOTHING
            },
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => RSA,
            Self::P256 => nist_curve(&[Signing::EcdsaSha256]),
            Self::P384 => nist_curve(&[Signing::EcdsaSha384]),
            Self::P521 => nist_curve(&[Signing::EcdsaSha512]),
            Self::Secp256k1 => signing_curve(&[Signing::EcdsaSha256]),
            Self::Ed25519 => signing_curve(&[Signing::Ed25519Ph, Signing::Ed25519]),
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => {
                Abilities { usages: &[SignVerify], signing: &[Signing::MlDsa], ..NOTHING }
            }
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => Abilities {
                usages: &[EncapsulateDecapsulate],
                encapsulation: &[EncapsulationAlgorithm::MlKem],
                data_key_pair: true,
                ..NOTHING
            },
            Self::Hmac224 => hmac(&[MacAlgorithm::HmacSha224]),
            Self::Hmac256 => hmac(&[MacAlgorithm::HmacSha256]),
            Self::Hmac384 => hmac(&[MacAlgorithm::HmacSha384]),
            Self::Hmac512 => hmac(&[MacAlgorithm::HmacSha512]),
        }
    }

    /// Whether it is of RSA: then a key takes up to seconds to make.
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// Whether it is a word of `CustomerMasterKeySpec` too, a name that specs since 2025 were not given any more.
    pub const fn is_old(self) -> bool {
        !matches!(
            self,
            Self::Ed25519
                | Self::MlDsa44
                | Self::MlDsa65
                | Self::MlDsa87
                | Self::MlKem512
                | Self::MlKem768
                | Self::MlKem1024
        )
    }

    /// Whether there is a public key to get.
    pub const fn is_asymmetric(self) -> bool {
        !matches!(self, Self::SymmetricDefault | Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512)
    }
}

impl WrappingAlgorithm {
    /// Whether material for a key of `spec` can be wrapped so: an RSA key fits under no RSA key and needs the AES step,
    /// symmetric and HMAC keys are wrapped directly, and under RSA_2048 there is no room for P-521. That RSA_2048 does
    /// not take Ed25519 either is as AWS answers, not for want of room.
    pub const fn carries(self, spec: KeySpec, under: WrappingKeySpec) -> bool {
        let direct = matches!(self, Self::OaepSha1 | Self::OaepSha256);
        match spec {
            KeySpec::SymmetricDefault | KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
                direct
            }
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => !direct,
            KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => true,
            KeySpec::P521 | KeySpec::Ed25519 => !direct || !matches!(under, WrappingKeySpec::Rsa2048),
            KeySpec::MlDsa44
            | KeySpec::MlDsa65
            | KeySpec::MlDsa87
            | KeySpec::MlKem512
            | KeySpec::MlKem768
            | KeySpec::MlKem1024 => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix of the service model, a line a spec: usages | algorithms | what else.
    const TABLE: &str = "\
SYMMETRIC_DEFAULT: ENCRYPT_DECRYPT | SYMMETRIC_DEFAULT | import
RSA_2048: ENCRYPT_DECRYPT SIGN_VERIFY | RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256 RSASSA_PKCS1_V1_5_SHA_256 \
RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512 | pair import
RSA_3072: ENCRYPT_DECRYPT SIGN_VERIFY | RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256 RSASSA_PKCS1_V1_5_SHA_256 \
RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512 | pair import
RSA_4096: ENCRYPT_DECRYPT SIGN_VERIFY | RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256 RSASSA_PKCS1_V1_5_SHA_256 \
RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512 | pair import
ECC_NIST_P256: SIGN_VERIFY KEY_AGREEMENT | ECDSA_SHA_256 ECDH | pair import
ECC_NIST_P384: SIGN_VERIFY KEY_AGREEMENT | ECDSA_SHA_384 ECDH | pair import
ECC_NIST_P521: SIGN_VERIFY KEY_AGREEMENT | ECDSA_SHA_512 ECDH | pair import
ECC_SECG_P256K1: SIGN_VERIFY | ECDSA_SHA_256 | pair import
ECC_NIST_EDWARDS25519: SIGN_VERIFY | ED25519_PH_SHA_512 ED25519_SHA_512 | pair import
ML_DSA_44: SIGN_VERIFY | ML_DSA_SHAKE_256 |
ML_DSA_65: SIGN_VERIFY | ML_DSA_SHAKE_256 |
ML_DSA_87: SIGN_VERIFY | ML_DSA_SHAKE_256 |
ML_KEM_512: ENCAPSULATE_DECAPSULATE | ML_KEM | pair
ML_KEM_768: ENCAPSULATE_DECAPSULATE | ML_KEM | pair
ML_KEM_1024: ENCAPSULATE_DECAPSULATE | ML_KEM | pair
HMAC_224: GENERATE_VERIFY_MAC | HMAC_SHA_224 | import
HMAC_256: GENERATE_VERIFY_MAC | HMAC_SHA_256 | import
HMAC_384: GENERATE_VERIFY_MAC | HMAC_SHA_384 | import
HMAC_512: GENERATE_VERIFY_MAC | HMAC_SHA_512 | import
";

    #[test]
    fn the_table() {
        let mut printed = String::new();
        for spec in KeySpec::ALL {
            let row = spec.abilities();
            let usages: Vec<_> = row.usages.iter().map(|usage| usage.as_str()).collect();
            let mut algorithms: Vec<&str> = Vec::new();
            algorithms.extend(row.encryption.iter().map(|a| a.as_str()));
            algorithms.extend(row.signing.iter().map(|a| a.as_str()));
            algorithms.extend(row.mac.iter().map(|a| a.as_str()));
            algorithms.extend(row.agreement.iter().map(|a| a.as_str()));
            algorithms.extend(row.encapsulation.iter().map(|a| a.as_str()));
            let pair = if row.data_key_pair { " pair" } else { "" };
            let import = if row.importable { " import" } else { "" };
            printed += &format!("{spec}: {} | {} |{pair}{import}\n", usages.join(" "), algorithms.join(" "));
        }
        assert_eq!(printed, TABLE);
    }

    #[test]
    fn words_are_read_as_they_are_printed() {
        assert!(KeySpec::ALL.iter().all(|spec| KeySpec::parse(spec.as_str()) == Some(*spec)));
        assert!(SigningAlgorithm::ALL.iter().all(|word| SigningAlgorithm::parse(word.as_str()) == Some(*word)));
        for none in ["", "SM2", "rsa_2048", "RSA_2048 ", "RSA_1024"] {
            assert_eq!(KeySpec::parse(none), None, "{none}");
        }
        assert_eq!(WrappingAlgorithm::parse("RSAES_PKCS1_V1_5"), None);
    }

    /// A usage lists algorithms if and only if the spec has it.
    #[test]
    fn usages_and_algorithms_agree() {
        for spec in KeySpec::ALL {
            let row = spec.abilities();
            let lists = [
                (EncryptDecrypt, row.encryption.len()),
                (SignVerify, row.signing.len()),
                (GenerateVerifyMac, row.mac.len()),
                (KeyAgreement, row.agreement.len()),
                (EncapsulateDecapsulate, row.encapsulation.len()),
            ];
            assert!(lists.iter().all(|(usage, count)| row.usages.contains(usage) == (*count > 0)), "{spec}");
        }
    }

    #[test]
    fn what_a_wrapping_carries() {
        use {WrappingAlgorithm as Wrap, WrappingKeySpec as Under};
        for (algorithm, spec, under, fits) in [
            (Wrap::OaepSha256, KeySpec::SymmetricDefault, Under::Rsa2048, true),
            (Wrap::AesKeyWrapSha256, KeySpec::SymmetricDefault, Under::Rsa4096, false),
            (Wrap::OaepSha1, KeySpec::Rsa2048, Under::Rsa4096, false),
            (Wrap::AesKeyWrapSha1, KeySpec::Rsa2048, Under::Rsa2048, true),
            (Wrap::OaepSha256, KeySpec::P256, Under::Rsa2048, true),
            (Wrap::OaepSha256, KeySpec::P521, Under::Rsa2048, false),
            (Wrap::OaepSha256, KeySpec::P521, Under::Rsa3072, true),
            (Wrap::OaepSha1, KeySpec::Ed25519, Under::Rsa2048, false),
            (Wrap::AesKeyWrapSha1, KeySpec::Ed25519, Under::Rsa2048, true),
            (Wrap::AesKeyWrapSha1, KeySpec::MlDsa44, Under::Rsa4096, false),
        ] {
            assert_eq!(algorithm.carries(spec, under), fits, "{algorithm} {spec} {under}");
            assert!(!fits || spec.abilities().importable, "{spec}");
        }
    }
}
