//! ListOpenIDConnectProviders: all of the account, which are few.

use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, members};

pub(in crate::iam) struct Input;

impl Input {
    pub(in crate::iam) fn read(_: &mut Fields<'_>) -> Self {
        Self
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, _: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    cx.grant("*")?;
    let providers = cx.identities().providers(account).await?;
    Ok(Reply::result(|w| {
        members(w, "OpenIDConnectProviderList", providers, |w, provider| {
            w.leaf("Arn", &provider.arn(account));
        });
    }))
}
