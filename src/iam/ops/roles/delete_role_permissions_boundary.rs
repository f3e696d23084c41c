//! DeleteRolePermissionsBoundary.

use crate::iam::ops::holder::boundary;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = boundary::Delete<RoleRecord>;
pub(in crate::iam) use boundary::delete as run;
