//! ListOpenIDConnectProviderTags.

use super::{existing, read_arn};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::Paging;

pub(in crate::iam) struct Input {
    arn: String,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let (provider, _) = existing(cx, &input.arn, &Adds::new()).await?;
    let found = input.paging.cut(provider.tags, |tag| tag.key.to_lowercase())?;
    Ok(Reply::result(|w| {
        page(w, "Tags", found, |w, tag| {
            w.leaf("Key", &tag.key).leaf("Value", &tag.value);
        });
    }))
}
