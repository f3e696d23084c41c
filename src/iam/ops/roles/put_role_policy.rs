//! PutRolePolicy.

use crate::iam::ops::holder::inline;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = inline::Put<RoleRecord>;
pub(in crate::iam) use inline::put as run;
