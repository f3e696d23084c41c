//! GetKeyPolicy: the key policy as JSON text.

use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, Pattern};
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::policy::{Key, Value};

/// The one name that a key policy has.
pub(super) const DEFAULT: &str = "default";
const NAME_PATTERN: Pattern = Pattern { shown: "[\\w]+", allows: |c| c.is_ascii_alphanumeric() || c == '_' };

pub(in crate::kms) struct Input {
    key: ManagedKey,
    policy_name: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let key = ManagedKey::read(fields);
        let policy_name = read_policy_name(fields).unwrap_or_else(|| DEFAULT.to_owned());
        Self { key, policy_name }
    }
}

/// `PolicyName`.
pub(super) fn read_policy_name(fields: &mut Fields) -> Option<String> {
    let name = fields.text("PolicyName", 1..=128)?;
    fields.check_pattern("PolicyName", &name, NAME_PATTERN);
    Some(name)
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx
        .managed_telling(&input.key.key_id, Told::of(&[(Key::KmsPolicyName, Value::Text(&input.policy_name))]))
        .await?;
    if input.policy_name != DEFAULT {
        return Err(KmsError::new("NotFoundException", "No such policy exists").into());
    }
    let policy = cx.keyring.key_policy(&found.grant, &cx.call, &found.key).await.map_err(Refusal::recorded)?;
    Ok(Reply::of([("Policy", policy.into()), ("PolicyName", DEFAULT.into())]))
}
