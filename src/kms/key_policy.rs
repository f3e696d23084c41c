//! Key policies in requests: CreateKey, PutKeyPolicy, ReplicateKey.

use super::cx::Cx;
use super::error::KmsError;
use super::input::{Fields, Pattern};
use crate::auth::Resource;
use crate::keyring::{ResolvedKey, Told, keeps_manageable, keeps_new_manageable};
use crate::names::{Region, kms_key_arn};
use crate::policy::{Key, Kind, LOCKOUT_MESSAGE, Policy, PolicyError, Value};

/// Characters of the model.
const POLICY_PATTERN: Pattern = Pattern {
    shown: "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
    allows: |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
};

/// A policy that is to become a key's.
pub(super) struct NewPolicy {
    document: Option<String>,
    /// The caller may lock itself out.
    bypass_lockout_check: bool,
}

impl NewPolicy {
    pub(super) fn read(fields: &mut Fields) -> Self {
        let document = fields.text("Policy", 1..=131_072);
        if let Some(document) = &document {
            fields.check_pattern("Policy", document, POLICY_PATTERN);
        }
        Self { document, bypass_lockout_check: fields.flag("BypassPolicyLockoutSafetyCheck") }
    }

    /// As [`Self::read`], and absence is a fault.
    pub(super) fn read_required(fields: &mut Fields) -> Self {
        if !fields.has("Policy") {
            fields.fault("Policy", "null", "Member must not be null");
        }
        Self::read(fields)
    }

    /// `kms:BypassPolicyLockoutSafetyCheck` of the call.
    pub(super) fn lockout_key(&self) -> (Key, Value<'static>) {
        (Key::KmsBypassPolicyLockoutSafetyCheck, Value::Bool(self.bypass_lockout_check))
    }

    /// The document, if it may become the policy of `of`; none was given: the default one, which always may.
    pub(super) async fn check(
        self,
        cx: &Cx<'_>,
        of: PolicyOf<'_>,
        told: &Told<'_>,
    ) -> Result<Option<String>, KmsError> {
        let Some(document) = self.document else { return Ok(None) };
        let policy = Policy::parse(document.as_bytes(), Kind::Key).map_err(|error| match error {
            PolicyError::TooLarge { limit_bytes } => {
                KmsError::new("LimitExceededException", format!("The key policy is larger than {limit_bytes} bytes."))
            }
            PolicyError::Malformed(text) => malformed(text),
        })?;
        if cx.first_unknown(policy.named_principals()).await?.is_some() {
            return Err(malformed("Policy contains a statement with one or more invalid principals."));
        }
        if !self.bypass_lockout_check && !of.keeps_manageable(cx, &policy, told) {
            return Err(malformed(LOCKOUT_MESSAGE));
        }
        Ok(Some(document))
    }
}

/// Whose policy it is to become.
#[derive(Debug, Clone, Copy)]
pub(super) enum PolicyOf<'a> {
    /// A key that there is.
    Key(&'a ResolvedKey),
    /// A key to be made in this Region, in the caller's account.
    NewKey(&'a Region),
}

impl PolicyOf<'_> {
    fn keeps_manageable(self, cx: &Cx<'_>, policy: &Policy, told: &Told<'_>) -> bool {
        match self {
            Self::Key(key) => keeps_manageable(cx.access, key, policy, told),
            Self::NewKey(region) => {
                // Its id is not known yet; a policy can't name it either.
                let arn = kms_key_arn(region, cx.account, "00000000-0000-0000-0000-000000000000");
                keeps_new_manageable(cx.access, &Resource { arn, owner: cx.account.clone() }, policy, told)
            }
        }
    }
}

fn malformed(text: impl Into<String>) -> KmsError {
    KmsError::new("MalformedPolicyDocumentException", text)
}
