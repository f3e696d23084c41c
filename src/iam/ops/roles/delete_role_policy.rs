//! DeleteRolePolicy.

use crate::iam::ops::holder::inline;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = inline::One<RoleRecord>;
pub(in crate::iam) use inline::delete as run;
