//! PutUserPolicy.

use crate::iam::ops::holder::inline;
use crate::identity::UserRecord;

pub(in crate::iam) type Input = inline::Put<UserRecord>;
pub(in crate::iam) use inline::put as run;
