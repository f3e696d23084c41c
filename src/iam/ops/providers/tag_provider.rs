//! TagOpenIDConnectProvider.

use super::{existing, read_arn};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::read_required_tags;
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::ProviderRecord;

pub(in crate::iam) struct Input {
    arn: String,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields), tags: read_required_tags(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (provider, grant) = existing(cx, &input.arn, &Adds::new().request_tags(&input.tags)).await?;
    check_tags(&input.tags)?;
    let tags = stored_tags(&input.tags);
    let draft = cx.identities().tag::<ProviderRecord>(&grant, &provider.url, &tags).await?;
    cx.done(Reply::empty(), draft).await
}
