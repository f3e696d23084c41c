//! CreateAlias: a name for a key.

use crate::keyring::{AliasChange, Told};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, Pattern};
use crate::kms::reply::Reply;
use crate::kms::shapes::KEY_ID_CHARS;
use crate::names::kms_alias_arn;

const ALIAS_PATTERN: Pattern = Pattern {
    shown: "^[a-zA-Z0-9:/_-]+$",
    allows: |c| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '_' | '-'),
};

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
    let target = &cx.resolve_managed(&input.target).await?;
    let grant = cx.grant_on("kms:CreateAlias", &kms_alias_arn(cx.region, cx.account, &input.alias))?;
    let key_grant = &cx.grant("kms:CreateAlias", target, &Told::default()).await?;
    let change = AliasChange::Create { key_grant, target };
    cx.keyring.change_alias(&grant, &cx.call, &input.alias, change).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty())
}

/// Reads `AliasName`.
pub(super) fn read_alias(fields: &mut Fields) -> String {
    let alias = fields.required_text("AliasName", 1..=256);
    fields.check_pattern("AliasName", &alias, ALIAS_PATTERN);
    alias
}

/// What an alias may be called.
pub(super) fn check_alias(alias: &str) -> Result<(), KmsError> {
    let Some(name) = alias.strip_prefix("alias/") else {
        return Err(KmsError::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if name.is_empty() {
        return Err(KmsError::new("InvalidAliasNameException", format!("{alias} has no name after the prefix")));
    }
    if name.contains(':') {
        let text = format!("{alias} contains invalid characters for an alias");
        return Err(KmsError::new("InvalidAliasNameException", text));
    }
    if name.starts_with("aws/") {
        let text = "Aliases that begin with alias/aws/ are reserved for AWS managed keys.";
        return Err(KmsError::new("NotAuthorizedException", text));
    }
    Ok(())
}

/// An alias points to a key, never to an alias.
pub(super) fn check_target(target: &str) -> Result<(), KmsError> {
    let resource = target.splitn(6, ':').nth(5).unwrap_or(target);
    if resource.starts_with("alias/") {
        return Err(KmsError::validation("Aliases must refer to keys. Not aliases"));
    }
    Ok(())
}
