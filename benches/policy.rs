//! What a decision costs: `cargo bench --bench policy`.
//!
//! A user with two policies of 20 statements asks for an object of a bucket whose policy has 20 and that lies under a
//! key whose policy has 20. The statement that allows is the last in each; most others have a condition, one in five a
//! variable. The target is 5 µs for both decisions together: CPU time, where the system tells it.
//!
//! Then the same by a role's session with a permissions boundary and a session policy of 20 statements each for either
//! service: each decision asks five or six policies of 20 statements. The target is 5 µs for one of them.

use std::fmt::Write as _;
use std::hint::black_box;

use strongroom::policy::{
    Acls, Attached, Context, Key, Kind, Policy, Request, Subject, SubjectKind, SubjectPolicies, Target, Value, evaluate,
};
use strongroom::sources::Sources;

const STATEMENTS: usize = 20;
const ROUNDS: u32 = 200_000;
const TARGET_NS: u64 = 5_000;

struct Facts;

impl Context for Facts {
    fn each(&self, key: Key, _: &str, each: &mut dyn FnMut(Value<'_>)) {
        match key {
            Key::AwsSourceIp => each(Value::Ip([203, 0, 113, 7].into())),
            Key::AwsSecureTransport => each(Value::Bool(true)),
            Key::KmsViaService => each(Value::Text("s3.us-east-1.amazonaws.com")),
            _ => {}
        }
    }
}

/// `principal` as JSON, empty in an identity policy; `prefix` begins the resources.
fn policy(kind: Kind, principal: &str, actions: [&str; 3], prefix: &str) -> Policy {
    let mut statements = String::new();
    for index in 1..STATEMENTS {
        let action = actions[index % 2];
        let resource = match index % 5 {
            0 => format!("{prefix}team-{index}/*"),
            1 => format!("{prefix}team-{index}/*/report-?.csv"),
            2 => "*".to_owned(),
            3 => format!("{prefix}${{aws:username}}/*"),
            _ => format!("{prefix}*-{index}"),
        };
        let (effect, condition) = match index % 4 {
            0 => ("Deny", r#"{"Bool":{"aws:SecureTransport":"false"}}"#),
            1 => ("Deny", r#"{"NotIpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32"]}}"#),
            2 => ("Allow", r#"{"StringLike":{"aws:UserAgent":"aws-cli/*"}}"#),
            _ => ("Allow", "{}"),
        };
        let statement = format!(
            r#"{{"Sid":"S{index}","Effect":"{effect}",{principal}"Action":["{action}","{0}"],
            "Resource":"{resource}","Condition":{condition}}},"#,
            actions[1]
        );
        statements.write_str(&statement).expect("a String takes all");
    }
    let allow = format!(r#"{{"Effect":"Allow",{principal}"Action":"{}","Resource":"{prefix}*"}}"#, actions[2]);
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}{allow}]}}"#);
    Policy::parse(text.as_bytes(), kind).expect("a policy")
}

/// What this thread has used, by Linux's scheduler.
fn cpu_time_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The least of five runs, per round.
fn measure(round: impl Fn()) -> u64 {
    let sources = Sources::system();
    let cpu_ns = || cpu_time_ns().unwrap_or_else(|| sources.monotonic_ns());
    let run = || {
        let start = cpu_ns();
        (0..ROUNDS).for_each(|_| round());
        (cpu_ns() - start) / u64::from(ROUNDS)
    };
    (0..5).map(|_| run()).min().unwrap_or(u64::MAX)
}

/// Numbers the `Sid`s anew: a document has each once.
fn unique_sids(text: &str) -> String {
    let mut parts = text.split("\"Sid\":\"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        write!(out, "\"Sid\":\"N{index}x{part}").expect("a String takes all");
    }
    out
}

fn main() {
    const OBJECT: &str = "arn:aws:s3:::photos/2026/11/25/a-name-of-usual-length.jpg";
    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let root = r#""Principal":{"AWS":["arn:aws:iam::444455556666:user/other","arn:aws:iam::111122223333:root"]},"#;
    let bucket_actions = ["s3:Put*", "s3:GetObject", "s3:Get*"];
    let bucket = policy(Kind::Bucket, root, bucket_actions, "arn:aws:s3:::photos/");
    let key_actions = ["kms:Encrypt", "kms:Decrypt", "kms:*"];
    let key = policy(Kind::Key, root, key_actions, "arn:aws:kms:us-east-1:111122223333:key/");
    let own = [
        ("s3", policy(Kind::Identity, "", bucket_actions, "arn:aws:s3:::photos/")),
        ("kms", policy(Kind::Identity, "", ["kms:Enc*", "kms:Decrypt", "kms:D*"], "arn:aws:kms:*:111122223333:key/")),
    ];
    let own = own.map(|(name, policy)| Attached { name: name.into(), policy: policy.into() });
    let own = SubjectPolicies { identity: &own, ..SubjectPolicies::default() };
    let subject = Subject {
        kind: SubjectKind::User { name: "alice" },
        account: "111122223333",
        canonical_id: "",
        arn: "arn:aws:iam::111122223333:user/alice",
        user_id: "AIDAALICE",
    };
    let get = Request { subject, action: "s3:GetObject", resource: OBJECT, owner: "111122223333", context: &Facts };
    let decrypt = Request { action: "kms:Decrypt", resource: KEY, ..get };
    let on_bucket = Target::Bucket { policy: Some(&bucket), acls: Acls::default() };
    let on_key = Target::Key { policy: &key, grants: &[], encryption_context: &[("aws:s3:arn", OBJECT)] };

    let best_ns = measure(|| {
        assert!(evaluate(black_box(&get), &own, &on_bucket).is_allowed());
        assert!(evaluate(black_box(&decrypt), &own, &on_key).is_allowed());
    });
    println!("GetObject and Decrypt, 4 policies of {STATEMENTS} statements: {best_ns} ns (target {TARGET_NS})");

    // Boundaries and session policies are about both services, as one document.
    let both = |name: &str| {
        let documents = own.identity.iter().map(|attached| attached.policy.text());
        let statements = documents.map(|text| text.split_once('[').expect("a list").1.trim_end_matches("]}"));
        let statements = statements.collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let text = unique_sids(&text);
        let policy = Policy::parse(text.as_bytes(), Kind::Identity).expect("a policy");
        Attached { name: name.into(), policy: policy.into() }
    };
    let (boundary, session) = (both("boundary"), [both("session")]);
    let limited = SubjectPolicies { boundary: Some(&boundary), session: &session, ..own };
    let role = "arn:aws:iam::111122223333:role/service/backup";
    let subject = Subject {
        kind: SubjectKind::RoleSession { role_arn: role },
        arn: "arn:aws:sts::111122223333:assumed-role/backup/nightly",
        ..subject
    };
    let (get, decrypt) = (Request { subject, ..get }, Request { subject, ..decrypt });
    for (what, request, target) in [("GetObject", get, on_bucket), ("Decrypt", decrypt, on_key)] {
        let best_ns = measure(|| assert!(evaluate(black_box(&request), &limited, &target).is_allowed()));
        let counts = [own.identity.len() * STATEMENTS, boundary.policy.statements(), session[0].policy.statements()];
        println!(
            "{what} by a session: {} statements of its own, {} of its boundary, {} of its session, {STATEMENTS} of the \
             resource: {best_ns} ns (target {TARGET_NS})",
            counts[0], counts[1], counts[2]
        );
    }

    let sources = Sources::system();
    let cpu_ns = || cpu_time_ns().unwrap_or_else(|| sources.monotonic_ns());
    let text = bucket.text();
    let start = cpu_ns();
    for _ in 0..1_000 {
        black_box(Policy::parse(black_box(text.as_bytes()), Kind::Bucket).expect("parsed before"));
    }
    let parse_us = (cpu_ns() - start) / 1_000_000;
    println!("parsing the bucket policy, {} bytes: {parse_us} µs", text.len());
}
