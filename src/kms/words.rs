//! The words of the service model that members take.

use crate::names::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType,
    SigningAlgorithm,
};

/// An enum of words.
pub(super) trait Word: Copy + 'static {
    /// All that are served.
    const ALL: &'static [Self];
    /// Words of the model as well, for the China Regions only: known and refused.
    const CHINA: &'static [&'static str];

    fn as_str(self) -> &'static str;
}

macro_rules! words {
    ($($name:ident: $china:expr,)*) => {$(
        impl Word for $name {
            const ALL: &'static [Self] = Self::ALL;
            const CHINA: &'static [&'static str] = &$china;

            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

words! {
    KeySpec: ["SM2"],
    KeyUsage: [],
    EncryptionAlgorithm: ["SM2PKE"],
    SigningAlgorithm: ["SM2DSA"],
    MacAlgorithm: [],
    KeyAgreementAlgorithm: [],
    EncapsulationAlgorithm: [],
    MessageType: [],
}
