//! What temporary credentials are no good for, whatever policies say (STS API reference, GetSessionToken and
//! GetFederationToken; "Compare AWS STS credentials").

use super::error::{IamError, code};
use super::table::{Row, Service};
use crate::auth::{Access, CallerKind};

/// Refuses calls that the credentials they are signed with can't make.
///
/// Those of GetSessionToken call nothing of IAM, since nobody has a second factor here, and of STS AssumeRole and
/// GetCallerIdentity. Those of GetFederationToken call of both GetCallerIdentity alone. Those of a role get neither a
/// session token nor a federation token.
pub(super) fn check(access: &Access, row: &Row) -> Result<(), IamError> {
    let caller = access.caller();
    if caller.principal().session().is_none() {
        return Ok(());
    }
    let allowed = match (caller.kind(), row.service) {
        (CallerKind::Role { .. }, Service::Sts) => !matches!(row.name, "GetSessionToken" | "GetFederationToken"),
        (CallerKind::Role { .. }, Service::Iam) => true,
        (CallerKind::User { .. } | CallerKind::Root, Service::Sts) => {
            matches!(row.name, "AssumeRole" | "GetCallerIdentity" | "AssumeRoleWithWebIdentity" | "AssumeRoleWithSAML")
        }
        (_, Service::Sts) => {
            matches!(row.name, "GetCallerIdentity" | "AssumeRoleWithWebIdentity" | "AssumeRoleWithSAML")
        }
        (_, Service::Iam) => {
            // AWS says no more to them than to credentials that it does not know.
            let text = "The security token included in the request is invalid.";
            return Err(IamError::new(code::INVALID_CLIENT_TOKEN_ID, text));
        }
    };
    if allowed {
        return Ok(());
    }
    // As recorded of GetSessionToken and GetFederationToken.
    Err(IamError::new(code::ACCESS_DENIED, format!("Cannot call {} with session credentials", row.name)))
}
