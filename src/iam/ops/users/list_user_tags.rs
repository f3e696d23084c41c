//! ListUserTags.

use crate::iam::ops::holder::tagging;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = tagging::List<UserRecord>;
pub(in crate::iam) use tagging::list as run;
