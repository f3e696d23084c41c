//! PutKeyPolicy: replaces a key's policy.

use super::get_key_policy::{DEFAULT as DEFAULT_POLICY, read_policy_name};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_policy::NewPolicy;
use crate::kms::reply::Reply;
use crate::kms::shapes::ManagedKey;

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
    let found = cx.managed(&input.key.key_id).await?;
    let policy = input.policy.check(cx)?.unwrap_or_default();
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
