//! DeleteUserPermissionsBoundary.

use crate::iam::ops::holder::boundary;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = boundary::Delete<UserRecord>;
pub(in crate::iam) use boundary::delete as run;
