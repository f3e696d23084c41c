//! ListGroupPolicies.

use crate::iam::ops::holder::inline;
use crate::identity::GroupRecord;

pub(in crate::iam) type Input = inline::List<GroupRecord>;
pub(in crate::iam) use inline::list as run;
