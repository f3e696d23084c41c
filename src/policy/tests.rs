//! What the engine decides, as data: `fixtures/policy/*.json`. Each file says in `about` what it is for.

mod naive;
mod properties;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::*;

/// A context with values as text, keys in any case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct TextContext(pub(super) BTreeMap<String, Texts>);

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl Context for TextContext {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let name = format!("{}{parameter}", key.name());
        let found = self.0.iter().filter(|(written, _)| written.eq_ignore_ascii_case(&name));
        found.flat_map(|(_, texts)| texts.all()).for_each(|text| each(Value::Text(text)));
    }
}

pub(super) fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/policy").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn kind(name: &str) -> Kind {
    match name {
        "identity" => Kind::Identity,
        "session" => Kind::Session,
        "key" => Kind::Key,
        "bucket" => Kind::Bucket,
        "trust" => Kind::Trust,
        other => panic!("no kind {other}"),
    }
}

/// The callers that fixtures name.
pub(super) fn subject(name: &str) -> Subject<'static> {
    const ONE: &str = "111122223333";
    const OTHER: &str = "444455556666";
    const ONE_CANONICAL: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const OTHER_CANONICAL: &str = "2222222222222222222222222222222222222222222222222222222222222222";
    let subject = |kind, arn, user_id| Subject { kind, account: ONE, canonical_id: ONE_CANONICAL, arn, user_id };
    let other = |kind, arn| Subject { kind, account: OTHER, canonical_id: OTHER_CANONICAL, arn, user_id: "AIDAOTHER" };
    let alone = |kind| Subject { kind, ..Subject::ANONYMOUS };
    match name {
        "anonymous" => Subject::ANONYMOUS,
        "root" => subject(SubjectKind::Root, "arn:aws:iam::111122223333:root", ONE),
        "alice" => subject(SubjectKind::User { name: "alice" }, "arn:aws:iam::111122223333:user/alice", "AIDAALICE"),
        "bob" => subject(SubjectKind::User { name: "bob" }, "arn:aws:iam::111122223333:user/team/bob", "AIDABOB"),
        "nightly" => subject(
            SubjectKind::RoleSession { role_arn: "arn:aws:iam::111122223333:role/service/backup" },
            "arn:aws:sts::111122223333:assumed-role/backup/nightly",
            "AROABACKUP:nightly",
        ),
        "federated" => {
            subject(SubjectKind::FederatedUser, "arn:aws:sts::111122223333:federated-user/fred", "111122223333:fred")
        }
        "other root" => other(SubjectKind::Root, "arn:aws:iam::444455556666:root"),
        "carol" => other(SubjectKind::User { name: "carol" }, "arn:aws:iam::444455556666:user/carol"),
        "other nightly" => other(
            SubjectKind::RoleSession { role_arn: "arn:aws:iam::444455556666:role/backup" },
            "arn:aws:sts::444455556666:assumed-role/backup/nightly",
        ),
        "Alice" => subject(SubjectKind::User { name: "Alice" }, "arn:aws:iam::111122223333:user/Alice", "AIDAUPPER"),
        // With a Cyrillic а: IAM has no such names, a federation might.
        "look-alike" => {
            subject(SubjectKind::User { name: "аlice" }, "arn:aws:iam::111122223333:user/аlice", "AIDALOOKALIKE")
        }
        "web" => alone(SubjectKind::WebIdentity { provider: "accounts.example.com" }),
        "job" => alone(SubjectKind::WebIdentity {
            provider: "arn:aws:iam::111122223333:oidc-provider/issuer.example.com/pool",
        }),
        "log service" => alone(SubjectKind::Service { name: "logging.s3.amazonaws.com" }),
        "s3 service" => alone(SubjectKind::Service { name: "s3.amazonaws.com" }),
        "trail service" => alone(SubjectKind::Service { name: "cloudtrail.amazonaws.com" }),
        other => panic!("nobody is called {other}"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    cases: Vec<RefusedCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedCase {
    kind: String,
    /// The document as JSON, or a text to be taken as it is.
    document: Json,
    error: String,
}

#[test]
fn malformed_documents_are_refused_with_a_reason() {
    let Refused { cases, .. } = fixture("refused.json");
    for RefusedCase { kind: name, document, error } in &cases {
        let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
        let found = Policy::parse(text.as_bytes(), kind(name));
        assert_eq!(found.as_ref().map_err(ToString::to_string), Err(error.clone()), "{name}: {text}");
    }
    println!("{} documents refused", cases.len());
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BucketChecks {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    cases: Vec<BucketCheck>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BucketCheck {
    /// Without effect and principal.
    statement: Json,
    error: Option<String>,
}

#[test]
fn bucket_policies_fit_their_bucket() {
    let BucketChecks { cases, .. } = fixture("bucket_checks.json");
    for BucketCheck { statement, error } in &cases {
        let mut statement = statement.clone();
        statement["Effect"] = "Deny".into();
        statement["Principal"] = "*".into();
        let text = serde_json::json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        let policy = Policy::parse(text.as_bytes(), Kind::Bucket).unwrap_or_else(|error| panic!("{error}: {text}"));
        let found = policy.check_for_bucket("arn:aws:s3:::photos").err().map(|error| error.to_string());
        assert_eq!(found, *error, "{text}");
    }
    println!("{} statements checked", cases.len());
}

#[test]
fn a_policy_knows_the_keys_that_decide_it() {
    let text = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::b/${aws:username}/*","Condition":{"StringEquals":{"S3:existingobjecttag/a":
        "${s3:RequestObjectTag/a, 'x'}"},"ArnLike":{"aws:SourceArn":"arn:aws:s3:::${aws:SourceAccount}"}}}]}"#;
    let policy = Policy::parse(text, Kind::Bucket).expect("a policy");
    let named = [Key::AwsUserName, Key::S3ExistingObjectTag, Key::S3RequestObjectTag, Key::AwsSourceArn];
    assert!(named.into_iter().chain([Key::AwsSourceAccount]).all(|key| policy.names_key(key)));
    assert!(![Key::S3RequestObjectTagKeys, Key::AwsSourceIp].into_iter().any(|key| policy.names_key(key)));
    let attached = [Attached { name: "own".into(), policy: policy.into() }];
    assert!(SubjectPolicies { session: &attached, ..SubjectPolicies::default() }.name_key(Key::AwsUserName));
    assert!(SubjectPolicies { boundary: Some(&attached[0]), ..SubjectPolicies::default() }.name_key(Key::AwsUserName));
    assert!(!SubjectPolicies::default().name_key(Key::AwsUserName));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    conditions: Vec<ConditionCases>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionCases {
    condition: Json,
    /// Contexts in which it holds.
    holds: Vec<TextContext>,
    /// Contexts in which it does not.
    fails: Vec<TextContext>,
    /// Contexts in which it can't be told: no Allow applies, and of Deny only a negated one.
    #[serde(default)]
    unknown: Vec<TextContext>,
}

/// Whether a statement of `effect` with `condition` applies to alice.
fn applies(effect: &str, condition: &Json, context: &TextContext) -> bool {
    let statement = |effect: &str, condition: &Json| {
        format!(r#"{{"Effect":"{effect}","Action":"s3:GetObject","Resource":"*","Condition":{condition}}}"#)
    };
    let both = format!("{},{}", statement("Allow", &serde_json::json!({})), statement("Deny", condition));
    let statements = if effect == "Deny" { both } else { statement("Allow", condition) };
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let policy = Policy::parse(text.as_bytes(), Kind::Identity).unwrap_or_else(|error| panic!("{error}: {text}"));
    let request = Request {
        subject: subject("alice"),
        action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/cat.jpg",
        owner: "111122223333",
        context,
    };
    let identity = [Attached { name: "own".into(), policy: policy.into() }];
    let own = SubjectPolicies { identity: &identity, ..SubjectPolicies::default() };
    match evaluate(&request, &own, &Target::Bucket { policy: None, acls: Acls::default() }) {
        Decision::Allow(_) => effect == "Allow",
        Decision::ExplicitDeny(_) => true,
        Decision::ImplicitDeny(_) => false,
    }
}

#[test]
fn conditions_hold_as_documented() {
    let Conditions { conditions, .. } = fixture("conditions.json");
    let mut checked = 0;
    for ConditionCases { condition, holds, fails, unknown } in &conditions {
        let negated = condition.to_string().contains("Not");
        let expected = [(holds, true, true), (fails, false, false), (unknown, false, negated)];
        for (contexts, allow, deny) in expected {
            for context in contexts {
                assert_eq!(applies("Allow", condition, context), allow, "Allow {condition} with {context:?}");
                assert_eq!(applies("Deny", condition, context), deny, "Deny {condition} with {context:?}");
                checked += 2;
            }
        }
    }
    println!("{} conditions, {checked} decisions", conditions.len());
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decisions {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    /// By name; the name begins with the kind: `key default`.
    policies: BTreeMap<String, Json>,
    #[serde(default)]
    grants: BTreeMap<String, GrantFixture>,
    cases: Vec<DecisionCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantFixture {
    grantee: String,
    operations: Vec<String>,
    #[serde(default)]
    equals: Option<BTreeMap<String, String>>,
    #[serde(default)]
    subset: Option<BTreeMap<String, String>>,
    source_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionCase {
    /// Who asks: see [`subject`].
    who: String,
    #[serde(default)]
    identity: Vec<String>,
    boundary: Option<String>,
    #[serde(default)]
    session: Vec<String>,
    /// The resource's policy, whose kind says what it is; without one, `bucket` or `account`.
    on: String,
    #[serde(default)]
    grants: Vec<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
    action: String,
    resource: String,
    #[serde(default = "one")]
    owner: String,
    #[serde(default)]
    context: TextContext,
    /// `allow identity readers#0`, `deny resource#1`, `none boundary`.
    expect: String,
    /// What the client is told.
    message: Option<String>,
}

fn one() -> String {
    "111122223333".to_owned()
}

fn shown(decision: &Decision<'_>) -> String {
    let source = |source: &Source<'_>| {
        let layer = format!("{:?}", source.layer).to_lowercase();
        let policy = if source.policy.is_empty() { String::new() } else { format!(" {}", source.policy) };
        format!("{layer}{policy}#{}", source.statement)
    };
    match decision {
        Decision::Allow(by) => format!("allow {}", source(by)),
        Decision::ExplicitDeny(by) => format!("deny {}", source(by)),
        Decision::ImplicitDeny(layer) => format!("none {}", format!("{layer:?}").to_lowercase()),
    }
}

/// What is wrong with the decision, if anything is.
fn check(
    case: &DecisionCase,
    policies: &BTreeMap<String, Policy>,
    grants: &BTreeMap<String, KeyGrant>,
) -> Option<String> {
    let attached = |name: &String| {
        let (name, policy) = policies.get_key_value(name).unwrap_or_else(|| panic!("no policy {name}"));
        Attached { name: name.as_str().into(), policy: policy.clone().into() }
    };
    let identity: Vec<_> = case.identity.iter().map(attached).collect();
    let session: Vec<_> = case.session.iter().map(attached).collect();
    let boundary = case.boundary.as_ref().map(attached);
    let own = SubjectPolicies { identity: &identity, boundary: boundary.as_ref(), session: &session };
    let grants: Vec<&KeyGrant> = case.grants.iter().map(|name| &grants[name]).collect();
    let pairs: Vec<_> = case.encryption_context.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let policy = policies.get(&case.on);
    let target = match (policy.map(Policy::kind), case.on.as_str()) {
        (None, "account") => Target::Account,
        (None, "bucket") | (Some(Kind::Bucket), _) => Target::Bucket { policy, acls: Acls::default() },
        (Some(Kind::Key), _) => Target::Key { policy: policy.unwrap(), grants: &grants, encryption_context: &pairs },
        (Some(Kind::Trust), _) => Target::Role { trust: policy.unwrap() },
        (_, other) => panic!("nothing to act on: {other}"),
    };
    let request = Request {
        subject: subject(&case.who),
        action: &case.action,
        resource: &case.resource,
        owner: &case.owner,
        context: &case.context,
    };
    let decision = evaluate(&request, &own, &target);
    let what = format!("{} {} on {} ({})", case.who, case.action, case.resource, case.on);
    let told = case.message.as_ref().map(|_| decision.denial(&request));
    let right = shown(&decision) == case.expect && told == case.message;
    (!right).then(|| format!("{what}: {}, not {}; {told:?}", shown(&decision), case.expect))
}

#[test]
fn decisions_and_their_reasons() {
    let mut checked = 0;
    for file in ["identity.json", "buckets.json", "keys.json", "roles.json", "access.json"] {
        let Decisions { policies, grants, cases, .. } = fixture(file);
        let parse = |(name, document): (&String, &Json)| {
            let of = kind(name.split(' ').next().unwrap_or_default());
            let policy = Policy::parse(document.to_string().as_bytes(), of);
            (name.clone(), policy.unwrap_or_else(|error| panic!("{file}, {name}: {error}")))
        };
        let policies: BTreeMap<_, _> = policies.iter().map(parse).collect();
        for policy in policies.values() {
            let printed = policy.print();
            let again = Policy::parse(printed.as_bytes(), policy.kind());
            assert_eq!(again.as_ref(), Ok(policy), "{printed}");
            assert_eq!(again.map(|again| again.print()), Ok(printed));
        }
        let pairs = |map: &BTreeMap<String, String>| map.clone().into_iter().collect();
        let grant = |(name, grant): (&String, &GrantFixture)| {
            let constraint = match (&grant.equals, &grant.subset) {
                (Some(equals), _) => Some(GrantConstraint::Equals(pairs(equals))),
                (None, Some(subset)) => Some(GrantConstraint::Subset(pairs(subset))),
                (None, None) => None,
            };
            let made = KeyGrant::new(name, &grant.grantee, &grant.operations, constraint).expect("a grantee");
            let made = match &grant.source_arn {
                Some(arn) => made.on_behalf_of(arn),
                None => made,
            };
            (name.clone(), made)
        };
        let grants: BTreeMap<_, _> = grants.iter().map(grant).collect();
        let wrong: Vec<_> = cases.iter().filter_map(|case| check(case, &policies, &grants)).collect();
        assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
        checked += cases.len();
    }
    assert!(checked >= 300, "{checked} decisions");
    println!("{checked} decisions");
}

#[test]
fn what_is_kept_and_named() {
    let text = r#"
      { "Statement": {"Sid": "", "Effect": "Deny", "NotPrincipal": {"AWS": ["444455556666",
        "arn:aws:iam::111122223333:user/alice"], "Service": "s3.amazonaws.com"}, "Action": "kms:*", "Resource": "*"} }"#;
    let policy = Policy::parse(text.as_bytes(), Kind::Key).expect("a policy");
    assert_eq!((policy.text(), policy.statements(), policy.kind()), (text, 1, Kind::Key));
    assert!(policy.named_principals().eq(["444455556666", "arn:aws:iam::111122223333:user/alice"]));
    assert_eq!(
        policy.print(),
        r#"{"Version":"2008-10-17","Statement":[{"Sid":"","Effect":"Deny","NotPrincipal":{"AWS":["444455556666","arn:aws:iam::111122223333:user/alice"],"Service":"s3.amazonaws.com"},"Action":"kms:*","Resource":"*"}]}"#
    );
}

#[test]
fn whom_and_what_trust_policies_may_name() {
    let provider = "arn:aws:iam::111122223333:oidc-provider/issuer.example.com/pool";
    let session = "arn:aws:sts::111122223333:assumed-role/backup/nightly";
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[
        {{"Effect":"Allow","Principal":{{"AWS":["*","111122223333","arn:aws:iam::444455556666:root",
            "arn:aws:iam::111122223333:user/a/b","arn:aws:iam::111122223333:role/r","{session}"],
            "Service":["ec2.amazonaws.com","s3.amazonaws.com"],"Federated":["accounts.google.com","{provider}"]}},
            "Action":["sts:*","STS:assumerole","sts:AssumeRoleWith*","sts:TagSession","sts:SetSourceIdentity"]}},
        {{"Effect":"Deny","Principal":{{"AWS":"*"}},"NotAction":"sts:TagSession"}}]}}"#
    );
    let policy = Policy::parse(text.as_bytes(), Kind::Trust).expect("a trust policy");
    let named = [
        "111122223333",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::111122223333:user/a/b",
        "arn:aws:iam::111122223333:role/r",
        session,
        "accounts.google.com",
        provider,
    ];
    assert!(policy.named_principals().eq(named));
    assert_eq!(Policy::parse(policy.print().as_bytes(), Kind::Trust).as_ref(), Ok(&policy));
}

#[test]
fn what_identity_policies_may_say() {
    for (action, resource) in [
        ("nosuch:DoThings", "*"),
        ("s3:NoSuchAction", "arn:aws:s3:::photos"),
        ("s3:*", "arn:aws:s3:*:111122223333:accesspoint/a"),
        ("iam:*", "arn:aws:iam::*:user/${aws:username}"),
        ("iam:*", "arn:aws:iam::111122223333:*"),
        ("iam:*", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ("iam:*", "arn:aws:iam:*:*:*"),
        ("iam:*", "arn:aws:iam::111122223333:u*"),
        ("*", "arn:aws:s3:*"),
    ] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Sid":"","Effect":"Allow","Action":"{action}","Resource":"{resource}",
            "Condition":{{"StringEquals":{{"nosuch:Key":"x"}},"Bool":{{"aws:SecureTransport":true}}}}}}}}"#
        );
        for kind in [Kind::Identity, Kind::Session] {
            assert!(Policy::parse(text.as_bytes(), kind).is_ok(), "{text}");
        }
    }
}

#[test]
fn sizes_are_limited() {
    for kind in [Kind::Identity, Kind::Session, Kind::Key, Kind::Bucket, Kind::Trust] {
        let (principal, resource, action) = match kind {
            Kind::Identity | Kind::Session => ("", r#","Resource":"*""#, "s3:GetObject"),
            Kind::Key => (r#""Principal":"*","#, r#","Resource":"*""#, "kms:Decrypt"),
            Kind::Bucket => (r#""Principal":"*","#, r#","Resource":"arn:aws:s3:::b/*""#, "s3:GetObject"),
            Kind::Trust => (r#""Principal":{"AWS":"*"},"#, "", "sts:AssumeRole"),
        };
        let document = |filler: usize| {
            let id = "x".repeat(filler);
            let statement = format!(r#"{{"Effect":"Deny",{principal}"Action":"{action}"{resource}}}"#);
            format!(r#"{{"Version":"2012-10-17","Id":"{id}","Statement":[{statement}]}}"#)
        };
        let limit_bytes = kind.limit_bytes();
        let filler = limit_bytes - document(0).len();
        assert_eq!(Policy::parse(document(filler).as_bytes(), kind).map(|_| ()), Ok(()));
        let larger = Policy::parse(document(filler + 1).as_bytes(), kind);
        assert_eq!(larger, Err(PolicyError::TooLarge { limit_bytes }));
    }
}

#[test]
fn a_key_policy_may_not_lock_its_author_out() {
    let statement = |principal: &str, action: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},
            "Action":"{action}","Resource":"*"}}}}"#
        );
        Policy::parse(text.as_bytes(), Kind::Key).expect("a policy")
    };
    let text = br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Put*","Resource":"*"}}"#;
    let administration = Policy::parse(text, Kind::Identity).expect("a policy");
    let administration = [Attached { name: "administration".into(), policy: administration.into() }];
    let keeps = |who: &str, identity: &[Attached], new: &Policy| {
        let request = Request {
            subject: subject(who),
            action: "kms:CreateKey",
            resource: "arn:aws:kms:us-east-1:111122223333:key/1",
            owner: "111122223333",
            context: &NoContext,
        };
        keeps_key_manageable(&request, &SubjectPolicies { identity, ..SubjectPolicies::default() }, new)
    };
    let delegating = statement("arn:aws:iam::111122223333:root", "kms:*");
    assert!(keeps("root", &[], &delegating));
    assert!(keeps("alice", &administration, &delegating));
    assert!(!keeps("alice", &[], &delegating));
    assert!(keeps("alice", &[], &statement("arn:aws:iam::111122223333:user/alice", "kms:PutKeyPolicy")));
    assert!(!keeps("alice", &administration, &statement("arn:aws:iam::111122223333:user/team/bob", "kms:*")));
    assert!(!keeps("root", &[], &statement("arn:aws:iam::111122223333:root", "kms:Decrypt")));
    assert!(!keeps("other root", &[], &delegating));
}
