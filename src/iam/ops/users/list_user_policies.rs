//! ListUserPolicies.

use crate::iam::ops::holder::inline;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = inline::List<UserRecord>;
pub(in crate::iam) use inline::list as run;
