use std::collections::HashSet;

use super::*;
use crate::policy::{
    Decision, NoContext, PolicyQuota, Request, Subject, SubjectKind, SubjectPolicies, Target, counted_chars, evaluate,
};

#[test]
fn each_is_a_policy_and_has_a_name_of_its_own() {
    let mut names = HashSet::new();
    for role in ReadyMade::all() {
        let arn = role.arn();
        assert_eq!(role.attached().policy.text(), role.document);
        assert_eq!(role.attached().name.as_ref(), role.name);
        assert_eq!(&*role.attached_as(&arn).name, arn);
        for name in [role.name, role.word, &arn] {
            assert_eq!(ReadyMade::find(name), Some(role), "{name}");
        }
        assert_eq!(ReadyMade::by_arn(&arn), Some(role));
        assert_eq!(arn, format!("arn:aws:iam::aws:policy/{}", role.policy_name()));
        assert!(ReadyMade::is_named(role.name) && ReadyMade::is_named(&arn) && !ReadyMade::is_named(role.document));
        let id = role.policy_id();
        assert!(id.len() == 21 && id.starts_with("ANPA") && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        assert_eq!(PolicyQuota::Managed.check(counted_chars(role.document)), Ok(()));
        assert!(
            [role.name, role.word, &arn, &id].iter().all(|name| names.insert((*name).to_owned())) || role.name == arn
        );
    }
    assert_eq!(ReadyMade::all().map(ReadyMade::policy_id).collect::<HashSet<_>>().len(), 7);
    for nobody in ["strongroom:keyuser", "KeyUser", "arn:aws:iam::aws:policy/keyuser", "arn:aws:iam::aws:policy/", ""] {
        assert_eq!(ReadyMade::find(nobody), None, "{nobody}");
    }
    assert_eq!(ReadyMade::by_arn("strongroom:KeyUser"), None);
}

/// What each decides about some action of each kind: allowed (`+`), denied (`-`), nothing said (`.`).
#[rustfmt::skip]
const DECIDED: [(&str, [char; 7]); 40] = [
    //                                        KeyAdministrator
    //                                        |    KeyUser
    //                                        |    |    Auditor
    //                                        |    |    |    AdministratorAccess
    //                                        |    |    |    |    ReadOnlyAccess
    //                                        |    |    |    |    |    AmazonS3FullAccess
    //                                        |    |    |    |    |    |    AmazonS3ReadOnlyAccess
    ("s3:GetObject",                         ['.', '.', '.', '+', '+', '+', '+']),
    ("s3:GetObjectVersion",                  ['.', '.', '.', '+', '+', '+', '+']),
    ("s3:ListBucket",                        ['.', '.', '.', '+', '+', '+', '+']),
    ("s3:ListAllMyBuckets",                  ['.', '.', '+', '+', '+', '+', '+']),
    ("s3:GetBucketPolicy",                   ['.', '.', '+', '+', '+', '+', '+']),
    ("s3:GetBucketAcl",                      ['.', '.', '+', '+', '+', '+', '+']),
    ("s3:GetBucketPublicAccessBlock",        ['.', '.', '+', '+', '+', '+', '+']),
    ("s3:GetObjectAcl",                      ['.', '.', '.', '+', '+', '+', '+']),
    ("s3:PutObject",                         ['.', '.', '.', '+', '.', '+', '.']),
    ("s3:DeleteObject",                      ['.', '.', '.', '+', '.', '+', '.']),
    ("s3:PutBucketPolicy",                   ['.', '.', '.', '+', '.', '+', '.']),
    ("s3:CreateBucket",                      ['.', '.', '.', '+', '.', '+', '.']),
    ("s3:BypassGovernanceRetention",         ['.', '.', '.', '+', '.', '+', '.']),
    ("kms:Decrypt",                          ['-', '+', '-', '+', '.', '.', '.']),
    ("kms:Encrypt",                          ['-', '+', '-', '+', '.', '.', '.']),
    ("kms:GenerateDataKey",                  ['-', '+', '-', '+', '.', '.', '.']),
    ("kms:Sign",                             ['-', '+', '-', '+', '.', '.', '.']),
    ("kms:CreateGrant",                      ['-', '.', '-', '+', '.', '.', '.']),
    ("kms:CreateKey",                        ['+', '.', '-', '+', '.', '.', '.']),
    ("kms:PutKeyPolicy",                     ['+', '.', '-', '+', '.', '.', '.']),
    ("kms:ScheduleKeyDeletion",              ['+', '.', '-', '+', '.', '.', '.']),
    ("kms:DescribeKey",                      ['+', '+', '+', '+', '+', '.', '.']),
    ("kms:GetKeyPolicy",                     ['+', '.', '+', '+', '+', '.', '.']),
    ("kms:GetParametersForImport",           ['+', '.', '-', '+', '.', '.', '.']),
    ("kms:ListGrants",                       ['+', '.', '+', '+', '+', '.', '.']),
    ("iam:GetUser",                          ['.', '.', '+', '+', '+', '.', '.']),
    ("iam:ListAccessKeys",                   ['.', '.', '+', '+', '+', '.', '.']),
    ("iam:GetAccountAuthorizationDetails",   ['.', '.', '+', '+', '+', '.', '.']),
    ("iam:SimulatePrincipalPolicy",          ['.', '.', '+', '+', '+', '.', '.']),
    ("iam:GenerateCredentialReport",         ['.', '.', '.', '+', '+', '.', '.']),
    ("iam:CreateUser",                       ['.', '.', '.', '+', '.', '.', '.']),
    ("iam:AttachUserPolicy",                 ['.', '.', '.', '+', '.', '.', '.']),
    ("iam:PassRole",                         ['.', '.', '.', '+', '.', '.', '.']),
    ("iam:PutUserPermissionsBoundary",       ['.', '.', '.', '+', '.', '.', '.']),
    ("sts:AssumeRole",                       ['.', '.', '.', '+', '.', '.', '.']),
    ("sts:GetCallerIdentity",                ['.', '.', '.', '+', '+', '.', '.']),
    ("sts:GetFederationToken",               ['.', '.', '.', '+', '.', '.', '.']),
    ("cloudtrail:LookupEvents",              ['.', '.', '+', '+', '+', '.', '.']),
    ("cloudtrail:GetTrailStatus",            ['.', '.', '+', '+', '+', '.', '.']),
    ("cloudtrail:DeleteTrail",               ['.', '.', '.', '+', '.', '.', '.']),
];

#[test]
fn what_each_allows_and_denies() {
    for (action, expected) in DECIDED {
        let request = Request {
            subject: Subject {
                kind: SubjectKind::User { name: "u" },
                account: "111122223333",
                canonical_id: "",
                arn: "arn:aws:iam::111122223333:user/u",
                user_id: "",
            },
            action,
            resource: "arn:aws:any:::thing",
            owner: "111122223333",
            context: &NoContext,
        };
        let decided = ReadyMade::all().map(|role| {
            let identity = [role.attached()];
            let own = SubjectPolicies { identity: &identity, ..SubjectPolicies::default() };
            match evaluate(&request, &own, &Target::Account) {
                Decision::Allow(_) => '+',
                Decision::ExplicitDeny(_) => '-',
                Decision::ImplicitDeny(_) => '.',
            }
        });
        assert_eq!(decided.collect::<Vec<_>>(), expected, "{action}");
    }
}
