//! GetUserPolicy.

use crate::iam::ops::holder::inline;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = inline::One<UserRecord>;
pub(in crate::iam) use inline::get as run;
