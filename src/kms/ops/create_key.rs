//! CreateKey: a new customer managed key of any spec.

use std::collections::HashSet;

use serde_json::Value;

use super::describe_key::render_metadata;
use crate::keyring::NewKey;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::json::parse_object;
use crate::kms::reply::Reply;
use crate::names::{KeyKind, KeySpec, KeyUsage};

/// Tags of one key.
const TAGS_MAX: usize = 50;
/// Bytes of a key policy (AWS's quota; the model allows 131,072 characters, which answer another error).
const POLICY_MAX_BYTES: usize = 32 * 1024;

const ORIGINS: [&str; 4] = ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];

pub(in crate::kms) struct Input {
    description: String,
    policy: Option<String>,
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
        // The check guards against policies that lock everybody out; there is nothing to bypass while the account's
        // root may do all.
        let _ = fields.flag("BypassPolicyLockoutSafetyCheck");
        Self {
            key_store: fields.has("CustomKeyStoreId") || fields.has("XksKeyId"),
            description: fields.text("Description", 0..=8192).unwrap_or_default(),
            policy: fields.text("Policy", 1..=131_072),
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
    check_policy(input.policy.as_deref())?;
    let grant = cx.grant_on("kms:CreateKey", "*")?;
    if !input.tags.is_empty() {
        cx.grant_on("kms:TagResource", "*")?;
    }
    let new = NewKey { description: input.description, policy: input.policy, tags: input.tags, kind };
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
    if let Some(origin) = input.origin.filter(|origin| *origin != ORIGINS[0]) {
        return Err(KmsError::unsupported(format!("Origin {origin} is not supported yet.")));
    }
    if input.key_store {
        return Err(KmsError::unsupported("Custom key stores are not supported yet."));
    }
    if input.multi_region {
        return Err(KmsError::unsupported("Multi-Region keys are not supported yet."));
    }
    Ok(())
}

fn read_tags(fields: &mut Fields) -> Vec<(String, String)> {
    // One more than allowed is read: that has an error of its own.
    let items = fields.list("Tags", 200);
    let mut tags = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let part = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        for (name, min, max) in [("TagKey", 1, 128), ("TagValue", 0, 256)] {
            let path = format!("tags.{}.member.{}", at + 1, if name == "TagKey" { "tagKey" } else { "tagValue" });
            match part(name) {
                None => fields.fault(&path, "null", "Member must not be null"),
                Some(text) if text.chars().count() > max => {
                    let rule = format!("Member must have length less than or equal to {max}");
                    fields.fault(&path, &format!("'{text}'"), &rule);
                }
                Some(text) if text.chars().count() < min => {
                    let rule = format!("Member must have length greater than or equal to {min}");
                    fields.fault(&path, &format!("'{text}'"), &rule);
                }
                Some(_) => {}
            }
        }
        tags.push((part("TagKey").unwrap_or_default(), part("TagValue").unwrap_or_default()));
    }
    tags
}

fn check_tags(tags: &[(String, String)]) -> Result<(), KmsError> {
    let names: HashSet<&str> = tags.iter().map(|(name, _)| name.as_str()).collect();
    let fault = if names.len() < tags.len() {
        "Duplicate tag keys"
    } else if tags.len() > TAGS_MAX {
        "Too many tags"
    } else if names.iter().any(|name| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
        "Tags beginning with aws: are reserved"
    } else {
        return Ok(());
    };
    Err(KmsError::new("TagException", fault))
}

/// The form only: what a policy says is for the policy engine to judge.
fn check_policy(policy: Option<&str>) -> Result<(), KmsError> {
    let Some(policy) = policy else { return Ok(()) };
    if policy.len() > POLICY_MAX_BYTES {
        let text = format!("The key policy is larger than {POLICY_MAX_BYTES} bytes.");
        return Err(KmsError::new("LimitExceededException", text));
    }
    let statements = parse_object(policy.as_bytes()).is_some_and(|document| document.contains_key("Statement"));
    if !statements {
        return Err(KmsError::new("MalformedPolicyDocumentException", "The new key policy is not a policy document."));
    }
    Ok(())
}
