//! What the operations that give out credentials have in common: session policies, session tags, and the answer.

use serde_json::{Value, json};

use crate::iam::cx::{Adds, Cx};
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::Writer;
use crate::iam::shapes::{ROLE_ARN, SESSION_POLICY, SESSION_POLICY_UNRESTRICTED, TAG_KEY, TAG_VALUE};
use crate::identity::TemporaryCredentials;
use crate::names::AccountId;
use crate::policy::{Key, Kind, Policy, PolicyError, SESSION_POLICY_ARNS_MAX, SESSION_POLICY_MAX_CHARS};
use crate::wire::iso8601_seconds;

/// Most session tags, those that a session inherits included.
pub(super) const SESSION_TAGS_MAX: usize = 50;
/// Shortest session of all, in seconds.
pub(super) const DURATION_MIN_SECONDS: u32 = 900;
/// Longest session of a role, whatever the role allows, in seconds.
pub(super) const ROLE_DURATION_MAX_SECONDS: u32 = 43_200;
/// Longest session of a user's own and of a federated user, in seconds.
pub(super) const USER_DURATION_MAX_SECONDS: u32 = 129_600;
/// Longest session that a role session or a root can get, in seconds; also what a role's session lasts unless asked.
pub(super) const HOUR_SECONDS: u32 = 3_600;
/// What a session of a user lasts unless asked, in seconds.
pub(super) const USER_DURATION_DEFAULT_SECONDS: u32 = 43_200;

/// `Policy` and `PolicyArns`.
pub(super) struct SessionPolicies {
    inline: Option<String>,
    pub(super) arns: Vec<String>,
}

impl SessionPolicies {
    /// `restricted`: the model says how long the policy may be.
    pub(super) fn read(fields: &mut Fields<'_>, restricted: bool) -> Self {
        let shape = if restricted { &SESSION_POLICY } else { &SESSION_POLICY_UNRESTRICTED };
        Self {
            arns: fields.structures("PolicyArns", 0..=SESSION_POLICY_ARNS_MAX, |f| f.required("arn", &ROLE_ARN)),
            inline: fields.text("Policy", shape),
        }
    }

    /// The inline policy, if it is one. Tells nothing of what exists.
    pub(super) fn documents(&self) -> Result<Vec<String>, IamError> {
        let Some(document) = &self.inline else { return Ok(Vec::new()) };
        let chars = document.chars().count();
        if chars > SESSION_POLICY_MAX_CHARS {
            return Err(too_large(chars));
        }
        match Policy::parse(document.as_bytes(), Kind::Session) {
            Ok(_) => Ok(vec![document.clone()]),
            Err(PolicyError::TooLarge { .. }) => Err(too_large(chars)),
            Err(PolicyError::Malformed(text)) => Err(IamError::new(code::MALFORMED_POLICY_DOCUMENT, text)),
        }
    }

    /// That the managed policies are there for sessions of `account`. Only for who may have the session.
    pub(super) async fn check_arns(&self, cx: &Cx<'_>, account: &AccountId) -> Result<(), IamError> {
        for arn in &self.arns {
            if cx.identities().managed_policy(account, arn).await?.is_none() {
                // AWS's text is not recorded.
                let text = format!("Invalid policy ARN {arn}: account {account} has no such managed policy.");
                return Err(IamError::validation(text));
            }
        }
        Ok(())
    }
}

fn too_large(chars: usize) -> IamError {
    // AWS's text is not recorded.
    let text = format!("The session policy has {chars} characters; {SESSION_POLICY_MAX_CHARS} are allowed.");
    IamError::new(code::PACKED_POLICY_TOO_LARGE, text)
}

/// `Tags`.
pub(super) fn read_session_tags(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    fields.structures("Tags", 0..=SESSION_TAGS_MAX, |tag| {
        (tag.required("Key", &TAG_KEY), tag.required("Value", &TAG_VALUE))
    })
}

/// `SerialNumber` and `TokenCode`: there are no MFA devices here, so that none is a user's.
pub(super) fn refuse_mfa(given: bool) -> Result<(), IamError> {
    if !given {
        return Ok(());
    }
    let text = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is \
                valid and associated with this user.";
    Err(IamError::new(code::ACCESS_DENIED, text))
}

/// `sts:TransitiveTagKeys`, each key by itself.
pub(super) fn with_transitive<'a>(adds: Adds<'a>, keys: &'a [String]) -> Adds<'a> {
    keys.iter().fold(adds, |adds, key| adds.text(Key::StsTransitiveTagKeys, key))
}

/// `Credentials` of an answer.
pub(super) fn write_credentials(w: &mut Writer, made: &TemporaryCredentials) {
    let text = |bytes: &'_ [u8]| std::str::from_utf8(bytes).is_ok();
    debug_assert!(text(made.secret.expose()) && text(made.token.expose()), "both are base64");
    w.node("Credentials", |w| {
        w.leaf("AccessKeyId", &made.access_key_id);
        w.leaf("SecretAccessKey", std::str::from_utf8(made.secret.expose()).unwrap_or_default());
        w.leaf("SessionToken", std::str::from_utf8(made.token.expose()).unwrap_or_default());
        w.leaf("Expiration", &iso8601_seconds(made.expires));
    });
}

/// `AssumedRoleUser` of an answer, and what follows it everywhere.
pub(super) fn write_assumed(w: &mut Writer, made: &TemporaryCredentials, source_identity: Option<&str>) {
    w.node("AssumedRoleUser", |w| {
        w.leaf("AssumedRoleId", &made.user_id).leaf("Arn", &made.arn);
    });
    write_packed(w, made);
    if let Some(name) = source_identity {
        w.leaf("SourceIdentity", name);
    }
}

/// `PackedPolicySize` of an answer.
pub(super) fn write_packed(w: &mut Writer, made: &TemporaryCredentials) {
    if let Some(percent) = made.packed_percent {
        w.leaf("PackedPolicySize", &percent.to_string());
    }
}

/// `responseElements`: CloudTrail's, less the session token. `who` are the members beside `credentials`.
pub(super) fn record_session(made: &TemporaryCredentials, who: Value) -> Value {
    let mut record = json!({
        "credentials": { "accessKeyId": made.access_key_id, "expiration": iso8601_seconds(made.expires) },
    });
    if let (Some(record), Value::Object(who)) = (record.as_object_mut(), who) {
        record.extend(who.into_iter().filter(|(_, value)| !value.is_null()));
    }
    record
}
