//! ListRolePolicies.

use crate::iam::ops::holder::inline;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = inline::List<RoleRecord>;
pub(in crate::iam) use inline::list as run;
