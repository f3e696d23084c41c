//! ListAttachedGroupPolicies.

use crate::iam::ops::holder::attached;
use crate::identity::GroupRecord;

pub(in crate::iam) type Input = attached::List<GroupRecord>;
pub(in crate::iam) use attached::list as run;
