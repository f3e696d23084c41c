//! DeleteOpenIDConnectProvider. One that there is not is no fault, as AWS documents. Roles that trust it stay, and nobody
//! can assume them by its tokens any more.

use super::{asked_for, read_arn};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;

pub(in crate::iam) struct Input {
    arn: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (url, grant, _) = asked_for(cx, &input.arn, &Adds::new()).await?;
    match cx.identities().delete_provider(&grant, &url).await? {
        Some(draft) => cx.done(Reply::empty(), draft).await,
        None => cx.unchanged(Reply::empty()).await,
    }
}
