//! What holds for every policy and request.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

use super::naive::{OWNER, Place, Verdict, World, applying, decide};
use super::{TextContext, Texts, subject};
use crate::policy::{
    Acl, AclGrant, AclScope, Acls, Attached, Decision, Grantee, Group, Kind, Layer, Permission, Policy, Request,
    SimulatedContext, SimulatedPolicy, Simulation, SourceType, SubjectKind, SubjectPolicies, Target, evaluate,
};

const SUBJECTS: &[&str] =
    &["anonymous", "root", "alice", "bob", "nightly", "federated", "other root", "carol", "s3 service", "web"];
const ACTIONS: &[&str] = &["s3:GetObject", "s3:PutObject", "s3:PutBucketPolicy", "kms:Decrypt", "kms:Encrypt"];
const ACTION_PATTERNS: &[&str] =
    &["*", "s3:*", "S3:get*", "s3:?etObject", "s3:*Object", "kms:*", "kms:*crypt", "kms:Decrypt", "*:*t"];
const STS_ACTIONS: &[&str] = &["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:TagSession"];
const STS_ACTION_PATTERNS: &[&str] = &["sts:*", "STS:assumerole", "sts:AssumeRole*", "sts:*Session", "sts:?agSession"];
const RESOURCES: &[&str] = &[
    "arn:aws:s3:::photos",
    "arn:aws:s3:::photos/alice/1",
    "arn:aws:s3:::photos/red/1",
    "arn:aws:s3:::photos/*",
    "arn:aws:kms:us-east-1:111122223333:key/1",
];
const ROLE: &str = "arn:aws:iam::111122223333:role/service/backup";
const RESOURCE_PATTERNS: &[&str] = &[
    "arn:aws:iam::*:role/*",
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
        1 => (operator(&["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
                         "NumericGreaterThan", "NumericGreaterThanEquals"]),
              named(&["s3:max-keys"]), some(&["1", "10", "-3"])),
        1 => (operator(&["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
                         "DateGreaterThanEquals"]),
              named(&["aws:CurrentTime", "aws:TokenIssueTime"]),
              some(&["2026-11-25T12:00:00Z", "1795608000", "2024-02-29T23:59:59Z"])),
        1 => (operator(&["IpAddress", "NotIpAddress"]), named(&["aws:SourceIp"]),
              some(&["203.0.113.0/24", "203.0.113.9", "0.0.0.0/0", "2001:db8::/33", "::/0"])),
        1 => (operator(&["BinaryEquals"]), named(&["aws:UserAgent"]), some(&["cmVk", "eA=="])),
        1 => (operator(&["Bool"]), named(&["aws:SecureTransport"]), some(&["true", "FALSE"])),
        1 => (select(&["Null", "ForAnyValue:Null"][..]).prop_map(str::to_owned), named(TEXT_KEYS), some(&["true", "false"])),
        1 => (operator(&["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"]), named(&["aws:PrincipalArn", "aws:SourceArn"]),
              some(&["arn:aws:iam::*:user/*", "arn:aws:iam::111122223333:*", "${aws:PrincipalArn}", "arn:aws:iam::${aws:PrincipalAccount}:r*"])),
    ]
}

/// Where a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Own,
    Resource,
    Trust,
}

fn statement(form: Form) -> impl Strategy<Value = Json> {
    let element = |patterns| (prop::bool::weighted(0.2), some(patterns));
    let conditions = prop::collection::vec(condition(), 0..=2);
    let principal = (prop::bool::weighted(0.3), some(PRINCIPALS), any::<bool>());
    let actions = if form == Form::Trust { STS_ACTION_PATTERNS } else { ACTION_PATTERNS };
    (prop::bool::weighted(0.3), element(actions), element(RESOURCE_PATTERNS), principal, conditions).prop_map(
        move |(deny, (not_action, action), (not_resource, resource), (not_principal, names, service), conditions)| {
            let mut members = Map::new();
            members.insert("Effect".into(), if deny { "Deny" } else { "Allow" }.into());
            let mut add = |negated: bool, name: &str, value| {
                members.insert(if negated { format!("Not{name}") } else { name.to_owned() }, value);
            };
            add(not_action, "Action", action);
            if form != Form::Trust {
                add(not_resource, "Resource", resource);
            }
            let types = match (form, service) {
                (Form::Own, _) => None,
                (Form::Resource, true) => Some(json!({"AWS": names, "Service": "s3.amazonaws.com"})),
                (Form::Trust, true) => Some(json!({"AWS": names, "Federated": "accounts.example.com"})),
                (Form::Resource | Form::Trust, false) => Some(json!({"AWS": names})),
            };
            if let Some(types) = types {
                add(deny && not_principal && form == Form::Resource, "Principal", types);
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

fn policy(form: Form) -> impl Strategy<Value = Json> {
    // Identity policies know the newer version only.
    let version = if form == Form::Own { &["2012-10-17"][..] } else { &["2012-10-17", "2008-10-17"][..] };
    (select(version), prop::collection::vec(statement(form), 1..=3)).prop_map(|(version, statements)| {
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
        (Just("aws:CurrentTime"), one(&["2026-11-25T12:00:00Z", "2026-11-25T12:00:01Z", "1709251199", "noon"])),
        (Just("aws:TokenIssueTime"), one(&["2024-02-29T23:59:58Z", "1795608000"])),
        (Just("aws:SourceIp"), one(&["203.0.113.9", "203.0.114.9", "2001:db8:7fff::1", "2001:db8:8000::1", "home"])),
        (
            Just("aws:SourceArn"),
            one(&["arn:aws:iam::111122223333:role/x", "arn:aws:iam::111122223333:user/alice", "x"])
        ),
    ];
    prop::collection::vec(pair, 0..=5)
        .prop_map(|pairs| TextContext(pairs.into_iter().map(|(key, texts)| (key.to_owned(), texts)).collect()))
}

fn world() -> impl Strategy<Value = World> {
    let own = || prop::collection::vec(policy(Form::Own), 0..=2);
    let boundary = prop::option::weighted(0.3, policy(Form::Own));
    let session = prop::collection::vec(policy(Form::Own), 0..=1);
    let request = (select(SUBJECTS), select(ACTIONS), select(STS_ACTIONS), select(RESOURCES), context());
    let place = select(&[Place::Bucket, Place::Bucket, Place::Key, Place::Key, Place::Role][..]);
    let on = (prop::option::weighted(0.8, policy(Form::Resource)), policy(Form::Trust), place);
    let acl = (prop::collection::vec(acl_grant(), 0..=2), any::<bool>());
    (request, own(), boundary, session, on, acl).prop_map(
        |((who, action, of_sts, resource, context), identity, boundary, session, (on, trust, place), (acl, others))| {
            let (place, on) = match place {
                Place::Role => (place, Some(trust)),
                Place::Key if on.is_none() => (Place::Bucket, on),
                Place::Key | Place::Bucket => (place, on),
            };
            let (action, resource) = if place == Place::Role { (of_sts, ROLE) } else { (action, resource) };
            let (action, resource) = (action.to_owned(), resource.to_owned());
            World {
                subject: subject(who),
                action,
                resource,
                context,
                identity,
                boundary,
                session,
                place,
                on,
                acl,
                others,
            }
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

/// A key's grammar fits a bucket's policy too, which would refuse the other service's actions.
fn kind_on(place: Place) -> Kind {
    if place == Place::Role { Kind::Trust } else { Kind::Key }
}

/// What the engine decides.
fn engine(world: &World) -> Verdict {
    engine_for(world, OWNER)
}

/// What the engine decides of a resource of `owner`.
fn engine_for(world: &World, owner: &str) -> Verdict {
    let identity: Vec<_> = world.identity.iter().map(|document| compile(document, Kind::Identity)).collect();
    let boundary = world.boundary.as_ref().map(|document| compile(document, Kind::Identity));
    let session: Vec<_> = world.session.iter().map(|document| compile(document, Kind::Session)).collect();
    let on = world.on.as_ref().map(|document| compile(document, kind_on(world.place)));
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
        Some(policy) if world.place == Place::Key => Target::Key { policy, grants: &[], encryption_context: &[] },
        Some(policy) if world.place == Place::Role => Target::Role { trust: policy },
        policy => Target::Bucket { policy: policy.as_ref(), acls },
    };
    let request = Request {
        subject: world.subject,
        action: &world.action,
        resource: &world.resource,
        owner,
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

/// The policies in which a statement can be added.
fn policies(world: &mut World) -> Vec<(&mut Json, Form)> {
    let on = if world.place == Place::Role { Form::Trust } else { Form::Resource };
    let own = world.identity.iter_mut().chain(&mut world.boundary).chain(&mut world.session);
    own.map(|policy| (policy, Form::Own)).chain(world.on.iter_mut().map(|policy| (policy, on))).collect()
}

fn simulated(document: &Json, kind: Kind, id: &str) -> SimulatedPolicy {
    let attached = Attached { name: id.into(), policy: compile(document, kind).into() };
    SimulatedPolicy { attached, source: SourceType::None }
}

/// What the simulation says: the decision, the missing keys left aside, and the statements that it names.
fn simulation(world: &World) -> (Verdict, Vec<(Layer, String, usize)>) {
    let number = |(at, document): (usize, &Json)| simulated(document, Kind::Identity, &at.to_string());
    let identity: Vec<_> = world.identity.iter().enumerate().map(number).collect();
    let boundary = world.boundary.as_ref().map(|document| simulated(document, Kind::Identity, "0"));
    let on = world.on.as_ref().map(|document| simulated(document, kind_on(world.place), "0"));
    let mut context = SimulatedContext::default();
    for (name, texts) in &world.context.0 {
        context.add(name, "stringList", texts.all()).expect("texts fit");
    }
    let simulation = Simulation {
        subject: world.subject,
        identity: &identity,
        boundary: boundary.as_ref(),
        resource_policy: on.as_ref(),
        resource_owner: Some(OWNER),
        context: &context,
    };
    let answer = simulation.evaluate(&world.action, std::slice::from_ref(&world.resource));
    let [one] = &answer.resources[..] else { panic!("{answer:?}") };
    assert_eq!((answer.decision, &answer.missing), (one.decision, &one.missing));
    let verdict = match one.decision {
        crate::policy::Verdict::Allowed => Verdict::Allow,
        crate::policy::Verdict::ImplicitDeny => Verdict::ImplicitDeny,
        crate::policy::Verdict::ExplicitDeny => Verdict::ExplicitDeny,
    };
    let matched = one.matched.iter().map(|m| (m.layer, m.policy_id.to_string(), m.statement)).collect();
    (verdict, matched)
}

/// What the simulation has to name, by the naive evaluator.
fn named_statements(world: &World, verdict: Verdict) -> Vec<(Layer, String, usize)> {
    let effect = if verdict == Verdict::ExplicitDeny { "Deny" } else { "Allow" };
    let identity = world.identity.iter().enumerate().map(|(at, policy)| (Layer::Identity, at, policy));
    let on = world.on.iter().map(|policy| (Layer::Resource, 0, policy));
    let boundary = world.boundary.iter().filter(|_| effect == "Deny").map(|policy| (Layer::Boundary, 0, policy));
    let named = |(layer, policy, document): (Layer, usize, &Json)| {
        let applying = applying(document, effect, world).into_iter();
        applying.map(|(at, _)| (layer, policy.to_string(), at)).collect::<Vec<_>>()
    };
    on.chain(identity).chain(boundary).flat_map(named).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn both_evaluators_agree(world in world()) {
        prop_assert_eq!(engine(&world), decide(&world));
    }

    #[test]
    fn a_deny_always_wins(mut world in world(), place: prop::sample::Index) {
        let root = world.subject.kind == SubjectKind::Root;
        // Root stands above its own policies, and its bucket's policy can't take the bucket's policy from it.
        if root && world.action == "s3:PutBucketPolicy" {
            return Ok(());
        }
        let mut places = policies(&mut world);
        places.retain(|(_, form)| *form != Form::Own || !root);
        if places.is_empty() {
            return Ok(());
        }
        let at = place.index(places.len());
        let (policy, form) = &mut places[at];
        let deny = match form {
            Form::Own => json!({"Effect": "Deny", "Action": "*", "Resource": "*"}),
            Form::Resource => json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}),
            Form::Trust => json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:*"}),
        };
        push(policy, deny);
        // KMS does not even look at its policies for those who did not sign.
        prop_assert_ne!(engine(&world), Verdict::Allow);
        if world.subject.kind != SubjectKind::Anonymous {
            prop_assert_eq!(engine(&world), Verdict::ExplicitDeny);
        }
    }

    #[test]
    fn an_allow_never_takes_away(
        mut world in world(),
        place: prop::sample::Index,
        mut own in statement(Form::Own),
        mut resource in statement(Form::Resource),
        mut trust in statement(Form::Trust),
    ) {
        let before = engine(&world);
        let mut places = policies(&mut world);
        if places.is_empty() {
            return Ok(());
        }
        let at = place.index(places.len());
        let (policy, form) = &mut places[at];
        let statement = match form {
            Form::Own => &mut own,
            Form::Resource => &mut resource,
            Form::Trust => &mut trust,
        };
        statement["Effect"] = "Allow".into();
        if let Some(principal) = statement.as_object_mut().and_then(|members| members.remove("NotPrincipal")) {
            statement["Principal"] = principal;
        }
        push(policy, statement.clone());
        let after = engine(&world);
        prop_assert!(before != Verdict::Allow || after == Verdict::Allow, "{:?} became {:?}", before, after);
    }

    #[test]
    fn a_simulation_says_what_a_request_would_get(mut world in world()) {
        world.session.clear();
        // A simulation knows of no ACLs.
        world.acl.clear();
        world.others = false;
        if world.place != Place::Role {
            world.place = if world.action.starts_with("kms:") && world.on.is_some() { Place::Key } else { Place::Bucket };
        }
        let (verdict, matched) = simulation(&world);
        // Without a resource's policy, nobody else's side is asked.
        let owner = if world.on.is_some() { OWNER } else { world.subject.account };
        prop_assert_eq!(verdict, engine_for(&world, owner));
        // IAM simulates neither root nor anonymous callers, of whom not all policies are asked.
        if !matches!(world.subject.kind, SubjectKind::Root | SubjectKind::Anonymous) {
            prop_assert_eq!(matched, named_statements(&world, verdict));
        }
    }

    #[test]
    fn printing_and_parsing_give_the_policy_again(
        document in prop_oneof![
            policy(Form::Own).prop_map(|document| (Kind::Identity, document)),
            policy(Form::Resource).prop_map(|document| (Kind::Key, document)),
            policy(Form::Trust).prop_map(|document| (Kind::Trust, document)),
        ],
    ) {
        let (kind, document) = document;
        let parsed = compile(&document, kind);
        prop_assert_eq!(parsed.text(), document.to_string());
        let printed = parsed.print();
        let again = Policy::parse(printed.as_bytes(), kind);
        prop_assert_eq!(again.as_ref(), Ok(&parsed));
        prop_assert_eq!(again.map(|again| again.print()), Ok(printed));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in "\\PC{0,60}", document in policy(Form::Resource), at: prop::sample::Index, flip: u8) {
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
