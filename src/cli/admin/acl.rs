//! What stands before a bucket beside identities: its policy, its public access block, its ACL and ownership.

use serde_json::Value;

use super::api::{Api, CallError, Element, members, text};

/// Groups that ACLs name.
const GROUPS: [(&str, &str); 3] = [
    ("http://acs.amazonaws.com/groups/global/AllUsers", "everyone, unsigned too"),
    ("http://acs.amazonaws.com/groups/global/AuthenticatedUsers", "every account"),
    ("http://acs.amazonaws.com/groups/s3/LogDelivery", "log delivery"),
];

/// What is known of a bucket.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// The policy's text.
    pub(super) policy: Option<String>,
    /// GetBucketPolicyStatus: the policy lets everyone in.
    pub(super) is_public: bool,
    /// `RestrictPublicBuckets` of the bucket's public access block.
    pub(super) restricted: bool,
    /// `IgnorePublicAcls`
    ignores_public_acls: bool,
    /// `ObjectOwnership`
    pub(super) ownership: String,
    grants: Vec<Grant>,
}

/// A grant of the bucket's ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// Canonical id or URI.
    to: String,
    permission: String,
}

impl Before {
    /// Asks S3. What there is none of counts as such; what may not be asked is an error: a table with holes would say
    /// "no" where it does not know.
    pub(super) async fn of_bucket(api: &Api, bucket: &str) -> Result<Self, CallError> {
        let policy = match api.bucket("GetBucketPolicy", bucket, "policy").await {
            Ok(body) => Some(String::from_utf8_lossy(&body).into_owned()),
            Err(error) if error.is("NoSuchBucketPolicy") => None,
            Err(error) => return Err(error),
        };
        let is_public = match policy {
            Some(_) => {
                let status = api.bucket_xml("GetBucketPolicyStatus", bucket, "policyStatus").await?;
                text(&status, "IsPublic").eq_ignore_ascii_case("true")
            }
            None => false,
        };
        let block = match api.bucket_xml("GetPublicAccessBlock", bucket, "publicAccessBlock").await {
            Err(error) if error.is("NoSuchPublicAccessBlockConfiguration") => Element::default(),
            other => other?,
        };
        let controls = match api.bucket_xml("GetBucketOwnershipControls", bucket, "ownershipControls").await {
            Err(error) if error.is("OwnershipControlsNotFoundError") => Element::default(),
            other => other?,
        };
        let ownership = controls.child("Rule").map(|rule| text(rule, "ObjectOwnership")).unwrap_or("ObjectWriter");
        let grants = match ownership {
            // Nobody's ACL counts there.
            "BucketOwnerEnforced" => Vec::new(),
            _ => grants(&api.bucket_xml("GetBucketAcl", bucket, "acl").await?),
        };
        let is_on = |switch: &str| text(&block, switch).eq_ignore_ascii_case("true");
        Ok(Self {
            policy,
            is_public,
            restricted: is_on("RestrictPublicBuckets"),
            ignores_public_acls: is_on("IgnorePublicAcls"),
            ownership: ownership.to_owned(),
            grants,
        })
    }

    /// Of something that is no bucket.
    pub(super) fn of_policy(policy: Option<String>) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Who may do `action` by the bucket's ACL, but for its owner, and by which permission.
    pub(super) fn by_acl(&self, action: &str) -> Vec<(String, String)> {
        let permission = match action.to_ascii_lowercase().as_str() {
            "s3:listbucket" | "s3:listbucketversions" | "s3:listbucketmultipartuploads" => "READ",
            "s3:putobject" => "WRITE",
            "s3:getbucketacl" => "READ_ACP",
            "s3:putbucketacl" => "WRITE_ACP",
            _ => return Vec::new(),
        };
        let gives =
            self.grants.iter().filter(|grant| [permission, "FULL_CONTROL"].contains(&grant.permission.as_str()));
        let counts = gives.filter(|grant| !(self.ignores_public_acls && grant.is_public()));
        counts.map(|grant| (grant.who(), grant.permission.clone())).collect()
    }

    /// Whether ACLs of single objects count.
    pub(super) fn objects_have_acls(&self) -> bool {
        !self.ownership.is_empty() && self.ownership != "BucketOwnerEnforced"
    }

    /// The statements of the policy.
    pub(super) fn statements(&self) -> Vec<Value> {
        let parsed = self.policy.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        match parsed.map(|mut policy| policy["Statement"].take()) {
            Some(Value::Array(statements)) => statements,
            Some(Value::Null) | None => Vec::new(),
            Some(one) => vec![one],
        }
    }
}

impl Grant {
    fn is_public(&self) -> bool {
        GROUPS[..2].iter().any(|(uri, _)| *uri == self.to)
    }

    fn who(&self) -> String {
        let group = GROUPS.iter().find(|(uri, _)| *uri == self.to);
        group.map_or_else(|| format!("canonical user {}", self.to), |(_, words)| (*words).to_owned())
    }
}

fn grants(acl: &Element) -> Vec<Grant> {
    let owner = acl.child("Owner").map_or("", |owner| text(owner, "ID"));
    let grants = members(acl, "AccessControlList").iter().map(|grant| {
        let grantee = grant.child("Grantee").cloned().unwrap_or_default();
        let to = ["ID", "URI", "EmailAddress"].into_iter().filter_map(|name| grantee.child_text(name)).next();
        Grant { to: to.unwrap_or_default().to_owned(), permission: text(grant, "Permission").to_owned() }
    });
    grants.filter(|grant| grant.to != owner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::parse;

    const ACL: &str = "<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList>\
        <Grant><Grantee><ID>me</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>\
        <Grant><Grantee><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission>\
        </Grant><Grant><Grantee><ID>other</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>\
        </AccessControlList></AccessControlPolicy>";

    #[test]
    fn what_an_acl_gives() {
        let mut before = Before { grants: grants(&parse(ACL.as_bytes()).unwrap()), ..Before::default() };
        let who = |before: &Before, action| before.by_acl(action).into_iter().map(|(who, _)| who).collect::<Vec<_>>();
        assert_eq!(who(&before, "s3:ListBucket"), ["everyone, unsigned too", "canonical user other"]);
        assert_eq!(who(&before, "s3:PutObject"), ["canonical user other"]);
        assert!(who(&before, "s3:GetObject").is_empty());
        before.ignores_public_acls = true;
        assert_eq!(who(&before, "s3:ListBucket"), ["canonical user other"]);
    }

    #[test]
    fn one_statement_or_several() {
        for (policy, count) in [
            (None, 0),
            (Some(r#"{"Statement": {"Sid": "a"}}"#), 1),
            (Some(r#"{"Statement": [{}, {}]}"#), 2),
            (Some("no policy"), 0),
        ] {
            let before = Before { policy: policy.map(str::to_owned), ..Before::default() };
            assert_eq!(before.statements().len(), count, "{policy:?}");
        }
    }
}
