//! GetGroupPolicy.

use crate::iam::ops::holder::inline;
use crate::identity::GroupRecord;

pub(in crate::iam) type Input = inline::One<GroupRecord>;
pub(in crate::iam) use inline::get as run;
