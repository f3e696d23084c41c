//! Key policies in requests: CreateKey, PutKeyPolicy, ReplicateKey.

use super::cx::Cx;
use super::error::KmsError;
use super::input::{Fields, Pattern};
use super::json::parse_object;

/// Bytes of a key policy (AWS's quota; the model allows 131,072 characters, which answer another error).
const POLICY_MAX_BYTES: usize = 32 * 1024;
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

    /// The document, if it may become a key's policy; none was given: the default one, which always may.
    pub(super) fn check(self, cx: &Cx<'_>) -> Result<Option<String>, KmsError> {
        let Some(document) = self.document else { return Ok(None) };
        if document.len() > POLICY_MAX_BYTES {
            let text = format!("The key policy is larger than {POLICY_MAX_BYTES} bytes.");
            return Err(KmsError::new("LimitExceededException", text));
        }
        check_document(cx, &document, self.bypass_lockout_check)?;
        Ok(Some(document))
    }
}

/// The one place that judges a new policy: here its form only. Grammar, principals and, unless it is bypassed, the
/// lock-out check ("may the caller still call PutKeyPolicy?") are the policy engine's.
fn check_document(_cx: &Cx<'_>, document: &str, _bypass_lockout_check: bool) -> Result<(), KmsError> {
    if parse_object(document.as_bytes()).is_some_and(|members| members.contains_key("Statement")) {
        return Ok(());
    }
    Err(KmsError::new("MalformedPolicyDocumentException", "The new key policy is not a policy document."))
}
