//! UntagOpenIDConnectProvider.

use super::{existing, read_arn};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::read_tag_keys;
use crate::identity::ProviderRecord;

pub(in crate::iam) struct Input {
    arn: String,
    keys: Vec<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields), keys: read_tag_keys(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (provider, grant) = existing(cx, &input.arn, &Adds::new().tag_keys(&input.keys)).await?;
    let draft = cx.identities().untag::<ProviderRecord>(&grant, &provider.url, &input.keys).await?;
    cx.done(Reply::empty(), draft).await
}
