use serde::Deserialize;

use super::*;
use crate::policy::tests::{fixture, subject};
use crate::policy::{Attached, Decision, Kind, NoContext, Policy, Request, SubjectPolicies, Target, evaluate};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: Vec<String>,
    /// Asked for in each row.
    actions: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `READ to AllUsers`; to `one` or `other`, which are accounts. None: private.
    #[serde(default)]
    acl: Vec<String>,
    /// `bucket`, `free key`, `taken key`, `object`, `own upload`, `foreign upload`; `off` with ACLs off.
    on: String,
    /// Who owns the object: `one`, as it does the bucket, `other` or `nobody`.
    #[serde(default = "one")]
    owner: String,
    #[serde(default)]
    ignore_public: bool,
    /// The bucket's policy: `allows` or `denies` everyone everything.
    #[serde(default)]
    policy: String,
    /// See [`subject`].
    who: String,
    /// Its identity policies allow everything.
    #[serde(default)]
    identity: bool,
    /// The actions that are allowed.
    allows: Vec<String>,
}

fn one() -> String {
    "one".to_owned()
}

fn grant(text: &str) -> AclGrant {
    let (permission, grantee) = text.split_once(" to ").expect("PERMISSION to GRANTEE");
    let permission = Permission::parse(permission).expect("a permission");
    match grantee {
        "AllUsers" => AclGrant::group(Group::AllUsers, permission),
        "AuthenticatedUsers" => AclGrant::group(Group::AuthenticatedUsers, permission),
        "LogDelivery" => AclGrant::group(Group::LogDelivery, permission),
        "one" => AclGrant::account(subject("root").canonical_id, permission),
        "other" => AclGrant::account(subject("carol").canonical_id, permission),
        "nobody" => AclGrant::account(ANONYMOUS_ID, permission),
        unknown => panic!("nobody is called {unknown}"),
    }
}

fn policy(effect: &str, kind: Kind) -> Policy {
    let principal = if kind == Kind::Bucket { r#""Principal":"*","# } else { "" };
    let resource = r#"["arn:aws:s3:::b","arn:aws:s3:::b/*"]"#;
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}",{principal}"Action":"s3:*","Resource":{resource}}}}}"#
    );
    Policy::parse(text.as_bytes(), kind).expect("a policy")
}

fn allows(row: &Row, action: &str) -> bool {
    let acl = Acl { grants: row.acl.iter().map(|text| grant(text)).collect() };
    let other_owner = match row.owner.as_str() {
        "other" => Some(subject("carol").account),
        "nobody" => Some("anonymous"),
        _ => None,
    };
    let scoped = |scope| Acls { acl: Some(&acl), scope, ignore_public: row.ignore_public, other_owner };
    let acls = match row.on.as_str() {
        "bucket" => scoped(AclScope::Bucket),
        "free key" => scoped(AclScope::Write { free: true }),
        "taken key" => scoped(AclScope::Write { free: false }),
        "object" => scoped(AclScope::Object),
        "own upload" => Acls { scope: AclScope::OwnUpload, ..Acls::default() },
        "foreign upload" | "off" => Acls::default(),
        unknown => panic!("there is no {unknown}"),
    };
    let of_bucket = match row.policy.as_str() {
        "allows" => Some(policy("Allow", Kind::Bucket)),
        "denies" => Some(policy("Deny", Kind::Bucket)),
        _ => None,
    };
    let identity = [Attached { name: "all".into(), policy: policy("Allow", Kind::Identity).into() }];
    let own = SubjectPolicies { identity: if row.identity { &identity } else { &[] }, ..SubjectPolicies::default() };
    let resource = if row.on == "bucket" { "arn:aws:s3:::b" } else { "arn:aws:s3:::b/k" };
    let (subject, owner) = (subject(&row.who), subject("root").account);
    let request = Request { subject, action, resource, owner, context: &NoContext };
    let decision = evaluate(&request, &own, &Target::Bucket { policy: of_bucket.as_ref(), acls });
    assert!(decision.is_allowed() || !decision.denial(&request).is_empty());
    matches!(decision, Decision::Allow(_))
}

#[test]
fn what_acls_allow() {
    let Table { actions, rows, .. } = fixture("acls.json");
    let mut wrong = Vec::new();
    for row in &rows {
        let found: Vec<&String> = actions.iter().filter(|action| allows(row, action)).collect();
        if found != row.allows.iter().collect::<Vec<_>>() {
            let Row { acl, on, owner, who, .. } = row;
            wrong.push(format!("{acl:?} on {on} of {owner}: {who} may {found:?}, not {:?}", row.allows));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    println!("{} rows, {} decisions", rows.len(), rows.len() * actions.len());
}

#[test]
fn names_and_what_is_public() {
    for (permission, name) in Permission::ALL {
        assert_eq!((Permission::parse(name), permission.name()), (Some(permission), name));
    }
    for (group, uri) in Group::ALL {
        assert_eq!((Group::parse(uri), group.uri()), (Some(group), uri));
        let acl = Acl { grants: vec![AclGrant::group(group, Permission::ReadAcp)] };
        assert_eq!(acl.is_public(), group != Group::LogDelivery);
    }
    assert!(!Acl::private("a").is_public() && Acl::private("a").is_of_alone("a") && !Acl::default().is_of_alone("a"));
    assert!(Acl::private("b").grants_to_others("a") && !Acl::default().grants_to_others("a"));
    for name in ["", "Private", "public", "read"] {
        assert_eq!((CannedAcl::parse(name), Permission::parse(name), Group::parse(name)), (None, None, None));
    }
}

#[test]
fn canned_acls_as_the_guide_has_them() {
    let shown = |canned: CannedAcl, owner| -> String {
        let grants = canned.acl(owner, "bucket").grants.into_iter().map(|AclGrant { grantee, permission }| {
            let grantee = match grantee {
                Grantee::Account(id) if id == EXEC_READ_ID => "EC2".to_owned(),
                Grantee::Account(id) => id,
                Grantee::Group(group) => format!("{group:?}"),
            };
            format!("{grantee} {}", permission.name())
        });
        grants.collect::<Vec<_>>().join(", ")
    };
    for (name, of_writer) in [
        ("private", "writer FULL_CONTROL"),
        ("public-read", "writer FULL_CONTROL, AllUsers READ"),
        ("public-read-write", "writer FULL_CONTROL, AllUsers READ, AllUsers WRITE"),
        ("authenticated-read", "writer FULL_CONTROL, AuthenticatedUsers READ"),
        ("aws-exec-read", "writer FULL_CONTROL, EC2 READ"),
        ("bucket-owner-read", "writer FULL_CONTROL, bucket READ"),
        ("bucket-owner-full-control", "writer FULL_CONTROL, bucket FULL_CONTROL"),
        ("log-delivery-write", "writer FULL_CONTROL, LogDelivery WRITE, LogDelivery READ_ACP"),
    ] {
        let canned = CannedAcl::parse(name).expect("a canned ACL");
        assert_eq!(shown(canned, "writer"), of_writer, "{name}");
        let of_owner = of_writer.replace("writer", "bucket");
        let of_owner = of_owner.split(", ").filter(|grant| !name.starts_with("bucket") || grant.contains("FULL"));
        let mut of_owner: Vec<_> = of_owner.collect();
        of_owner.dedup();
        assert_eq!(shown(canned, "bucket"), of_owner.join(", "), "{name}");
    }
}
