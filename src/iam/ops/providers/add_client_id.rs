//! AddClientIDToOpenIDConnectProvider. One that it has is no fault, as AWS documents.

use super::{existing, read_arn};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::CLIENT_ID;

pub(in crate::iam) struct Input {
    arn: String,
    client_id: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields), client_id: fields.required("ClientID", &CLIENT_ID) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (provider, grant) = existing(cx, &input.arn, &Adds::new()).await?;
    match cx.identities().add_client_id(&grant, &provider.url, &input.client_id).await? {
        Some(draft) => cx.done(Reply::empty(), draft).await,
        None => cx.unchanged(Reply::empty()).await,
    }
}
