//! TagUser.

use crate::iam::ops::holder::tagging;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = tagging::Tag<UserRecord>;
pub(in crate::iam) use tagging::tag as run;
