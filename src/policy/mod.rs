//! The policy engine: who may do what, as AWS decides it. Pure: documents and facts in, a decision with its reason out.
//!
//! It serves identity policies, permissions boundaries, session policies, bucket policies and ACLs, key policies with
//! their grants, and trust policies, for S3, KMS, IAM and STS alike.
//!
//! # How it is used
//!
//! A document is parsed once, where it is stored or loaded ([`Policy::parse`]); the text that was given stays with it
//! ([`Policy::text`]). What is refused has a message for the client ([`PolicyError`]). Whether the principals exist that
//! a policy names is the caller's to check ([`Policy::named_principals`]).
//!
//! For each action of a request the caller says who asks ([`Subject`]), what for ([`Request`]), what policies stand
//! behind the subject ([`SubjectPolicies`]) and before the resource ([`Target`]), and answers for condition keys by a
//! [`Context`] over what it knows of the request. [`evaluate()`] borrows all of it and takes no memory of its own, but a
//! buffer if a policy variable has to be expanded.
//!
//! ```
//! use strongroom::policy::*;
//!
//! // Once, when they are written:
//! let bucket_policy = br#"{"Version": "2012-10-17", "Statement": [{
//!     "Sid": "TLS only", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*",
//!     "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#;
//! let bucket_policy = Policy::parse(bucket_policy, Kind::Bucket)?;
//! let home = br#"{"Version": "2012-10-17", "Statement": [{
//!     "Effect": "Allow", "Action": "s3:*Object", "Resource": "arn:aws:s3:::photos/${aws:username}/*"}]}"#;
//! let home = Policy::parse(home, Kind::Identity)?;
//!
//! // What a request knows of itself; a key that it does not have is not answered.
//! struct Facts {
//!     secure: bool,
//!     source_ip: std::net::IpAddr,
//!     tags: Vec<(String, String)>,
//! }
//!
//! impl Context for Facts {
//!     fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
//!         match key {
//!             Key::AwsSecureTransport => each(Value::Bool(self.secure)),
//!             Key::AwsSourceIp => each(Value::Ip(self.source_ip)),
//!             Key::S3RequestObjectTag => {
//!                 let tags = self.tags.iter().filter(|(key, _)| key.eq_ignore_ascii_case(parameter));
//!                 tags.for_each(|(_, value)| each(Value::Text(value)));
//!             }
//!             Key::S3RequestObjectTagKeys => self.tags.iter().for_each(|(key, _)| each(Value::Text(key))),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! // For each action:
//! let facts = Facts { secure: true, source_ip: [203, 0, 113, 7].into(), tags: Vec::new() };
//! let alice = Subject {
//!     kind: SubjectKind::User { name: "alice" },
//!     account: "111122223333",
//!     canonical_id: "",
//!     arn: "arn:aws:iam::111122223333:user/alice",
//!     user_id: "AIDAEXAMPLE",
//! };
//! let request = Request {
//!     subject: alice,
//!     action: "s3:PutObject",
//!     resource: "arn:aws:s3:::photos/alice/cat.jpg",
//!     owner: "111122223333",
//!     context: &facts,
//! };
//! let identity = [Attached { name: "home".into(), policy: home.into() }];
//! let own = SubjectPolicies { identity: &identity, ..SubjectPolicies::default() };
//! let target = Target::Bucket { policy: Some(&bucket_policy), acls: Acls::default() };
//! assert!(evaluate(&request, &own, &target).is_allowed());
//!
//! // A refusal says why, to the log and to the client:
//! let over_http = Facts { secure: false, source_ip: facts.source_ip, tags: Vec::new() };
//! let request = Request { context: &over_http, ..request };
//! let decision = evaluate(&request, &own, &target);
//! let Decision::ExplicitDeny(by) = decision else { panic!("{decision:?}") };
//! assert_eq!((by.layer, by.statement, by.sid), (Layer::Resource, 0, Some("TLS only")));
//! assert_eq!(
//!     decision.denial(&request),
//!     "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: s3:PutObject on resource: \
//!      \"arn:aws:s3:::photos/alice/cat.jpg\" with an explicit deny in a resource-based policy"
//! );
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! A KMS key is asked for with [`Target::Key`], which has to have the key's policy: without it nothing is allowed, and
//! [`keeps_key_manageable`] is the check before a new one is taken. When S3 uses a key for its caller, the subject is
//! that caller, the action the one of KMS, and the context answers [`Key::KmsViaService`] and the encryption context.
//! Calls that name no resource use `*`, their own account as owner and [`Target::Account`].
//!
//! What a request would get that nobody made, with every statement that speaks about it, a [`Simulation`] says, by the
//! same matching: SimulatePrincipalPolicy and SimulateCustomPolicy. [`ReadyMade`] are the policies that come with the
//! program, [`PolicyQuota`] says how long IAM lets documents be.
//!
//! # What is not known never widens access
//!
//! A key that the request does not have fails a positive condition and satisfies a negated one, as in AWS. Beyond that
//! AWS leaves cases open: a variable without a value, or a value of the wrong type, does not match; where the element
//! or operator is negated, an Allow does not apply and a Deny does. Operators, elements and values that mean nothing
//! are refused when the policy is written.
//!
//! # Not here
//!
//! Service control policies and, for evaluation, the lists of actions with their resources and condition keys: an action
//! that does not exist just never applies. S3 refuses a bucket policy that names such a one, or that asks an action for
//! what it does not have: [`Policy::check_for_bucket`], over the table in `s3_actions.rs`.

mod acl;
mod bucket_policy;
mod condition;
mod context;
mod decision;
mod document;
mod error;
mod evaluate;
mod grant;
mod key;
mod key_policy;
mod parse;
mod pattern;
mod principal;
mod print;
mod public_access;
mod quota;
mod ready_made;
mod s3_actions;
mod simulate;
mod value;

pub use acl::{
    ACL_GRANTS_MAX, ANONYMOUS_ID, Acl, AclGrant, AclScope, Acls, CannedAcl, EXEC_READ_ID, Grantee, Group, Permission,
};
pub use context::{Context, NoContext};
pub use decision::{Decision, Layer, Source};
pub use document::{Effect, Kind, Policy};
pub use error::PolicyError;
pub use evaluate::{Attached, Request, SubjectPolicies, Target, evaluate};
pub use grant::{ContextPairs, GrantConstraint, GrantPrincipal, KeyGrant, Standing};
pub use key::Key;
pub use key_policy::{LOCKOUT_MESSAGE, keeps_key_manageable};
pub use principal::{Subject, SubjectKind};
pub use public_access::{Prevented, PublicAccessBlock};
pub use quota::{PolicyQuota, SESSION_POLICY_ARNS_MAX, SESSION_POLICY_MAX_CHARS, counted_chars};
pub use ready_made::{MANAGED_CREATED, MANAGED_PATH, MANAGED_VERSION, READY_MADE, READY_MADE_PREFIX, ReadyMade};
pub use simulate::{
    BadContextEntry, Evaluation, Matched, Position, ResourceEvaluation, SimulatedContext, SimulatedPolicy, Simulation,
    SourceType, Verdict, context_keys, parse_resource_policy, resource_template, simulated_caller,
};
pub use value::Value;

#[cfg(test)]
mod tests;
