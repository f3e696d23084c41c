//! DeleteAccountAlias.

use crate::iam::cx::{Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::ACCOUNT_ALIAS;

pub(in crate::iam) struct Input {
    alias: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { alias: fields.required("AccountAlias", &ACCOUNT_ALIAS) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let grant = cx.grant("*")?;
    let draft = cx.identities().delete_account_alias(&grant, &input.alias).await?;
    cx.done(Reply::empty(), draft).await
}
