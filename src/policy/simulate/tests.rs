use super::*;
use crate::policy::Kind;

const MATEO: &str = "arn:aws:iam::111122223333:user/mateo";

fn policy(id: &str, source: SourceType, text: &str) -> SimulatedPolicy {
    let parsed = match source {
        SourceType::Resource => parse_resource_policy(text.as_bytes()),
        _ => Policy::parse(text.as_bytes(), Kind::Identity),
    };
    let policy = parsed.unwrap_or_else(|error| panic!("{error}: {text}"));
    SimulatedPolicy { attached: Attached { name: id.into(), policy: policy.into() }, source }
}

fn statements(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn context(entries: &[(&str, &str, &[&str])]) -> SimulatedContext {
    let mut context = SimulatedContext::default();
    entries.iter().for_each(|(name, kind, values)| context.add(name, kind, values).expect("an entry"));
    context
}

/// What is simulated as `caller` with these policies and nothing else.
fn simulation<'a>(caller: &'a str, identity: &'a [SimulatedPolicy], context: &'a SimulatedContext) -> Simulation<'a> {
    let subject = simulated_caller(caller).expect("a caller");
    Simulation { subject, identity, boundary: None, resource_policy: None, resource_owner: None, context }
}

fn arns(list: &[&str]) -> Vec<String> {
    list.iter().map(|arn| (*arn).to_owned()).collect()
}

/// Policy ids and places, to compare.
fn named(matched: &[Matched]) -> Vec<String> {
    matched.iter().map(|m| format!("{} {}#{}", m.policy_type(), m.policy_id, m.statement)).collect()
}

const ALLOW_IAM: &str = r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#;

/// The examples "Same-Account Simulation" of SimulateCustomPolicy and SimulatePrincipalPolicy.
#[test]
fn examples_within_an_account() {
    let none = SimulatedContext::default();
    let identity = [policy("PolicyInputList.1", SourceType::None, &statements(ALLOW_IAM))];
    let boundary = policy("PermissionsBoundaryPolicyInputList.1", SourceType::None, &statements(ALLOW_IAM));
    let resource = policy(
        "ResourcePolicy",
        SourceType::Resource,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/mateo"},"Action":["s3:List*","s3:Put*"],"Resource":"arn:aws:s3:::production/*"}}"#,
    );
    let simulation = Simulation {
        boundary: Some(&boundary),
        resource_policy: Some(&resource),
        resource_owner: Some("arn:aws:iam::111122223333:root"),
        ..simulation(MATEO, &identity, &none)
    };
    let answer = simulation.evaluate("s3:PutObject", &arns(&["arn:aws:s3:::production/Test"]));
    assert_eq!((answer.decision.text(), answer.allowed_by_boundary), ("allowed", Some(false)));
    assert_eq!((answer.details, answer.resource.as_str()), (Some(Vec::new()), "arn:aws:s3:::production/Test"));
    assert_eq!(named(&answer.matched), ["Resource Policy ResourcePolicy#0"]);
    let matched = &answer.matched[0];
    assert_eq!((matched.start, matched.end.line), (Position { line: 1, column: 38 }, 1));
    assert_eq!(matched.end.column as usize, resource.attached.policy.text().len());
    let [one] = &answer.resources[..] else { panic!("one resource") };
    assert_eq!((one.decision, &one.matched, one.allowed_by_boundary), (Verdict::Allowed, &answer.matched, Some(false)));

    let answer = simulation.evaluate("iam:GetRole", &arns(&["arn:aws:iam::111122223333:role/pol-sim-test"]));
    assert_eq!((answer.decision, answer.allowed_by_boundary), (Verdict::Allowed, Some(true)));
    assert_eq!(named(&answer.matched), ["IAM Policy PolicyInputList.1#0"]);
}

/// The example "Cross-Account Simulation".
#[test]
fn example_across_accounts() {
    let none = SimulatedContext::default();
    let boundary = policy("PermissionsBoundaryPolicyInputList.1", SourceType::None, &statements(ALLOW_IAM));
    let identity = [policy("user_arnav_own", SourceType::User, &statements(ALLOW_IAM))];
    let resource = policy(
        "ResourcePolicy",
        SourceType::Resource,
        &statements(
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/arnav"},"Action":["s3:List*","s3:Put*"],"Resource":"arn:aws:s3:::mary/*"}"#,
        ),
    );
    let simulation = Simulation {
        boundary: Some(&boundary),
        resource_policy: Some(&resource),
        resource_owner: Some("123456789012"),
        ..simulation("arn:aws:iam::444455556666:user/arnav", &identity, &none)
    };
    let answer = simulation.evaluate("s3:PutObject", &arns(&["arn:aws:s3:::mary/Test"]));
    let details = vec![
        ("Resource Policy", Verdict::Allowed),
        ("IAM Policy", Verdict::ImplicitDeny),
        ("Permissions Boundary Policy", Verdict::ImplicitDeny),
    ];
    assert_eq!((answer.decision.text(), answer.allowed_by_boundary), ("implicitDeny", Some(false)));
    assert_eq!(answer.details, Some(details.clone()));
    assert!(answer.matched.is_empty());
    let [one] = &answer.resources[..] else { panic!("one resource") };
    assert_eq!((named(&one.matched), &one.details), (arns(&["Resource Policy ResourcePolicy#0"]), &details));
}

#[test]
fn every_statement_that_speaks_is_named() {
    let none = SimulatedContext::default();
    let read = r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"},
{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::photos/*"},{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#;
    let deny =
        r#"{"Effect":"Deny","Action":"s3:Put*","Resource":"*"},{"Effect":"Deny","NotAction":"s3:Get*","Resource":"*"}"#;
    let identity = [
        policy("group_g_read", SourceType::Group, &statements(read)),
        policy(
            "AmazonS3FullAccess",
            SourceType::AwsManaged,
            &statements(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
        ),
        policy("own", SourceType::UserManaged, &statements(deny)),
    ];
    let simulation = simulation(MATEO, &identity, &none);
    let photos = arns(&["arn:aws:s3:::photos/x"]);
    let answer = simulation.evaluate("s3:GetObject", &photos);
    let three = ["IAM Policy group_g_read#0", "IAM Policy group_g_read#1", "IAM Policy AmazonS3FullAccess#0"];
    assert_eq!((answer.decision, named(&answer.matched)), (Verdict::Allowed, arns(&three)));
    assert_eq!((answer.matched[0].source, answer.matched[2].source), (SourceType::Group, SourceType::AwsManaged));
    let second = &answer.matched[1];
    assert_eq!((second.start, second.end), (answer.matched[0].end, Position { line: 2, column: 70 }));
    let answer = simulation.evaluate("s3:PutObject", &photos);
    let two = ["IAM Policy own#0", "IAM Policy own#1"];
    assert_eq!((answer.decision, named(&answer.matched)), (Verdict::ExplicitDeny, arns(&two)));
    assert_eq!(answer.allowed_by_boundary, None);
}

#[test]
fn several_resources_give_the_most_restrictive_answer() {
    let none = SimulatedContext::default();
    let text = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::a/*","arn:aws:s3:::b/*"]},
        {"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}"#;
    let identity = [policy("p", SourceType::User, &statements(text))];
    let simulation = simulation(MATEO, &identity, &none);
    let decide = |resources: &[&str]| {
        let answer = simulation.evaluate("s3:GetObject", &arns(resources));
        let each: Vec<_> = answer.resources.iter().map(|one| one.decision.text()).collect();
        (answer.decision.text(), each.join(" "), named(&answer.matched), answer.resource)
    };
    let template = || "arn:${Partition}:s3:::${BucketName}/${KeyName}".to_owned();
    let (a, b, c) = ("arn:aws:s3:::a/x", "arn:aws:s3:::b/x", "arn:aws:s3:::c/x");
    assert_eq!(decide(&[a, a]), ("allowed", "allowed allowed".into(), arns(&["IAM Policy p#0"]), template()));
    assert_eq!(decide(&[a, c]), ("implicitDeny", "allowed implicitDeny".into(), Vec::new(), template()));
    let all = "allowed implicitDeny explicitDeny".to_owned();
    assert_eq!(decide(&[a, c, b]), ("explicitDeny", all, arns(&["IAM Policy p#1"]), template()));
    assert_eq!(decide(&[]), ("implicitDeny", String::new(), Vec::new(), "*".into()));
    assert_eq!(simulation.evaluate("s3:GetObject", &arns(&["*"])).details, None);
}

#[test]
fn keys_without_a_value_are_missed() {
    let text = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/${aws:PrincipalTag/Team}/*",
            "Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"s3:prefix":"${aws:username}/*"}}},
        {"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"Null":{"aws:UserAgent":"true"}}},
        {"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Null":{"kms:ViaService":"true"}}},
        {"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"ec2:Vpc":"v","AWS:principaltag/team":"x"}}}"#;
    let identity = [policy("p", SourceType::User, &statements(text))];
    let missing = |entries: &[(&str, &str, &[&str])], resource: &str| {
        let context = context(entries);
        simulation(MATEO, &identity, &context).evaluate("s3:GetObject", &arns(&[resource])).missing.join(" ")
    };
    let all = "aws:PrincipalTag/Team aws:SecureTransport s3:prefix ec2:Vpc";
    assert_eq!(missing(&[], "arn:aws:s3:::a/x"), all);
    assert_eq!(
        missing(&[("aws:principaltag/TEAM", "string", &["red"])], "arn:aws:s3:::a/red/x"),
        "aws:SecureTransport s3:prefix ec2:Vpc"
    );
    // The first statement is about another resource then.
    assert_eq!(missing(&[("aws:principaltag/TEAM", "string", &["red"])], "arn:aws:s3:::a/blue/x"), "ec2:Vpc");
    let given: [(&str, &str, &[&str]); 4] = [
        ("aws:PrincipalTag/Team", "string", &["red"]),
        ("aws:SecureTransport", "boolean", &["true"]),
        ("s3:prefix", "string", &["x"]),
        ("ec2:vpc", "string", &["v"]),
    ];
    assert_eq!(missing(&given, "arn:aws:s3:::a/red/x"), "");
    assert_eq!(missing(&given, "arn:aws:s3:::b/x"), "aws:UserAgent");
    let keys = "aws:PrincipalTag/Team aws:SecureTransport s3:prefix aws:username aws:UserAgent kms:ViaService ec2:Vpc";
    assert_eq!(context_keys(identity.iter().map(|policy| &*policy.attached.policy)).join(" "), keys);
}

#[test]
fn what_is_given_counts_before_what_follows() {
    let text = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${aws:username}/*"},
        {"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}},
        {"Effect":"Allow","Action":"s3:DeleteObject","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"444455556666"}}}"#;
    let identity = [policy("p", SourceType::User, &statements(text))];
    let allowed = |entries: &[(&str, &str, &[&str])], owner: Option<&str>, action: &str, resource: &str| {
        let context = context(entries);
        let simulation = Simulation { resource_owner: owner, ..simulation(MATEO, &identity, &context) };
        simulation.evaluate(action, &arns(&[resource])).decision == Verdict::Allowed
    };
    assert!(allowed(&[], None, "s3:GetObject", "arn:aws:s3:::home/mateo/x"));
    assert!(!allowed(&[], None, "s3:GetObject", "arn:aws:s3:::home/ana/x"));
    let ana: [(&str, &str, &[&str]); 1] = [("aws:UserName", "string", &["ana"])];
    assert!(allowed(&ana, None, "s3:GetObject", "arn:aws:s3:::home/ana/x"));
    assert!(!allowed(&ana, None, "s3:GetObject", "arn:aws:s3:::home/mateo/x"));
    let role: [(&str, &str, &[&str]); 1] = [("aws:principalarn", "string", &["arn:aws:iam::111122223333:role/r"])];
    assert!(allowed(&role, None, "s3:PutObject", "*") && !allowed(&[], None, "s3:PutObject", "*"));
    let elsewhere: [(&str, &str, &[&str]); 1] = [("aws:ResourceAccount", "string", &["444455556666"])];
    assert!(!allowed(&[], None, "s3:DeleteObject", "arn:aws:s3:::b/x"));
    assert!(allowed(&[], Some("444455556666"), "s3:DeleteObject", "arn:aws:s3:::b/x"));
    assert!(allowed(&[], None, "s3:DeleteObject", "arn:aws:s3:us-east-1:444455556666:accesspoint/x"));
    assert!(allowed(&elsewhere, None, "s3:DeleteObject", "arn:aws:s3:::b/x"));
}

#[test]
fn entries_have_types() {
    for (kind, good, bad) in [
        ("string", "x", None),
        ("", "x", None),
        ("numeric", "-1.5", Some("one")),
        ("boolean", "TRUE", Some("yes")),
        ("ip", "2001:db8::1", Some("localhost")),
        ("date", "2026-11-25T12:00:00Z", Some("today")),
        ("binary", "cmVk", Some("%")),
    ] {
        let mut context = SimulatedContext::default();
        assert_eq!(context.add("a:b", kind, &[good]), Ok(()), "{kind}");
        assert!(context.add("A:B", kind, &[good]).is_err(), "twice");
        assert!(context.add("a:c", kind, &[good, good]).is_err(), "{kind} is no list");
        if !kind.is_empty() {
            assert_eq!(context.add("a:d", &format!("{kind}List"), &[good, good]), Ok(()));
        }
        if let Some(bad) = bad {
            assert_eq!(
                context.add("a:e", kind, &[bad]).unwrap_err().to_string(),
                format!("{bad} is no {kind}, for a:e")
            );
        }
        assert_eq!(context.add("a:f", kind, &[] as &[&str]), Ok(()));
        assert!(has_name(&context, "A:b") && !has_name(&context, "a:f") && !has_name(&context, "a"));
    }
    assert!(SimulatedContext::default().add("a:b", "stringSet", &["x"]).is_err());
    let binary =
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"BinaryEquals":{"aws:UserAgent":"cmVk"}}}"#;
    let identity = [policy("p", SourceType::User, &statements(binary))];
    let context = context(&[("aws:UserAgent", "binary", &["cmVk"])]);
    assert_eq!(simulation(MATEO, &identity, &context).evaluate("s3:GetObject", &[]).decision, Verdict::Allowed);
}

#[test]
fn callers_resources_and_their_policies() {
    let role = "arn:aws:iam::111122223333:role/service/backup";
    let found = simulated_caller(role).expect("a role");
    assert_eq!(
        (found.kind, found.account, found.arn),
        (SubjectKind::RoleSession { role_arn: role }, "111122223333", role)
    );
    let found = simulated_caller("arn:aws:iam::111122223333:user/team/bob").expect("a user");
    assert_eq!(found.kind, SubjectKind::User { name: "bob" });
    assert!(simulated_caller("arn:aws:iam::111122223333:group/admins").is_some());
    for nobody in [
        "",
        "*",
        "bob",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/",
        "arn:aws:iam::aws:policy/x",
        "arn:aws:iam::1:user/bob",
        "arn:aws:sts::111122223333:assumed-role/backup/nightly",
        "arn:aws:sts::111122223333:federated-user/fred",
        "s3.amazonaws.com",
    ] {
        assert_eq!(simulated_caller(nobody), None, "{nobody}");
    }
    for (action, template) in [
        ("S3:getobject", "arn:${Partition}:s3:::${BucketName}/${KeyName}"),
        ("s3:ListBucket", "arn:${Partition}:s3:::${BucketName}"),
        ("s3:ListAllMyBuckets", "*"),
        ("s3:NoSuch", "*"),
        ("iam:GetUser", "*"),
        ("", "*"),
    ] {
        assert_eq!(resource_template(action), template, "{action}");
    }
    assert_eq!(SourceType::Role.inline_id("backup", "p"), "role_backup_p");
    let kind = |text: &str| parse_resource_policy(text.as_bytes()).map(|policy| policy.kind());
    let of = |action: &str, resource: &str| {
        statements(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"111122223333"}},"Action":"{action}"{resource}}}"#
        ))
    };
    assert_eq!(kind(&of("s3:GetObject", r#","Resource":"arn:aws:s3:::b/*""#)), Ok(Kind::Bucket));
    assert_eq!(kind(&of("sts:AssumeRole", "")), Ok(Kind::Trust));
    assert_eq!(kind(&of("kms:Decrypt", r#","Resource":"*""#)), Ok(Kind::Key));
    assert_eq!(kind(&of("sqs:SendMessage", r#","Resource":"*""#)), Ok(Kind::Key));
    assert!(kind("{}").is_err());
}

/// A key's policy is primary in a simulation too, and a role's trust policy.
#[test]
fn primary_policies_stay_primary() {
    let none = SimulatedContext::default();
    let identity = [policy("p", SourceType::User, &statements(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#))];
    let decide = |text: &str, action: &str, resource: &str| {
        let resource_policy = policy("ResourcePolicy", SourceType::Resource, &statements(text));
        let simulation = Simulation { resource_policy: Some(&resource_policy), ..simulation(MATEO, &identity, &none) };
        simulation.evaluate(action, &arns(&[resource])).decision
    };
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    let other = r#"{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:*","Resource":"*"}"#;
    assert_eq!(decide(other, "kms:Decrypt", key), Verdict::ImplicitDeny);
    assert_eq!(decide(&other.replace("444455556666", "111122223333"), "kms:Decrypt", key), Verdict::Allowed);
    let trust = r#"{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"sts:AssumeRole"}"#;
    let role = "arn:aws:iam::111122223333:role/r";
    assert_eq!(decide(trust, "sts:AssumeRole", role), Verdict::ImplicitDeny);
    assert_eq!(decide(&trust.replace("444455556666", "111122223333"), "sts:AssumeRole", role), Verdict::Allowed);
}
