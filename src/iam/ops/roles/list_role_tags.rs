//! ListRoleTags.

use crate::iam::ops::holder::tagging;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = tagging::List<RoleRecord>;
pub(in crate::iam) use tagging::list as run;
