//! GetAccessKeyLastUsed: whose an access key is, when it was used last, and what for.

use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::ops::holder::granted;
use crate::iam::reply::{Reply, optional, time};
use crate::iam::shapes::ACCESS_KEY_ID;
use crate::identity::UserRecord;
use crate::names::{iam_arn, iam_root_arn};

/// AWS's word for the service and the Region of a key that was never used.
const NEVER: &str = "N/A";

pub(in crate::iam) struct Input {
    id: String,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { id: fields.required("AccessKeyId", &ACCESS_KEY_ID) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    // Who may not ask does not learn from the refusal whose key this is, or that there is one: it names nobody.
    let nobody = iam_arn(account, "user", "/", "*");
    let unnamed = |error| cx.grant(&nobody).err().unwrap_or(error);
    let owner = cx.identities().key_owner(&input.id).await?;
    let name = match owner.filter(|(of, _)| of == account) {
        Some((_, Some(name))) => {
            let granted = granted::<UserRecord>(cx, &name, &Adds::new()).await.map_err(unnamed)?;
            Some(granted.holder.name)
        }
        Some((_, None)) => {
            cx.grant(&iam_root_arn(account)).map_err(unnamed)?;
            None
        }
        None => {
            cx.grant(&nobody)?;
            return Err(IamError::no_such_entity(format!("The Access Key with id {} cannot be found.", input.id)));
        }
    };
    let last = cx.identities().last_use(&input.id).await?;
    Ok(Reply::result(|w| {
        optional(w, "UserName", name.as_deref());
        w.node("AccessKeyLastUsed", |w| {
            if let Some(last) = &last {
                time(w, "LastUsedDate", last.at);
            }
            w.leaf("ServiceName", last.as_ref().map_or(NEVER, |last| &last.service));
            w.leaf("Region", last.as_ref().map_or(NEVER, |last| &last.region));
        });
    }))
}
