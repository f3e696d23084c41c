//! CreatePolicyVersion: another version of a managed policy, in force at once or not.

use serde_json::json;

use super::{ShownVersion, check_document, to_change};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{ARN, POLICY_DOCUMENT};

pub(in crate::iam) struct Input {
    arn: String,
    document: String,
    set_as_default: bool,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            arn: fields.required("PolicyArn", &ARN),
            document: fields.required("PolicyDocument", &POLICY_DOCUMENT),
            set_as_default: fields.flag("SetAsDefault"),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let (_, grant) = to_change(cx, &input.arn, &Adds::new()).await?;
    check_document(&input.document)?;
    let made = cx.identities().create_policy_version(&grant, &input.arn, &input.document, input.set_as_default);
    let (policy, version, draft) = made.await?;
    // Without the document, which the caller has.
    let shown = ShownVersion::own(&policy, &version, None);
    let reply = Reply::result(|w| {
        w.node("PolicyVersion", |w| shown.write(w));
    });
    let record = json!({ "policyVersion": { "versionId": shown.id, "isDefaultVersion": shown.is_default } });
    cx.done(reply.recording(record), draft).await
}
