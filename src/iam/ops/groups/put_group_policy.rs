//! PutGroupPolicy.

use crate::iam::ops::holder::inline;
use crate::identity::GroupRecord;

pub(in crate::iam) type Input = inline::Put<GroupRecord>;
pub(in crate::iam) use inline::put as run;
