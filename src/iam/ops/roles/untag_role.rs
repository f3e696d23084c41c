//! UntagRole.

use crate::iam::ops::holder::tagging;
use crate::identity::RoleRecord;

pub(in crate::iam) type Input = tagging::Untag<RoleRecord>;
pub(in crate::iam) use tagging::untag as run;
