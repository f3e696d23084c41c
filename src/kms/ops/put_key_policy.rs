//! PutKeyPolicy: replaces a key's policy.

use super::get_key_policy::{DEFAULT as DEFAULT_POLICY, read_policy_name};
use crate::keyring::Told;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_policy::{NewPolicy, PolicyOf};
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;
use crate::policy::{Key, Value};

pub(in crate::kms) struct Input {
    key: ManagedKey,
    name: Option<String>,
    policy: NewPolicy,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        let name = read_policy_name(fields);
        Self { key: ManagedKey::read(fields), name, policy: NewPolicy::read_required(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_name(input.name.as_deref())?;
    let name = (Key::KmsPolicyName, Value::Text(DEFAULT_POLICY));
    let keys = [name, input.policy.lockout_key()];
    let told = Told::of(&keys);
    let found = cx.managed_telling(&input.key.key_id, told).await?;
    let policy = input.policy.check(cx, PolicyOf::Key(&found.key), &told).await?.unwrap_or_default();
    let put = cx.keyring.put_key_policy(&found.grant, &cx.call, &found.key, &policy).await;
    put.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}

fn check_name(name: Option<&str>) -> Result<(), KmsError> {
    match name {
        None | Some(DEFAULT_POLICY) => Ok(()),
        Some("AWS_RAM") => Err(KmsError::validation("The AWS_RAM policy can only be managed by the RAM service")),
        Some(_) => Err(KmsError::new("NotFoundException", "No such policy exists")),
    }
}
