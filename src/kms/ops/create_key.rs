//! CreateKey: a new customer managed key. Symmetric ones only, so far; everything else is refused by its name.

use super::describe_key::render_metadata;
use crate::keyring::{KeyOrigin, NewKey};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_policy::NewPolicy;
use crate::kms::reply::Reply;
use crate::kms::tags::{check_tags, read_tags};

const SPECS: [&str; 20] = [
    "SYMMETRIC_DEFAULT",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
const USAGES: [&str; 5] =
    ["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"];
const ORIGINS: [&str; 4] = ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];

pub(in crate::kms) struct Input {
    description: String,
    policy: NewPolicy,
    tags: Vec<(String, String)>,
    spec: Option<&'static str>,
    old_spec: Option<&'static str>,
    usage: Option<&'static str>,
    origin: Option<&'static str>,
    multi_region: bool,
    key_store: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key_store: fields.has("CustomKeyStoreId") || fields.has("XksKeyId"),
            description: fields.text("Description", 0..=8192).unwrap_or_default(),
            policy: NewPolicy::read(fields),
            tags: read_tags(fields),
            spec: fields.word("KeySpec", &SPECS),
            old_spec: fields.word("CustomerMasterKeySpec", &SPECS),
            usage: fields.word("KeyUsage", &USAGES),
            origin: fields.word("Origin", &ORIGINS),
            multi_region: fields.flag("MultiRegion"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_kind(&input)?;
    check_tags(&input.tags)?;
    let policy = input.policy.check(cx)?;
    let grant = cx.grant_on("kms:CreateKey", "*")?;
    if !input.tags.is_empty() {
        cx.grant_on("kms:TagResource", "*")?;
    }
    let origin = if input.origin == Some("EXTERNAL") { KeyOrigin::External } else { KeyOrigin::AwsKms };
    let (description, tags, multi_region) = (input.description, input.tags, input.multi_region);
    let new = NewKey { description, policy, tags, origin, multi_region };
    let metadata = cx.keyring.create_key(&grant, &cx.call, new).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([("KeyMetadata", render_metadata(&metadata))]))
}

fn check_kind(input: &Input) -> Result<(), KmsError> {
    if input.spec.is_some() && input.old_spec.is_some() {
        return Err(KmsError::validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is \
             deprecated.",
        ));
    }
    let not_yet = |what: &str, value: &str| KmsError::unsupported(format!("{what} {value} is not supported yet."));
    let spec = input.spec.or(input.old_spec).unwrap_or(SPECS[0]);
    if spec != SPECS[0] {
        return Err(not_yet("KeySpec", spec));
    }
    if let Some(usage) = input.usage.filter(|usage| *usage != USAGES[0]) {
        return Err(KmsError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
    }
    if let Some(origin) = input.origin.filter(|origin| !ORIGINS[..2].contains(origin)) {
        return Err(not_yet("Origin", origin));
    }
    if input.key_store {
        return Err(KmsError::unsupported("Custom key stores are not supported yet."));
    }
    Ok(())
}
