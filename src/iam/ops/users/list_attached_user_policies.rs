//! ListAttachedUserPolicies.

use crate::iam::ops::holder::attached;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = attached::List<UserRecord>;
pub(in crate::iam) use attached::list as run;
