//! ListRoles.

use super::write_listed_role;
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{PATH_PREFIX, Paging};
use crate::names::iam_arn;

pub(in crate::iam) struct Input {
    path_prefix: String,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            path_prefix: fields.text("PathPrefix", &PATH_PREFIX).unwrap_or_else(|| "/".to_owned()),
            paging: Paging::read(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    cx.grant(&iam_arn(account, "role", &input.path_prefix, ""))?;
    let (mut after, mut found) = (input.paging.after()?, Vec::new());
    // By pages, so that a path that few roles have costs no memory.
    while found.len() <= input.paging.limit() {
        let read = cx.identities().roles(account, after.as_deref(), input.paging.limit() + 1).await?;
        let Some((last, _)) = read.last() else { break };
        after = Some(last.clone());
        found.extend(read.into_iter().filter(|(_, role)| role.path.starts_with(&input.path_prefix)));
    }
    let found = input.paging.page(found);
    Ok(Reply::result(|w| page(w, "Roles", found, |w, role| write_listed_role(w, account, &role))))
}
