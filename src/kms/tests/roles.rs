//! What the policies that come with the program allow, of all there is to ask.

use crate::kms::table::TABLE;
use crate::policy::{
    Decision, NoContext, READY_MADE, Request, Subject, SubjectKind, SubjectPolicies, Target, evaluate,
};

/// The actions that use a key.
const USES: [&str; 16] = [
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "VerifyMac",
];

const ALLOWED: &str = "\
strongroom:KeyAdministrator: CancelKeyDeletion ConnectCustomKeyStore CreateAlias CreateCustomKeyStore CreateKey \
DeleteAlias DeleteCustomKeyStore DeleteImportedKeyMaterial DescribeCustomKeyStores DescribeKey DisableKey \
DisableKeyRotation DisconnectCustomKeyStore EnableKey EnableKeyRotation GetKeyLastUsage GetKeyPolicy \
GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial ListAliases ListGrants ListKeyPolicies \
ListKeyRotations ListKeys ListResourceTags ListRetirableGrants PutKeyPolicy ReplicateKey RevokeGrant RotateKeyOnDemand \
ScheduleKeyDeletion TagResource UntagResource UpdateAlias UpdateCustomKeyStore UpdateKeyDescription UpdatePrimaryRegion
strongroom:KeyUser: Decapsulate Decrypt DeriveSharedSecret DescribeKey Encapsulate Encrypt GenerateDataKey \
GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GenerateRandom \
GetPublicKey ReEncryptFrom ReEncryptTo Sign Verify VerifyMac
strongroom:Auditor: DescribeCustomKeyStores DescribeKey GetKeyLastUsage GetKeyPolicy GetKeyRotationStatus ListAliases \
ListGrants ListKeyPolicies ListKeyRotations ListKeys ListResourceTags ListRetirableGrants
";

#[test]
fn what_each_role_may_and_what_nobody_can_give_it() {
    let mut names: Vec<&str> = TABLE.iter().map(|row| row.name).filter(|name| *name != "ReEncrypt").collect();
    names.extend(["ReEncryptFrom", "ReEncryptTo"]);
    names.sort_unstable();
    let mut printed = String::new();
    for role in &READY_MADE {
        let identity = [role.attached()];
        let own = SubjectPolicies { identity: &identity, ..SubjectPolicies::default() };
        let mut allowed = Vec::new();
        for name in &names {
            let action = format!("kms:{name}");
            let request = Request {
                subject: Subject {
                    kind: SubjectKind::User { name: "u" },
                    account: "111122223333",
                    canonical_id: "",
                    arn: "arn:aws:iam::111122223333:user/u",
                    user_id: "",
                },
                action: &action,
                resource: "*",
                owner: "111122223333",
                context: &NoContext,
            };
            let decision = evaluate(&request, &own, &Target::Account);
            if decision.is_allowed() {
                allowed.push(*name);
            }
            if role.word != "key-user" && USES.contains(name) {
                assert!(matches!(decision, Decision::ExplicitDeny(_)), "{} {name}: {decision:?}", role.name);
            }
        }
        printed += &format!("{}: {}\n", role.name, allowed.join(" "));
    }
    assert_eq!(printed, ALLOWED);
}
