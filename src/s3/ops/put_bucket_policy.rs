//! PutBucketPolicy.

use http::StatusCode;
use serde_json::Value;

use crate::audit::{Event, Recorded};
use crate::auth::{CallerKind, Directory, Resource};
use crate::names::bucket_arn;
use crate::policy::{Acls, Kind, Policy, PolicyError, Prevented, Target};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::flag;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

const ACTION: &str = "s3:PutBucketPolicy";

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    check_own(&cx)?;
    let arn = bucket_arn(&cx.bucket().name);
    let policy = parse(cx.whole(), &arn, &cx.app.directory).await?;
    if cx.before.block.block_public_policy && policy.is_public() {
        let denial = Prevented::Policy.denial(cx.access.caller().arn(), ACTION, &arn);
        return Err(Error::with_message(Code::AccessDenied, denial));
    }
    check_keeps_access(&cx, &policy)?;
    event.request["policy"] = Value::String(String::new());
    event.request["bucketPolicy"] = serde_json::from_str(policy.text()).unwrap_or_default();
    let recorded = cx.app.objects.put_bucket_policy(cx.grant(), &cx.bucket().name, &policy, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}

/// A bucket's policy is its own account's matter, whoever else may have been allowed to read or change it (API
/// reference: 405 for those).
pub(super) fn check_own(cx: &Cx) -> Result<(), Error> {
    if cx.access.caller().account() == Some(&cx.bucket().owner) {
        return Ok(());
    }
    let method = cx.head.method.as_str();
    Err(Error::new(Code::MethodNotAllowed).and("Method", method).and("ResourceType", "BUCKETPOLICY"))
}

/// The policy, if it may stand before the bucket with the ARN `arn`.
async fn parse(body: &[u8], arn: &str, directory: &Directory) -> Result<Policy, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let policy = Policy::parse(body, Kind::Bucket)?;
    if directory.first_unknown(policy.named_principals()).await.map_err(Error::internal)?.is_some() {
        return Err(Error::with_message(Code::MalformedPolicy, "Invalid principal in policy"));
    }
    policy.check_for_bucket(arn)?;
    Ok(policy)
}

impl From<PolicyError> for Error {
    fn from(error: PolicyError) -> Self {
        let message = match error {
            PolicyError::Malformed(message) => message,
            // Neither AWS's code nor its text are recorded.
            PolicyError::TooLarge { limit_bytes } => {
                format!("Policy exceeds the maximum allowed document size of {limit_bytes} bytes.")
            }
        };
        Self::with_message(Code::MalformedPolicy, message)
    }
}

/// Who would not be able to change the policy again has to say that this is meant. (What AWS answers without is not
/// recorded.) The root of the account always is.
fn check_keeps_access(cx: &Cx, new: &Policy) -> Result<(), Error> {
    const CONFIRMATION: &str = "x-amz-confirm-remove-self-bucket-access";
    let confirmed = flag(&cx.head.headers, CONFIRMATION)?;
    if confirmed == Some(true) || *cx.access.caller().kind() == CallerKind::Root {
        return Ok(());
    }
    let resource = Resource { arn: bucket_arn(&cx.bucket().name), owner: cx.bucket().owner.clone() };
    let target = Target::Bucket { policy: Some(new), acls: Acls::default() };
    let keys = cx.known.keys(&cx.head, &cx.query);
    match cx.access.authorize(ACTION, resource, &target, &cx.before.keys(&keys)) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::with_message(
            Code::AccessDenied,
            format!(
                "The new bucket policy would not allow you to change the bucket policy again. To put it nevertheless, \
                 send {CONFIRMATION}: true"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Directory, parse};
    use crate::auth::{Account, Seed};
    use crate::names::{AccountId, CanonicalId};

    #[tokio::test]
    async fn what_is_no_policy_for_the_bucket() {
        let id = AccountId::parse("111122223333").unwrap();
        let canonical_id = CanonicalId::of_account(&id);
        let mut seed = Seed::default();
        seed.add_account(Account { id, canonical_id, display_name: String::new(), email: None });
        let directory = Directory::from(Arc::new(seed));
        let check = async |body: &str| match parse(body.as_bytes(), "arn:aws:s3:::b", &directory).await {
            Ok(policy) => policy.text().to_owned(),
            Err(error) => format!("{}: {}", error.code().name(), error.message()),
        };
        let policy = |principal: &str, id: &str| {
            format!(
                r#"{{"Id":"{id}","Statement":{{"Effect":"Deny","Principal":{{"AWS":"{principal}"}},"Action":"s3:*",
                "Resource":"arn:aws:s3:::b"}}}}"#
            )
        };
        let good = policy("111122223333", "");
        assert_eq!(check(&good).await, good);
        let limit = "x".repeat(20_480 - good.len());
        assert!(check(&policy("111122223333", &limit)).await.starts_with('{'));
        for (body, expected) in [
            (String::new(), "MissingRequestBodyError: Request Body is empty"),
            (format!(" {good}"), "MalformedPolicy: Policies must be valid JSON and the first byte must be '{'"),
            ("{".to_owned(), "MalformedPolicy: This policy contains invalid Json"),
            ("{}".to_owned(), "MalformedPolicy: Missing required field Statement"),
            (policy("444455556666", ""), "MalformedPolicy: Invalid principal in policy"),
            (policy("arn:aws:iam::111122223333:user/x", ""), "MalformedPolicy: Invalid principal in policy"),
            (good.replace(":::b", ":::c"), "MalformedPolicy: Policy has invalid resource"),
            (
                policy("111122223333", &format!("{limit}x")),
                "MalformedPolicy: Policy exceeds the maximum allowed document size of 20480 bytes.",
            ),
        ] {
            assert_eq!(check(&body).await, expected, "{body}");
        }
    }
}
