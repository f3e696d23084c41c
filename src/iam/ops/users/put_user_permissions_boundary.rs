//! PutUserPermissionsBoundary.

use crate::iam::ops::holder::boundary;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = boundary::Put<UserRecord>;
pub(in crate::iam) use boundary::put as run;
