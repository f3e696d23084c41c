//! UntagUser.

use crate::iam::ops::holder::tagging;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = tagging::Untag<UserRecord>;
pub(in crate::iam) use tagging::untag as run;
