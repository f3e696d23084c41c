//! GetParametersForImport: a public key to wrap material under, and the token to send with it.

use crate::keyring::{Told, Wrapping};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob, epoch_seconds};
use crate::kms::shapes::ManagedKey;
use crate::names::{WrappingAlgorithm, WrappingKeySpec};
use crate::policy::{Key, Value};

const ALGORITHMS: [&str; 6] = [
    "RSAES_PKCS1_V1_5",
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
    "SM2PKE",
];
const SPECS: [&str; 4] = ["RSA_2048", "RSA_3072", "RSA_4096", "SM2"];

pub(in crate::kms) struct Input {
    key: ManagedKey,
    algorithm: &'static str,
    spec: &'static str,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let mut required = |name: &str, words: &[&'static str]| {
            if !fields.has(name) {
                fields.fault(name, "null", "Member must not be null");
            }
            fields.word(name, words).unwrap_or(words[0])
        };
        let (algorithm, spec) = (required("WrappingAlgorithm", &ALGORITHMS), required("WrappingKeySpec", &SPECS));
        Self { key: ManagedKey::read(fields), algorithm, spec }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let wrapping = wrapping(&input)?;
    let keys =
        [(Key::KmsWrappingAlgorithm, Value::Text(input.algorithm)), (Key::KmsWrappingKeySpec, Value::Text(input.spec))];
    let found = cx.managed_telling(&input.key.key_id, Told::of(&keys)).await?;
    let made = cx.keyring.import_parameters(&found.grant, &cx.call, &found.key, wrapping).await;
    let made = made.map_err(Refusal::recorded)?;
    Ok(Reply::of([
        ("KeyId", found.arn()),
        ("ImportToken", blob(&made.token)),
        ("PublicKey", blob(&made.public_key)),
        ("ParametersValidTo", epoch_seconds(made.valid_to)),
    ]))
}

/// Words of the model that are not served: AWS took RSAES_PKCS1_V1_5 out of service in 2023, and SM2 is for the China
/// Regions.
fn wrapping(input: &Input) -> Result<Wrapping, KmsError> {
    let refused = |word: &str| KmsError::unsupported(format!("{word} is not supported for importing key material."));
    Ok(Wrapping {
        algorithm: WrappingAlgorithm::parse(input.algorithm).ok_or_else(|| refused(input.algorithm))?,
        spec: WrappingKeySpec::parse(input.spec).ok_or_else(|| refused(input.spec))?,
    })
}
