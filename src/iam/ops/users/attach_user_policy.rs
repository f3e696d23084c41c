//! AttachUserPolicy.

use crate::iam::ops::holder::attached;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = attached::One<UserRecord>;
pub(in crate::iam) use attached::attach as run;
