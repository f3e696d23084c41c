//! UpdateAlias: points an alias to another key.

use super::create_alias::{check_alias, check_target, read_alias};
use crate::keyring::{AliasChange, Told};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::kms::shapes::KEY_ID_CHARS;
use crate::names::kms_alias_arn;

pub(in crate::kms) struct Input {
    alias: String,
    target: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { alias: read_alias(fields), target: fields.required_text("TargetKeyId", KEY_ID_CHARS) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_alias(&input.alias)?;
    check_target(&input.target)?;
    // Leave is needed on the alias, on the key it leaves and on the key it goes to.
    let holder = cx.resolve(&input.alias).await?;
    let target = &cx.resolve_managed(&input.target).await?;
    let grant = cx.grant_on("kms:UpdateAlias", &kms_alias_arn(cx.region, cx.account, &input.alias))?;
    let holder_grant = &cx.grant("kms:UpdateAlias", &holder, &Told::default()).await?;
    let key_grant = &cx.grant("kms:UpdateAlias", target, &Told::default()).await?;
    let change = AliasChange::Update { holder_grant, key_grant, target };
    cx.keyring.change_alias(&grant, &cx.call, &input.alias, change).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
