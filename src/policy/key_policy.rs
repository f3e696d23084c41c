//! What KMS asks of a new key policy.

use super::document::Policy;
use super::evaluate::{Request, SubjectPolicies, Target, evaluate};

/// What KMS answers, as `MalformedPolicyDocumentException`, when [`keeps_key_manageable`] fails.
pub const LOCKOUT_MESSAGE: &str = "The new key policy will not allow you to update the key policy in the future.";

/// The lock-out check of CreateKey, PutKeyPolicy and ReplicateKey: whether the caller, with `new` as the key's policy,
/// could still call PutKeyPolicy. Grants do not count: they never cover that action.
///
/// Of `request`, the action is not looked at. `resource` is the key's ARN; of a key that is yet to be made, the ARN it
/// will have.
pub fn keeps_key_manageable(request: &Request<'_>, own: &SubjectPolicies<'_>, new: &Policy) -> bool {
    let request = Request { action: "kms:PutKeyPolicy", ..*request };
    let target = Target::Key { policy: new, grants: &[], encryption_context: &[] };
    evaluate(&request, own, &target).is_allowed()
}
