//! ListGroups.

use super::write_group;
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{PATH_PREFIX, Paging};
use crate::identity::GroupRecord;
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
    cx.grant(&iam_arn(account, "group", &input.path_prefix, ""))?;
    let (mut after, mut found) = (input.paging.after()?, Vec::new());
    // By pages, so that a path that few groups have costs no memory.
    while found.len() <= input.paging.limit() {
        let limit = input.paging.limit() + 1;
        let read = cx.identities().entities::<GroupRecord>(account, &[], after.as_deref(), limit).await?;
        let Some((last, _)) = read.last() else { break };
        after = Some(last.clone());
        found.extend(read.into_iter().filter(|(_, group)| group.path.starts_with(&input.path_prefix)));
    }
    let found = input.paging.page(found);
    Ok(Reply::result(|w| page(w, "Groups", found, |w, group| write_group(w, account, &group))))
}
