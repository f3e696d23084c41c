//! GetOpenIDConnectProvider.

use super::{existing, read_arn};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, tags, text_members, time};
use crate::iam::tags::pairs;
use crate::sources::Timestamp;

pub(in crate::iam) struct Input {
    arn: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { arn: read_arn(fields) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let (provider, _) = existing(cx, &input.arn, &Adds::new()).await?;
    Ok(Reply::result(|w| {
        w.leaf("Url", &provider.url);
        text_members(w, "ClientIDList", &provider.client_ids);
        text_members(w, "ThumbprintList", &provider.thumbprints);
        time(w, "CreateDate", Timestamp(provider.created_ms));
        if !provider.tags.is_empty() {
            tags(w, pairs(&provider.tags));
        }
    }))
}
