//! CreatePolicy: a managed policy with its first version.

use serde_json::json;

use super::{ShownPolicy, check_document, write_tags};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{POLICY_DESCRIPTION, POLICY_DOCUMENT, POLICY_NAME, POLICY_PATH, read_tags};
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::NewPolicy;
use crate::names::iam_arn;

pub(in crate::iam) struct Input {
    name: String,
    path: String,
    document: String,
    description: Option<String>,
    tags: Vec<(String, String)>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.required("PolicyName", &POLICY_NAME),
            path: fields.text("Path", &POLICY_PATH).unwrap_or_else(|| "/".to_owned()),
            document: fields.required("PolicyDocument", &POLICY_DOCUMENT),
            description: fields.text("Description", &POLICY_DESCRIPTION),
            tags: read_tags(fields),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
    let account = cx.account()?;
    let arn = iam_arn(account, "policy", &input.path, &input.name);
    let adds = Adds::new().request_tags(&input.tags);
    let grant = cx.grant_telling(&arn, &adds)?;
    if !input.tags.is_empty() {
        cx.grant_for("iam:TagPolicy", &arn, &adds)?;
    }
    check_tags(&input.tags)?;
    check_document(&input.document)?;
    let Input { name, path, document, description, tags } = input;
    let new = NewPolicy { name, path, document, description, tags: stored_tags(&tags) };
    let (policy, draft) = cx.identities().create_policy(&grant, &new).await?;
    let shown = ShownPolicy::own(account, &policy);
    let reply = Reply::result(|w| {
        w.node("Policy", |w| {
            shown.write_described(w);
            if !policy.tags.is_empty() {
                write_tags(w, &policy);
            }
        });
    });
    cx.done(reply.recording(json!({ "policy": shown.record() })), draft).await
}
