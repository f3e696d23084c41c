//! The resource's policy of a simulation, and what resources are called.

use crate::policy::s3_actions::{On, S3_ACTIONS};
use crate::policy::{Acls, Kind, Policy, PolicyError, Target};

/// Reads the `ResourcePolicy` of a simulation, which does not say whose it is: a bucket's if it can be one, else a
/// role's trust policy, else one of a key or of some other service.
pub fn parse_resource_policy(text: &[u8]) -> Result<Policy, PolicyError> {
    let kinds = [Kind::Bucket, Kind::Trust].into_iter();
    let parsed = kinds.map(|kind| Policy::parse(text, kind)).find_map(Result::ok);
    parsed.map_or_else(|| Policy::parse(text, Kind::Key), Ok)
}

/// What a request for `action` meets, if its resource has `policy`.
pub(super) fn target<'a>(policy: Option<&'a Policy>, action: &str) -> Target<'a> {
    let of_kms = action.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("kms:"));
    match policy {
        Some(policy) if policy.kind() == Kind::Key && of_kms => {
            Target::Key { policy, grants: &[], encryption_context: &[] }
        }
        Some(policy) if policy.kind() == Kind::Trust => Target::Role { trust: policy },
        policy => Target::Bucket { policy, acls: Acls::default() },
    }
}

/// What the ARNs of the resources look like that `action` acts on; `*` where that is not known or varies.
pub fn resource_template(action: &str) -> &'static str {
    let (service, name) = action.split_once(':').unwrap_or((action, ""));
    if !service.eq_ignore_ascii_case("s3") {
        return "*";
    }
    match S3_ACTIONS.iter().find(|known| known.name.eq_ignore_ascii_case(name)).map(|known| known.on) {
        Some(On::Bucket) => "arn:${Partition}:s3:::${BucketName}",
        Some(On::Object) => "arn:${Partition}:s3:::${BucketName}/${KeyName}",
        Some(On::Other) | None => "*",
    }
}
