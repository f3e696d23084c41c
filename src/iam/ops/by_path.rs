//! What ListUsers, ListGroups and ListRoles have in common: those whose path begins with a prefix, page by page.

use futures_util::future::BoxFuture;

use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::shapes::{PATH_PREFIX, Page, Paging};
use crate::identity::IdentityError;
use crate::names::iam_arn;

pub(in crate::iam) struct Input {
    path_prefix: String,
    paging: Paging,
}

/// Entities with their keys.
type Read<'a, T> = BoxFuture<'a, Result<Vec<(String, T)>, IdentityError>>;

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            path_prefix: fields.text("PathPrefix", &PATH_PREFIX).unwrap_or_else(|| "/".to_owned()),
            paging: Paging::read(fields),
        }
    }

    /// The page that is asked for, with leave to list entities of this `kind` (`user`). `read` reads at most so many
    /// behind a key. By pages, so that a path that few have costs no memory.
    pub(super) async fn page<'a, T>(
        &self,
        cx: &Cx<'a>,
        kind: &str,
        read: impl Fn(Option<String>, usize) -> Read<'a, T> + Send + Sync,
        path: fn(&T) -> &str,
    ) -> Result<Page<T>, IamError> {
        cx.grant(&iam_arn(cx.account()?, kind, &self.path_prefix, ""))?;
        let (mut after, mut found) = (self.paging.after()?, Vec::new());
        while found.len() <= self.paging.limit() {
            let entities = read(after, self.paging.limit() + 1).await?;
            let Some((last, _)) = entities.last() else { break };
            after = Some(last.clone());
            found.extend(entities.into_iter().filter(|(_, entity)| path(entity).starts_with(&self.path_prefix)));
        }
        Ok(self.paging.page(found))
    }
}
