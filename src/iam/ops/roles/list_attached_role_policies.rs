//! ListAttachedRolePolicies.

use crate::iam::ops::holder::attached;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = attached::List<RoleRecord>;
pub(in crate::iam) use attached::list as run;
