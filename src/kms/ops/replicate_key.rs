//! ReplicateKey: a replica of a multi-Region primary key in another Region.

use serde_json::{Value, json};

use super::describe_key::render_metadata;
use crate::keyring::{NewReplica, Told, kind_keys};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, Pattern};
use crate::kms::key_policy::{NewPolicy, PolicyOf};
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::kms::tags::{check_tags, read_tags};
use crate::names::Region;
use crate::policy::{self, Key};

const REGION_PATTERN: Pattern =
    Pattern { shown: "^([a-z]+-){2,3}\\d+$", allows: |c| matches!(c, 'a'..='z' | '0'..='9' | '-') };

pub(in crate::kms) struct Input {
    key: ManagedKey,
    region: String,
    description: String,
    policy: NewPolicy,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: ManagedKey::read(fields),
            region: read_region(fields, "ReplicaRegion"),
            description: fields.text("Description", 0..=8192).unwrap_or_default(),
            policy: NewPolicy::read(fields),
            tags: read_tags(fields),
        }
    }
}

/// A Region's name.
pub(super) fn read_region(fields: &mut Fields, name: &str) -> String {
    let region = fields.required_text(name, 1..=32);
    fields.check_pattern(name, &region, REGION_PATTERN);
    region
}

/// A Region that is served here. AWS's text for others is not recorded.
pub(super) fn served(cx: &Cx<'_>, name: &str) -> Result<Region, KmsError> {
    let found = cx.regions.iter().find(|region| region.as_str() == name).cloned();
    found.ok_or_else(|| KmsError::validation(format!("The Region {name} is not available.")))
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_tags(&input.tags)?;
    let region = served(cx, &input.region)?;
    let replicates = [(Key::KmsReplicaRegion, policy::Value::Text(region.as_str())), input.policy.lockout_key()];
    let replicates = Told { tags: &input.tags, ..Told::of(&replicates) };
    let found = cx.managed_telling(&input.key.key_id, replicates).await?;
    let metadata = &found.key.metadata;
    let [spec, old_spec, usage, old_usage, from, set] = kind_keys(metadata.kind, metadata.origin, true);
    let keys = [spec, old_spec, usage, old_usage, from, set, input.policy.lockout_key()];
    let told = Told { tags: &input.tags, ..Told::of(&keys) };
    let create_grant = cx.grant_on_telling("kms:CreateKey", "*", &told)?;
    if !input.tags.is_empty() {
        cx.grant_on_telling("kms:TagResource", "*", &told)?;
    }
    let policy = input.policy.check(cx, PolicyOf::NewKey(&region), &told).await?;
    let new = NewReplica { region, description: input.description, policy, tags: input.tags.clone() };
    let made = cx.keyring.replicate_key(&found.grant, &create_grant, &cx.call, &found.key, new).await;
    let made = made.map_err(Refusal::recorded)?;
    let tag = |(name, value): (String, String)| json!({ "TagKey": name, "TagValue": value });
    Ok(Reply::of([
        ("ReplicaKeyMetadata", render_metadata(&made.metadata)),
        ("ReplicaPolicy", made.policy.into()),
        ("ReplicaTags", input.tags.into_iter().map(tag).collect::<Vec<Value>>().into()),
    ]))
}
