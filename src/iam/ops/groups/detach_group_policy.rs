//! DetachGroupPolicy.

use crate::iam::ops::holder::attached;
use crate::identity::GroupRecord;

pub(in crate::iam) type Input = attached::One<GroupRecord>;
pub(in crate::iam) use attached::detach as run;
