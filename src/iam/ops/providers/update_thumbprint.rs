//! UpdateOpenIDConnectProviderThumbprint: the whole list.

use super::{check_thumbprints, existing, read_arn, read_thumbprints};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;

pub(in crate::iam) struct Input {
    arn: String,
    thumbprints: Vec<String>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields), thumbprints: read_thumbprints(fields, true) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (provider, grant) = existing(cx, &input.arn, &Adds::new()).await?;
    check_thumbprints(&input.thumbprints)?;
    let draft = cx.identities().set_thumbprints(&grant, &provider.url, input.thumbprints).await?;
    cx.done(Reply::empty(), draft).await
}
