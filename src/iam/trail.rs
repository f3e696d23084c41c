//! What the trail shows of a call: `requestParameters`.

use serde_json::{Map, Value};

use super::input::Params;
use crate::wire::lower_camel;

/// How a parameter is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
    /// A list or a structure.
    Parts,
}

use Kind::{Number, Parts, Text, Truth};

/// A value whose JSON is longer, in bytes, is not written down: it is over every limit of the API.
const SHOWN_MAX_BYTES: usize = 32 * 1024;
/// Levels of structures in structures; the models have three.
const DEPTH_MAX: usize = 6;

/// Parameters that the trail shows. All others (passwords, tokens, assertions, keys, markers) it never shows: a
/// parameter has to be named here to be written down. A test holds this and `HIDDEN` to the models.
const SHOWN: &[(&str, Kind)] = &[
    ("AWSServiceName", Text),
    ("AccessKeyId", Text),
    ("AccountAlias", Text),
    ("ActionNames", Parts),
    ("AllUsers", Truth),
    ("AllowUsersToChangePassword", Truth),
    ("Arn", Text),
    ("AssertionEncryptionMode", Text),
    ("AssignmentStatus", Text),
    ("AssumeRolePolicyDocument", Text),
    ("Audience", Parts),
    ("CallerArn", Text),
    ("CertificateId", Text),
    ("ClientID", Text),
    ("ClientIDList", Parts),
    ("ContextEntries", Parts),
    ("ContextProvider", Parts),
    ("CredentialAgeDays", Number),
    ("CustomSuffix", Text),
    ("DelegationPermissionCheck", Truth),
    ("DelegationRequestId", Text),
    ("DeletionTaskId", Text),
    ("Description", Text),
    ("DurationSeconds", Number),
    ("Encoding", Text),
    ("EntityArn", Text),
    ("EntityFilter", Text),
    ("EntityPath", Text),
    ("ExternalId", Text),
    ("Filter", Parts),
    ("GlobalEndpointTokenVersion", Text),
    ("Granularity", Text),
    ("GroupName", Text),
    ("HardExpiry", Truth),
    ("IdentityCenterInstanceArn", Text),
    ("InstanceProfileName", Text),
    ("JobId", Text),
    ("Locale", Text),
    ("MaxItems", Number),
    ("MaxPasswordAge", Number),
    ("MaxSessionDuration", Number),
    ("MaxSigninSessionDuration", Number),
    ("MinimumPasswordLength", Number),
    ("MinimumSessionTokenSize", Number),
    ("MinorVersion", Number),
    ("Name", Text),
    ("NewGroupName", Text),
    ("NewPath", Text),
    ("NewServerCertificateName", Text),
    ("NewUserName", Text),
    ("Notes", Text),
    ("NotificationChannel", Text),
    ("OnlyAttached", Truth),
    ("OnlySendByOwner", Truth),
    ("OpenIDConnectProviderArn", Text),
    ("OrderedOrganizationPolicyInputList", Parts),
    ("OrganizationsPolicyId", Text),
    ("OwnerAccountId", Text),
    ("OwnerId", Text),
    ("PasswordResetRequired", Truth),
    ("PasswordReusePrevention", Number),
    ("Path", Text),
    ("PathPrefix", Text),
    ("Permissions", Parts),
    ("PermissionsBoundary", Text),
    ("PermissionsBoundaryPolicyInputList", Parts),
    ("Policy", Text),
    ("PolicyArn", Text),
    ("PolicyArns", Parts),
    ("PolicyDocument", Text),
    ("PolicyExclusionList", Parts),
    ("PolicyInputList", Parts),
    ("PolicyName", Text),
    ("PolicySourceArn", Text),
    ("PolicyUsageFilter", Text),
    ("PrincipalArn", Text),
    ("ProviderId", Text),
    ("RedirectUrl", Text),
    ("RemoveContextProvider", Truth),
    ("RemoveIdentityCenterInstance", Truth),
    ("RemovePrivateKey", Text),
    ("RequestMessage", Text),
    ("RequestorWorkflowId", Text),
    ("RequireLowercaseCharacters", Truth),
    ("RequireNumbers", Truth),
    ("RequireSymbols", Truth),
    ("RequireUppercaseCharacters", Truth),
    ("ResetMaxSigninSessionDuration", Truth),
    ("ResourceArns", Parts),
    ("ResourceHandlingOption", Text),
    ("ResourceOwner", Text),
    ("ResourcePolicy", Text),
    ("RoleArn", Text),
    ("RoleName", Text),
    ("RoleSessionName", Text),
    ("SAMLProviderArn", Text),
    ("SSHPublicKeyId", Text),
    ("Scope", Text),
    ("ScopedSessionDescription", Text),
    ("SerialNumber", Text),
    ("ServerCertificateName", Text),
    ("ServiceName", Text),
    ("ServiceNamespace", Text),
    ("ServiceNamespaces", Parts),
    ("ServiceSpecificCredentialId", Text),
    ("SessionDuration", Number),
    ("SetAsDefault", Truth),
    ("SigningAlgorithm", Text),
    ("SortKey", Text),
    ("SourceIdentity", Text),
    ("Status", Text),
    ("SubjectMode", Text),
    ("TagKeys", Parts),
    ("Tags", Parts),
    ("TargetPrincipal", Text),
    ("TaskPolicyArn", Parts),
    ("TemplateArn", Text),
    ("TemplateMinorVersion", Number),
    ("ThumbprintList", Parts),
    ("TransitiveTagKeys", Parts),
    ("Url", Text),
    ("UserName", Text),
    ("VersionId", Text),
    ("VirtualMFADeviceName", Text),
];

/// Parameters of the models that the trail never shows.
#[cfg(test)]
const HIDDEN: &[&str] = &[
    "AddPrivateKey",
    "AuthenticationCode1",
    "AuthenticationCode2",
    "CertificateBody",
    "CertificateChain",
    "EncodedMessage",
    "Marker",
    "NewPassword",
    "OldPassword",
    "Password",
    "PrivateKey",
    "Properties",
    "ProvidedContexts",
    "ReplacementValues",
    "SAMLAssertion",
    "SAMLMetadataDocument",
    "SSHPublicKeyBody",
    "TokenCode",
    "TradeInToken",
    "WebIdentityToken",
];

/// `requestParameters` of a call.
pub(super) fn shown_parameters(params: &Params) -> Value {
    let mut shown = Map::new();
    for (name, kind) in SHOWN {
        let value = match kind {
            Parts => tree(params, &format!("{name}."), DEPTH_MAX),
            Text | Number | Truth => params.text(name).map(|text| leaf(text, *kind)),
        };
        let Some(value) = value else { continue };
        let too_long = value.to_string().len() > SHOWN_MAX_BYTES;
        shown.insert(lower_camel(name), if too_long { "(too long)".into() } else { value });
    }
    if shown.is_empty() { Value::Null } else { shown.into() }
}

fn leaf(text: &str, kind: Kind) -> Value {
    // What is no number is a fault of the call, which the record tells beside what was sent.
    match kind {
        Number => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Truth if text.eq_ignore_ascii_case("true") => true.into(),
        Truth if text.eq_ignore_ascii_case("false") => false.into(),
        Text | Truth | Parts => text.into(),
    }
}

/// The list or the structure whose parts begin with `prefix`; none if there is none.
fn tree(params: &Params, prefix: &str, depth: usize) -> Option<Value> {
    if depth == 0 {
        return Some("(too deep)".into());
    }
    let mut names: Vec<&str> = params.behind(prefix).filter_map(|rest| rest.split('.').next()).collect();
    names.dedup();
    let first = names.first()?;
    let part = |name: &str| {
        let at = format!("{prefix}{name}");
        params.text(&at).map_or_else(|| tree(params, &format!("{at}."), depth - 1), |text| Some(text.into()))
    };
    if *first == "member" && names.len() == 1 {
        return part("member");
    }
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if numbers.len() < names.len() {
        return Some(Value::Object(names.iter().filter_map(|name| Some((lower_camel(name), part(name)?))).collect()));
    }
    numbers.sort_unstable();
    Some(numbers.iter().filter_map(|number| part(&number.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Service, operation, member, type: of all inputs.
    const MODEL: &str = include_str!("../../fixtures/iam/inputs.txt");

    #[test]
    fn every_parameter_of_the_models_is_shown_or_hidden() {
        for line in MODEL.lines() {
            let [_, operation, name, kind] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let expected = match kind {
                "string" => Text,
                "integer" => Number,
                "boolean" => Truth,
                "list" | "structure" | "map" => Parts,
                other => panic!("{operation} {name} is a {other}"),
            };
            let shown = SHOWN.iter().find(|(shown, _)| *shown == name);
            assert!(shown.is_some() != HIDDEN.contains(&name), "{operation} {name}");
            assert!(shown.is_none_or(|(_, kind)| *kind == expected), "{operation} {name}: {expected:?}");
        }
    }

    #[test]
    fn lists_and_structures() {
        let many: Vec<_> = (1..=11).map(|n| format!("TagKeys.member.{n}=k{n}")).collect();
        let body = format!(
            "Action=X&UserName=alice&MaxItems=5&SetAsDefault=true&Tags.member.1.Key=a&Tags.member.1.Value=b&Password=x\
             &NewPassword=x&WebIdentityToken=x&Marker=x&DurationSeconds=long&Unheard=x&PolicyArns.member.1.arn=p\
             &ContextEntries.member.1.ContextKeyName=k&ContextEntries.member.1.ContextKeyValues.member.1=v&{}",
            many.join("&")
        );
        let params = Params::parse("X-Amz-Signature=x", body.as_bytes()).unwrap();
        let shown = shown_parameters(&params);
        let expected = json!({
            "userName": "alice", "maxItems": 5, "setAsDefault": true, "durationSeconds": "long",
            "tags": [{ "key": "a", "value": "b" }], "policyArns": [{ "arn": "p" }],
            "tagKeys": ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k11"],
            "contextEntries": [{ "contextKeyName": "k", "contextKeyValues": ["v"] }],
        });
        assert_eq!(shown, expected);
        let deep = format!("Tags.{}=x", "a.".repeat(100));
        assert!(shown_parameters(&Params::parse(&deep, b"").unwrap()).is_object());
        assert_eq!(shown_parameters(&Params::parse("", b"").unwrap()), Value::Null);
    }
}
