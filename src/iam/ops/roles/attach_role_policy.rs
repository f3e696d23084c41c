//! AttachRolePolicy.

use crate::iam::ops::holder::attached;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = attached::One<RoleRecord>;
pub(in crate::iam) use attached::attach as run;
