//! ListAccountAliases: one at most.

use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::Paging;

pub(in crate::iam) struct Input {
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    let aliases = cx.identities().state(cx.account()?).await?.aliases;
    let aliases = input.paging.cut(aliases, String::clone)?;
    Ok(Reply::result(|w| page(w, "AccountAliases", aliases, |w, alias| w.text(&alias))))
}
