//! DeleteAlias: removes an alias; the key stays.

use super::create_alias::{check_alias, read_alias};
use crate::keyring::{AliasChange, Told};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::Reply;
use crate::names::kms_alias_arn;

pub(in crate::kms) struct Input {
    alias: String,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self { alias: read_alias(fields) }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_alias(&input.alias)?;
    let holder = cx.resolve(&input.alias).await?;
    let grant = cx.grant_on("kms:DeleteAlias", &kms_alias_arn(cx.region, cx.account, &input.alias))?;
    let holder_grant = &cx.grant("kms:DeleteAlias", &holder, &Told::default()).await?;
    let change = AliasChange::Delete { holder_grant };
    cx.keyring.change_alias(&grant, &cx.call, &input.alias, change).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}
