//! TagRole.

use crate::iam::ops::holder::tagging;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = tagging::Tag<RoleRecord>;
pub(in crate::iam) use tagging::tag as run;
