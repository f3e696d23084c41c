//! What holds for every policy and request.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

use super::naive::{OWNER, Verdict, World, decide};
use super::{TextContext, Texts, subject};
use crate::policy::{
    Acl, AclGrant, AclScope, Acls, Attached, Decision, Grantee, Group, Kind, Permission, Policy, Request,
    SubjectPolicies, Target, evaluate,
};

const SUBJECTS: &[&str] =
    &["anonymous", "root", "alice", "bob", "nightly", "federated", "other root", "carol", "s3 service"];
const ACTIONS: &[&str] = &["s3:GetObject", "s3:PutObject", "s3:PutBucketPolicy", "kms:Decrypt", "kms:Encrypt"];
const ACTION_PATTERNS: &[&str] =
    &["*", "s3:*", "S3:get*", "s3:?etObject", "s3:*Object", "kms:*", "kms:*crypt", "kms:Decrypt", "*:*t"];
const RESOURCES: &[&str] = &[
    "arn:aws:s3:::photos",
    "arn:aws:s3:::photos/alice/1",
    "arn:aws:s3:::photos/red/1",
    "arn:aws:s3:::photos/*",
    "arn:aws:kms:us-east-1:111122223333:key/1",
];
const RESOURCE_PATTERNS: &[&str] = &[
    "*",
    "arn:aws:s3:::photos",
    "arn:aws:s3:::photos/*",
    "arn:aws:s3:::ph?tos/*/1",
    "arn:aws:s3:::photos/${aws:username}/*",
    "arn:aws:s3:::photos/${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::photos/${aws:PrincipalTag/team, 'alice'}/?",
    "arn:aws:s3:::photos/${*}",
    "arn:*:s3:*:*:photos/${aws:username}*",
    "arn:aws:kms:*:111122223333:key/*",
    "arn:aws:kms:*",
];
const PRINCIPALS: &[&str] = &[
    "*",
    "111122223333",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/team/bob",
    "arn:aws:iam::111122223333:role/service/backup",
    "arn:aws:sts::111122223333:assumed-role/backup/nightly",
    "arn:aws:sts::111122223333:federated-user/fred",
    "444455556666",
    "arn:aws:iam::444455556666:user/carol",
];
const TEXT_OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const TEXT_OPERANDS: &[&str] =
    &["red", "Red", "r*", "${aws:username}", "${aws:PrincipalTag/team}", "${aws:Referer, 'red'}", "${*}"];
const TEXT_KEYS: &[&str] = &["aws:UserAgent", "AWS:principaltag/Team", "aws:TagKeys", "aws:username", "aws:NoSuchKey"];

/// One or a few of `all`, as a text or a list.
fn some(all: &'static [&'static str]) -> impl Strategy<Value = Json> {
    subsequence(all, 1..=2).prop_map(|texts| if texts.len() == 1 { json!(texts[0]) } else { json!(texts) })
}

fn operator(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let prefix = select(&["", "", "", "ForAllValues:", "ForAnyValue:"][..]);
    (prefix, select(names), any::<bool>())
        .prop_map(|(prefix, name, if_exists)| format!("{prefix}{name}{}", if if_exists { "IfExists" } else { "" }))
}

fn condition() -> impl Strategy<Value = (String, String, Json)> {
    let named = |key: &'static [&'static str]| select(key).prop_map(str::to_owned);
    prop_oneof![
        4 => (operator(TEXT_OPERATORS), named(TEXT_KEYS), some(TEXT_OPERANDS)),
        1 => (operator(&["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"]),
              named(&["s3:max-keys"]), some(&["1", "10", "-3"])),
        1 => (operator(&["Bool"]), named(&["aws:SecureTransport"]), some(&["true", "FALSE"])),
        1 => (select(&["Null", "ForAnyValue:Null"][..]).prop_map(str::to_owned), named(TEXT_KEYS), some(&["true", "false"])),
        1 => (operator(&["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"]), named(&["aws:PrincipalArn", "aws:SourceArn"]),
              some(&["arn:aws:iam::*:user/*", "arn:aws:iam::111122223333:*", "${aws:PrincipalArn}", "arn:aws:iam::${aws:PrincipalAccount}:r*"])),
    ]
}

fn statement(resource_based: bool) -> impl Strategy<Value = Json> {
    let element = |patterns| (prop::bool::weighted(0.2), some(patterns));
    let conditions = prop::collection::vec(condition(), 0..=2);
    let principal = (prop::bool::weighted(0.3), some(PRINCIPALS), any::<bool>());
    (prop::bool::weighted(0.3), element(ACTION_PATTERNS), element(RESOURCE_PATTERNS), principal, conditions).prop_map(
        move |(deny, (not_action, action), (not_resource, resource), (not_principal, names, service), conditions)| {
            let mut members = Map::new();
            members.insert("Effect".into(), if deny { "Deny" } else { "Allow" }.into());
            let mut add = |negated: bool, name: &str, value| {
                members.insert(if negated { format!("Not{name}") } else { name.to_owned() }, value);
            };
            add(not_action, "Action", action);
            add(not_resource, "Resource", resource);
            if resource_based {
                let types =
                    if service { json!({"AWS": names, "Service": "s3.amazonaws.com"}) } else { json!({"AWS": names}) };
                add(deny && not_principal, "Principal", types);
            }
            let mut operators = Map::new();
            for (operator, key, operands) in conditions {
                operators.entry(operator).or_insert_with(|| json!({}))[key] = operands;
            }
            add(false, "Condition", operators.into());
            members.into()
        },
    )
}

/// Without variables, one of the operands would be no ARN and be refused.
fn fit(version: &str, statement: Json) -> Json {
    if version == "2012-10-17" {
        return statement;
    }
    let text = statement.to_string().replace("\"${aws:PrincipalArn}\"", "\"arn:aws:iam::*\"");
    serde_json::from_str(&text).expect("still JSON")
}

fn policy(resource_based: bool) -> impl Strategy<Value = Json> {
    // Identity policies know the newer version only.
    let version = if resource_based { &["2012-10-17", "2008-10-17"][..] } else { &["2012-10-17"][..] };
    (select(version), prop::collection::vec(statement(resource_based), 1..=3)).prop_map(|(version, statements)| {
        let statements: Vec<_> = statements.into_iter().map(|statement| fit(version, statement)).collect();
        json!({"Version": version, "Statement": statements})
    })
}

fn context() -> impl Strategy<Value = TextContext> {
    let texts = subsequence(&["red", "Red", "r*", "alice", "x"][..], 1..=2)
        .prop_map(|texts| Texts::Many(texts.into_iter().map(str::to_owned).collect()));
    let one = |all: &'static [&'static str]| select(all).prop_map(|text| Texts::One(text.to_owned()));
    let pair = prop_oneof![
        (select(&["aws:useragent", "aws:PrincipalTag/team", "aws:TagKeys", "aws:Referer"][..]), texts),
        (Just("s3:max-keys"), one(&["1", "9", "10", "many"])),
        (Just("aws:SecureTransport"), one(&["true", "false"])),
        (
            Just("aws:SourceArn"),
            one(&["arn:aws:iam::111122223333:role/x", "arn:aws:iam::111122223333:user/alice", "x"])
        ),
    ];
    prop::collection::vec(pair, 0..=5)
        .prop_map(|pairs| TextContext(pairs.into_iter().map(|(key, texts)| (key.to_owned(), texts)).collect()))
}

fn world() -> impl Strategy<Value = World> {
    let own = || prop::collection::vec(policy(false), 0..=2);
    let boundary = prop::option::weighted(0.3, policy(false));
    let session = prop::collection::vec(policy(false), 0..=1);
    let request = (select(SUBJECTS), select(ACTIONS), select(RESOURCES), context());
    let acl = (prop::collection::vec(acl_grant(), 0..=2), any::<bool>());
    (request, own(), boundary, session, prop::option::weighted(0.8, policy(true)), any::<bool>(), acl).prop_map(
        |((who, action, resource, context), identity, boundary, session, on, key, (acl, others))| World {
            subject: subject(who),
            action: action.to_owned(),
            resource: resource.to_owned(),
            context,
            identity,
            boundary,
            session,
            key: key && on.is_some(),
            on,
            acl,
            others,
        },
    )
}

/// Grantee and permission, as S3 names them.
fn acl_grant() -> impl Strategy<Value = (String, String)> {
    let accounts = ["root", "carol"].map(|who| subject(who).canonical_id);
    let grantees: Vec<&str> = Group::ALL.map(|(_, uri)| uri).into_iter().chain(accounts).collect();
    let permissions: Vec<&str> = Permission::ALL.map(|(_, name)| name).to_vec();
    (select(grantees), select(permissions)).prop_map(|(to, permission)| (to.to_owned(), permission.to_owned()))
}

fn compile(document: &Json, kind: Kind) -> Policy {
    Policy::parse(document.to_string().as_bytes(), kind).unwrap_or_else(|error| panic!("{error}: {document}"))
}

/// What the engine decides.
fn engine(world: &World) -> Verdict {
    let identity: Vec<_> = world.identity.iter().map(|document| compile(document, Kind::Identity)).collect();
    let boundary = world.boundary.as_ref().map(|document| compile(document, Kind::Identity));
    let session: Vec<_> = world.session.iter().map(|document| compile(document, Kind::Session)).collect();
    // A key's grammar fits both: a bucket's would refuse the other service's actions.
    let on = world.on.as_ref().map(|document| compile(document, Kind::Key));
    let attach =
        |policies: &'static str| move |policy: Policy| Attached { name: policies.into(), policy: policy.into() };
    let identity: Vec<_> = identity.into_iter().map(attach("identity")).collect();
    let session: Vec<_> = session.into_iter().map(attach("session")).collect();
    let boundary = boundary.map(attach("boundary"));
    let own = SubjectPolicies { identity: &identity, boundary: boundary.as_ref(), session: &session };
    let grant = |(to, permission): &(String, String)| AclGrant {
        grantee: Group::parse(to).map_or_else(|| Grantee::Account(to.clone()), Grantee::Group),
        permission: Permission::parse(permission).expect("a permission"),
    };
    let acl = Acl { grants: world.acl.iter().map(grant).collect() };
    let scope = match world.action.as_str() {
        "s3:GetObject" => AclScope::Object,
        "s3:PutObject" => AclScope::Write { free: true },
        _ => AclScope::Bucket,
    };
    let other_owner = world.others.then_some(subject("carol").account);
    let acls = Acls { acl: Some(&acl), scope, ignore_public: false, other_owner };
    let target = match &on {
        Some(policy) if world.key => Target::Key { policy, grants: &[], encryption_context: &[] },
        policy => Target::Bucket { policy: policy.as_ref(), acls },
    };
    let request = Request {
        subject: world.subject,
        action: &world.action,
        resource: &world.resource,
        owner: OWNER,
        context: &world.context,
    };
    let decision = evaluate(&request, &own, &target);
    assert!(!decision.denial(&request).is_empty(), "every decision can be told");
    match decision {
        Decision::Allow(_) => Verdict::Allow,
        Decision::ExplicitDeny(_) => Verdict::ExplicitDeny,
        Decision::ImplicitDeny(_) => Verdict::ImplicitDeny,
    }
}

fn push(policy: &mut Json, statement: Json) {
    let statement = fit(policy["Version"].as_str().expect("generated as a text"), statement);
    policy["Statement"].as_array_mut().expect("generated as a list").push(statement);
}

/// The policies in which a statement can be added, and whether they are resources' policies.
fn policies(world: &mut World) -> Vec<(&mut Json, bool)> {
    let own = world.identity.iter_mut().chain(&mut world.boundary).chain(&mut world.session);
    own.map(|policy| (policy, false)).chain(world.on.iter_mut().map(|policy| (policy, true))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn both_evaluators_agree(world in world()) {
        prop_assert_eq!(engine(&world), decide(&world));
    }

    #[test]
    fn a_deny_always_wins(mut world in world(), place: prop::sample::Index) {
        let root = world.subject.kind == crate::policy::SubjectKind::Root;
        // Root stands above its own policies, and its bucket's policy can't take the bucket's policy from it.
        if root && world.action == "s3:PutBucketPolicy" {
            return Ok(());
        }
        let mut places = policies(&mut world);
        places.retain(|(_, resource_based)| *resource_based || !root);
        if places.is_empty() {
            return Ok(());
        }
        let at = place.index(places.len());
        let (policy, resource_based) = &mut places[at];
        let mut deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        if *resource_based {
            deny["Principal"] = "*".into();
        }
        push(policy, deny);
        // KMS does not even look at its policies for those who did not sign.
        prop_assert_ne!(engine(&world), Verdict::Allow);
        if world.subject.kind != crate::policy::SubjectKind::Anonymous {
            prop_assert_eq!(engine(&world), Verdict::ExplicitDeny);
        }
    }

    #[test]
    fn an_allow_never_takes_away(
        mut world in world(),
        place: prop::sample::Index,
        mut own in statement(false),
        mut resource in statement(true),
    ) {
        let before = engine(&world);
        let mut places = policies(&mut world);
        if places.is_empty() {
            return Ok(());
        }
        let at = place.index(places.len());
        let (policy, resource_based) = &mut places[at];
        let statement = if *resource_based { &mut resource } else { &mut own };
        statement["Effect"] = "Allow".into();
        if let Some(principal) = statement.as_object_mut().and_then(|members| members.remove("NotPrincipal")) {
            statement["Principal"] = principal;
        }
        push(policy, statement.clone());
        let after = engine(&world);
        prop_assert!(before != Verdict::Allow || after == Verdict::Allow, "{:?} became {:?}", before, after);
    }

    #[test]
    fn printing_and_parsing_give_the_policy_again(resource_based: bool, documents in (policy(false), policy(true))) {
        let (kind, document) =
            if resource_based { (Kind::Key, documents.1) } else { (Kind::Identity, documents.0) };
        let parsed = compile(&document, kind);
        prop_assert_eq!(parsed.text(), document.to_string());
        let printed = parsed.print();
        let again = Policy::parse(printed.as_bytes(), kind);
        prop_assert_eq!(again.as_ref(), Ok(&parsed));
        prop_assert_eq!(again.map(|again| again.print()), Ok(printed));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in "\\PC{0,60}", document in policy(true), at: prop::sample::Index, flip: u8) {
        let mut damaged = document.to_string().into_bytes();
        let at = at.index(damaged.len());
        damaged[at] ^= flip;
        for kind in [Kind::Identity, Kind::Session, Kind::Key, Kind::Bucket, Kind::Trust] {
            for input in [bytes.as_slice(), text.as_bytes(), &damaged, &damaged[..at]] {
                if let Ok(policy) = Policy::parse(input, kind) {
                    let again = Policy::parse(policy.print().as_bytes(), kind);
                    prop_assert_eq!(again.as_ref(), Ok(&policy));
                }
            }
        }
    }
}
