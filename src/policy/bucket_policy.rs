//! What S3 asks of a bucket policy besides a decision.

use super::document::{Action, ActionPattern, Effect, Policy, Statement, keys_of};
use super::error::PolicyError;
use super::key::Key;
use super::pattern::ArnPattern;
use super::principal::Principal;
use super::s3_actions::{On, S3_ACTIONS, S3Action};

impl Policy {
    /// What S3 checks of a new policy for the bucket with the ARN `bucket_arn` (`arn:aws:s3:::name`), beyond the
    /// grammar: that it speaks of this bucket only, of actions that there are and that act on what their statement
    /// names, and of condition keys that requests for these actions have. Which principals exist is for the caller to
    /// check. The texts are those that clients report of AWS; in which order AWS looks is not recorded.
    pub fn check_for_bucket(&self, bucket_arn: &str) -> Result<(), PolicyError> {
        let malformed = |text: &str| Err(PolicyError::Malformed(text.to_owned()));
        for statement in &self.statements {
            if statement.action.items.iter().any(|pattern| actions(pattern).next().is_none()) {
                return malformed("Policy has invalid action");
            }
        }
        if !self.stays_within_bucket(bucket_arn) {
            return malformed("Policy has invalid resource");
        }
        for statement in &self.statements {
            let targets = Targets::of(statement, bucket_arn);
            // What a NotAction leaves always acts on something.
            let listed = || statement.action.items.iter().filter(|_| !statement.action.negated);
            if listed().any(|pattern| actions(pattern).all(|action| !targets.include(action))) {
                return malformed("Action does not apply to any resource(s) in statement");
            }
            let has = |pattern, key| actions(pattern).any(|action| targets.include(action) && action.has(key));
            if keys_of(std::slice::from_ref(statement)).iter().any(|key| listed().any(|pattern| !has(pattern, key))) {
                return malformed("Conditions do not apply to combination of actions and resources in statement");
            }
        }
        Ok(())
    }

    /// Whether every resource of this bucket policy lies in the bucket with the ARN `bucket_arn`
    /// (`arn:aws:s3:::name`): the bucket itself, or something behind its `/`. S3 refuses others with
    /// `Policy has invalid resource`. A wildcard in the bucket's name counts as another.
    pub fn stays_within_bucket(&self, bucket_arn: &str) -> bool {
        let resources = self.statements.iter().filter_map(|statement| statement.resource.as_ref());
        resources.flat_map(|clause| &clause.items).all(|pattern| {
            let template = pattern.template();
            match template.beginning().strip_prefix(bucket_arn.as_bytes()) {
                Some(rest) => rest.first() == Some(&b'/') || (rest.is_empty() && template.is_literal()),
                None => false,
            }
        })
    }

    /// Whether S3 calls this bucket policy public (GetBucketPolicyStatus, BlockPublicPolicy, RestrictPublicBuckets):
    /// an Allow for everyone that is not tied to fixed values of one of the keys which S3 documents for this.
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| statement.effect == Effect::Allow && is_open(statement))
    }
}

/// The actions that a pattern stands for.
fn actions(pattern: &ActionPattern) -> impl Iterator<Item = &'static S3Action> {
    S3_ACTIONS.iter().filter(|action| pattern.matches(Action { service: "s3", name: action.name }))
}

/// What a statement's resources are.
struct Targets {
    bucket: bool,
    objects: bool,
}

impl Targets {
    fn of(statement: &Statement, bucket_arn: &str) -> Self {
        match &statement.resource {
            // What is left of a bucket when something is excepted.
            Some(clause) if clause.negated => Self { bucket: true, objects: true },
            Some(clause) => {
                let is_bucket = |pattern: &ArnPattern| pattern.template().source() == bucket_arn;
                Self { bucket: clause.items.iter().any(is_bucket), objects: !clause.items.iter().all(is_bucket) }
            }
            None => Self { bucket: false, objects: false },
        }
    }

    fn include(&self, action: &S3Action) -> bool {
        match action.on {
            On::Bucket => self.bucket,
            On::Object => self.objects,
            On::Other => false,
        }
    }
}

fn is_open(statement: &Statement) -> bool {
    let everyone = statement.principal.as_ref().is_some_and(|clause| {
        clause.negated || clause.items.iter().any(|principal| matches!(principal, Principal::Everyone { .. }))
    });
    let tied = statement.conditions.iter().any(|condition| {
        let ties = condition.key().key().is_some_and(|key| {
            matches!(
                key,
                Key::AwsPrincipalAccount
                    | Key::AwsPrincipalArn
                    | Key::AwsPrincipalOrgId
                    | Key::AwsPrincipalOrgPaths
                    | Key::AwsSourceAccount
                    | Key::AwsSourceArn
                    | Key::AwsSourceIp
                    | Key::AwsSourceVpc
                    | Key::AwsSourceVpce
                    | Key::AwsUserId
                    | Key::S3DataAccessPointAccount
                    | Key::S3DataAccessPointArn
                    | Key::S3XAmzServerSideEncryptionAwsKmsKeyId
            )
        });
        // `anonymous` is the id of whoever did not sign.
        ties && condition.pins_its_key() && !condition.names_value("anonymous")
    });
    everyone && !tied
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Policy};

    fn policy(principal: &str, resource: &str, condition: &str) -> Policy {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject",
            "Resource":"{resource}","Condition":{condition}}}}}"#
        );
        Policy::parse(text.as_bytes(), Kind::Bucket).expect("a policy")
    }

    #[test]
    fn resources_of_other_buckets() {
        let within = |resource| policy(r#""*""#, resource, "{}").stays_within_bucket("arn:aws:s3:::photos");
        for good in ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*", "arn:aws:s3:::photos/${aws:username}/*"] {
            assert!(within(good), "{good}");
        }
        for bad in ["*", "arn:aws:s3:::*", "arn:aws:s3:::photos*", "arn:aws:s3:::photos2/*", "arn:aws:s3:::photo?/x"] {
            assert!(!within(bad), "{bad}");
        }
    }

    #[test]
    fn public_as_s3_means_it() {
        let public = |principal, condition| policy(principal, "arn:aws:s3:::photos/*", condition).is_public();
        for everyone in [r#""*""#, r#"{"AWS":"*"}"#, r#"{"AWS":["111122223333","*"]}"#] {
            assert!(public(everyone, "{}"));
            for tied in [
                r#"{"StringEquals":{"aws:SourceVpce":"vpce-1a2b3c4d"}}"#,
                r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","10.0.0.0/8","fd00::/8"]}}"#,
                r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"},"StringLike":{"aws:Referer":"*"}}"#,
                r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/x"}}"#,
            ] {
                assert!(!public(everyone, tied), "{tied}");
            }
            for open in [
                r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
                r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","64.0.0.0/7"]}}"#,
                r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
                r#"{"IpAddress":{"aws:SourceIp":"::ffff:0:0/96"}}"#,
                r#"{"IpAddress":{"aws:SourceIp":["::ffff:0.0.0.0/97","::ffff:128.0.0.0/97"]}}"#,
                r#"{"StringEquals":{"aws:userid":"anonymous"}}"#,
                r#"{"StringEqualsIgnoreCase":{"aws:userid":["AIDAEXAMPLE","Anonymous"]}}"#,
                r#"{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}"#,
                r#"{"StringEquals":{"aws:PrincipalArn":"${aws:PrincipalArn}"}}"#,
                r#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#,
                r#"{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-1"}}"#,
                r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            ] {
                assert!(public(everyone, open), "{open}");
            }
        }
        assert!(!public(r#"{"AWS":"111122223333"}"#, "{}"));
    }
}
