//! GetFederationToken: credentials of a federated user, who may do what its user may and the session policies allow.

use serde_json::json;

use super::assume_role::{TOKEN_SIZE_MAX, refuse_unserved};
use super::get_session_token::{own_issuer, seconds};
use super::sessions::{
    DURATION_MIN_SECONDS, SessionPolicies, USER_DURATION_MAX_SECONDS, read_session_tags, record_session,
    write_credentials, write_packed,
};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::FEDERATED_USER_NAME;
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::{NewSession, SessionOf};
use crate::names::federated_user_arn;

pub(in crate::iam) struct Input {
    name: String,
    policies: SessionPolicies,
    seconds: Option<u32>,
    tags: Vec<(String, String)>,
    minimum_size: Option<u32>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.required("Name", &FEDERATED_USER_NAME),
            policies: SessionPolicies::read(fields, true),
            seconds: fields.number("DurationSeconds", DURATION_MIN_SECONDS..=USER_DURATION_MAX_SECONDS),
            tags: read_session_tags(fields),
            minimum_size: fields.number("MinimumSessionTokenSize", 0..=TOKEN_SIZE_MAX),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    let arn = federated_user_arn(account, &input.name);
    let adds = Adds::new().request_tags(&input.tags);
    cx.grant_telling(&arn, &adds)?;
    if !input.tags.is_empty() {
        cx.grant_for("sts:TagSession", &arn, &adds)?;
    }
    refuse_unserved(false, input.minimum_size)?;
    check_tags(&input.tags)?;
    let policies = input.policies.documents()?;
    input.policies.check_arns(cx, account).await?;
    let issuer = own_issuer(cx)?;
    let made = cx.identities().new_session(&NewSession {
        account: account.clone(),
        of: SessionOf::FederatedUser { name: input.name },
        seconds: seconds(input.seconds, &issuer),
        issuer,
        policies,
        policy_arns: input.policies.arns,
        tags: stored_tags(&input.tags),
        transitive_tags: Vec::new(),
        source_identity: None,
        federated_provider: None,
    })?;
    let reply = Reply::result(|w| {
        write_credentials(w, &made);
        w.node("FederatedUser", |w| {
            w.leaf("FederatedUserId", &made.user_id).leaf("Arn", &made.arn);
        });
        write_packed(w, &made);
    });
    let who = json!({
        "federatedUser": { "federatedUserId": made.user_id, "arn": made.arn },
        "packedPolicySize": made.packed_percent,
    });
    Ok(reply.recording(record_session(&made, who)))
}
