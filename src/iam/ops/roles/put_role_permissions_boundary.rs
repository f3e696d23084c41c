//! PutRolePermissionsBoundary.

use crate::iam::ops::holder::boundary;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = boundary::Put<RoleRecord>;
pub(in crate::iam) use boundary::put as run;
