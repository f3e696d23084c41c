//! CreateKey: a new customer managed key of any spec.

use super::describe_key::render_metadata;
use crate::keyring::{KeyOrigin, NewKey, Told, kind_keys};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_policy::{NewPolicy, PolicyOf};
use crate::kms::reply::Reply;
use crate::kms::tags::{check_tags, read_tags};
use crate::names::{KeyKind, KeySpec, KeyUsage};

const ORIGINS: [&str; 4] = ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];

pub(in crate::kms) struct Input {
    description: String,
    policy: NewPolicy,
    tags: Vec<(String, String)>,
    spec: Option<KeySpec>,
    /// Under the name it had before.
    old_spec: Option<KeySpec>,
    usage: Option<KeyUsage>,
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
            spec: fields.choice("KeySpec"),
            old_spec: fields.choice("CustomerMasterKeySpec"),
            usage: fields.choice("KeyUsage"),
            origin: fields.word("Origin", &ORIGINS),
            multi_region: fields.flag("MultiRegion"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let kind = read_kind(&input)?;
    check_origin(&input)?;
    check_tags(&input.tags)?;
    let origin = if input.origin == Some("EXTERNAL") { KeyOrigin::External } else { KeyOrigin::AwsKms };
    let [spec, old_spec, usage, old_usage, from, set] = kind_keys(kind, origin, input.multi_region);
    let keys = [spec, old_spec, usage, old_usage, from, set, input.policy.lockout_key()];
    let told = Told { tags: &input.tags, ..Told::of(&keys) };
    let grant = cx.grant_on_telling("kms:CreateKey", "*", &told)?;
    if !input.tags.is_empty() {
        cx.grant_on_telling("kms:TagResource", "*", &told)?;
    }
    let policy = input.policy.check(cx, PolicyOf::NewKey(cx.region), &told)?;
    if origin == KeyOrigin::External && !kind.spec().abilities().importable {
        // AWS's text is not recorded.
        let text = format!("Origin EXTERNAL is not supported with KeySpec {}.", kind.spec());
        return Err(KmsError::unsupported(text).into());
    }
    let (description, tags, multi_region) = (input.description, input.tags, input.multi_region);
    let new = NewKey { description, policy, tags, kind, origin, multi_region };
    let metadata = cx.keyring.create_key(&grant, &cx.call, new).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([("KeyMetadata", render_metadata(&metadata))]))
}

/// Spec and usage; of the symmetric spec alone the usage needs no word.
fn read_kind(input: &Input) -> Result<KeyKind, KmsError> {
    if input.spec.is_some() && input.old_spec.is_some() {
        return Err(KmsError::validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is \
             deprecated.",
        ));
    }
    let spec = input.spec.or(input.old_spec).unwrap_or(KeySpec::SymmetricDefault);
    let usage = match input.usage {
        Some(usage) => usage,
        None if spec == KeySpec::SymmetricDefault => KeyUsage::EncryptDecrypt,
        None => {
            return Err(KmsError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    let none = || KmsError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}"));
    KeyKind::new(spec, usage).ok_or_else(none)
}

fn check_origin(input: &Input) -> Result<(), KmsError> {
    if let Some(origin) = input.origin.filter(|origin| !ORIGINS[..2].contains(origin)) {
        return Err(KmsError::unsupported(format!("Origin {origin} is not supported yet.")));
    }
    if input.key_store {
        return Err(KmsError::unsupported("Custom key stores are not supported yet."));
    }
    Ok(())
}
