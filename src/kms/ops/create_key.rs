//! CreateKey: a new customer managed key of any spec.

use super::describe_key::render_metadata;
use crate::keyring::{KeyOrigin, NewCustomKey, NewKey, Told, kind_keys};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, Pattern};
use crate::kms::key_policy::{NewPolicy, PolicyOf};
use crate::kms::key_stores::KEY_STORE_ID_CHARS;
use crate::kms::reply::Reply;
use crate::kms::tags::{check_tags, read_tags};
use crate::names::{KeyKind, KeySpec, KeyUsage};

const ORIGINS: [&str; 4] = ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];
/// The pattern of `XksKeyId`.
const XKS_KEY_ID: Pattern =
    Pattern { shown: "^[a-zA-Z0-9-_.]+$", allows: |c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c) };

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
    custom: KeyStoreMembers,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            custom: KeyStoreMembers::read(fields),
            description: fields.text("Description", 0..=8192).unwrap_or_default(),
            policy: NewPolicy::read(fields),
            tags: read_tags(fields),
            spec: fields.choice("KeySpec"),
            old_spec: fields.choice_among("CustomerMasterKeySpec", KeySpec::is_old),
            usage: fields.choice("KeyUsage"),
            origin: fields.word("Origin", &ORIGINS),
            multi_region: fields.flag("MultiRegion"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let kind = read_kind(&input)?;
    let origin = read_origin(&input);
    let custom = input.custom.check(origin, kind, input.multi_region)?;
    check_tags(&input.tags)?;
    let [spec, old_spec, usage, old_usage, from, set] = kind_keys(kind, origin, input.multi_region);
    let keys = [spec, old_spec, usage, old_usage, from, set, input.policy.lockout_key()];
    let told = Told { tags: &input.tags, ..Told::of(&keys) };
    let grant = cx.grant_on_telling("kms:CreateKey", "*", &told)?;
    if !input.tags.is_empty() {
        cx.grant_on_telling("kms:TagResource", "*", &told)?;
    }
    let policy = input.policy.check(cx, PolicyOf::NewKey(cx.region), &told).await?;
    if origin == KeyOrigin::External && !kind.spec().abilities().importable {
        // AWS's text is not recorded.
        let text = format!("Origin EXTERNAL is not supported with KeySpec {}.", kind.spec());
        return Err(KmsError::unsupported(text).into());
    }
    let (description, tags, multi_region) = (input.description, input.tags, input.multi_region);
    let new = NewKey { description, policy, tags, kind, origin, multi_region, custom };
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

fn read_origin(input: &Input) -> KeyOrigin {
    match input.origin {
        Some("EXTERNAL") => KeyOrigin::External,
        Some("AWS_CLOUDHSM") => KeyOrigin::CloudHsm,
        Some("EXTERNAL_KEY_STORE") => KeyOrigin::ExternalKeyStore,
        _ => KeyOrigin::AwsKms,
    }
}

/// The members of a key in a custom key store.
struct KeyStoreMembers {
    store_id: Option<String>,
    xks_key_id: Option<String>,
}

impl KeyStoreMembers {
    fn read(fields: &mut Fields) -> Self {
        let store_id = fields.text("CustomKeyStoreId", KEY_STORE_ID_CHARS);
        let xks_key_id = fields.text("XksKeyId", 1..=128);
        if let Some(id) = &xks_key_id {
            fields.check_pattern("XksKeyId", id, XKS_KEY_ID);
        }
        Self { store_id, xks_key_id }
    }

    /// What belongs together is there, and nothing else. AWS's texts are not recorded.
    fn check(&self, origin: KeyOrigin, kind: KeyKind, multi_region: bool) -> Result<Option<NewCustomKey>, KmsError> {
        let name = origin.name();
        if !origin.is_custom() {
            return match (&self.store_id, &self.xks_key_id) {
                (None, None) => Ok(None),
                (Some(_), _) => Err(KmsError::validation(format!("CustomKeyStoreId is not valid with Origin {name}."))),
                (None, Some(_)) => Err(KmsError::validation(format!("XksKeyId is not valid with Origin {name}."))),
            };
        }
        let missing = |member: &str| KmsError::validation(format!("{member} is required with Origin {name}."));
        let store_id = self.store_id.clone().ok_or_else(|| missing("CustomKeyStoreId"))?;
        match (origin, self.xks_key_id.as_deref()) {
            (KeyOrigin::ExternalKeyStore, None) => return Err(missing("XksKeyId")),
            // In the proxy's URI these two would be no names but ways out of their folder.
            (KeyOrigin::ExternalKeyStore, Some("." | "..")) => {
                return Err(KmsError::validation("XksKeyId is not the name of a key."));
            }
            (KeyOrigin::CloudHsm, Some(_)) => {
                return Err(KmsError::validation(format!("XksKeyId is not valid with Origin {name}.")));
            }
            _ => {}
        }
        if !kind.is_symmetric() {
            return Err(KmsError::unsupported(format!(
                "KeySpec {} is not supported in a custom key store.",
                kind.spec()
            )));
        }
        if multi_region {
            return Err(KmsError::unsupported("Multi-Region keys are not supported in a custom key store."));
        }
        Ok(Some(NewCustomKey { store_id, xks_key_id: self.xks_key_id.clone() }))
    }
}
