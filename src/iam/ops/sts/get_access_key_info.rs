//! GetAccessKeyInfo: the account that an access key belongs to.

use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::STS_ACCESS_KEY_ID;

pub(in crate::iam) struct Input {
    access_key_id: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { access_key_id: fields.required("AccessKeyId", &STS_ACCESS_KEY_ID) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    let owner = cx.identities().key_owner(&input.access_key_id).await?;
    let account = owner.map(|(account, _)| account);
    // AWS reads the account off the id, and so knows one for ids that were never given out; its text for others is not
    // recorded.
    let account = account.ok_or_else(|| {
        IamError::validation(format!("There is no access key {} in any account of this server.", input.access_key_id))
    })?;
    Ok(Reply::result(|w| {
        w.leaf("Account", account.as_str());
    }))
}
